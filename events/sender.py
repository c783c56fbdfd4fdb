"""Frames to sockets: at once, in order, and never waiting; who does not read costs little, and is then cut off.

engine.io gives each socket a queue without a limit and a greenlet that empties it, and a server spends most of its time
there. Here the queue is an `Outbox`, which hands what is put into it straight to the socket (`Wire`). Only where the socket
would block, what is left waits, with a limit. `install` has an engine.io server use both.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import eventlet
from engineio.packet import MESSAGE, Packet
from eventlet.queue import Empty, LightQueue

from events.stream import text
from events.wire import MOST_BYTES, MOST_PACKETS, Frame, Upgrade, Wire, encode


class Ready(str):
    """An answer to a client that is JSON already."""


class Json:
    """How Socket.IO reads and writes JSON: as ever, but what is ready goes out as it is."""

    loads = staticmethod(json.loads)

    @staticmethod
    def dumps(content: Any, **_: Any) -> str:
        if isinstance(content, list) and len(content) == 1 and isinstance(content[0], Ready):
            return f"[{content[0]}]"
        return text(content)


class Outbox:
    """All that goes to one client. engine.io takes it for its queue: `put`, `get`, `join` and `task_done` are for it.

    While somebody polls, packets wait here to be fetched. From an upgrade on they go straight to the wire.
    """

    __slots__ = ("client", "fresh", "held", "is_over", "polled", "wire")

    def __init__(self, *_: Any, **__: Any) -> None:
        self.client: Any = None  # engine.io's socket, once somebody has told us
        self.wire: Wire | None = None
        self.polled: LightQueue | None = LightQueue()
        self.fresh: tuple[Frame, ...] = ()  # what was said meanwhile
        self.held = 0  # how many answers have to go out before what is said
        self.is_over = False

    def open(self, wire: Wire) -> None:
        """From now on all goes to the wire, beginning with what was not fetched."""
        waiting, self.polled, self.wire = self.polled, None, wire
        while waiting and not waiting.empty():
            packet, frames = waiting.get(False)
            if packet is None:
                self._end()
            else:
                wire.write(encode(packet), frames)

    # engine.io's side

    def put(self, packet: Packet | None) -> None:
        """A packet to this client alone; None ends it."""
        if packet is None:
            self._end()
            return
        frames = () if _says_nothing(packet) else None
        if self.wire:
            self.wire.write(encode(packet), frames)
        else:
            self._keep(packet, frames)

    def get(self, block: bool = True, timeout: float | None = None) -> Packet | None:
        """The next packet for who polls; None when it is over. Raises Empty."""
        if self.polled is None:
            raise Empty
        packet: Packet | None = self.polled.get(block, timeout)[0]
        return packet

    def task_done(self) -> None:
        """engine.io counts what it fetched; nobody here waits for that."""

    def join(self) -> None:
        """Wait for nobody: a reader who never reads would keep us for ever."""

    def _keep(self, packet: Packet, frames: Sequence[Frame] | None) -> None:
        if self.polled is None or self.is_over:
            return
        self.polled.put((packet, frames))
        if self.polled.qsize() > MOST_PACKETS or sum(len(kept.encode()) for kept, _ in self.polled.queue) > MOST_BYTES:
            self.cut()

    def _end(self) -> None:
        self.is_over = True
        if self.wire:
            self.wire.end()
        elif self.polled is not None:
            self.polled.put((None, ()))

    # The gateway's side

    def say(self, frames: tuple[Frame, ...], joined: bytes) -> None:
        """Send these, which are `joined` on a wire. It touches as little as can be: of most clients nothing is in the caches."""
        if self.held:
            self.fresh += frames
        elif self.wire:
            self.wire.write(joined, frames)
        else:
            for frame in frames:
                self._keep(frame.packet, [frame])

    def hold(self) -> None:
        """Keep what is said, because an answer has to go out before it."""
        self.held += 1

    def release_soon(self, telling: AbstractContextManager[Any]) -> None:
        """Let what was kept go out, as soon as whoever calls this waits for something: what they say before is said before.

        Not while something is told: what was read for that may be older than the answer.
        """
        eventlet.spawn_n(self._release, telling)

    def _release(self, telling: AbstractContextManager[Any]) -> None:
        with telling:
            self.held -= 1
            if self.fresh and not self.held:
                frames, self.fresh = self.fresh, ()
                self.say(frames, _joined(frames))

    def forget(self, subject: str | None = None) -> None:
        """Not a byte about that subject, or about any, goes out from now on: who still waits for some is cut off, and comes back.

        Of what the kernel holds nobody knows what it is about.
        """
        waiting: Iterable[Sequence[Frame] | None]
        if self.wire:
            waiting = [frames for _, frames in self.wire.waiting] or [None] * self.wire.is_behind()
        else:
            waiting = [frames for _, frames in self.polled.queue] if self.polled else []
        for frames in (*waiting, self.fresh):
            if frames is None or any(frame.is_about(subject) for frame in frames):
                return self.cut()

    def cut(self) -> None:
        """Drop all that waits, and end the connection."""
        self.fresh = ()
        if self.wire:
            self.wire.cut()
        elif not self.is_over:
            self.is_over = True
            while self.polled and not self.polled.empty():
                self.polled.get(False)
            if self.polled:
                self.polled.put((None, ()))
            if self.client:  # not now: whoever sends is in the middle of sending to many
                eventlet.spawn_n(self.client.close, wait=False, abort=True, reason=self.client.server.reason.TRANSPORT_ERROR)


def _says_nothing(packet: Packet) -> bool:
    """Is it of engine.io's own, or only lets somebody in? Of other answers nobody knows what they are about."""
    return packet.packet_type != MESSAGE or str(packet.data).startswith("0")


Said = Sequence[tuple[Frame, Sequence[Outbox]]]
"""Messages in their order, and to whom."""


def send(said: Said) -> None:
    """Send to everybody, in one piece, what was said to them."""
    for frames, outboxes in _alike(said):
        joined = _joined(frames)
        for outbox in outboxes:
            outbox.say(frames, joined)


def _alike(said: Said) -> Iterator[tuple[tuple[Frame, ...], Iterable[Outbox]]]:
    """What was said, and all to whom just that was said. Everybody comes once."""
    audiences = {id(outboxes): outboxes for _, outboxes in said}
    if len(audiences) == 1:  # nearly always
        yield tuple(frame for frame, _ in said), said[0][1]
        return
    places: dict[Outbox, tuple[int, ...]] = defaultdict(tuple)
    for place, outboxes in audiences.items():
        for outbox in outboxes:
            places[outbox] += (place,)
    alike: dict[tuple[int, ...], list[Outbox]] = defaultdict(list)
    for outbox, where in places.items():
        alike[where].append(outbox)
    for where, together in alike.items():
        yield tuple(frame for frame, outboxes in said if id(outboxes) in where), together


def _joined(frames: Sequence[Frame]) -> bytes:
    return b"".join(frame.wire for frame in frames)


def install(engine: Any) -> None:
    """Have that engine.io server use outboxes for its queues, and wires for its websockets."""
    engine.create_queue = Outbox
    engine._async = {**engine._async, "websocket": Upgrade}
