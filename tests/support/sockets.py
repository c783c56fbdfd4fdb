"""Clients of the live stream of which every byte is ours: cheap ones, slow ones, and hostile ones.

A `Raw` is one blocking websocket. It reads only when it is asked to, and can send what no client of ours would send.
"""

import json
import os
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
WITHIN = 10.0  # seconds

Frame = tuple[int, bytes]


class Gone(Exception):
    """The server hung up."""


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    """A websocket frame as a client sends it."""
    first, mask, length = opcode | 0x80 * final, 0x80 * masked, len(payload)
    if length < 126:
        header = struct.pack("!BB", first, mask | length)
    elif length < 1 << 16:
        header = struct.pack("!BBH", first, mask | 126, length)
    else:
        header = struct.pack("!BBQ", first, mask | 127, length)
    if not masked:
        return header + payload
    key = os.urandom(4)
    stream = (key * (length // 4 + 1))[:length]
    return header + key + (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(length, "big")


class Frames:
    """Bytes of a server in, whole frames out. Raises ValueError where they are no frames that a server may send."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        self.buffer += data
        while (found := self._next()) is not None:
            yield found

    def _next(self) -> Frame | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        first, length, start = buffer[0], buffer[1], 2
        if not first & 0x80 or first & 0x70 or length & 0x80 or (first & 0x0F) not in (TEXT, BINARY, CLOSE, PING, PONG):
            raise ValueError(f"not a frame: {bytes(buffer[:40])!r}")
        if length >= 126:
            size, start = (2, 4) if length == 126 else (8, 10)
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2 : 2 + size], "big")
        if len(buffer) < start + length:
            return None
        payload = bytes(buffer[start : start + length])
        del buffer[: start + length]
        return first & 0x0F, payload


def handshake(path: str = "/socket.io/?EIO=4&transport=websocket") -> bytes:
    """What a client says to begin a websocket."""
    key = b64encode(os.urandom(16)).decode()
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Key: {key}", "", ""]).encode()


class Raw:
    """One websocket on `/live`, connected as nobody or by a token. `messages` are those of Socket.IO, as they were read."""

    def __init__(
        self, port: int, *, token: str | None = None, receives: int | None = None, sid: str | None = None, live: bool = True
    ) -> None:
        self.socket = socket.socket()
        if receives:  # before the connection, or the window is as wide as ever
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        self.socket.settimeout(WITHIN)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.frames = Frames()
        self.ready: list[Frame] = []
        self.messages: list[list[Any]] = []
        self.asked = 0
        self.socket.sendall(handshake(f"/socket.io/?EIO=4&transport=websocket{f'&sid={sid}' if sid else ''}"))
        self._read_head()
        if sid is None and live:
            self.say("40/live," + (json.dumps({"token": token}) if token else ""))
            while not self.read()[1].startswith(b"40/live,"):
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    # Out

    def send(self, opcode: int, payload: bytes, **how: bool) -> None:
        self.socket.sendall(frame(opcode, payload, **how))

    def say(self, packet: str) -> None:
        self.send(TEXT, packet.encode())

    def ask(self, message: str, content: Any) -> int:
        """Send a message that wants an answer, and return the number that the answer will have."""
        self.asked += 1
        self.say(f"42/live,{self.asked}{json.dumps([message, content])}")
        return self.asked

    def watch(self, *topics: str, cursor: str | None = None) -> dict[str, Any]:
        return self.answer(self.ask("watch", {"topics": list(topics), "cursor": cursor}))

    # In

    def read(self) -> Frame:
        """The next frame; what engine.io's pings ask for is given. Raises Gone, or TimeoutError after `WITHIN` seconds."""
        while not self.ready:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError as cut:
                raise Gone from cut
            if not data:
                raise Gone
            self.ready += self.frames.feed(data)
        opcode, payload = self.ready.pop(0)
        if payload == b"2":
            self.say("3")
        if payload.startswith(b"42/live,["):
            self.messages.append(json.loads(payload[8:]))
        return opcode, payload

    def answer(self, number: int) -> dict[str, Any]:
        """Read on until that answer."""
        begin = f"43/live,{number}[".encode()
        while True:
            payload = self.read()[1]
            if payload.startswith(begin):
                answer: dict[str, Any] = json.loads(payload[len(begin) - 1 :])[0]
                return answer

    def read_until(self, wanted: Any, *, within: float = WITHIN) -> Any:
        """Read on until `wanted(name, content)` of a message is something, and return that."""
        deadline = time.monotonic() + within
        for name, content in self.messages:
            if found := wanted(name, content):
                return found
        while time.monotonic() < deadline:
            before = len(self.messages)
            self.read()
            if len(self.messages) > before and (found := wanted(*self.messages[-1])):
                return found
        raise AssertionError(f"not within {within:g} seconds; heard {self.messages[-5:]}")

    def read_to_the_end(self, *, within: float = WITHIN) -> bytes:
        """All bytes that still come until the server hangs up: b'' at once where it reset the connection."""
        deadline, read = time.monotonic() + within, bytearray()
        while time.monotonic() < deadline:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionError:
                return bytes(read)
            if not data:
                return bytes(read)
            read += data
        raise AssertionError("the server did not hang up")

    def _read_head(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = self.socket.recv(1 << 16)
            if not data:
                raise Gone
            head += data
        head, _, rest = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise Gone(head.split(b"\r\n")[0].decode())
        self.ready += self.frames.feed(rest)
