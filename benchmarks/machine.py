"""The machine that measures: which core is whose, what a program costs, and whether others were at work."""

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = CORES[0], CORES[-1]
ALONE = len(CORES) > 1  # has the server a core that the client has not?
LATE, FOREIGN = 0.02, 0.15  # a control fails above: seconds that its p99 wakes up late; cores that others took


def pin(pid: int, core: int) -> None:
    """Keep every thread that the process has, and those that they start, on that core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread.name), {core})


def cpu(pid: int) -> float:
    """Processor seconds that the process has used, all its threads together, also those that have ended.

    It is the scheduler's own count, as in the `schedstat` of each thread. The number is what `clock_getcpuclockid(3)` gives.
    """
    return time.clock_gettime(~pid << 3 | 2)


def memory(pid: int) -> int:
    """Bytes of memory that the process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def _busy() -> float:
    """Processor seconds that the whole machine has used, and those that its host took from it."""
    user, nice, system, *_, stolen = (int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + stolen) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the control saw: how late its p99 woke up (seconds), and how many cores programs took that are not ours."""

    late: float
    foreign: float

    @property
    def failed(self) -> bool:
        return self.late > LATE or self.foreign > FOREIGN


class Control:
    """An idle loop beside a run: it sleeps and notes how late it woke. `ours` are the processes that are meant to work."""

    def __init__(self, *ours: int) -> None:
        self.ours = [os.getpid(), *ours]
        self.lateness: list[float] = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Control":
        self.begun, self.busy, self.used = time.monotonic(), _busy(), sum(map(cpu, self.ours))
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()
        seconds = time.monotonic() - self.begun
        foreign = (_busy() - self.busy) - (sum(map(cpu, self.ours)) - self.used)
        late = sorted(self.lateness)[int(len(self.lateness) * 0.99)] if self.lateness else 0.0
        self.verdict = Verdict(late, max(0.0, foreign) / seconds)

    def _run(self) -> None:
        pause = 0.005
        while not self.ended.is_set():
            due = time.monotonic() + pause
            time.sleep(pause)
            self.lateness.append(time.monotonic() - due)
