"""Many writers, some slow and some rolled back after they were numbered; two servers that tell what they wrote."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from events import log
from events.catalogue import BOARD, IdeaRevised, View, idea_topic
from ideas_hub import sessions
from ideas_hub.db import record, transaction
from tests import make
from tests.chaos.crowd import disagreements
from tests.events.test_log import is_dense
from tests.support.histories import at_last
from tests.support.listener import Listener, listeners
from tests.support.witness import entries

WRITERS = 8
TOGETHER = 4  # facts in a transaction


class TakenBack(Exception):
    """Raised after the numbers were given out."""


def hesitant(append):
    """An `append` after which some wait before they commit, and some do not commit."""

    def appended(session, events, at, **given):
        append(session, events, at, **given)
        time.sleep(random.choice((0, 0, 0, 0.001, 0.003)))  # noqa: S311
        if random.random() < 0.2:  # noqa: S311
            raise TakenBack

    return appended


@pytest.mark.promise("No event is skipped", bar="8 writers, 2 servers, 10,000 events: 0 skipped, out of order, holes")
def test_no_event_is_skipped_told_twice_or_out_of_order(hub, database_url, servers, size, figure, monkeypatch):
    started = servers(2 if database_url.startswith("postgresql") else 1)
    ideas = [make.idea(audience=audience) for audience in ("public", "staff", "leadership")]
    leader = sessions.make_token(make.address(make.leader()), 1)
    topics = [BOARD, *map(idea_topic, ideas)]
    watchers = listeners(4, lambda n: Listener(started[n % len(started)].url, *topics, token=leader if n < 2 else None))
    before, most = len(entries()), size(400, 10_000)

    def write(_):
        committed = 0
        while committed < most // WRITERS:
            with suppress(TakenBack):
                with transaction() as session:
                    for place in range(TOGETHER):
                        record(session, IdeaRevised(idea=ideas[place % 3], audience=View(place % 3)))
                committed += TOGETHER
        return committed

    with monkeypatch.context() as patch, ThreadPoolExecutor(WRITERS) as writers:
        patch.setattr(log, "append", hesitant(log.append))
        committed = sum(writers.map(write, range(WRITERS)))
    views = [View.LEADERSHIP, View.LEADERSHIP, View.PUBLIC, View.PUBLIC]
    wrong, there = at_last(zip(watchers, views, strict=True)), entries()
    for watcher in watchers:
        watcher.stop()
    figure(f"{len(there) - before:,} events, {len(started)} servers, {len(watchers)} records: {len(wrong)} wrong")
    assert not wrong
    assert len(there) - before == committed
    is_dense(there)
    assert not disagreements()
