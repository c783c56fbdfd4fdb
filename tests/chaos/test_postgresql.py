"""PostgreSQL is restarted under load: what was acknowledged is kept, and meanwhile everybody is told to come back."""

import time
from collections.abc import Iterator

import pytest

from events.catalogue import View, idea_topic
from tests.chaos.control import Control
from tests.chaos.crowd import Crowd, disagreements, lost_or_doubled
from tests.support.histories import at_last
from tests.support.hub import PostgresDatabases
from tests.support.listener import Listener, listeners
from tests.support.processes import wait_until
from tests.support.services import Postgres

HEALTHY = 5.0  # seconds after it is back


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """One that no other test needs, and that waits for its disk."""
    cluster = Postgres(durable=True)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
def database_url(own_postgres: Postgres, tmp_path) -> str:
    return PostgresDatabases(own_postgres, tmp_path, tmp_path).make(demo=False)


@pytest.mark.postgresql_only
@pytest.mark.promise("PostgreSQL is restarted five times under load", bar="0 lost; 503 with Retry-After; healthy <= 5 s")
def test_what_was_acknowledged_before_postgresql_went_is_there_when_it_is_back(hub, own_postgres, server, size, figure):
    one, times, a_second = server(), size(1, 5), size(20, 50)
    crowd = Crowd([one.url], times * size(4, 10) * a_second, a_second=a_second)
    watchers = listeners(2, lambda _: Listener(one.url, *map(idea_topic, crowd.ideas)))
    slowest = 0.0
    with Control() as control, crowd:
        for number in range(1, times + 1):
            crowd.until(crowd.asked * number // (times + 1))
            (own_postgres.kill if number % 2 else own_postgres.stop)()
            before = crowd.answers[503]
            wait_until(lambda before=before: crowd.answers[503] > before, what="somebody is told to come back")
            own_postgres.start()
            back = time.monotonic()
            wait_until(one.answers, what="the server is healthy")
            slowest = max(slowest, time.monotonic() - back)
        crowd.finish()
    wrong = lost_or_doubled(crowd) + at_last((watcher, View.PUBLIC) for watcher in watchers)
    for watcher in watchers:
        watcher.stop()
    told = f"{crowd.answers[503]} told to come back, {crowd.mute} not when"
    figure(f"{times} restarts in {crowd.done:,} changes: {len(wrong)} wrong; {told}; healthy after {slowest:.1f} s")
    assert not wrong
    assert set(crowd.answers) <= {0, 200, 201, 409, 503}
    assert not crowd.mute
    assert not disagreements()
    control.judge(healthy=(slowest, HEALTHY))
