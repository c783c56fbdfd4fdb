"""Is what a watcher heard the log: nothing skipped, nothing doubled, in order, and nothing that is not there?"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from events import log
from events.catalogue import View
from events.stream import Cursor
from ideas_hub.db import reading
from tests.support.listener import Listener
from tests.support.told import stream

MOST = 1_000_000


def faults(listener: Listener, view: View) -> list[str]:
    """What is wrong with all that a watcher of that view was told, up to the end of the log."""
    found = list(of_events(listener.heard, view, listener.topics, Cursor.parse(listener.start)))
    return found + [f"facts went back: {said}" for said in listener.backwards] + of_facts(listener.facts, view)


def at_last(told: Iterable[tuple[Listener, View]], *, within: float = 20.0) -> list[str]:
    """What is still wrong when all have had that long to hear the end of the log; nothing, as soon as nothing is."""
    deadline, left = time.monotonic() + within, list(told)
    while True:
        left = [(listener, view) for listener, view in left if faults(listener, view)]
        if not left or time.monotonic() > deadline:
            return [said for listener, view in left for said in faults(listener, view)]
        time.sleep(0.2)


def of_events(heard: Sequence[Mapping[str, Any]], view: View, topics: Collection[str], start: Cursor) -> Iterator[str]:
    """What is wrong with the events that were heard behind `start`."""
    with reading() as session:
        upto = log.head(session).number(view)
        entries = log.told(session, view, topics, after=start.number, upto=upto, limit=MOST)
    there = {entry.number(view): _gist(entry) for entry in entries}
    told = [int(event["sequence"]) for event in heard]
    if skipped := there.keys() - set(told):
        yield f"skipped {len(skipped)}, the first {min(skipped)}"
    if doubled := [number for number, times in Counter(told).items() if times > 1]:
        yield f"doubled {len(doubled)}, the first {min(doubled)}"
    if late := [after for before, after in pairwise(told) if after < before]:
        yield f"out of order {len(late)}, the first {late[0]}"
    said = {int(event["sequence"]): (event["type"], event.get("subject"), event["data"].get("comment")) for event in heard}
    if other := [number for number in said if said[number] != there.get(number)]:
        yield f"not what the log has {len(other)}, the first {min(other)}"


def _gist(entry: log.Entry) -> tuple[str, str | None, str | None]:
    return entry.event.type, entry.event.subject, getattr(entry.event, "comment", None)


def of_facts(facts: Mapping[str, Mapping[str, Any]], view: View) -> list[str]:
    """Which last facts are not what the database has. A version alone is no news: it comes with the next change of a tally."""
    real = stream().source.facts(list(facts), view)
    return [
        f"{topic} has {real.get(topic)}, and was told {last}"
        for topic, last in facts.items()
        if {**last, "version": 0} != {**real.get(topic, {}), "version": 0}
    ]
