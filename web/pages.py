"""What every page stands in: its frame, and the little that templates may ask for themselves."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from flask_babel import get_locale
from werkzeug.routing import BaseConverter

from events import log
from events.catalogue import View, idea_topic
from events.stream import Stream
from ideas_hub.clock import now, today, working_days_between
from ideas_hub.comments import CommentKind
from ideas_hub.errors import _
from ideas_hub.ideas import Stage, can_be_withdrawn
from ideas_hub.moves import in_the_way, open_moves
from ideas_hub.people import Role
from ideas_hub.permissions import may
from ideas_hub.settings import Settings, current_settings
from ideas_hub.stages import STAGE_LABELS
from web.forms import filled, form_of, own_path
from web.session import actor
from web.text import day

THEMES = ("device", "light", "dark")
SOON = 5  # working days that are left of an answer clock
MOST_LATE = 10  # squares that are drawn; the words say how many days it was
PARTS_OF_PAGES = frozenset(
    {"votes.part", "ideas.card", "ideas.part", "ideas.similar", "comments.part", "board.part", "home.part"}
)
FOREVER = 60 * 60 * 24 * 365

KIND_LABELS = {
    CommentKind.BUILD: _("Build"),
    CommentKind.QUESTION: _("Question"),
    CommentKind.CONCERN: _("Concern"),
    CommentKind.THANKS: _("Thanks"),
}
ROLE_LABELS = {
    Role.SPONSOR: _("sponsor"),
    Role.MODERATOR: _("moderator"),
    Role.SAFEGUARDING: _("safeguarding"),
    Role.LEADER: _("leader"),
    Role.ADMIN: _("admin"),
}
AUDIENCE_LABELS = {View.PUBLIC: _("Everybody"), View.STAFF: _("Staff only"), View.LEADERSHIP: _("Leaders only")}


class RefConverter(BaseConverter):
    """A public reference. What cannot be one is not found, before anything is looked up."""

    regex = "[0-9a-z]{1,16}"


def init_app(app: Flask) -> None:
    app.url_map.converters["ref"] = RefConverter
    app.send_static_file = _send_versioned(app)  # type: ignore[method-assign,assignment]
    app.after_request(_keep_static_files)
    app.context_processor(_frame)
    app.jinja_env.add_extension("jinja2.ext.do")
    app.jinja_env.filters.update(iso_day=lambda text: day(date.fromisoformat(text)), shortly=shortly, own_part=own_part)
    app.jinja_env.globals.update(
        me=actor,
        council=council,
        may=may,
        asset=_Assets(app),
        modules=_Assets(app).modules,
        open_moves=open_moves,
        in_the_way=in_the_way,
        can_be_withdrawn=can_be_withdrawn,
        form_of=form_of,
        filled_form=lambda id, **values: filled(id, values),
        clock_squares=clock_squares,
        days_left=days_left,
        today=today,
        page_language=lambda: str(get_locale() or "en").replace("_", "-"),
        Stage=Stage,
        View=View,
        STAGE_LABELS=STAGE_LABELS,
        KIND_LABELS=KIND_LABELS,
        AUDIENCE_LABELS=AUDIENCE_LABELS,
        ROLE_LABELS=ROLE_LABELS,
        SOON=SOON,
        days_since=lambda moment: (now() - moment).days,
    )


# The frame


def _frame() -> dict[str, Any]:
    """What the layout knows of the request. It asks for nothing in the database: the page of an error may stand in it."""
    theme = request.cookies.get(current_app.config["THEME_COOKIE_NAME"])
    return {"theme": theme if theme in THEMES else "device", "here": _here()}


def _here() -> str:
    """The page that one looks at: for a part of one, the page that asked for it; for a form shown again, the idea's."""
    if request.endpoint in PARTS_OF_PAGES:
        return own_part(request.referrer or "")
    return request.full_path.rstrip("?") if request.method == "GET" else ""


def own_part(address: str) -> str:
    """The path and query of an address of this hub; nothing of any other."""
    parts = urlsplit(address)
    return own_path(f"{parts.path}?{parts.query}".rstrip("?")) or "" if parts.netloc == request.host else ""


def council() -> Settings:
    """The settings, read once for a request."""
    if "council" not in g:
        g.council = current_settings()
    settings: Settings = g.council
    return settings


VERSIONED = re.compile(r"v[0-9a-f]+/")


class _Assets:
    """`asset("vendor/hub.css")`: its address, with a version that changes when the file does.

    Modules import each other by relative addresses, so theirs carry one version of them all, in the path.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.folder = Path(str(app.static_folder))

    def __call__(self, name: str) -> str:
        if name.startswith("js/"):
            return self._module(name, self._version())
        return self.app.url_for("static", filename=name, v=f"{_stamp(self.folder / name):x}")

    def modules(self) -> list[str]:
        """Every module of ours, for the browser to fetch at once instead of finding them one after the other."""
        version = self._version()
        return [self._module(f"js/{file.name}", version) for file in sorted(self.folder.glob("js/*.js"))]

    def _version(self) -> str:
        """Of all modules: each of their files is looked at, which a page shall not do for every one of them."""
        files = [*self.folder.glob("js/*.js"), *self.folder.glob("vendor/*.js")]
        return f"v{max(map(_stamp, files)):x}"

    def _module(self, name: str, version: str) -> str:
        return self.app.url_for("static", filename=f"{version}/{name}")


def _stamp(file: Path) -> int:
    return file.stat().st_mtime_ns if file.exists() else 0


def _send_versioned(app: Flask) -> Callable[[str], Response]:
    """Files below `/static/v…/` are those without it."""
    send = app.send_static_file
    return lambda filename: send(VERSIONED.sub("", filename, count=1) if VERSIONED.match(filename) else filename)


def _keep_static_files(response: Response) -> Response:
    """A file whose address carries its version never changes; fonts are named in the style sheet without one."""
    if request.endpoint == "static" and response.status_code in (200, 304):
        name = (request.view_args or {}).get("filename", "")
        if request.args.get("v") or VERSIONED.match(name) or name.endswith(".woff2"):
            response.headers["Cache-Control"] = f"public, max-age={FOREVER}, immutable"
        else:
            response.headers["Cache-Control"] = "public, no-cache"
    return response


def shortly(text: str, most: int) -> str:
    """As many words of a text as fit, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[:most].rsplit(" ", 1)[0] + "…"


# What a page watches


@dataclass(frozen=True, slots=True)
class Watched:
    """The topics of a page, and how far the log had come before its rows were read."""

    topics: tuple[str, ...]
    cursor: str


def stream() -> Stream:
    return cast(Stream, current_app.extensions["ideas_hub"].stream)


def watched(head: log.Head, *gathering: str, ideas: Iterable[str] = ()) -> Watched:
    """What a page watches that shows these ideas. The head must have been read before the rows."""
    topics = (*gathering, *dict.fromkeys(idea_topic(ref) for ref in ideas))
    return Watched(topics, stream().cursor(actor().view, head))


# The answer clock


@dataclass(frozen=True, slots=True)
class Square:
    """A working day of the answer clock, and where it is drawn."""

    x: int
    is_gone: bool
    is_due: bool
    is_late: bool


def days_left(due: date) -> int:
    """How many working days are left until that day; negative when it is over."""
    return working_days_between(today(), due)


def clock_squares(due: date, *, started: date | None = None, days: int = 15) -> list[Square]:
    """One square a working day, with a gap after every five; behind the due day those that it is late."""
    total = max(working_days_between(started, due), 1) if started else days
    left = days_left(due)
    gone, late = min(max(total - left, 0), total), min(max(-left, 0), MOST_LATE)
    places = [n * 18 + n // 5 * 6 for n in range(total + late)]
    return [Square(x, n < gone, n == total - 1, n >= total) for n, x in enumerate(places)]
