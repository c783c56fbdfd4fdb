"""The bars of the hub's speed, and the table of what was measured against them. A miss is said, never hidden."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks import finding

BUSY = 0.9  # of its core: a load client that works harder may be what was measured
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """The `measured` of ours is `most` or `least` so many times the one of a peer (`theirs`, where that has another name);
    without either it is only shown."""

    what: str
    measured: str
    peer: str
    unit: str
    most: float | None = None
    least: float | None = None
    theirs: str = ""

    @property
    def text(self) -> str:
        if self.most is None and self.least is None:
            return ""
        return f"<= {self.most:g} x" if self.most is not None else f">= {self.least:g} x"

    def met(self, ratio: float) -> bool:
        return ratio <= self.most if self.most is not None else ratio >= (self.least or 0)


BARS = (
    Bar("server CPU per delivery, 1,000 watchers", "fanout", "naive", "us", most=0.22),
    Bar("server CPU per delivery, 1,000 watchers", "fanout", "Node", "us", most=0.75),
    Bar("server CPU per delivery, 1,000 watchers", "fanout", "bare", "us", most=1.6),
    Bar("the same, many events in a burst", "burst", "naive", "us"),
    Bar("the same, many events in a burst", "burst", "Node", "us"),
    Bar("the same, many events in a burst", "burst", "bare", "us"),
    Bar("events to 1,000 watchers, p99 < 100 ms", "events", "naive", "/s", least=40),
    Bar("votes on one idea, heard by 1,000, p99 < 250 ms", "hot", "naive", "/s", least=40),
    Bar("PUT vote, SQLite with fsync, everything on", "votes", "naive", "/s", least=5),
    Bar("the same: server CPU of one vote", "vote CPU", "naive", "ms"),
    Bar("list of ideas, nobody signed in", "list", "naive", "/CPU s", least=10),
    Bar("list of ideas, beside bare Node http", "list", "Node", "/CPU s", least=0.2),
    Bar("first page, beside the ORM's list", "home", "naive", "/CPU s", least=10, theirs="list"),
    Bar("first page, beside bare Node http", "home", "Node", "/CPU s", least=0.2),
    Bar("storm: 2,000 come back for 100 events each", "storm", "naive", "s", most=0.25),
    Bar("storm: 2,000 come back for 100 events each", "storm", "Node", "s", most=0.8),
    Bar("memory per watcher", "memory", "Node", "KB", most=1.5),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table. Without a `bar` it is only shown; `doubtful` where others were at work while it was measured."""

    what: str
    ours: str
    peer: str
    ratio: str
    bar: str
    met: bool
    doubtful: bool

    def text(self) -> str:
        verdict = (("met" if self.met else "NOT MET") if self.bar else "") + (" ?" if self.doubtful else "")
        return f"{self.what:50}{self.ours:>16}{self.peer:>22}{self.ratio:>9}  {self.bar:10}{verdict}".rstrip()


def figure(value: float, unit: str) -> str:
    return f"{value:,.1f} {unit}" if math.isfinite(value) else "not in time"


def beside_peers(rows: list[Row]) -> Iterator[Line]:
    """The medians of all rounds, held against the bars."""
    for bar in BARS:
        ours = [row for row in rows if (row["measured"], row["peer"]) == (bar.measured, "ours")]
        theirs = [row for row in rows if (row["measured"], row["peer"]) == (bar.theirs or bar.measured, bar.peer)]
        if not ours or not theirs:
            continue
        mine, its = (statistics.median(row["value"] for row in side) for side in (ours, theirs))
        ratio = mine / its if its and math.isfinite(mine) else math.inf if mine else 0.0
        doubtful = any(row["doubtful"] for row in (*ours, *theirs))
        shown = figure(mine, bar.unit), f"{bar.peer} {figure(its, bar.unit)}"
        yield Line(bar.what, *shown, f"{ratio:.3g}", bar.text, bar.met(ratio), doubtful)


def in_large_hubs(every: list[finding.Compared]) -> Iterator[Line]:
    """How much what everybody opens grows with the hub, and how long similar ideas take while somebody types."""
    calm = {each.database: each.is_calm for each in every if each.asked == finding.CONTROL}
    for each in every:
        small, large = statistics.median(each.small), statistics.median(each.large)
        doubtful = not calm[each.database]
        if each.asked in finding.ALL_DAY:
            shown = f"{large:.1f} ms", f"small {small:.1f} ms", f"{each.growth:.3g}", f"<= {finding.GROWS:g} x"
            met = each.growth <= finding.GROWS
            yield Line(f"{each.asked} in a large hub, {each.database}: median", *shown, met, doubtful)
        elif each.asked == "similar":
            p95 = finding.percentile(each.large, 0.95)
            shown = f"{p95:.1f} ms", "", "", f"< {finding.SIMILAR_P95:g} ms"
            yield Line(f"similar ideas in a large hub, {each.database}: p95", *shown, p95 < finding.SIMILAR_P95, doubtful)


def conclude(rows: list[Row], more: list[Line], wrong: list[str]) -> None:
    """Print the table, what is to be thought of it, and in the last line which bars were missed and which runs were wrong."""
    table = [*beside_peers(rows), *more]
    print(f"\n{'what (medians)':50}{'ours':>16}{'peer':>22}{'ratio':>9}  bar")
    for line in table:
        print(line.text())
    if any(line.doubtful for line in table):
        print("? Others were at work on this machine: go by no such line.")
    if rows:
        busiest = max(row["client"] for row in rows)
        warning = ": IT MAY BE WHAT WAS MEASURED" if busiest > BUSY else ""
        print(f"The load client took at most {busiest:.0%} of its core{warning}.")
    judged = [line for line in table if line.bar]
    missed = [f"{line.what} ({line.peer.split()[0]})" if line.peer else line.what for line in judged if not line.met]
    wanting = f" MISSED: {'; '.join(missed)}." if missed else ""
    failing = f" WRONG, and not counted: {'; '.join(wrong)}." if wrong else ""
    print(f"{len(judged) - len(missed)} of {len(judged)} bars are met.{wanting}{failing}")
