"""Servers behind nginx are restarted one after the other under votes, as a new version comes in."""

import statistics
import time

import pytest

from events.catalogue import View, idea_topic
from tests.chaos.control import Control
from tests.chaos.crowd import Crowd, disagreements, lost_or_doubled
from tests.servers.conftest import start_together
from tests.support.histories import at_last
from tests.support.hub import Server
from tests.support.listener import Listener, listeners
from tests.support.processes import free_port
from tests.support.services import Nginx

RESUMED = 2.0  # seconds, of 95 in 100


@pytest.mark.long_only  # in small: tests/servers/test_four_servers.py
@pytest.mark.postgresql_only
@pytest.mark.promise("A rolling restart", bar="no failed vote, every watcher resumed, p95 < 2 s, no gap")
def test_a_rolling_restart_fails_no_vote_and_every_watcher_is_back_without_a_gap(hub, database_url, tmp_path, size, figure):
    number, a_second = size(2, 4), size(20, 100)
    ports = [free_port() for _ in range(number)]
    nginx = Nginx(tmp_path / "nginx", ports)
    settings = {"BASE_URL": nginx.url, "TRUSTED_PROXIES": 1}
    started = [Server(tmp_path / f"server-{port}", database_url, port=port, **settings) for port in ports]
    try:
        nginx.start()
        start_together(started)
        crowd = Crowd([nginx.url], size(120, 4_000), a_second=a_second, workers=8)
        watchers = listeners(size(8, 60), lambda _: Listener(nginx.url, *map(idea_topic, crowd.ideas)))
        codes, slowest = [], 0.0
        with Control() as control, crowd:
            for turn, server in enumerate(started, 1):
                crowd.until(crowd.asked * turn // (number + 2))
                began = time.monotonic()
                codes.append(server.stop())
                slowest = max(slowest, time.monotonic() - began)
                server.start()
            crowd.finish()
        wrong = lost_or_doubled(crowd) + at_last((watcher, View.PUBLIC) for watcher in watchers)
        for watcher in watchers:
            watcher.stop()
    finally:
        for process in (nginx, *started):
            process.kill()
    took = sorted(seconds for watcher in watchers for seconds in watcher.resumed)
    p95 = statistics.quantiles(took, n=20)[-1]
    again = sum(times for status, times in crowd.answers.items() if status not in (200, 201))
    figure(
        f"{number} servers, {crowd.done:,} changes: {len(wrong)} wrong, {again} asked again; "
        f"{len(took)} resumed, p95 {p95:.2f} s; stopped in {slowest:.1f} s"
    )
    assert not wrong
    assert codes == [0] * number
    assert len(took) >= len(watchers)
    assert not [watcher.resets for watcher in watchers if watcher.resets]
    assert not disagreements()
    control.judge(p95=(p95, RESUMED))
