"""The server: `python wsgi.py`. It is the only file that knows eventlet."""

import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

import eventlet  # noqa: E402

eventlet.monkey_patch()

import logging  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402

from eventlet import hubs, tpool, wsgi  # noqa: E402
from eventlet.event import Event  # noqa: E402
from flask import Flask  # noqa: E402
from sqlalchemy.exc import SQLAlchemyError  # noqa: E402

from events.gateway import Gateway  # noqa: E402
from events.relay import Relay  # noqa: E402
from ideas_hub import db, schema  # noqa: E402
from ideas_hub.errors import Refusal  # noqa: E402
from web import create_app, hub  # noqa: E402
from web.config import WrongSetting, from_environment  # noqa: E402
from web.session import handshake  # noqa: E402
from web.worker import Worker  # noqa: E402

BACKLOG = 4096  # eventlet's own 50 never lets a whole council come back at once
MOST_SOCKETS = 20_000
LONGEST_LINE = 64 * 1024  # of a request; addresses that are too long are refused by the hub, in words


def serve(app: Flask) -> None:
    """Serve until SIGTERM or SIGINT. A second server on the same SQLite file is refused."""
    database = db.database()
    database.offload = tpool.execute  # an fsync would block the loop
    with app.app_context():
        settings, stream = hub().config, hub().stream
    gateway = Gateway(app, stream, handshake, origins=list(settings.origins))
    relay = Relay(stream, watched=gateway.watched, send=gateway.send, rights=gateway.recheck, expire=gateway.expire)
    database.committed = relay.nudge
    worker = Worker()
    for loop in (relay.run, worker.run):
        threading.Thread(target=loop, daemon=True).start()
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = eventlet.listen((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as taken:
        raise WrongSetting(f"IDEAS_HUB_PORT {settings.port} on {settings.host} cannot be listened on: {taken}.") from taken
    note = " (demo: anybody may sign in as anybody)" if settings.demo else ""
    print(f"Ideas Hub is at {settings.base_url}{note}", flush=True)
    stopping = Event()
    for ending in (signal.SIGTERM, signal.SIGINT):
        # Not an exception: that would be raised in whatever request is being served at the moment.
        signal.signal(ending, lambda *_: hubs.get_hub().schedule_call_global(0, stopping.send))
    # eventlet knows where a body ends that comes in chunks; unless told so, Werkzeug would not read it.
    options = {"environ": {"wsgi.input_terminated": True}, "url_length_limit": LONGEST_LINE, "max_size": MOST_SOCKETS}
    eventlet.spawn(wsgi.server, listener, app, log_output=False, debug=False, **options)
    stopping.wait()
    relay.stop()
    worker.stop()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
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
