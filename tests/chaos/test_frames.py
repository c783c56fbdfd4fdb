"""Frames on a real socket: whole and in order, or the reader is cut; and what no client of ours would send harms nobody."""

import http.client
import json
import os
import random
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from events.catalogue import View, idea_topic
from ideas_hub import comments
from tests import make
from tests.support import whole_file
from tests.support.processes import wait_until
from tests.support.sockets import CLOSE, PING, PONG, TEXT, Gone, Raw, frame, handshake
from tests.support.told import replay

pytestmark = pytest.mark.sqlite_only
database_url, hub, running = whole_file.database_url, whole_file.hub, whole_file.running

EVENT = b'42/live,["event",'


def told(idea: str) -> list[str]:
    """The cursors of all that the world was told of an idea."""
    return [event["cursor"] for event in replay(View.PUBLIC, [idea_topic(idea)]).events]


def cursors(payloads: list[bytes]) -> list[str]:
    return [json.loads(payload[len(EVENT) : -1])["cursor"] for payload in payloads]


def talk(idea: str, comments_: int, *, words: int = 100) -> threading.Thread:
    """Somebody comments, as fast as the database lets them."""
    who = make.person()

    def say() -> None:
        for number in range(comments_):
            comments.post_comment(who, idea, body=f"{number} " + "word " * words)

    thread = threading.Thread(target=say)
    thread.start()
    return thread


@pytest.mark.promise("every frame goes out whole and in order: short writes, control frames between them", bar="byte-exact")
def test_who_takes_little_at_a_time_gets_the_same_bytes_as_who_takes_all(hub, running, size, figure):
    idea, many = make.idea(), size(60, 600)
    with Raw(running.port) as quick, Raw(running.port, receives=2048) as slow:
        watchers: list[tuple[Raw, list[bytes]]] = [(quick, []), (slow, [])]
        for watcher, _ in watchers:
            watcher.watch(idea_topic(idea))
        talking, pings, pongs = talk(idea, many, words=40), 0, 0
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        while any(len(heard) < many for _, heard in watchers):  # side by side: who is too far behind is cut
            for watcher, heard in watchers:
                if len(heard) == many:
                    continue
                if watcher is slow and len(heard) % 7 == pings % 7:
                    slow.send(PING, str(pings).encode())
                    pings += 1
                opcode, payload = watcher.read()
                pongs += opcode == PONG
                if payload.startswith(EVENT):
                    heard.append(payload)
        talking.join()
        while pongs < pings:
            pongs += slow.read()[0] == PONG
    assert watchers[0][1] == watchers[1][1]
    assert len(told(idea)) == many + 1  # and that it was posted
    figure(f"{many} events, {sum(map(len, watchers[1][1]))} bytes, {pings} pings between them")


@pytest.mark.promise("every frame goes out whole and in order: polling that upgrades in mid-stream", bar="0 lost, 0 doubled")
def test_who_changes_from_polling_to_a_websocket_while_events_flow_misses_none(hub, running, size, figure):
    upgrades = size(2, 40)
    for _ in range(upgrades):
        idea = make.idea()
        with Poller(running.port) as poller:
            poller.watch(idea_topic(idea))
            talking = talk(idea, 30, words=20)
            while not poller.events:
                poller.poll()
            with poller.upgraded() as upgraded:
                while len(poller.events) < 30:
                    payload = upgraded.read()[1]
                    if payload.startswith(EVENT):
                        poller.events.append(payload)
            talking.join()
            assert cursors(poller.events) == told(idea)[1:]
    figure(f"{upgrades} upgrades, {upgrades * 30} events")


class Poller:
    """A client that polls, by hand."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()

    def __init__(self, port: int) -> None:
        self.port, self.line = port, http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.events: list[bytes] = []
        self.path = "/socket.io/?EIO=4&transport=polling"
        self.sid = json.loads(self.ask("GET")[1:])["sid"]
        self.path += f"&sid={self.sid}"
        self.ask("POST", b"40/live,")
        while not any(packet.startswith(b"40/live,") for packet in self.poll()):
            pass

    def ask(self, method: str, body: bytes | None = None) -> bytes:
        self.line.request(method, self.path, body)
        answer = self.line.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise Gone(f"{answer.status} {content!r}")
        return content

    def watch(self, topic: str, cursor: str | None = None) -> dict:
        self.ask("POST", b"42/live,7" + json.dumps(["watch", {"topics": [topic], "cursor": cursor}]).encode())
        while True:
            for packet in self.poll():
                if packet.startswith(b"43/live,7"):
                    return json.loads(packet[9:])[0]

    def poll(self) -> list[bytes]:
        packets = self.ask("GET").split(b"\x1e")
        self.events += [packet for packet in packets if packet.startswith(EVENT)]
        return packets

    def upgraded(self) -> Raw:
        """As engine.io's own client does it: a probe, the last poll to its end, and only then the upgrade."""
        websocket = Raw(self.port, sid=self.sid)
        websocket.say("2probe")
        assert websocket.read()[1] == b"3probe"
        self.poll()
        websocket.say("5")
        return websocket


# What clients send


@pytest.fixture
def client(hub, running):
    with Raw(running.port) as raw:
        yield raw


def test_frames_of_every_length_are_understood(client):
    for length in (1, 2, 60, 125, 126, 127, 1000, 4096, 8191, 65_000):
        answer = client.watch(cursor="x" * length)
        assert (answer["mode"], answer["why"]) == ("reset", "unknown")


def test_a_message_may_come_in_pieces_and_a_ping_between_them(client):
    message = b'42/live,1["watch",{"topics":["ideas"],"cursor":null}]'
    client.send(TEXT, message[:9], final=False)
    client.send(0, message[9:20], final=False)
    client.send(PING, b"still there?")
    client.send(0, b"", final=False)
    client.send(0, message[20:])
    assert client.read() == (PONG, b"still there?")
    assert client.answer(1)["mode"] == "start"


def test_a_frame_may_come_byte_by_byte(client):
    for byte in frame(TEXT, b'42/live,1["watch",{"topics":["ideas"],"cursor":null}]'):
        client.socket.sendall(bytes([byte]))
    assert client.answer(1)["mode"] == "start"


def endless(client: Raw) -> None:
    client.send(TEXT, b"4" + b"x" * 60_000, final=False)
    for _ in range(40):
        client.send(0, b"x" * 60_000, final=False)


def endless_nothing(client: Raw) -> None:
    client.send(TEXT, b"4", final=False)
    client.socket.sendall(frame(0, b"", final=False) * 5_000)


WRONG = {
    "above the limit": lambda client: client.send(TEXT, b"4" + b"x" * 70_000),
    "claims to be huge": lambda client: client.socket.sendall(b"\x81\xff" + b"\x7f" * 8 + b"mask"),
    "without a mask": lambda client: client.send(TEXT, b"2", masked=False),
    "invalid UTF-8": lambda client: client.send(TEXT, b"42/live,1[\xff\xfe]"),
    "reserved bits": lambda client: client.socket.sendall(b"\xf1\x80mask"),
    "unknown opcode": lambda client: client.send(5, b"2"),
    "a long ping": lambda client: client.send(PING, b"x" * 126),
    "a ping in pieces": lambda client: client.send(PING, b"x", final=False),
    "pieces of nothing": lambda client: client.send(0, b"x"),
    "pieces without end": endless,
    "empty pieces without end": endless_nothing,
    "no packet of engine.io": lambda client: client.send(TEXT, b"x"),
    "an empty packet": lambda client: client.send(TEXT, b""),
    "no packet of Socket.IO": lambda client: client.send(TEXT, b"4x"),
    "no JSON": lambda client: client.send(TEXT, b'42/live,1["watch"'),
    "JSON without a bottom": lambda client: client.send(TEXT, b"42/live,1" + b"[" * 60_000),
    "a close with nonsense": lambda client: client.send(CLOSE, b"\x00\x01\xff"),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_no_frame_or_no_packet_ends_that_connection_and_nothing_else(hub, running, how):
    before = len(running.log.read_bytes().splitlines())
    with Raw(running.port) as other, Raw(running.port) as client:
        with suppress(OSError):
            WRONG[how](client)
        client.read_to_the_end()
        assert other.watch("ideas")["ok"]
    assert len(running.log.read_bytes().splitlines()) - before < 45, running.tail()  # at most one traceback


# Floods


def memory(pid: int) -> float:
    """MiB that are in use."""
    words = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")).split()
    return int(words[1]) / 1024


def nonsense(chance: random.Random) -> bytes:
    """A frame that is broken in some way, or a whole one with content that is."""
    content = chance.choice(
        [
            chance.randbytes(chance.randrange(60)),
            b"4" + chance.randbytes(chance.randrange(60)),
            b"42/live," + chance.choice([b"[", b"{}", b"[]", b"[7]", b"[null,1]", b'["watch"]', b'["watch",[]]', b'9["x",{}]']),
            str(chance.randrange(10)).encode() * chance.randrange(9),
            b'451-/live,["watch",{"_placeholder":true,"num":9}]',
            b"[" * chance.randrange(3000),
        ]
    )
    whole = frame(
        chance.choice([TEXT, TEXT, TEXT, 2, 0, PING, CLOSE, chance.randrange(16)]), content, final=chance.random() < 0.9
    )
    return whole if chance.random() < 0.8 else whole[: chance.randrange(1, len(whole))] + chance.randbytes(3)


def greeting(chance: random.Random) -> bytes:
    """The beginning of a connection, as strangers and scanners do it."""
    path = f"/socket.io/?EIO={chance.choice('4443')}&transport={chance.choice(['websocket', 'polling', 'x'])}"
    path += chance.choice(["", "", "&sid=made-up", "&j=x", "&sid=" + "x" * 300])
    whole = handshake(path)
    return chance.choice(
        [
            whole,
            whole,
            whole.replace(b"Version: 13", b"Version: 99"),
            whole.replace(b"Sec-WebSocket-Key", b"X"),
            whole.replace(b"Upgrade: websocket\r\n", b""),
            whole.replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n9\x1ex"),
            whole[: chance.randrange(len(whole))],
            chance.randbytes(200),
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200,
        ]
    )


@pytest.mark.promise("malformed frames and raw handshakes", bar="alive, +32 MiB, served within 1 s, 10 log lines a second")
def test_nonsense_costs_little_and_says_little(hub, running, size, figure):
    chance = random.Random(5)  # noqa: S311
    with Raw(running.port) as watcher:
        watcher.watch("ideas")
        before, lines, began = memory(running.process.pid), len(running.log.read_bytes().splitlines()), time.monotonic()
        frames, greetings, longest, last = size(2_000, 100_000), size(200, 10_000), 0.0, 0.0
        left: list[socket.socket] = []
        sent = said = 0
        while sent < frames or said < greetings:
            if said * frames <= sent * greetings:
                stranger = socket.create_connection(("127.0.0.1", running.port), 10)
                with suppress(OSError):
                    stranger.sendall(greeting(chance))
                left.append(stranger)
                said += 1
                if len(left) > 100:  # some stay for a while, and leave without a word
                    left.pop(0).close()
            else:
                sent += hurl(running.port, chance, min(20, frames - sent))
            if time.monotonic() - last > 2:
                last = time.monotonic()
                with Raw(running.port) as guest:
                    guest.watch("ideas")
                longest = max(longest, time.monotonic() - last)
                watcher.watch("ideas")  # and reads what it is asked, or it would be taken for gone
        took = time.monotonic() - began
        grew, said_lines = memory(running.process.pid) - before, len(running.log.read_bytes().splitlines()) - lines
        figure(f"{grew:+.0f} MiB, {longest:.2f} s, {said_lines / took:.1f} lines/s")
        make.idea()
        watcher.read_until(lambda name, content: name == "event")
        for stranger in left:
            stranger.close()
    assert grew <= 32
    assert said_lines <= 10 * max(took, 2)  # the first ones may come at once
    assert longest <= 1.0 or longest <= 5.0 > os.getloadavg()[0]


def hurl(port: int, chance: random.Random, most: int) -> int:
    """Send up to that many nonsensical frames on one connection, and return how many the server may have read."""
    with suppress(OSError, Gone), Raw(port) as client:
        client.socket.sendall(b"".join(nonsense(chance) for _ in range(most)))
    return most


@pytest.mark.promise("one client that floods keeps nobody else waiting", bar="others are answered within 500 ms")
def test_who_sends_without_a_pause_takes_turns_with_everybody_else(hub, running, figure):
    with Raw(running.port) as flood, Raw(running.port) as other:
        other.socket.settimeout(60)
        flood.socket.settimeout(60)
        sending = threading.Thread(target=flood.socket.sendall, args=(frame(TEXT, b"3") * 60_000,))
        sending.start()
        wait_until(lambda: other.answer(other.ask("unwatch", {"topics": []})))
        took = []
        for _ in range(20):
            began = time.monotonic()
            other.answer(other.ask("unwatch", {"topics": []}))
            took.append(time.monotonic() - began)
        flood.close()
        sending.join()
    figure(f"median {sorted(took)[10] * 1000:.0f} ms")
    assert sorted(took)[10] < 0.5
