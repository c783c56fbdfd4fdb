"""The load client of `make bench` counts exactly what a server sends, and can tell when something is wrong with it."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.load import Load, compiled, digest, http, write_requests
from tests.support.programs import CC

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
WATCHERS = 3


@pytest.fixture(scope="module", autouse=True)
def program() -> None:
    CC.need()
    compiled()


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(10)
        yield listening


@pytest.fixture
def load(door: socket.socket) -> Iterator[Load]:
    with Load(door.getsockname()[1]) as client:
        yield client


@pytest.fixture
def sockets(door: socket.socket, load: Load) -> Iterator[list[socket.socket]]:
    """Those of a bare server, one for each watcher of it."""
    with ExitStack() as at_the_end:
        taken: list[socket.socket] = []

        def welcome() -> None:
            for _ in range(WATCHERS):
                one = at_the_end.enter_context(door.accept()[0])
                one.recv(4096)
                one.sendall(UPGRADED)
                taken.append(one)

        welcoming = threading.Thread(target=welcome)
        welcoming.start()
        assert load.connect(WATCHERS, None)["there"] == WATCHERS
        welcoming.join()
        yield taken


def frame(name: str, content: object) -> bytes:
    text = f"42/live,{json.dumps([name, content], separators=(',', ':'))}".encode()
    return struct.pack("!BBH", 0x81, 126, len(text)) + text


def event(sequence: int, *, age: float = 0.0) -> bytes:
    at = (datetime.now(UTC) - timedelta(seconds=age)).isoformat().replace("+00:00", "Z")
    return frame("event", {"time": at, "sequence": f"{sequence:012d}", "data": {"text": "x" * 90}})


def test_what_every_watcher_heard_once_and_in_order_is_right(sockets: list[socket.socket], load: Load) -> None:
    load.expect(4)
    for one in sockets:
        whole = b"".join(event(sequence, age=1.0) for sequence in (5, 6, 8, 9))
        one.sendall(whole[:150])  # a frame and a half
        one.sendall(whole[150:])
    heard = load.heard()
    assert (heard["satisfied"], heard["disorder"], heard["unlike"], heard["frames"]) == (WATCHERS, 0, 0, 4 * WATCHERS)
    assert heard["digest"] == digest((5, 6, 8, 9))
    assert 1000 <= heard["p50"] <= heard["worst"] < 3000


@pytest.mark.parametrize("sent", [(1, 2, 4), (1, 2, 2, 3, 4), (1, 3, 2, 4)], ids=["dropped", "doubled", "swapped"])
def test_one_watcher_whose_events_are_not_those_of_the_others_is_noticed(
    sockets: list[socket.socket], load: Load, sent: tuple[int, ...]
) -> None:
    load.expect(4, patience=0.5)
    for one, sequences in zip(sockets, [(1, 2, 3, 4), sent, (1, 2, 3, 4)], strict=True):
        one.sendall(b"".join(map(event, sequences)))
    heard = load.heard()
    assert heard["unlike"] == 1
    assert (heard["satisfied"] < WATCHERS) is (len(sent) < 4)
    assert bool(heard["disorder"]) is (len(sent) >= 4)


def test_the_same_event_missing_everywhere_is_noticed(sockets: list[socket.socket], load: Load) -> None:
    load.expect(4, patience=0.5)
    for one in sockets:
        one.sendall(b"".join(map(event, (1, 2, 4, 5))))
    heard = load.heard()
    assert (heard["satisfied"], heard["unlike"]) == (WATCHERS, 0)
    assert heard["digest"] != digest((1, 2, 3, 4))


@pytest.mark.parametrize("last", [3, 2], ids=["heard", "not heard"])
def test_votes_are_answered_and_each_watcher_hears_of_the_last(
    door: socket.socket, sockets: list[socket.socket], load: Load, tmp_path: Path, last: int
) -> None:
    write_requests(tmp_path / "ballots", [http("PUT", "/vote") for _ in range(4)])

    def count_votes() -> None:
        with closing(door.accept()[0]) as voter:
            for answer in (("200 OK", 1), ("200 OK", 2), ("409 Conflict", 0), ("200 OK", 3)):
                voter.recv(4096)
                body = json.dumps({"votes": answer[1]})
                voter.sendall(f"HTTP/1.1 {answer[0]}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
            for one, tally in zip(sockets, (3, 3, last), strict=True):
                one.sendall(frame("facts", {"idea:7kq2m9xv": {"votes": tally, "version": 77}, "padding": "x" * 90}))
            voter.recv(1)  # until it hangs up

    counting = threading.Thread(target=count_votes)
    counting.start()
    answer = load.ask(tmp_path / "ballots", connections=1, seconds=5, patience=0.5)
    counting.join()
    assert (answer["sent"], answer["answered"], answer["refused"], answer["tally"]) == (4, 4, 1, 3)
    assert (answer["heard"], answer["behind"], answer["lost"]) == (6 + last, 3 - last, 0)
