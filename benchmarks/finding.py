"""How long finding takes over 1,000 and 100,000 ideas: `python -m benchmarks.finding`, as part of `make bench`.

The large one has 5 million votes and 1 million comments. Both hubs are asked the same in turns, on each database, by somebody who
may see what is public. Raw rows go to `var/bench/`.
"""

import argparse
import json
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.filling import Language, fill
from events.catalogue import View, idea_topic
from ideas_hub import db
from ideas_hub.board import board
from ideas_hub.finding import shelf, similar_ideas
from ideas_hub.ideas import Idea, Stage
from ideas_hub.lists import Owed, Sort, Wanted
from ideas_hub.live import Live
from ideas_hub.people import NOBODY
from ideas_hub.permissions import visible_to
from ideas_hub.whole import idea_page
from tests.support.programs import POSTGRESQL
from tests.support.services import Postgres

TURNS = 20  # a hub is asked so often each time it is opened
SHOWN = 20  # ideas whose tallies are asked for at once
CONTROL = "control"
CALM = 2.0  # the p95 of the control loop is at most so many times its median, or the run says nothing
BAR = 3.0  # the p95 over the large hub is at most so many times the one over the small hub
GROWS = 1.5  # and likewise the median of what everybody opens all day
SIMILAR_P95 = 50.0  # milliseconds, while somebody types
ALL_DAY = ("list", "idea", "tallies", "board")
RESULTS = Path("var/bench")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured: the sizes of the two hubs, how often each is opened, and whether on PostgreSQL too."""

    small: int = 1_000
    large: int = 100_000
    rounds: int = 10
    postgresql: bool = True


QUICK = Extent(large=10_000, rounds=2, postgresql=False)


def questions(chance: random.Random, refs: list[str]) -> dict[str, Callable[[], Any]]:
    """One of each kind that is asked, by its name, of these ideas. The words are as frequent as they are in texts."""
    language = Language()
    few, title = language.say(chance, chance.choice((1, 2, 2, 3))), language.say(chance, chance.randint(5, 9))
    stages = frozenset(chance.sample([Stage.NEW, Stage.EXPLORING, Stage.TRIAL, Stage.ADOPTED], 2))
    some = Wanted(Sort.TOP, stages=stages, themes=frozenset({f"theme-{chance.randint(1, 12)}"}))
    rare = Wanted(Sort.NEW, answers=frozenset({Owed.LATE, Owed.DUE}), places=frozenset({f"Place {chance.randint(0, 20)}"}))
    one, several = chance.choice(refs), {idea_topic(ref) for ref in chance.sample(refs, SHOWN)}
    return {
        "search": lambda: shelf(NOBODY, Wanted(question=" ".join(few))),
        "search, filtered": lambda: shelf(NOBODY, Wanted(question=few[0], stages=stages)),
        "similar": lambda: similar_ideas(NOBODY, " ".join(title)),
        "list": lambda: shelf(NOBODY, Wanted(Sort.NEW)),
        "list, filtered": lambda: shelf(NOBODY, some),
        "list, rarely": lambda: shelf(NOBODY, rare),
        "idea": lambda: idea_page(NOBODY, one),
        "tallies": lambda: Live(str).facts(several, View.PUBLIC),
        "board": lambda: board(NOBODY),
        CONTROL: control,
    }


def measure(urls: dict[int, str], database: str, rounds: int) -> Iterator[dict[str, Any]]:
    """A row for each time that was taken, the hubs in turns."""
    for round in range(rounds):
        for ideas, url in urls.items():
            db.connect(url)
            with db.reading() as session:
                refs = list(session.scalars(sa.select(Idea.ref).where(visible_to(NOBODY, Idea)).order_by(Idea.id)))
            for ask in questions(random.Random(-1), refs).values():  # noqa: S311  what only the first one pays
                ask()
            for turn in range(TURNS):
                for name, ask in questions(random.Random(f"{round} {turn}"), refs).items():  # noqa: S311
                    begun, worked = time.perf_counter(), time.process_time()
                    ask()
                    took, cpu = time.perf_counter() - begun, time.process_time() - worked
                    times = {"ms": round_(took), "cpu_ms": round_(cpu)}
                    yield {"database": database, "ideas": ideas, "asked": name, "round": round, **times}
            db.disconnect()


def control() -> None:
    """Always the same work: where its time varies, the machine had other things to do."""
    sum(number * number for number in range(100_000))


def round_(seconds: float) -> float:
    return round(seconds * 1000, 3)


def percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


@dataclass(frozen=True, slots=True)
class Compared:
    """The milliseconds that one kind of question took on one database, over the small and the large hub."""

    database: str
    asked: str
    small: list[float]
    large: list[float]

    def text(self) -> str:
        numbers = [percentile(taken, part) for taken in (self.small, self.large) for part in (0.5, 0.95)]
        ratio = numbers[3] / numbers[1]
        mark = " over the bar" if ratio > BAR and self.asked.startswith(("search", "similar")) else ""
        if self.asked == CONTROL and not self.is_calm:
            mark = " UNRELIABLE: the machine was too busy"
        shown = f"{numbers[0]:12.1f}{numbers[1]:8.1f}{numbers[2]:15.1f}{numbers[3]:8.1f}{ratio:12.2f}"
        return f"{self.database:12}{self.asked:20}{shown}{mark}"

    @property
    def is_calm(self) -> bool:
        """Of the control: did the machine have nothing else to do?"""
        return all(percentile(taken, 0.95) <= CALM * percentile(taken, 0.5) for taken in (self.small, self.large))

    @property
    def growth(self) -> float:
        """How many times the median over the small hub the one over the large hub is."""
        return statistics.median(self.large) / statistics.median(self.small)


def compared(rows: list[dict[str, Any]], measured: str) -> list[Compared]:
    """What was measured ("ms" or "cpu_ms"), brought together."""
    taken: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in rows:
        taken.setdefault((row["database"], row["asked"]), {}).setdefault(row["ideas"], []).append(row[measured])
    return [Compared(*place, *(times for _, times in sorted(by_size.items()))) for place, by_size in taken.items()]


def table(rows: list[dict[str, Any]], measured: str, extent: Extent) -> str:
    sizes = f"{f'{extent.small:,}: p50':>12}{'p95':>8}{f'{extent.large:,}: p50':>15}{'p95':>8}{'p95 ratio':>12}"
    return "\n".join([f"{'database':12}{'asked':20}{sizes}", *(each.text() for each in compared(rows, measured))])


@contextmanager
def databases(extent: Extent) -> Iterator[dict[str, dict[int, str]]]:
    """The addresses of empty databases, by kind and size; all of it is removed again."""
    sizes = extent.small, extent.large
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    cluster = Postgres(durable=True) if extent.postgresql and POSTGRESQL.find() else None
    try:
        found = {"sqlite": {ideas: f"sqlite:///{folder}/hub-{ideas}.db" for ideas in sizes}}
        if cluster:
            cluster.start()
            for ideas in sizes:
                cluster.execute(f"CREATE DATABASE hub_{ideas}")
            found["postgresql"] = {ideas: f"{cluster.url}/hub_{ideas}" for ideas in sizes}
        else:
            print("NOT MEASURED: PostgreSQL,", POSTGRESQL.absence if extent.postgresql else "which was not asked for")
        yield found
    finally:
        db.disconnect()
        if cluster:
            cluster.remove()
        shutil.rmtree(folder)


def run(extent: Extent) -> list[Compared]:
    """Measure and print all of it, keep the raw rows, and return the milliseconds on the wall."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"finding-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    rows: list[dict[str, Any]] = []
    with databases(extent) as found, file.open("w") as kept:
        for database, urls in found.items():
            for ideas, url in urls.items():
                begun = time.monotonic()
                db.connect(url)
                fill(ideas)
                db.disconnect()
                print(f"{database}: filled with {ideas:,} ideas in {time.monotonic() - begun:.0f} s", flush=True)
            for row in measure(urls, database, extent.rounds):
                kept.write(json.dumps(row) + "\n")
                rows.append(row)
    print("Milliseconds on the wall", table(rows, "ms", extent), sep="\n")
    print("\nProcessor milliseconds of this process (not of PostgreSQL's own)", table(rows, "cpu_ms", extent), sep="\n")
    print(f"\nEach time is in {file}.")
    return compared(rows, "ms")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before the end"))  # as Ctrl-C does: what was started is ended
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 ideas instead of 100,000, on SQLite alone")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite alone")
    asked = parser.parse_args()
    run(QUICK if asked.quick else Extent(postgresql=not asked.sqlite))


if __name__ == "__main__":
    sys.exit(main())
