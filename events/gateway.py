"""The live stream's door: the Socket.IO namespace `/live`. The only file that imports flask_socketio.

No commands come in here, only what somebody wants to watch. Rooms are named by the server, one for each view and topic;
nothing is ever sent without a room. The room with the empty topic holds all who watch anything in that view.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from flask import Flask, request
from flask_socketio import Namespace, SocketIO
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.test import create_environ

from events import sender
from events.catalogue import View
from events.sender import Json, Outbox, Ready
from events.sparing import Sparing
from events.stream import Stream, Viewer, text
from events.wire import Frame

NAMESPACE = "/live"
MOST_TOPICS, MOST_STRIKES = 200, 5
# What one connection may be answered: so many characters at once, and after them so many a second. Each answer costs some, too.
MOST_ANSWERED, ANSWERED_A_SECOND, ANSWER = 4_000_000, 400_000, 8_000
AT_ONCE = 8  # who are let in or answered between two turns of everybody else
MOST_STRANGERS, STRANGE_FOR = 3000, 20.0  # how many may be connected and not have said to what, and for how many seconds
MOST_BYTES = 64 * 1024  # of one message from a client
OF_NOW = frozenset({"head", "facts"})  # messages that are true only as it is now
GOODBYE = 1.0  # seconds that who leaves has to hang up
GOODBYES = 500  # a second: all of them at once would come to the next server at once
LONGEST_GOODBYE, HANGING_UP = 3.0, 1.0  # seconds

logger = logging.getLogger(__name__)
engine_logger = logger.getChild("engineio")
engine_logger.setLevel(logging.ERROR)


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
    outbox: Outbox
    rooms: set[str] = field(default_factory=set)
    strikes: int = 0
    answered: float = 0.0  # characters, at `answered_at` in monotonic seconds
    answered_at: float = 0.0

    def asks_too_much(self) -> bool:
        now = time.monotonic()
        self.answered = max(0.0, self.answered - (now - self.answered_at) * ANSWERED_A_SECOND)
        self.answered_at = now
        return self.answered > MOST_ANSWERED

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
        self.rooms: dict[str, dict[str, Outbox]] = {}  # who is in each room
        self.gathered: dict[tuple[str, ...], list[Outbox]] = {}  # who is in any of these rooms, until somebody comes or goes
        self.said: list[tuple[Frame, list[Outbox]]] = []  # what waits for `flush`, and for whom
        self.strangers: dict[str, float] = {}  # clients of engine.io that are no connection yet, and when they came
        self.turns = threading.Semaphore(AT_ONCE)
        self.leaving = False
        # Of the request that opened a socket nothing is needed any more, and it would stay as long as the socket.
        self.no_request = create_environ() | {"flask.app": app}
        self.socketio = SocketIO(
            app,
            async_mode="eventlet",
            async_handlers=False,  # what one client asks is answered in its order, one thing at a time
            cors_allowed_origins=origins,
            manage_session=False,
            max_http_buffer_size=MOST_BYTES,
            cookie=None,
            json=Json,
            logger=engine_logger,
            engineio_logger=engine_logger,
        )
        sender.install(self.socketio.server.eio)
        sparing = Sparing()
        for each in (engine_logger, logger):
            each.addFilter(sparing)
        self.socketio.on_namespace(self)
        self._mind_strangers()

    def _mind_strangers(self) -> None:
        """Nobody costs more than others before it is known what they want, and nonsense ends a connection."""
        engine = self.socketio.server.eio
        connect, message, disconnect = (engine.handlers[event] for event in ("connect", "message", "disconnect"))

        def come(client: str, environ: dict[str, Any]) -> Any:
            self.strangers[client] = time.monotonic()
            socket = engine.sockets[client]
            socket.queue.client, socket.last_ping = socket, None  # so no greenlet sleeps for them until it is time for a ping
            if len(self.strangers) > MOST_STRANGERS:
                engine.disconnect(next(iter(self.strangers)))
            return connect(client, environ)

        def hear(client: str, content: Any) -> None:
            try:
                message(client, content)
            except Exception:  # of a packet that is none; engine.io notes what it was
                engine.disconnect(client)
                raise

        def go(client: str, reason: str) -> None:
            self.strangers.pop(client, None)
            disconnect(client, reason)

        for event, handler in (("connect", come), ("message", hear), ("disconnect", go)):
            engine.on(event, handler)

    # What the relay asks for

    def watched(self, view: View, topic: str) -> bool:
        return room(view, topic) in self.rooms

    def send(self, message: str, content: str, rooms: Collection[tuple[View, str]], *, about: Collection[str] = ()) -> bool:
        """To each socket in any of the rooms, once, at the next `flush`.

        Said behind an answer that is on its way, a cursor or a tally of before would tell them to go back.
        """
        names = tuple(name for name in (room(*place) for place in rooms) if name in self.rooms)
        everybody = self._in_any(names) if names else []
        outboxes = [outbox for outbox in everybody if not outbox.held] if message in OF_NOW else everybody
        if outboxes:
            self.said.append((Frame(NAMESPACE, message, content, about), outboxes))
        return len(outboxes) == len(everybody)

    def _in_any(self, names: tuple[str, ...]) -> list[Outbox]:
        if names not in self.gathered:
            everybody = {sid: outbox for name in names for sid, outbox in self.rooms[name].items()}
            self.gathered[names] = list(everybody.values())
        return self.gathered[names]

    def flush(self) -> None:
        said, self.said = self.said, []
        sender.send(said)

    def forget(self, subject: str | None = None) -> None:
        for frame, outboxes in self.said:
            if frame.is_about(subject):
                for outbox in outboxes:
                    outbox.cut()
        for connection in list(self.connections.values()):
            connection.outbox.forget(subject)

    def recheck(self, person: str) -> None:
        for sid, connection in list(self.connections.items()):
            if connection.who.person == person:
                self._ask_again(sid, connection)

    def expire(self) -> None:
        now, server = self.stream.now(), self.socketio.server
        for client, came in list(self.strangers.items()):
            if came < time.monotonic() - STRANGE_FOR:
                server.eio.disconnect(client)
        for sid, connection in list(self.connections.items()):
            if not self._is_open(sid):
                self._drop(sid)
            elif connection.who.until is not None and connection.who.until <= now:
                self._ask_again(sid, connection)

    def _ask_again(self, sid: str, connection: Connection) -> None:
        view = connection.view
        try:
            connection.who = connection.ask()
        except SQLAlchemyError:  # nobody knows whether they still may: they come back, and are asked then
            return connection.outbox.cut()
        if connection.view is not view or connection.who.person is None:
            for name in list(connection.rooms):
                self._leave(sid, connection, name)
            connection.outbox.forget()  # of what they may see no more
            self.said.append((Frame(NAMESPACE, "reset", text({"why": "rights"})), [connection.outbox]))
            self.flush()
        if connection.who.person is None:  # what they came in by is void: they may come again as nobody
            self.socketio.start_background_task(self.socketio.server.disconnect, sid, namespace=NAMESPACE)

    # What the server asks for

    def say_goodbye(self) -> None:
        """End every connection, a few at a time, so that its owner goes to another server. Nobody new is let in.

        It goes by the clock: on a busy server each pause is as long as the turns of all the others take.
        """
        self.leaving = True
        everybody, server, began = list(self.connections), self.socketio.server, time.monotonic()
        for number, sid in enumerate(everybody, 1):
            server.disconnect(sid, namespace=NAMESPACE)
            due = began + min(number / GOODBYES, LONGEST_GOODBYE * number / len(everybody))
            if (early := due - time.monotonic()) > 0:
                self.socketio.sleep(early)
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
        except (PermissionError, SQLAlchemyError):
            return False
        sid, server = str(request.sid), self.socketio.server  # type: ignore[attr-defined]
        client = server.eio.sockets[server.manager.eio_sid_from_sid(sid, NAMESPACE)]
        if "left" in client.session:
            return False
        try:
            with self.stream.telling:  # a right taken away meanwhile is noticed before, or afterwards among the connections
                self.connections[sid] = Connection(ask, ask(), client.queue)
        except SQLAlchemyError:
            return False
        server.environ[client.sid] = self.no_request
        if self.strangers.pop(client.sid, None) and not client.upgraded:  # who has a websocket is pinged by that
            client.last_ping = time.time()
            client.schedule_ping()
        return True

    def on_watch(self, sid: str, message: Any, asked: float) -> dict[str, Any] | Ready:
        """Join the rooms, and answer with all that stands before what will be told in them.

        What comes in the rooms meanwhile is held until the answer has gone out. `asked`: when, in monotonic seconds.
        """
        connection, topics, cursor = self.connections[sid], _topics(message), _cursor(message)
        if connection.asks_too_much():
            raise Malformed("too much was asked in a short while")
        watched = connection.rooms - {room(connection.view, "")}
        if len(watched | {room(connection.view, topic) for topic in topics}) > MOST_TOPICS:
            raise Malformed(f"at most {MOST_TOPICS} topics a connection")
        connection.outbox.hold()
        joined: list[str] = []
        try:
            self.stream.catch_up(asked)
            with self.stream.telling:
                who, upto = connection.who, self.stream.delivered
                joined = [room(who.actor.view, topic) for topic in ("", *topics)]
                joined = [name for name in joined if self._join(sid, connection, name)]
            watch = self.stream.watch(who.actor, topics, cursor, upto)
            if sid not in self.connections:  # it went while it was answered: nobody waits for this any more
                return {"ok": False, "error": "gone"}
            if connection.who is not who:
                return self.on_watch(sid, message, asked)
            refused = sorted(topics - watch.allowed)
            for topic in refused:
                if room(who.actor.view, topic) in joined:
                    self._leave(sid, connection, room(who.actor.view, topic))
            answer = Ready(watch.message(refused))
            connection.answered += ANSWER + len(answer)
            return answer
        except SQLAlchemyError as away:
            logger.warning("a watch could not be answered: %s", away)
            for name in joined:
                self._leave(sid, connection, name)
            return {"ok": False, "error": "not just now: try again in a moment"}
        finally:
            connection.outbox.release_soon(self.stream.telling)

    def on_unwatch(self, sid: str, message: Any) -> dict[str, Any]:
        connection = self.connections[sid]
        for topic in _topics(message):
            self._leave(sid, connection, room(connection.view, topic))
        return {"ok": True}

    def trigger_event(self, event: Any, *args: Any) -> Any:
        """Every message passes here: what is malformed is answered, and at the fifth time the connection ends."""
        sid = args[0]
        if event == "connect" and sid not in self.connections:
            with self.turns:
                self.socketio.sleep(0)
                return super().trigger_event(event, *args)
        if event == "disconnect" and not self.socketio.server.manager.is_connected(sid, NAMESPACE):
            return self._end(sid)
        if sid not in self.connections:
            return None
        try:
            if event not in ("watch", "unwatch") or len(args) != 2:
                raise Malformed("no such message")
            if event == "unwatch":
                return self.on_unwatch(sid, args[1])
            asked = time.monotonic()
            with self.turns:  # where all come back at once, whoever does something else waits for a few of them and not for all
                self.socketio.sleep(0)
                return self.on_watch(sid, args[1], asked) if sid in self.connections else None
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

    def _end(self, sid: str) -> None:
        """Who leaves, or is sent away, has nothing else to do here: on the same line they would begin anew, with no strike.

        They have a moment to hang up themselves. Who polls has yet to fetch what was said, and to say goodbye.
        """
        server = self.socketio.server
        client = server.eio.sockets.get(server.manager.eio_sid_from_sid(sid, NAMESPACE))
        if client is not None and not client.closing:
            client.session["left"] = True
            self.strangers[client.sid] = time.monotonic() - STRANGE_FOR + GOODBYE
        self._drop(sid)

    def _drop(self, sid: str) -> None:
        if connection := self.connections.pop(sid, None):
            for name in list(connection.rooms):
                self._leave(sid, connection, name)

    def _join(self, sid: str, connection: Connection, name: str) -> bool:
        """Whether it was not there yet. Who has gone joins nothing."""
        if name in connection.rooms or sid not in self.connections:
            return False
        connection.rooms.add(name)
        self.rooms.setdefault(name, {})[sid] = connection.outbox
        self.gathered.clear()
        return True

    def _leave(self, sid: str, connection: Connection, name: str) -> None:
        if name in connection.rooms:
            connection.rooms.remove(name)
            del self.rooms[name][sid]
            if not self.rooms[name]:
                del self.rooms[name]
            self.gathered.clear()


def _cursor(message: dict[str, Any]) -> str | None:
    cursor = message.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Malformed("cursor must be text or null")
    return cursor


def _topics(message: Any) -> set[str]:
    topics = message.get("topics") if isinstance(message, dict) else None
    if not isinstance(topics, list) or not all(isinstance(topic, str) and 0 < len(topic) <= 80 for topic in topics):
        raise Malformed("topics must be a list of names")
    return set(topics)
