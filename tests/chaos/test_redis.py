"""Redis hangs or is gone while people vote. It only says "look now": nothing is lost, and nothing fails."""

import signal
import time

import pytest

from events.catalogue import View, idea_topic
from tests.chaos.control import Control
from tests.chaos.crowd import Crowd, disagreements, lost_or_doubled, staleness
from tests.support.histories import at_last
from tests.support.listener import Listener, listeners

MOST_STALE, NORMAL = 2.0, 1.0  # seconds, while it is away; two seconds after it is back


@pytest.mark.postgresql_only
@pytest.mark.parametrize("how", ["stopped", pytest.param("killed", marks=pytest.mark.long_only)])
@pytest.mark.promise("Redis is gone for 10 s under load", bar="0 lost, no 5xx, stale <= 2 s, normal within 2 s after")
def test_while_redis_is_away_nothing_is_lost_or_refused_and_nobody_is_stale(hub, servers, own_redis, size, figure, how):
    started = servers(2, REDIS_URL=own_redis.url, RATE_LIMITS="on")
    away, a_second = size(2, 10), size(20, 60)
    crowd = Crowd([server.url for server in started], (away + size(4, 10)) * a_second, a_second=a_second)
    watchers = listeners(4, lambda n: Listener(started[n % 2].url, *map(idea_topic, crowd.ideas)))
    with Control() as control, crowd:
        crowd.until(a_second)
        if how == "stopped":
            own_redis.process.send_signal(signal.SIGSTOP)
            time.sleep(away)
            own_redis.process.send_signal(signal.SIGCONT)
        else:
            own_redis.kill()
            time.sleep(away)
            own_redis.start()
        back = time.monotonic()
        crowd.finish()
    wrong = lost_or_doubled(crowd) + at_last((watcher, View.PUBLIC) for watcher in watchers)
    for watcher in watchers:
        watcher.stop()
    stale = max(staleness(crowd, watcher) for watcher in watchers)
    after = max(staleness(crowd, watcher, since=back + 2) for watcher in watchers)
    refused = {status: times for status, times in crowd.answers.items() if status not in (200, 201)}
    figure(f"{how} for {away} s: {len(wrong)} wrong, refused {refused or 0}, stale {stale:.2f} s, afterwards {after:.2f} s")
    assert not wrong
    assert not refused
    assert not disagreements()
    control.judge(stale=(stale, MOST_STALE), afterwards=(after, NORMAL))
