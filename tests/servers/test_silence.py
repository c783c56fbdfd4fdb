"""Nobody keeps a place for ever by saying nothing, or so little that it comes to the same."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from ideas_hub.db import Database
from tests.support.hub import Server
from tests.support.sockets import Raw

pytestmark = pytest.mark.sqlite_only

HASTY = "from web import http\nhttp.PATIENCE, http.SLOWEST, wsgi.LOOK = 0.5, 1024 * 1024, 0.05"
POST = b"POST /sign-in HTTP/1.1\r\nHost: hub\r\nContent-Type: application/x-www-form-urlencoded\r\n"
GET = b"GET /ideas HTTP/1.1\r\nHost: hub\r\n\r\n"
SOON = 8.0  # seconds, on a busy machine


@pytest.fixture
def hasty(hub: Database, server) -> Server:
    return server(altered=HASTY)


@pytest.fixture
def client(hasty: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=SOON) as one:
        yield one


def is_hung_up_on(client: socket.socket) -> bool:
    """Within the time that a socket of tests waits."""
    with suppress(ConnectionError):
        while client.recv(65536):
            pass
    return True


def is_refused(client: socket.socket, again: bytes, every: float) -> bool:
    """Whoever sends this again and again cannot go on for long."""
    until = time.monotonic() + SOON
    with suppress(ConnectionError):
        while time.monotonic() < until:
            client.sendall(again)
            time.sleep(every)
        return False
    return True


@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HT", GET, POST + b"Content-Length: 9\r\n\r\nhalf", POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"],
)
def test_who_says_nothing_more_is_hung_up_on(client: socket.socket, said: bytes):
    client.sendall(said)
    assert is_hung_up_on(client)


@pytest.mark.parametrize("said", [b"GET /?", POST + b"Content-Length: 90000\r\n\r\n"])
def test_a_byte_now_and_then_is_nothing(client: socket.socket, said: bytes):
    client.sendall(said)
    assert is_refused(client, b"a", 0.05)


def test_who_reads_nothing_of_what_they_ask_for_is_hung_up_on(client: socket.socket):
    assert is_refused(client, GET * 100, 0.0)  # neither side takes any more after some


def test_who_waits_for_their_answer_is_not_silent(hub: Database, server):
    with socket.create_connection(("127.0.0.1", server(altered=HASTY).port), timeout=SOON) as one:
        one.sendall(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: hub\r\n\r\n")
        sid = one.recv(65536).partition(b'"sid":"')[2].partition(b'"')[0].decode()
        assert sid
        one.sendall(f"GET /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: hub\r\n\r\n".encode())
        one.settimeout(2.0)  # four times as long as who is waited for has
        with pytest.raises(TimeoutError):
            one.recv(1)


def test_a_websocket_may_be_silent(hasty: Server):
    with Raw(hasty.port) as watcher:
        watcher.socket.settimeout(2.0)
        with pytest.raises(TimeoutError):
            watcher.socket.recv(1)


def test_a_server_that_is_full_ends_when_it_is_told_to(hub: Database, server):
    full = server(altered="wsgi.MOST_SOCKETS, wsgi.FAREWELL = 3, 0.5")
    with ExitStack() as at_the_end:
        for _ in range(6):
            at_the_end.enter_context(socket.create_connection(("127.0.0.1", full.port))).sendall(b"GET / HT")
        began = time.monotonic()
        assert full.stop() == 0
        assert time.monotonic() < began + SOON
