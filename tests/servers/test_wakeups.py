"""Redis tells servers to look at once, and counts with them. Without it they look by themselves, a little later."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

import pytest

from ideas_hub import db, sessions
from tests import make
from tests.live.watcher import Watcher
from tests.servers.conftest import Servers
from tests.support.hub import ROOT, Server
from tests.support.processes import wait_until
from tests.support.services import Redis

pytestmark = pytest.mark.postgresql_only

NEVER_BY_ITSELF = "from events import relay; relay.POLL = 3600"  # it still looks at each heartbeat, every five seconds
AT_ONCE = 1.5  # seconds; what is not woken needs the half of five in the mean


def comment(server: Server, idea: str, token: str, body: str) -> float:
    """Post a comment there, and return how many seconds that took."""
    began = time.monotonic()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urlopen(Request(f"{server.url}/api/v1/ideas/{idea}/comments", f'{{"body": "{body}"}}'.encode(), headers)) as answer:  # noqa: S310
        assert answer.status == 201
    return time.monotonic() - began


@pytest.fixture
def token(hub: db.Database) -> str:
    return sessions.make_token(make.address(make.person()), 1)


def heard(watcher: Watcher, body: str, *, within: float) -> None:
    watcher.wait(lambda: [event for event in watcher.events if event["data"].get("body") == body], within=within)


def test_what_one_server_commits_the_others_tell_at_once(hub: db.Database, servers: Servers, own_redis: Redis, token: str):
    one, other = servers(2, altered=NEVER_BY_ITSELF, REDIS_URL=own_redis.url)
    idea = make.idea()
    watcher = Watcher(other.url)
    watcher.watch(f"idea:{idea}")
    for number in range(6):
        comment(one, idea, token, f"Comment {number}")
        heard(watcher, f"Comment {number}", within=AT_ONCE)
    watcher.leave()


def test_without_redis_nothing_fails_and_news_comes_as_fast_as_servers_look(
    hub: db.Database, servers: Servers, own_redis: Redis, token: str
):
    """It hangs, is gone, and comes back: three times a reason to be late, and never for more than one look."""
    one, other = servers(2, REDIS_URL=own_redis.url, RATE_LIMITS="on")
    idea = make.idea()
    watcher = Watcher(other.url)
    watcher.watch(f"idea:{idea}")

    def all_goes_on(how: str) -> None:
        with ThreadPoolExecutor(5) as people:  # at the same time: each of them asks Redis
            took = list(people.map(lambda number: comment(one, idea, token, f"{how} {number}"), range(5)))
        assert max(took) < 3, took  # seconds; on a busy machine
        for number in range(5):
            heard(watcher, f"{how} {number}", within=2)

    all_goes_on("there")
    own_redis.process.send_signal(signal.SIGSTOP)
    all_goes_on("hanging")
    own_redis.process.send_signal(signal.SIGCONT)
    own_redis.kill()
    all_goes_on("gone")
    for server in (one, other):
        wait_until(lambda server=server: "being woken by other servers: Redis is away" in server.tail())
    own_redis.start()
    for server in (one, other):
        wait_until(lambda server=server: "being woken by other servers: Redis is back" in server.tail())
    all_goes_on("back")
    watcher.leave()
    for server in (one, other):
        assert "Traceback" not in server.tail()
        assert server.tail().count("Redis") <= 8


def test_redis_never_blocks_the_loop(hub: db.Database, own_redis: Redis):
    """Under eventlet, as the server runs it: while Redis hangs and two threads wait for it, others run every 10 ms."""
    program = """
import warnings; warnings.simplefilter("ignore")
import eventlet; eventlet.monkey_patch()
import os, signal, sys, time
from web.wakeups import Wakeups
woken = []
here, there = Wakeups(sys.argv[1], lambda: None), Wakeups(sys.argv[1], lambda: woken.append(1))
here.start(), there.start()
while not len(woken) > 1:
    here.send(); time.sleep(0.01)
worst = 0
for turn in range(300):
    if turn == 50:
        os.kill(int(sys.argv[2]), signal.SIGSTOP)
    here.send()
    before = time.monotonic(); time.sleep(0.01); worst = max(worst, time.monotonic() - before)
print(worst)
"""
    try:
        arguments = [sys.executable, "-c", program, own_redis.url, str(own_redis.process.pid)]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    finally:
        os.kill(own_redis.process.pid, signal.SIGCONT)
    assert float(done.stdout) < 1  # it was made to wait for two seconds
