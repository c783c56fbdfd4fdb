"""Pages, forms, JSON and everything that touches the network. `create_app` wires them;
`wsgi.py` adds what only a server has: sockets, the relay, the worker."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import flask
from flask import Flask, current_app
from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream

from events.stream import Stream
from ideas_hub import db
from ideas_hub.clock import now
from ideas_hub.live import Live
from web import (
    account,
    admin,
    answers,
    api,
    appearance,
    audiences,
    authors,
    board,
    by_email,
    cli,
    comments,
    compression,
    config,
    developers,
    drafts,
    errors,
    feeds,
    headers,
    health,
    home,
    ideas,
    limits,
    mail,
    me,
    moderation,
    moves,
    networks,
    once,
    outbox,
    pages,
    ready,
    session,
    sessions,
    sharing,
    sign_in,
    sponsors,
    text,
    votes,
)
from web.compiled import Compiled
from web.sign_in import by_link, staff

MOST_BYTES = 1024 * 1024  # of one request: more than any text may hold, so that one that is too long is named, and kept

READING = (home, board, feeds, sharing, developers)
ACTING = (
    ideas,
    votes,
    comments,
    sponsors,
    moves,
    answers,
    audiences,
    authors,
    moderation,
    admin,
    me,
    sessions,
    drafts,
    appearance,
)
COMING = (sign_in, staff, by_link, by_email, account, outbox)
PARTS = (
    compression,
    text,
    errors,
    limits,
    networks,
    session,
    once,
    headers,
    pages,
    health,
    mail,
    *READING,
    *ACTING,
    *COMING,
    api,
    cli,
)


@dataclass(frozen=True, slots=True)
class Hub:
    """What belongs to this installation, for who needs it in a request."""

    config: config.Config
    stream: Stream
    leaving: threading.Event = field(default_factory=threading.Event)  # set when the server was told to end


class Whole(LimitedStream):
    """What is sent: all of it, or it is too large. Werkzeug's own ends at the limit as if nothing more had come."""

    def readall(self) -> bytes:
        content = super().readall()
        if self.is_exhausted and self._stream.read(1):
            self.on_exhausted()
        return content


class Request(flask.Request):
    @cached_property
    def stream(self) -> IO[bytes]:
        stream = super().stream
        if isinstance(stream, LimitedStream):
            return cast(IO[bytes], Whole(self.environ["wsgi.input"], stream.limit, is_max=True))
        return stream


class App(Flask):
    """A Flask application of which nothing is a coroutine: Flask looks at each function anew whenever it calls one."""

    request_class = Request

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: config.Config | None = None) -> Flask:
    """The hub as a Flask application on the database of its settings (the environment's unless told)."""
    settings = settings or config.from_environment()
    if settings.database_url.startswith("sqlite"):
        config.VAR.mkdir(exist_ok=True)
    db.connect(settings.database_url)
    app = App(__name__)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=MOST_BYTES,
        MAX_FORM_MEMORY_SIZE=MOST_BYTES,
        SESSION_COOKIE_NAME="__Host-session" if settings.is_https else "session",
        SESSION_COOKIE_SECURE=settings.is_https,
        THEME_COOKIE_NAME="__Host-theme" if settings.is_https else "theme",
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=60 * 60 * 24 * 30,
    )
    app.jinja_loader = ChoiceLoader(
        [
            FileSystemLoader(str(Path(__file__).parent / "templates")),
            PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
        ]
    )
    app.jinja_options = {"bytecode_cache": Compiled()}
    app.wsgi_app = ready.Ready(app)  # type: ignore[method-assign,assignment]
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]
    stream = Stream(Live(text.render), db.reading, db.glance, origin=settings.base_url, now=now)
    app.extensions["ideas_hub"] = Hub(settings, stream)
    for part in PARTS:
        part.init_app(app)
    return app


def hub() -> Hub:
    """This installation."""
    return cast(Hub, current_app.extensions["ideas_hub"])
