"""Websockets on which nobody waits: what is sent never blocks, and what comes is read when there is something.

`Upgrade` stands in the place of engine.io's own way from a handshake to a socket.
"""

import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from fcntl import ioctl
from typing import Any

import eventlet
from engineio.async_drivers.eventlet import WebSocketWSGI
from engineio.exceptions import SocketIsClosedError, UnknownPacketError
from engineio.packet import MESSAGE, NOOP, PING, PONG, UPGRADE, Packet
from eventlet import hubs
from eventlet.timeout import Timeout
from eventlet.websocket import FailedConnectionError, RFC6455WebSocket

from events.catalogue import PEOPLE

MOST_PACKETS, MOST_BYTES = 256, 1024 * 1024  # that may wait for a reader longer than PATIENCE
HIGHEST = 3 * 512 * 1024  # bytes that may wait at all
PATIENCE = 0.9  # seconds
MOST_UNSENT = 128 * 1024  # bytes that the kernel holds of what it has not sent: the rest waits here, where it counts
MOST_PIECES = 1024  # in which a message comes
UNSENT = 0x894B if sys.platform == "linux" else None  # SIOCOUTQNSD: how many those are
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # what the kernel still holds for a reader who is cut off goes as well


class Frame:
    """A message to many, made once: as a packet of engine.io, and as its bytes on a websocket. `about` are its subjects."""

    __slots__ = ("about", "packet", "wire")

    def __init__(self, namespace: str, message: str, content: str, about: Collection[str] = ()) -> None:
        self.packet = Packet(MESSAGE, f'2{namespace},["{message}",{content}]')
        self.wire = encode(self.packet)
        self.about = about

    def is_about(self, subject: str | None) -> bool:
        """Does it say something of that subject, or of any? Whoever is named is named by their reference as well."""
        if subject is None or subject in self.about:
            return True
        return subject.startswith(PEOPLE) and subject.removeprefix(PEOPLE) in self.packet.data


def encode(packet: Packet) -> bytes:
    """As a frame of a websocket."""
    payload = packet.encode()
    binary, payload = (0x82, payload) if isinstance(payload, bytes) else (0x81, payload.encode())
    length = len(payload)
    if length < 126:
        return bytes((binary, length)) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", binary, 126, length) + payload
    return struct.pack("!BBQ", binary, 127, length) + payload


Waiting = deque[tuple[bytes, Sequence[Frame] | None]]
"""What a socket did not take yet; frames are None where nobody knows."""


class Wire(RFC6455WebSocket):
    """A websocket on which nobody waits: `write` sends what the socket takes, and the rest as soon as it takes more."""

    __slots__ = ("is_cut", "is_ending", "raw", "too_much_since", "waiting", "waiting_bytes", "waiting_packets")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.raw = self.socket.fd
        if UNSENT:
            self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT)
        self.waiting: Waiting | tuple[()] = ()  # most never need a queue
        self.waiting_bytes = self.waiting_packets = 0
        self.too_much_since: float | None = None
        self.is_cut = self.is_ending = False

    def write(self, data: bytes, frames: Sequence[Frame] | None = None) -> None:
        if self.is_cut:
            return
        if not self.waiting:
            try:
                sent = self.raw.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            except OSError:
                return self.cut()
            if sent == len(data):
                return
            data = data[sent:]
            self.waiting = deque()
            eventlet.spawn_n(self._drain)
        self.waiting.append((data, frames))
        self.waiting_bytes += len(data)
        self.waiting_packets += len(frames) if frames else 1
        if self.waiting_bytes > HIGHEST:
            self.cut()
        elif self.too_much_since is None and self._is_too_much():
            self.too_much_since = time.monotonic()

    def _send(self, frame: bytes) -> None:
        """What the websocket itself has to say takes its turn."""
        self.write(frame)

    def _is_too_much(self) -> bool:
        return self.waiting_packets > MOST_PACKETS or self.waiting_bytes > MOST_BYTES

    def _drain(self) -> None:
        """Send what waits as the socket takes it, or cut off who takes too little. Runs only while something waits."""
        while self.waiting:
            try:
                hubs.trampoline(self.raw, write=True, timeout=PATIENCE)
                self._send_waiting()
            except Timeout:
                if self.is_ending:
                    self.cut()
            except (OSError, ValueError):  # it is gone, or was closed here
                self.cut()
            if not self._is_too_much():
                self.too_much_since = None
            elif self.too_much_since and time.monotonic() - self.too_much_since > PATIENCE:
                self.cut()
        if self.is_ending and not self.is_cut:
            self.close()

    def _send_waiting(self) -> None:
        while self.waiting:
            data, frames = self.waiting[0]
            try:
                sent = self.raw.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            self.waiting_bytes -= sent
            if sent < len(data):
                self.waiting[0] = (data[sent:], frames)
                return
            self.waiting_packets -= len(frames) if frames else 1
            self.waiting.popleft()

    def end(self) -> None:
        """Hang up, when all that waits is sent or who should read it does not."""
        if not self.is_ending:
            self.is_ending = True
            if not self.waiting and not self.is_cut:
                self.close()

    def is_behind(self) -> bool:
        """Has anything not been sent yet, by us or by the kernel?"""
        if self.waiting or not UNSENT or self.raw.fileno() < 0:
            return bool(self.waiting)
        return ioctl(self.raw, UNSENT, bytes(4)) != bytes(4)

    def cut(self) -> None:
        """Drop what waits, and hang up. Whoever it was comes back and is told what they missed."""
        self.is_cut = True
        self.waiting = ()
        self.waiting_bytes = self.waiting_packets = 0
        with suppress(OSError):
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._hang_up()

    def read(self) -> Packet | None:
        """The next packet; None where none will come, or what came is none."""
        try:
            content = self.wait()
            return Packet(encoded_packet=content) if content else None
        except (OSError, ValueError, RuntimeError, Timeout):
            return None

    def _send_closing_frame(self, *_: Any) -> None:
        """The request that brought it ends, and it goes on: `close` says goodbye."""

    def close(self, close_data: Any = None) -> None:
        """Say goodbye. Who does not hang up then is hung up on: to close the socket here would not wake who reads from it."""
        super()._send_closing_frame(True, close_data)
        with suppress(OSError):  # the other end was quicker
            self.raw.shutdown(socket.SHUT_WR)
        hubs.get_hub().schedule_call_global(PATIENCE, self._hang_up)

    def _hang_up(self) -> None:
        with suppress(OSError):
            self.raw.shutdown(socket.SHUT_RDWR)

    def _recv_frame(self, message: Any = None) -> Any:
        """After everybody else had a turn: where there is always one more frame to read, none of them would have."""
        eventlet.sleep(0)
        return super()._recv_frame(message)

    class Message(RFC6455WebSocket.Message):
        """A message in fragments. eventlet has a limit for each, and none for how many."""

        size = 0

        def push(self, data: bytes, final: bool = False) -> None:
            self.size += len(data)
            if self.size > self.max_frame_length or len(self.data) >= MOST_PIECES:
                raise FailedConnectionError(1009, "Message too big.")
            super().push(data, final)

    @staticmethod
    def _apply_mask(data: bytes, mask: Sequence[int], length: int | None = None, offset: int = 0) -> bytes:
        """All bytes at once: eventlet's own goes byte by byte, and 64 KB take 16 ms."""
        turn = offset % 4
        key = bytes((*mask[turn:], *mask[:turn])) * (len(data) // 4 + 1)
        return (int.from_bytes(data, "big") ^ int.from_bytes(key[: len(data)], "big")).to_bytes(len(data), "big")


class Upgrade(WebSocketWSGI):
    """From the handshake of a websocket until a `Reader` goes on with it: without compression, which costs more than it saves,
    and without greenlets. It stands in the place of engine.io's `Socket._websocket_handler`, and does what that does."""

    def __init__(self, handler: Any, server: Any) -> None:
        super().__init__(self.carry, server)
        self.client, self.server = handler.__self__, server  # of engine.io
        self.support_legacy_versions = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        return super().__call__(environ, start_response)

    def _handle_hybi_request(self, environ: dict[str, Any]) -> Wire:
        websocket = super()._handle_hybi_request(environ)
        return Wire(websocket.socket, environ, websocket.version, max_frame_length=self.max_frame_length)

    def carry(self, wire: Wire) -> None:
        client = self.client
        wire.socket.settimeout(self.server.ping_interval + self.server.ping_timeout)
        if client.connected:
            client.upgrading = True  # who polls meanwhile is told nothing
            client.upgraded = self._is_probed(wire)
            client.upgrading = False
            if not client.upgraded:
                return wire.close()
        else:
            client.connected = client.upgraded = True
        client.queue.open(wire)
        Reader(client, wire, wire.environ["ideas_hub.hand_over"]()).begin()
        wire.environ = None  # of the request that brought it nothing is needed any more

    def _is_probed(self, wire: Wire) -> bool:
        """Whether somebody who polls has come over to the websocket, after trying whether it carries."""
        probe = wire.read()
        if probe is None or (probe.packet_type, probe.data) != (PING, "probe"):
            return False
        wire.send(Packet(PONG, data="probe").encode())
        self.client.queue.put(Packet(NOOP))  # ends the poll that waits
        answer = wire.read()
        return answer is not None and answer.packet_type == UPGRADE


class Reader:
    """What a client says on a wire, and whether they still answer. There is a greenlet while they say something, and none that
    waits until they do: greenlets are most of what a client costs in memory, and hardly any of them ever says a word."""

    __slots__ = ("client", "close", "listener", "next_ping", "wire")

    def __init__(self, client: Any, wire: Wire, close: Callable[[], None]) -> None:
        self.client, self.wire, self.close = client, wire, close
        self.next_ping: Any = None

    def begin(self) -> None:
        if self.client.last_ping is None:
            self._ping_later()
        self._listen()

    def _listen(self) -> None:
        loop = hubs.get_hub()
        self.listener = loop.add(loop.READ, self.wire.raw.fileno(), self._heard, None, None)

    def _heard(self, _: int) -> None:
        """Called by the loop itself, which must not wait."""
        hubs.get_hub().remove(self.listener)
        eventlet.spawn_n(self._read)

    def _read(self) -> None:
        """One packet: whoever has sent more has another turn after everybody else."""
        goes_on = False
        try:
            packet = self.wire.read()
            goes_on = packet is not None and self._takes(packet)
        finally:
            self._listen() if goes_on else self._end()

    def _takes(self, packet: Packet) -> bool:
        try:
            if packet.packet_type == PONG:
                self._ping_later()
            else:
                self.client.receive(packet)
        except UnknownPacketError:
            pass  # a later version of the protocol may know it
        except SocketIsClosedError:
            return False
        return True

    def _end(self) -> None:
        if self.next_ping:
            self.next_ping.cancel()
        server = self.client.server
        self.client.close(wait=False, abort=True, reason=server.reason.TRANSPORT_CLOSE)
        server.sockets.pop(self.client.sid, None)
        self.close()

    def _ping_later(self) -> None:
        """engine.io has a greenlet sleep until then, for each client, and ends those who do not answer."""
        self.client.last_ping = None
        if self.next_ping is None:
            self.next_ping = hubs.get_hub().schedule_call_global(self.client.server.ping_interval, self._ping)

    def _ping(self) -> None:
        self.next_ping = None
        if not self.client.closed:
            self.client.last_ping = time.time()
            self.client.queue.put(Packet(PING))
