"""How fast the hub is beside what else one could take: `make bench`, or `python -m benchmarks.speed --only fanout,votes --quick`.

Each peer is started here, on a core of its own, with the same load; rounds are interleaved, and medians compared. A run counts
only when its result is right: everything delivered, once and in order; rows = tallies = log. `docs/performance.md` says the rest.
"""

import argparse
import json
import math
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import bars, finding, machine
from benchmarks.contenders import (
    MISSED,
    PEOPLE,
    Bare,
    Contender,
    Council,
    Naive,
    Node,
    NodePage,
    Ours,
    Votes,
    found_council,
    running,
    take_frame,
)
from benchmarks.load import Load, digest, http, write_requests
from tests.support.programs import CC, NODE, REDIS
from tests.support.services import Redis

RESULTS = Path("var/bench")
WATCHERS, FIRST, STORM = 1000, 20, 2000  # FIRST of the watchers come before memory is weighed
ROUNDS_END = 600.0  # seconds
ONE_BY_ONE = 10.0  # events a second: slow enough for all, so that nobody can join frames
EVENTS_P99, VOTES_P99 = 100.0, 250.0  # milliseconds
# So many that from none of them so many newcomers come that their votes are held.
NETWORKS = [f"10.{n // 62500}.{n // 250 % 250}.{n % 250 + 1}" for n in range(2500)]


def network(n: int) -> str:
    return NETWORKS[n % len(NETWORKS)]


class Wrong(Exception):
    """A run whose result is not what was sent: it counts for nothing, and the bench fails."""


@dataclass
class Bench:
    """What all measurements share: a council, the frame that everybody sends, and what was measured so far."""

    folder: Path
    council: Council
    frame: Path
    redis: str
    quick: bool
    kept: Any
    rows: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    best: dict[tuple[str, str], float] = field(default_factory=dict)
    started: int = 0

    @property
    def moment(self) -> float:
        """Seconds that a load lasts."""
        return 1.5 if self.quick else 3.0

    def make(self, kind: type[Contender], *more: Any) -> Contender:
        self.started += 1
        folder = self.folder / f"{kind.__name__.lower()}-{self.started}"
        return Ours(folder, self.council, self.redis) if kind is Ours else kind(folder, self.frame, *more)

    def keep(
        self, measured: str, peer: str, round: int, value: float, answer: dict[str, Any], *, doubtful: bool = False, **more: Any
    ) -> None:
        """One measurement: its value, what the load client said of it, and whether the control failed."""
        client = share(answer)
        row = {"measured": measured, "peer": peer, "round": round, "value": value, "client": client, "doubtful": doubtful}
        self.rows.append(row)
        self.kept.write(json.dumps(row | {"answer": answer} | more | {"value": value if math.isfinite(value) else None}) + "\n")
        self.kept.flush()
        note = " (the machine was too busy)" if doubtful else ""
        print(f"  round {round}  {measured:8} {peer:6} {value:12,.2f}   client {client:4.0%}{note}", flush=True)


def share(answer: dict[str, Any]) -> float:
    """How much of its core the load client needed."""
    return float(answer["cpu"]) / max(answer["seconds"], 1e-6)


def demand(fact: bool, what: str, answer: object = "") -> None:
    if not fact:
        raise Wrong(f"{what} {answer}".strip())


@contextmanager
def watched(contender: Contender, watchers: int, topic: str | None = None) -> Iterator[tuple[Load, dict[str, Any]]]:
    """A server that runs, and so many watchers of it; how they came, and how much memory each took of it."""
    with running(contender), Load(contender.port) as load:
        come(load, contender, FIRST, topic)
        before = machine.memory(contender.pid)
        answer = come(load, contender, watchers - FIRST, topic)
        answer["memory"] = (machine.memory(contender.pid) - before) / (watchers - FIRST) / 1024
        yield load, answer


def come(load: Load, contender: Contender, watchers: int, topic: str | None) -> dict[str, Any]:
    answer = load.connect(watchers, contender.watch(topic))
    demand(answer["there"] == watchers and not answer["failed"], f"{contender.name}: not all watchers came:", answer)
    return answer


def deliver(contender: Contender, load: Load, count: int, rate: float = 0) -> dict[str, Any]:
    """Have events happen, and return what was heard of them. Raises Wrong unless everybody heard each once and in order."""
    load.expect(count, patience=10)
    begun = machine.cpu(contender.pid)
    contender.give(count, rate)
    heard = load.heard()
    heard["server"] = machine.cpu(contender.pid) - begun
    sequences = contender.given()
    demand(len(sequences) == count, f"{contender.name}: {count} were given, the log has {len(sequences)}")
    right = heard["satisfied"] == WATCHERS and not (heard["disorder"] or heard["unlike"] or heard["failed"])
    demand(right and heard["digest"] == digest(sequences), f"{contender.name}: not everything was delivered in order:", heard)
    return heard


# Measurements: each takes the bench and the number of a round, and keeps a value for each peer


def fanout(bench: Bench, round: int) -> None:
    """Processor time of the server for each event and socket, and its memory for each watcher."""
    for kind in (Naive, Node, Bare, Ours):
        contender = bench.make(kind)
        with watched(contender, WATCHERS) as (load, came):
            if kind is not Bare:
                bench.keep("memory", contender.name, round, came["memory"], came)
            deliver(contender, load, 5)  # what only the first one pays
            for measured, rate in (("fanout", ONE_BY_ONE), ("burst", 0)):
                count = 20 if bench.quick else 60
                heard = deliver(contender, load, count, rate)
                each = heard["server"] / (WATCHERS * count) * 1e6
                bench.keep(measured, contender.name, round, each, heard)


def events(bench: Bench, round: int) -> None:
    """The most events a second that all watchers hear in time."""
    for kind, start in ((Naive, 6.0), (Ours, 60.0)):
        contender = bench.make(kind)
        with watched(contender, WATCHERS) as (load, _):
            deliver(contender, load, 5)
            search(bench, "events", contender, load, round, start, partial(hear_events, bench, contender, load))


def hear_events(bench: Bench, contender: Contender, load: Load, rate: float) -> tuple[bool, dict[str, Any]]:
    """Do they hear of events that come at that rate, and come at that rate indeed?"""
    count = max(5, math.ceil(rate * bench.moment))
    heard = deliver(contender, load, count, rate)
    return heard["p99"] < EVENTS_P99 and heard["seconds"] < count / rate * 1.1 + 0.25, heard


def hot(bench: Bench, round: int) -> None:
    """The most votes a second on one idea of which all watchers hear in time."""
    idea = bench.council.open[0]
    for kind, start in ((Naive, 4.0), (Ours, 160.0)):
        contender, voters = bench.make(kind), iter(range(1, PEOPLE + 1))
        with watched(contender, WATCHERS, f"idea:{idea}") as (load, _):
            vote(bench, contender, load, [(n, idea) for n in islice(voters, 3)], seconds=1, rate=5)
            search(bench, "hot", contender, load, round, start, partial(hear_votes, bench, contender, load, idea, voters))


def hear_votes(
    bench: Bench, contender: Contender, load: Load, idea: str, voters: Iterator[int], rate: float
) -> tuple[bool, dict[str, Any]]:
    """Do they hear of votes that are sent at that rate? Each person has one."""
    ballots = [(n, idea) for n in islice(voters, max(5, math.ceil(rate * bench.moment)))]
    if len(ballots) < rate:
        return False, {"seconds": 0.0, "cpu": 0.0, "nobody": "is left to vote"}
    answer = vote(bench, contender, load, ballots, seconds=bench.moment * 1.5, rate=rate)
    astray = answer["backwards"] or answer["lost"] or answer["behind"]
    demand(not astray, f"{contender.name}: tallies went astray:", answer)
    return answer["sent"] == len(ballots) and answer["p99"] < VOTES_P99, answer


def votes(bench: Bench, round: int) -> None:
    """Votes a second over HTTP, each in a transaction that is on the disk before it is answered."""
    for kind in (Naive, Ours):
        contender = bench.make(kind)
        with running(contender), Load(contender.port) as load:
            pairs = ((n, idea) for idea in bench.council.open for n in range(1, PEOPLE + 1))
            vote(bench, contender, load, list(islice(pairs, 100)), seconds=5)
            for _ in range(attempts(bench)):
                begun = machine.cpu(contender.pid)
                with machine.Control(load.pid, *contender.workers()) as control:
                    answer = vote(bench, contender, load, list(islice(pairs, 20_000)), seconds=bench.moment)
                server = (machine.cpu(contender.pid) - begun) / max(1, answer["answered"]) * 1000
                if not control.verdict.failed:
                    break
        a_second, doubtful = answer["answered"] / answer["seconds"], control.verdict.failed
        bench.keep("votes", contender.name, round, a_second, answer, doubtful=doubtful)
        bench.keep("vote CPU", contender.name, round, server, answer)


def vote(
    bench: Bench, contender: Any, load: Load, ballots: list[tuple[int, str]], *, seconds: float, rate: float = 0
) -> dict[str, Any]:
    """Have these people vote. Raises Wrong unless each answered vote is there once: in the rows, the tallies and the log."""
    file = bench.folder / "ballots"
    write_requests(
        file,
        (
            http("PUT", f"/api/v1/ideas/{idea}/vote", Authorization=f"Bearer token-{n}", X_Forwarded_For=network(n))
            for n, idea in ballots
        ),
    )
    before: Votes = contender.votes()
    answer = load.ask(file, connections=64, seconds=seconds, rate=rate)
    after: Votes = contender.votes()
    all_answered = answer["answered"] == answer["sent"] and not (answer["refused"] or answer["failed"])
    demand(all_answered, f"{contender.name}: not all votes were answered:", answer)
    more = [after.rows - before.rows, after.tallies - before.tallies]
    more += [after.log - before.log] if after.log is not None and before.log is not None else []
    demand(set(more) == {answer["answered"]}, f"{contender.name}: {answer['answered']} votes are {more} rows, tallies, facts")
    return answer


def pages(bench: Bench, round: int) -> None:
    """Pages for people who are not signed in, for each second that the server's processor works; kept connections, not packed."""
    ours = bench.make(Ours)
    sizes = {}
    with running(ours) as server:
        for measured, path in (("list", "/ideas"), ("home", "/")):
            page = server.ask(path)
            demand(b"</html>" in page, f"ours: {path} is no page")
            sizes[measured] = len(page)
            read(bench, ours, measured, path, round)
    naive = bench.make(Naive)
    with running(naive):
        read(bench, naive, "list", "/ideas", round)
    for measured, size in sizes.items():
        node = bench.make(NodePage, size)
        with running(node):
            read(bench, node, measured, "/", round)


def read(bench: Bench, contender: Contender, measured: str, path: str, round: int) -> None:
    file = bench.folder / "reading"
    many = 40_000
    write_requests(file, (http("GET", path, X_Forwarded_For=network(n)) for n in range(many)))
    with Load(contender.port) as load:
        load.ask(file, connections=16, seconds=0.5)
        begun = machine.cpu(contender.pid)
        answer = load.ask(file, connections=16, seconds=bench.moment)
        server = (machine.cpu(contender.pid) - begun) / max(1, answer["answered"])
    right = answer["answered"] > 0 and not (answer["refused"] or answer["failed"])
    demand(right, f"{contender.name}: {path} was refused:", answer)
    bench.keep(measured, contender.name, round, 1 / server, answer)


def storm(bench: Bench, round: int) -> None:
    """Seconds until the last of 2,000 who come at once has all that it missed."""
    for kind in (Naive, Node, Ours):
        for _ in range(attempts(bench)):
            contender = bench.make(kind)
            with running(contender), Load(contender.port) as load:
                contender.miss()
                with machine.Control(load.pid, *contender.workers()) as control:
                    come = contender.watch(cursor=contender.cursor)
                    answer = load.connect(STORM, come, window=STORM, missed=MISSED)
            if not control.verdict.failed:
                break
        demand(not answer["disorder"], f"{contender.name}: what was missed came out of order:", answer)
        last, doubtful = math.inf, control.verdict.failed  # not all have come back within a minute and a half
        if answer["there"] == STORM:
            last = answer["answer_worst"] / 1000
            right = not answer["unlike"] and answer["digest"] == digest(contender.missed)
            demand(right, f"{contender.name}: not all were told what they missed:", answer)
        bench.keep("storm", contender.name, round, last, answer, doubtful=doubtful)


ROWS: dict[str, Callable[[Bench, int], None]] = {each.__name__: each for each in (fanout, events, hot, votes, pages, storm)}


def search(
    bench: Bench,
    measured: str,
    contender: Contender,
    load: Load,
    round: int,
    start: float,
    attempt: Callable[[float], tuple[bool, dict[str, Any]]],
) -> None:
    """Keep the highest rate that is good: doubled until it is not, then halved between. The best of the last round comes first.

    What is good although others were at work is good; what is not, while the control fails, is tried again.
    """
    rate, good, bad = bench.best.get((measured, contender.name), start), 0.0, math.inf
    tried, doubtful = [], False
    for _ in range(4 if bench.quick else 7):
        for _ in range(attempts(bench)):
            with machine.Control(load.pid, *contender.workers()) as control:
                is_good, answer = attempt(rate)
            if is_good or not control.verdict.failed:
                break
        tried.append({"rate": rate, "good": is_good, "late": control.verdict.late, "foreign": control.verdict.foreign, **answer})
        if is_good:
            good = rate
        else:
            bad, doubtful = rate, control.verdict.failed
        if bad < good * 1.15:
            break
        rate = good * 2 if math.isinf(bad) else math.sqrt(good * bad) if good else bad / 2
    bench.best[measured, contender.name] = good or rate
    bench.keep(measured, contender.name, round, good, max(tried, key=share), doubtful=doubtful, tried=tried)


def attempts(bench: Bench) -> int:
    return 1 if bench.quick else 2


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before the end"))  # as Ctrl-C does: what was started is ended
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*ROWS, "finding"]
    parser.add_argument("--only", default=",".join(names), help=f"some of {', '.join(names)}, with commas between")
    parser.add_argument("--quick", action="store_true", help="one round, shorter runs: for who changes a hot path")
    parser.add_argument("--rounds", type=int, help="three unless told, or as many as there is time for; at least one")
    asked = parser.parse_args()
    only = asked.only.split(",")
    if unknown := set(only) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if missing := [program.absence for program in (CC, NODE, REDIS) if not program.find()]:
        print("NOTHING WAS MEASURED:", *missing, sep="\n", file=sys.stderr)
        return 2
    if not machine.ALONE:
        print("This machine has one core: server and client share it, and the ratios say little.")
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"speed-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    with ExitStack() as at_the_end, file.open("w") as kept:
        folder = Path(at_the_end.enter_context(tempfile.TemporaryDirectory(prefix="hub-bench-")))
        redis = Redis(folder)
        redis.start()
        at_the_end.callback(redis.kill)
        bench = Bench(folder, found_council(folder), folder / "frame.json", redis.url, asked.quick, kept)
        with running(bench.make(Ours)) as ours:
            size = take_frame(bench.frame, ours)
        print(f"Everybody sends frames of {size} bytes.", flush=True)
        measure_all(bench, [name for name in only if name in ROWS], asked.rounds or (1 if asked.quick else 3))
        more = finding.run(finding.QUICK if asked.quick else finding.Extent()) if "finding" in only else []
    print(f"\nEach measurement is in {file}.")
    bars.conclude(bench.rows, list(bars.in_large_hubs(more)), bench.wrong)
    return 1 if bench.wrong else 0


def measure_all(bench: Bench, names: list[str], rounds: int) -> None:
    """Round after round; no further one begins that could not end in time."""
    begun = time.monotonic()
    for round in range(1, rounds + 1):
        passed = time.monotonic() - begun
        if round > 1 and passed * round / (round - 1) > ROUNDS_END:
            print(f"There is no time for more than {round - 1} of {rounds} rounds.", flush=True)
            return
        for name in names:
            measure(bench, name, round)


def measure(bench: Bench, name: str, round: int) -> None:
    begun = time.monotonic()
    try:
        ROWS[name](bench, round)
    except Wrong as wrong:
        print(f"  WRONG: {name}: {wrong}", flush=True)
        bench.wrong.append(f"{name}, round {round}: {wrong}")
    print(f"  round {round}  {name} took {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
