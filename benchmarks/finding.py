"""How long finding takes over 1,000 and 100,000 ideas: `python -m benchmarks.finding`, as part of `make bench`.

Both hubs are asked the same in turns, on each database, by somebody who may see what is public. Raw rows go to `var/bench/`.
"""

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.filling import Language, fill
from ideas_hub import db
from ideas_hub.board import board
from ideas_hub.finding import shelf, similar_ideas
from ideas_hub.ideas import Stage
from ideas_hub.lists import Owed, Sort, Wanted
from ideas_hub.people import NOBODY
from tests.support.programs import POSTGRESQL
from tests.support.services import Postgres

SMALL, LARGE = 1_000, 100_000
ROUNDS, TURNS = 10, 20  # both hubs are opened so often, and asked so often each time
CONTROL = "control"
CALM = 2.0  # the p95 of the control loop is at most so many times its median, or the run says nothing
BAR = 3.0  # the p95 over the large hub is at most so many times the one over the small hub
RESULTS = Path("var/bench")


def questions(chance: random.Random) -> dict[str, Callable[[], Any]]:
    """One of each kind that is asked, by its name. The words are as frequent as they are in texts."""
    language = Language()
    few, title = language.say(chance, chance.choice((1, 2, 2, 3))), language.say(chance, chance.randint(5, 9))
    stages = frozenset(chance.sample([Stage.NEW, Stage.EXPLORING, Stage.TRIAL, Stage.ADOPTED], 2))
    some = Wanted(Sort.TOP, stages=stages, themes=frozenset({f"theme-{chance.randint(1, 12)}"}))
    rare = Wanted(Sort.NEW, answers=frozenset({Owed.LATE, Owed.DUE}), places=frozenset({f"Place {chance.randint(0, 20)}"}))
    return {
        "search": lambda: shelf(NOBODY, Wanted(question=" ".join(few))),
        "search, filtered": lambda: shelf(NOBODY, Wanted(question=few[0], stages=stages)),
        "similar": lambda: similar_ideas(NOBODY, " ".join(title)),
        "list": lambda: shelf(NOBODY, Wanted(Sort.NEW)),
        "list, filtered": lambda: shelf(NOBODY, some),
        "list, rarely": lambda: shelf(NOBODY, rare),
        "board": lambda: board(NOBODY),
        CONTROL: control,
    }


def measure(urls: dict[int, str], database: str) -> Iterator[dict[str, Any]]:
    """A row for each time that was taken, the hubs in turns."""
    for round in range(ROUNDS):
        for ideas, url in urls.items():
            db.connect(url)
            for ask in questions(random.Random(-1)).values():  # noqa: S311  what only the first one pays
                ask()
            for turn in range(TURNS):
                for name, ask in questions(random.Random(f"{round} {turn}")).items():  # noqa: S311
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


def table(rows: list[dict[str, Any]], measured: str) -> str:
    lines = [f"{'database':12}{'asked':20}{'1,000: p50':>12}{'p95':>8}{'100,000: p50':>15}{'p95':>8}{'p95 ratio':>12}"]
    for database in dict.fromkeys(row["database"] for row in rows):
        for name in dict.fromkeys(row["asked"] for row in rows):
            taken = {
                ideas: [r[measured] for r in rows if (r["database"], r["asked"], r["ideas"]) == (database, name, ideas)]
                for ideas in (SMALL, LARGE)
            }
            numbers = [percentile(taken[ideas], part) for ideas in (SMALL, LARGE) for part in (0.5, 0.95)]
            ratio = numbers[3] / numbers[1]
            mark = " over the bar" if ratio > BAR and name.startswith(("search", "similar")) else ""
            if name == CONTROL and max(numbers[1] / numbers[0], numbers[3] / numbers[2]) > CALM:
                mark = " UNRELIABLE: the machine was too busy"
            shown = f"{numbers[0]:12.1f}{numbers[1]:8.1f}{numbers[2]:15.1f}{numbers[3]:8.1f}{ratio:12.2f}"
            lines.append(f"{database:12}{name:20}{shown}{mark}")
    return "\n".join(lines)


@contextmanager
def databases() -> Iterator[dict[str, dict[int, str]]]:
    """The addresses of empty databases, by kind and size; all of it is removed again."""
    folder = Path(tempfile.mkdtemp(prefix="hub-bench-"))
    cluster = Postgres(durable=True) if POSTGRESQL.find() else None
    try:
        found = {"sqlite": {ideas: f"sqlite:///{folder}/hub-{ideas}.db" for ideas in (SMALL, LARGE)}}
        if cluster:
            cluster.start()
            for ideas in (SMALL, LARGE):
                cluster.execute(f"CREATE DATABASE hub_{ideas}")
            found["postgresql"] = {ideas: f"{cluster.url}/hub_{ideas}" for ideas in (SMALL, LARGE)}
        else:
            print("NOT MEASURED:", POSTGRESQL.absence)
        yield found
    finally:
        db.disconnect()
        if cluster:
            cluster.remove()
        shutil.rmtree(folder)


def main() -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"finding-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    rows: list[dict[str, Any]] = []
    with databases() as found, file.open("w") as kept:
        for database, urls in found.items():
            for ideas, url in urls.items():
                begun = time.monotonic()
                db.connect(url)
                fill(ideas)
                db.disconnect()
                print(f"{database}: filled with {ideas:,} ideas in {time.monotonic() - begun:.0f} s", flush=True)
            for row in measure(urls, database):
                kept.write(json.dumps(row) + "\n")
                rows.append(row)
    print("Milliseconds on the wall", table(rows, "ms"), sep="\n")
    print("\nProcessor milliseconds of this process (not of PostgreSQL's own)", table(rows, "cpu_ms"), sep="\n")
    print(f"\nEach time is in {file}.")


if __name__ == "__main__":
    sys.exit(main())
