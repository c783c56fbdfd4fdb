"""The live stream's door: the Socket.IO namespace `/live`. The only file that imports flask_socketio.

No commands come in here, only what somebody wants to watch. Rooms are named by the server, one for each view and topic;
nothing is ever sent without a room. The room with the empty topic holds all who watch anything in that view.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from flask import Flask, request
from flask_socketio import Namespace, SocketIO

from events.catalogue import View
from events.stream import Stream, Viewer

NAMESPACE = "/live"
MOST_TOPICS, MOST_STRIKES = 200, 5
MOST_BYTES = 64 * 1024  # of one message from a client
GOODBYES = 500  # a second: all of them at once would come to the next server at once
LONGEST_GOODBYE, HANGING_UP = 3.0, 1.0  # seconds


class Who(Protocol):
    """Somebody as the gateway knows them: an actor, whose person it is, and until when that holds."""

    @property
    def actor(self) -> Viewer: ...
    @property
    def person(self) -> str | None: ...
    @property
    def until(self) -> datetime | None: ...


@dataclass(slots=True)
class Connection:
    """One socket: who it belongs to, the rooms it is in, and how often it sent what no client of ours sends."""

    ask: Callable[[], Who]
    who: Who
    rooms: set[str] = field(default_factory=set)
    strikes: int = 0

    @property
    def view(self) -> View:
        return self.who.actor.view


class Malformed(Exception):
    """A message that no client of ours sends. Its text is told to the client."""


def room(view: View, topic: str) -> str:
    return f"{view.word} {topic}"


class Gateway(Namespace):
    """Sockets of one process. `sign_in(auth)` reads the handshake and returns how to ask, now and later, who it is;
    it raises PermissionError for credentials that are no good."""

    def __init__(self, app: Flask, stream: Stream, sign_in: Callable[[Any], Callable[[], Who]], *, origins: list[str]) -> None:
        super().__init__(NAMESPACE)
        self.stream, self.sign_in = stream, sign_in
        self.connections: dict[str, Connection] = {}
        self.members: Counter[str] = Counter()  # how many sockets are in each room
        self.leaving = False
        self.socketio = SocketIO(
            app,
            async_mode="eventlet",
            cors_allowed_origins=origins,
            manage_session=False,
            max_http_buffer_size=MOST_BYTES,
            cookie=None,
        )
        self.socketio.on_namespace(self)

    # What the relay asks for

    def watched(self, view: View, topic: str) -> bool:
        return room(view, topic) in self.members

    def send(self, message: str, content: object, rooms: list[tuple[View, str]]) -> None:
        """To each socket in any of the rooms, once."""
        named = [name for name in (room(*place) for place in rooms) if name in self.members]
        if named:
            self.socketio.emit(message, content, namespace=NAMESPACE, to=named)

    def recheck(self, person: str) -> None:
        """That person's rights changed: their connections are asked again who they are."""
        for sid, connection in list(self.connections.items()):
            if connection.who.person == person:
                self._ask_again(sid, connection)

    def expire(self) -> None:
        """Ask again those whose session or token has run out by now, and let go of sockets that went without a word."""
        now = self.stream.now()
        for sid, connection in list(self.connections.items()):
            if not self._is_open(sid):
                self._drop(sid)
            elif connection.who.until is not None and connection.who.until <= now:
                self._ask_again(sid, connection)

    def _ask_again(self, sid: str, connection: Connection) -> None:
        view, connection.who = connection.view, connection.ask()
        if connection.view is not view or connection.who.person is None:
            for name in list(connection.rooms):
                self._leave(sid, connection, name)
            self.socketio.emit("reset", {"why": "rights"}, namespace=NAMESPACE, to=sid)

    # What the server asks for

    def say_goodbye(self) -> None:
        """End every connection, a few at a time, so that its owner goes to another server. Nobody new is let in."""
        self.leaving = True
        everybody, server = list(self.connections), self.socketio.server
        for sid in everybody:
            server.disconnect(sid, namespace=NAMESPACE)
            self.socketio.sleep(min(1 / GOODBYES, LONGEST_GOODBYE / len(everybody)))
        patience = time.monotonic() + HANGING_UP  # who heard that hangs up
        while time.monotonic() < patience and not all(socket.closed for socket in server.eio.sockets.values()):
            self.socketio.sleep(0.02)
        for socket in list(server.eio.sockets.values()):
            socket.close(wait=False)

    # What clients send

    def on_connect(self, auth: Any = None) -> bool:
        if self.leaving:
            return False
        try:
            ask = self.sign_in(auth)
        except PermissionError:
            return False
        with self.stream.telling:  # a right taken away meanwhile is noticed before, or afterwards among the connections
            self.connections[_sid()] = Connection(ask, ask())
        return True

    def on_disconnect(self, reason: Any = None) -> None:
        self._drop(_sid())

    def on_watch(self, message: Any = None) -> dict[str, Any]:
        sid, connection, topics = _sid(), self.connections[_sid()], _topics(message)
        cursor = message.get("cursor")
        if cursor is not None and not isinstance(cursor, str):
            raise Malformed("cursor must be text or null")
        watched = connection.rooms - {room(connection.view, "")}
        if len(watched | {room(connection.view, topic) for topic in topics}) > MOST_TOPICS:
            raise Malformed(f"at most {MOST_TOPICS} topics a connection")
        self.stream.catch_up()
        with self.stream.telling:
            if not self._is_open(sid):  # it went while others were answered: nobody waits for this any more
                return {"ok": False, "error": "gone"}
            watch = self.stream.watch(connection.who.actor, topics, cursor)
            if sid in self.connections:  # it may have gone while we read
                for topic in ("", *watch.allowed):
                    self._join(sid, connection, room(connection.view, topic))
        refused = sorted(topics - watch.allowed)
        return {"ok": True, **watch.reply.message(), "facts": watch.facts, "refused": refused}

    def on_unwatch(self, message: Any = None) -> dict[str, Any]:
        sid, connection = _sid(), self.connections[_sid()]
        for topic in _topics(message):
            self._leave(sid, connection, room(connection.view, topic))
        return {"ok": True}

    def trigger_event(self, event: Any, *args: Any) -> Any:
        """Every message passes here: what is malformed is answered, and at the fifth time the connection ends."""
        sid = args[0]
        known = sid in self.connections
        if event == "disconnect" and not self.socketio.server.manager.is_connected(sid, NAMESPACE):
            return super().trigger_event(event, *args)
        if event == "connect" and not known:
            return super().trigger_event(event, *args)
        if not known:
            return None
        try:
            if event not in ("watch", "unwatch") or len(args) != 2:
                raise Malformed("no such message")
            return super().trigger_event(event, *args)
        except Malformed as wrong:
            return self._strike(sid, str(wrong))

    def _strike(self, sid: str, error: str) -> dict[str, Any]:
        if connection := self.connections.get(sid):
            connection.strikes += 1
            if connection.strikes >= MOST_STRIKES:  # after the answer, which goes out before anything else gets its turn
                self.socketio.start_background_task(self.socketio.server.disconnect, sid, namespace=NAMESPACE)
        return {"ok": False, "error": error}

    # Rooms

    def _is_open(self, sid: str) -> bool:
        server = self.socketio.server
        return server.manager.eio_sid_from_sid(sid, NAMESPACE) in server.eio.sockets

    def _drop(self, sid: str) -> None:
        if connection := self.connections.pop(sid, None):
            for name in list(connection.rooms):
                self._leave(sid, connection, name)

    def _join(self, sid: str, connection: Connection, name: str) -> None:
        if name not in connection.rooms:
            connection.rooms.add(name)
            self.members[name] += 1
            self.socketio.server.enter_room(sid, name, namespace=NAMESPACE)

    def _leave(self, sid: str, connection: Connection, name: str) -> None:
        if name in connection.rooms:
            connection.rooms.remove(name)
            self.members[name] -= 1
            if not self.members[name]:
                del self.members[name]
            self.socketio.server.leave_room(sid, name, namespace=NAMESPACE)


def _sid() -> str:
    """The socket that the current message came by; Flask-SocketIO hangs it on the request."""
    return str(request.sid)  # type: ignore[attr-defined]


def _topics(message: Any) -> set[str]:
    topics = message.get("topics") if isinstance(message, dict) else None
    if not isinstance(topics, list) or not all(isinstance(topic, str) and 0 < len(topic) <= 80 for topic in topics):
        raise Malformed("topics must be a list of names")
    return set(topics)
