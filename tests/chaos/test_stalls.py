"""The loop is never blocked: while people vote, comment, read and watch, everybody else has their turn in between."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from events.catalogue import BOARD, idea_topic
from tests.chaos import pulse
from tests.chaos.control import Control
from tests.chaos.crowd import Crowd, lost_or_doubled
from tests.support.hub import ROOT
from tests.support.listener import Listener, listeners
from tests.support.processes import wait_until

BLOCKED = """
import time
wait = time.sleep
import eventlet
from tests.chaos import pulse
pulse.begin()
eventlet.sleep(0.1)
wait(0.6)
eventlet.sleep(0.1)
"""
ALL_READY = """
import time, wsgi, eventlet
from eventlet.green import socket
from tests.chaos import pulse
def answer(one):
    one.recv(1)
    began = time.process_time()
    while time.process_time() < began + 0.002:
        pass
pairs = [socket.socketpair() for _ in range(300)]
answering = [eventlet.spawn(answer, one) for one, _ in pairs]
pulse.begin()
eventlet.sleep(0.1)
for _, other in pairs:
    other.send(b"x")
for one in answering:
    one.wait()
eventlet.sleep(0.1)
"""
P999, LONGEST = 0.1, 0.5  # seconds
BEATING = "from tests.chaos import pulse; pulse.begin()"


@contextmanager
def idle(folder: Path) -> Iterator[None]:
    """Beside us a loop on which nobody has anything to do."""
    folder.mkdir()
    process = subprocess.Popen([sys.executable, "-W", "ignore", ROOT / "tests/chaos/pulse.py"], cwd=folder)
    try:
        wait_until((folder / pulse.FILE).exists)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def reading(url: str, *paths: str) -> Iterator[None]:
    """Somebody opens those pages, one after the other."""
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            for path in paths:
                urlopen(url + path).read()  # noqa: S310
                ended.wait(0.05)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.promise("The loop is never blocked", bar="stalls under load: p99.9 <= 100 ms, none > 500 ms")
def test_nobody_who_has_their_turn_is_kept_waiting_by_others(hub, server, tmp_path, size, figure):
    one, a_second, seconds = server(altered=BEATING), size(30, 100), size(3, 40)
    crowd = Crowd([one.url], a_second * seconds, a_second=a_second, workers=8)
    watchers = listeners(size(10, 100), lambda _: Listener(one.url, BOARD, *map(idea_topic, crowd.ideas)))
    with idle(tmp_path / "idle"), reading(one.url, "/", "/ideas", "/board", f"/ideas/{crowd.ideas[0]}"):
        began = time.monotonic()
        with Control() as control, crowd:
            crowd.finish()
    for watcher in watchers:
        watcher.stop()
    ours, its = pulse.stalls(one.folder, since=began), pulse.stalls(tmp_path / "idle", since=began)
    p999, longest = pulse.share(ours, 0.999), ours[-1]
    figure(
        f"{len(ours):,} turns: p99.9 {p999 * 1000:.0f} ms, the longest {longest * 1000:.0f} ms; "
        f"of an idle loop {pulse.share(its, 0.999) * 1000:.0f} and {its[-1] * 1000:.0f} ms"
    )
    assert not lost_or_doubled(crowd)
    control.judge(p999=(p999, P999 + pulse.share(its, 0.999)), longest=(longest, LONGEST + its[-1]))


def test_a_loop_that_is_blocked_is_noticed(tmp_path):
    run(BLOCKED, tmp_path)
    assert pulse.stalls(tmp_path, since=0.0)[-1] > LONGEST


def test_where_hundreds_of_sockets_are_ready_who_slept_has_their_turn_in_between(tmp_path):
    run(ALL_READY, tmp_path)
    worked = [beat.worked for beat in pulse.beats(tmp_path)]
    assert max(worked) < 0.3 < 0.6 <= sum(worked)


def run(program: str, folder: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=folder, env=env, check=True)
