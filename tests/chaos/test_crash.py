"""Servers are killed as a crash would, again and again, while people vote, comment and watch."""

import pytest

from events.catalogue import View, idea_topic
from tests.chaos.crowd import Crowd, disagreements, lost_or_doubled
from tests.support.histories import at_last
from tests.support.listener import Listener, listeners

WATCHERS = 4


@pytest.mark.promise("What was acknowledged is there, once, after a crash", bar="0 lost or doubled; records = log; verify clean")
def test_what_was_acknowledged_before_a_crash_is_there_once_and_heard_once(hub, database_url, servers, size, figure):
    several = database_url.startswith("postgresql")
    changes, kills = size(60, 5_000), size(2, 100) if several else size(2, 50)
    started = servers(size(2, 4) if several else 1)
    urls = [server.url for server in started]
    crowd = Crowd(urls, changes, ideas=size(5, 25))
    topics = [idea_topic(ref) for ref in crowd.ideas]
    watchers = listeners(WATCHERS, lambda n: Listener(urls[n % len(urls) :] + urls[: n % len(urls)], *topics))
    with crowd:
        for kill in range(1, kills + 1):
            crowd.until(changes * kill // (kills + 1))
            server = started[kill % len(started)]
            server.kill()
            server.start()
        crowd.finish()
    wrong = lost_or_doubled(crowd)
    figure(f"{kills} kills in {crowd.done:,} changes: {len(wrong)} lost or doubled")
    assert not wrong
    assert crowd.done == changes
    unlike = at_last((watcher, View.PUBLIC) for watcher in watchers)
    for watcher in watchers:
        watcher.stop()
    again = sum(len(watcher.resumed) for watcher in watchers)
    records = f"{WATCHERS} records, resumed {again} times: {len(unlike)} wrong"
    figure(f"{kills} kills in {crowd.done:,} changes: 0 lost or doubled; {records}")
    assert not unlike
    assert again >= kills
    assert not [watcher.resets for watcher in watchers if watcher.resets]
    assert not disagreements()
