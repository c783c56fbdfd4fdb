"""A pulse on eventlet's loop: how long whoever had their turn was kept waiting.

A server that calls `begin` writes it down. Run as a program, this is an idle loop, which only the machine keeps waiting.
"""

import json
import threading
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO

EVERY = 0.01  # seconds
FILE = "pulse"


@dataclass(frozen=True, slots=True)
class Beat:
    moment: float  # monotonic
    stalled: float  # seconds longer than it should have taken
    queued: float  # seconds of these in which this thread could have gone on, and others had the processor
    worked: float  # seconds of processor time of the process since the beat before


def begin() -> None:
    import eventlet

    eventlet.spawn(_beat)


def _beat() -> None:
    import eventlet

    with open(FILE, "a", buffering=1) as file, open(f"/proc/self/task/{threading.get_native_id()}/schedstat") as waited:
        while True:
            wall, mine, queued = time.monotonic(), time.process_time(), _queued(waited)
            eventlet.sleep(EVERY)
            now = time.monotonic()
            beat = Beat(now, now - wall - EVERY, _queued(waited) - queued, time.process_time() - mine)
            print(json.dumps(astuple(beat)), file=file)


def _queued(schedstat: IO[str]) -> float:
    """Seconds, since it began."""
    schedstat.seek(0)
    return int(schedstat.read().split()[1]) / 1e9


def beats(folder: Path, *, since: float = 0.0) -> list[Beat]:
    """Those that were written down in that folder since a moment."""
    whole = (folder / FILE).read_text().rpartition("\n")[0].splitlines()
    found = [Beat(*json.loads(line)) for line in whole]
    return [beat for beat in found if beat.moment >= since]


def stalls(folder: Path, *, since: float) -> list[float]:
    """Of what this process itself did, or waited for: in seconds, from the shortest to the longest."""
    return sorted(max(0.0, beat.stalled - beat.queued) for beat in beats(folder, since=since))


def share(of: list[float], part: float) -> float:
    """Which of those, sorted, so many parts of them do not pass."""
    return of[min(len(of) - 1, int(len(of) * part))]


if __name__ == "__main__":
    _beat()
