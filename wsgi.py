"""The server: `python wsgi.py`. It, `events/sender.py` and `events/wire.py` are the only files that know eventlet."""

import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

import eventlet  # noqa: E402

eventlet.monkey_patch()

import errno  # noqa: E402
import gc  # noqa: E402
import logging  # noqa: E402
import resource  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from datetime import timedelta  # noqa: E402
from itertools import count  # noqa: E402

from eventlet import hubs, tpool  # noqa: E402
from eventlet.event import Event  # noqa: E402
from eventlet.semaphore import Semaphore  # noqa: E402
from flask import Flask  # noqa: E402
from sqlalchemy.exc import SQLAlchemyError  # noqa: E402

from events.gateway import Gateway  # noqa: E402
from events.relay import Relay  # noqa: E402
from ideas_hub import db, schema  # noqa: E402
from ideas_hub.clock import today, working_days_between  # noqa: E402
from ideas_hub.errors import Refusal  # noqa: E402
from web import create_app, hub  # noqa: E402
from web.config import WrongSetting, from_environment  # noqa: E402
from web.http import Connection, Site, State  # noqa: E402
from web.session import handshake  # noqa: E402
from web.wakeups import Wakeups  # noqa: E402
from web.worker import Worker  # noqa: E402

READY_AT_ONCE = 64  # sockets that are served between two turns of those who wait for a moment
BACKLOG = 4096  # eventlet's own 50 never lets a whole council come back at once
MOST_SOCKETS = 20_000
AT_ONCE = 8  # connections that are taken before whoever is inside has their turn
LOOK = 5.0  # seconds
FAREWELL = 10.0  # seconds that requests and sockets have to end when the server is told to

logger = logging.getLogger("ideas_hub.server")


class Fair(hubs.epolls.Hub):
    """eventlet's own loop serves all sockets that are ready, a thousand and more, before anybody who slept has their turn."""

    def do_poll(self, seconds: float) -> list[tuple[int, int]]:
        return self.poll.poll(seconds, READY_AT_ONCE)


if hubs.epolls.is_available():
    hubs.use_hub(Fair)


class Door:
    """Where requests come in."""

    def __init__(self, app: Flask, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # A second server on the same port would otherwise get every other request, and nobody would be told.
        self.listener = eventlet.listen((host, port), family=family, backlog=BACKLOG, reuse_port=False)
        name, port = self.listener.getsockname()[:2]
        self.site = Site(app, {"SERVER_NAME": name, "SERVER_PORT": str(port)})
        self.places = Semaphore(MOST_SOCKETS)
        self.connections: set[Connection] = set()
        self.accepting = eventlet.spawn(self._accept_all)
        eventlet.spawn_n(self._look_who_is_silent)

    def _accept_all(self) -> None:
        for number in count(1):
            if number % AT_ONCE == 0:  # else all who stand at the door are let in before anybody inside has their turn
                eventlet.sleep(0)
            try:
                self._serve(*self.listener.accept())
            except OSError as refusal:
                if refusal.errno != errno.ECONNABORTED:  # who asked is not gone: there is no file left for it
                    logger.error("no connection can be taken just now: %s", refusal)
                    eventlet.sleep(1)

    def _look_who_is_silent(self) -> None:
        """Those would keep their places for ever: who says nothing, a byte a minute, or does not read what they asked for."""
        while True:
            eventlet.sleep(LOOK)
            now = time.monotonic()
            for one in list(self.connections):
                if one.until < now:
                    eventlet.greenio.shutdown_safe(one.socket)

    def _serve(self, client: socket.socket, address: object) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # fails where they are gone already, and on macOS says so
        self.places.acquire()
        connection = Connection(self.site, client, address, take_turn=eventlet.sleep, closed=self._closed)
        self.connections.add(connection)
        eventlet.spawn_n(connection.serve)

    def _closed(self, connection: Connection) -> None:
        self.connections.remove(connection)
        self.places.release()
        eventlet.greenio.shutdown_safe(connection.socket)
        connection.socket.close()

    def close(self) -> None:
        """Take nobody in any more. Who stood at the door already is served; each answer is the last on its connection."""
        self.site.is_leaving = True
        self.accepting.kill()
        self.listener.setblocking(False)
        try:
            while self.places.balance > 0:  # where there is none, to wait for one would keep everybody from ending
                client, address = self.listener.accept()
                self._serve(eventlet.greenio.GreenSocket(client), address)  # a listener that does not wait gives none of these
        except OSError:
            pass  # nobody stands there any more
        self.listener.close()

    def wait(self, until: float) -> int:
        """Wait until all have their answers, or that moment (monotonic) comes, and return how many have none."""
        closed = time.monotonic()
        while self.connections and time.monotonic() < until:
            for one in list(self.connections):
                if one.state is State.IDLE or (one.state is State.NEW and time.monotonic() > closed + 1):
                    self._let_go(one.socket)
            eventlet.sleep(0.02)
        return len(self.connections)

    @staticmethod
    def _let_go(connection: socket.socket) -> None:
        """Unless it has a question that was not read yet."""
        try:
            connection.fd.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)  # type: ignore[attr-defined]
        except BlockingIOError:
            eventlet.greenio.shutdown_safe(connection)
        except OSError:
            return  # its own reader is about to see the same


def serve(app: Flask) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way. A second server on the same SQLite file is refused."""
    _read_templates(app)
    database = db.database()
    database.offload = tpool.execute  # an fsync would block the loop
    app.extensions["in_time"] = eventlet.Timeout
    with app.app_context():
        settings, stream, leaving = hub().config, hub().stream, hub().leaving
    gateway = Gateway(app, stream, handshake, origins=list(settings.origins))
    relay = Relay(stream, gateway)
    database.committed = relay.nudge
    if settings.redis_url:
        wakeups = Wakeups(settings.redis_url, woken=relay.nudge)

        def committed() -> None:
            relay.nudge()
            wakeups.send()

        database.committed = committed
        wakeups.start()
    worker, postman = Worker(), app.extensions["postman"]
    for loop in (relay.run, worker.run, postman.run):
        threading.Thread(target=loop, daemon=True).start()
    try:
        door = Door(app, settings.host, settings.port)
    except OSError as taken:
        raise WrongSetting(f"IDEAS_HUB_PORT {settings.port} on {settings.host} cannot be listened on: {taken}.") from taken
    working_days_between(today(), today() + timedelta(days=366))  # the first answer clock shall not wait for the calendar
    gc.collect()
    gc.freeze()  # what stands now stays: to look through it for garbage again and again takes a tenth of a second each time
    note = " (demo: anybody may sign in as anybody)" if settings.demo else ""
    print(f"Ideas Hub is at {settings.base_url}{note}", flush=True)
    _told_to_stop().wait()
    until = time.monotonic() + FAREWELL
    leaving.set()
    door.close()
    worker.stop()
    postman.stop()
    gateway.say_goodbye()
    if dropped := door.wait(until):
        logger.warning("%d connections did not end within %g seconds, and were cut", dropped, FAREWELL)
    relay.stop()


def _read_templates(app: Flask) -> None:
    """Each page is of this version from now on, whatever comes to lie in its folder before this server ends, and no page has to
    be made ready while somebody waits."""
    for name in app.jinja_env.list_templates():
        app.jinja_env.get_template(name)


def _told_to_stop() -> Event:
    """What is sent at the first SIGTERM or SIGINT. The second one ends the process at once."""
    stopping = Event()

    def stop(*_: object) -> None:
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, signal.SIG_DFL)
        # Not an exception: that would be raised in whatever request is being served at the moment.
        hubs.get_hub().schedule_call_global(0, stopping.send)

    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, stop)
    return stopping


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a socket is a file, and the usual 1024 are soon gone
    try:
        app = create_app(from_environment())
        with db.database().claimed():
            if schema.current() != schema.newest():
                print("The database is not at the schema this code needs: run `flask migrate`.", file=sys.stderr)
                return 1
            serve(app)
    except (WrongSetting, Refusal) as wrong:
        print(wrong, file=sys.stderr)
        return 1
    except (SQLAlchemyError, OSError) as away:
        print(f"The database of IDEAS_HUB_DATABASE_URL cannot be used: {away.__cause__ or away}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
