"""However a watcher goes, nothing of them stays; and while they are there and silent, they cost next to nothing."""

import select
import socket
import struct
from pathlib import Path

import pytest

from benchmarks import machine
from tests import make
from tests.support import whole_file
from tests.support.hub import Server
from tests.support.processes import wait_until
from tests.support.sockets import CLOSE, TEXT, Raw, frame

TCP, LISTENS = Path("/proc/net/tcp"), "0A"
pytestmark = [pytest.mark.sqlite_only, pytest.mark.skipif(not TCP.exists(), reason="counts connections by /proc")]
database_url, hub, running = whole_file.database_url, whole_file.hub, whole_file.running

IMPATIENT = """
from functools import partial
from events import gateway
gateway.SocketIO = partial(gateway.SocketIO, ping_interval=0.3, ping_timeout=0.5)
"""


def hang_up(watcher: Raw) -> None:
    """As a browser does whose page was left."""


def say_goodbye(watcher: Raw) -> None:
    watcher.send(CLOSE, struct.pack("!H", 1001))


def leave(watcher: Raw) -> None:
    watcher.say("41/live,")


def close_engine(watcher: Raw) -> None:
    watcher.say("1")


def reset(watcher: Raw) -> None:
    watcher.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def go_within_a_message(watcher: Raw) -> None:
    watcher.socket.sendall(frame(TEXT, b"42/live,1[]")[:5])


def talk_nonsense(watcher: Raw) -> None:
    watcher.send(TEXT, b"\xff")


def forget_to_mask(watcher: Raw) -> None:
    watcher.send(TEXT, b"3", masked=False)


WAYS = [hang_up, say_goodbye, leave, close_engine, reset, go_within_a_message, talk_nonsense, forget_to_mask]


def held_open(port: int) -> int:
    """How many connections to that port its server has not closed."""
    lines = [line.split() for line in TCP.read_text().splitlines()[1:]]
    return sum(line[1].endswith(f":{port:04X}") and line[3] != LISTENS and line[9] != "0" for line in lines)


@pytest.fixture
def impatient(sqlite_databases, tmp_path):
    server = Server(tmp_path, sqlite_databases.make(demo=False), altered=IMPATIENT)
    server.start()
    yield server
    server.stop()


def is_over(client: socket.socket) -> bool:
    """Has the server hung up? What it sent before need not be read for that."""
    waiting = select.poll()
    waiting.register(client, select.POLLRDHUP)
    return bool(waiting.poll(0))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_stays_of_who_goes(running, way):
    idea = make.idea()
    for _ in range(5):
        with Raw(running.port) as watcher:
            watcher.watch(f"idea:{idea}")
            assert held_open(running.port)
            way(watcher)
    wait_until(lambda: held_open(running.port) == 0, within=10, what="nobody is there any more")


def test_who_answers_no_ping_is_sent_away(impatient):
    """The line may be dead and nobody have said so."""
    with Raw(impatient.port) as silent, Raw(impatient.port) as awake:
        while not is_over(silent.socket):
            awake.read()  # and answers


def test_a_silent_watcher_costs_next_to_nothing(running):
    idea, many, watchers = make.idea(), 300, []
    try:
        for number in range(50 + many):
            if number == 50:
                before = machine.memory(running.process.pid)
            watchers.append(Raw(running.port))
            watchers[-1].watch(f"idea:{idea}")
        each = (machine.memory(running.process.pid) - before) / many
    finally:
        for watcher in watchers:
            watcher.close()
    assert each < 30_000, f"{each:.0f} bytes each: one greenlet that waits takes 16 KB and more"
