"""Pages ready to send: what somebody who is not signed in reads most is rendered once, and sent until it may have changed.

What may be kept is in `KEPT`: the first page, the list with its common filters, an idea, the board, and the API's list. A kept
page is good for exactly one position of the log, the one read before its rows; each request reads the position of now first. What
was committed since then, by whichever process, drops pages before anything is sent:

- a vote, also one that is held, or a new comment: the pages that name its idea, and those in which any idea may rise by it
  (`MOVED_BY_ALL`);
- everything else (hidden, restricted, withdrawn, moved, revised, a name, a setting): all pages. It is rare, and nothing can be
  forgotten so.

Which ideas a page names is read from its own bytes.

A page ends with its minute: days, times of day and answer clocks turn with one; the age of an idea turns at most so much late.

It is the same for all who get it. It is rendered from a request that carries nothing of who asked but the chosen theme
(`_for_all`), and kept only where it sets no cookie and says (`Vary`) that it depends on nothing else. Whoever has a session or a
token gets no kept page.
"""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from time import sleep
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header, parse_cookie, parse_etags

from events import log
from events.catalogue import CommentPosted, Event, SessionEnded, VoteCast, VoteHeld, VoteWithdrawn
from ideas_hub import db
from ideas_hub.clock import now
from web.compression import LEAST, pack
from web.limits import COUNTED, may_read
from web.pages import THEMES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEPT = re.compile(r"/|/board|/ideas|/api/v1/ideas|/ideas/[0-9a-z]{1,16}")
LISTS = frozenset({"/ideas", "/api/v1/ideas"})
FILTERS = re.compile(r"(?:(?:sort|stage|theme|answer|limit)=[a-z0-9-]+(?:&|$)){0,8}")  # of lists; no words, no place in the list
MOVED_BY_ALL = re.compile(r"/\??|/board\?|/(?:api/v1/)?ideas\?(?:.*&)?sort=t.*")  # sorted by votes, or telling the last comments
NAMED = re.compile(rb"idea(?:s/|:)([0-9a-z]{1,16})")
OF_ALL = frozenset({"HTTP_HOST", "HTTP_ACCEPT", "HTTP_REFERER"})  # the last two show in refusals, which nobody keeps
MOST_PAGES, MOST_BYTES = 2000, 32 * 1024 * 1024
MOST_NEW = 200  # facts that are looked at one by one; after more of them all pages are rendered anew


class Away(Exception):
    """The database cannot be asked how far the log has come."""


# Pages


@dataclass(frozen=True, slots=True)
class Key:
    """What tells one page from another."""

    address: str
    theme: str

    @property
    def is_moved_by_all(self) -> bool:
        return MOVED_BY_ALL.fullmatch(self.address) is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hub answered: a page, a refusal, whatever it was."""

    status: str
    headers: list[tuple[str, str]]
    content: bytes

    def get(self, name: str) -> str:
        return next((value for header, value in self.headers if header.lower() == name), "")

    @property
    def is_for_all(self) -> bool:
        varies = {name.strip().lower() for name in self.get("vary").split(",") if name.strip()}
        return self.status.startswith("200 ") and not self.get("set-cookie") and varies <= {"accept-encoding", "cookie"}


class Page:
    """An answer that is for all, as it is sent; `names` are the ideas in it, `minute` the one it ends with."""

    __slots__ = ("asked", "content", "headers", "minute", "names", "packed", "packed_headers", "tag", "unchanged_headers")

    def __init__(self, answer: Answer, minute: int) -> None:
        self.content, self.packed, self.minute = answer.content, b"", minute
        self.asked = 0  # when, in the order of askings
        self.names = frozenset(name.decode() for name in NAMED.findall(answer.content))
        self.tag = answer.get("etag")
        plain = [pair for pair in answer.headers if pair[0].lower() != "content-length"]
        self.headers = [*plain, ("Content-Length", str(len(self.content)))]
        self.unchanged_headers = [pair for pair in plain if pair[0].lower() != "content-type"]
        self.packed_headers = self.headers
        if "accept-encoding" in answer.get("vary").lower() and len(self.content) >= LEAST:
            self.packed = pack(self.content)
            self.packed_headers = [*plain, ("Content-Encoding", "gzip"), ("Content-Length", str(len(self.packed)))]

    @property
    def size(self) -> int:
        return len(self.content) + len(self.packed)

    def send(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        content, headers, status = self.content, self.headers, "200 OK"
        if self.packed and _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            content, headers = self.packed, self.packed_headers
        if self.tag and "HTTP_IF_NONE_MATCH" in environ and _has_it(environ["HTTP_IF_NONE_MATCH"], self.tag):
            content, headers, status = b"", self.unchanged_headers, "304 NOT MODIFIED"
        start(status, headers.copy())
        return [content] if environ["REQUEST_METHOD"] == "GET" else []


@lru_cache(maxsize=256)
def _takes_gzip(accepted: str) -> bool:
    return parse_accept_header(accepted, Accept)["gzip"] > 0


def _has_it(asked: str, tag: str) -> bool:
    return parse_etags(asked).contains_weak(tag.removeprefix("W/").strip('"'))


# How far the log has come


class Present:
    """The epoch and position of the log at this moment: one small read for all who ask in the same turn."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.order = count()
        self.read_at, self.read = -1, ("", 0)

    def __call__(self) -> tuple[str, int]:
        """As it is now, or was at some moment since this was called. Raises Away."""
        asked = next(self.order)
        sleep(0)  # a turn for everybody else: who asks in it need not read again
        if self.read_at > asked:
            return self.read
        with self.turn:
            if self.read_at < asked:  # nobody began to read while we waited for our turn
                began, self.read = next(self.order), self._read()
                self.read_at = began
            return self.read

    def _read(self) -> tuple[str, int]:
        try:
            [here] = db.glance(log.HERE)
        except SQLAlchemyError as away:
            raise Away from away
        return here.epoch, here.position


# The shelf


@dataclass(eq=False, slots=True, weakref_slot=True)
class Making:
    """A page that is being rendered, or waits to be sent, and what was committed since it was begun."""

    done: threading.Event = field(default_factory=threading.Event)
    page: Page | None = None
    is_void: bool = False
    moved: set[str] = field(default_factory=set)  # ideas that were voted for, or commented on


class Shelf:
    """The pages that may be sent as they are. `turn` is held while it changes, and never while something is rendered.

    Pages are dropped before `seen` moves on. So where it is the present, a page that is there is good, also without a turn.
    """

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.present = Present()
        self.seen: tuple[str, int] = ("", -1)
        self.pages: dict[Key, Page] = {}
        self.size = 0
        self.order = count()
        self.making: dict[Key, Making] = {}
        self.under_way: WeakSet[Making] = WeakSet()  # as long as somebody holds them who might send them

    def get(self, key: Key, make: Callable[[], Page | None]) -> Page | None:
        """The page as it is now; made by one, where several ask for it. None where it cannot be sent to all."""
        present = self.present()
        if present == self.seen and (page := self._kept(key)) is not None:
            return page
        with self.turn:
            self._catch_up(present)
            if (page := self._kept(key)) is not None:
                return page
            making = self.making.get(key)
            is_ours = making is None or making.is_void or bool(making.moved)
            if making is None or is_ours:
                making = self.making[key] = Making()
                self.under_way.add(making)
        if is_ours:
            return self._make(key, making, make)
        making.done.wait()
        present = self.present()
        with self.turn:
            self._catch_up(present)
            return None if making.is_void else making.page

    def _make(self, key: Key, making: Making, make: Callable[[], Page | None]) -> Page | None:
        try:
            making.page = make()
            return making.page
        finally:
            with self.turn:
                if self.making.get(key) is making:
                    del self.making[key]
                if making.page is not None and not making.is_void and not _is_moved(key, making.page, making.moved):
                    self._keep(key, making.page)
            making.done.set()

    def _kept(self, key: Key) -> Page | None:
        page = self.pages.get(key)
        if page is None or page.minute != _minute():
            return None
        page.asked = next(self.order)
        return page

    def _keep(self, key: Key, page: Page) -> None:
        self._drop([key])
        self.pages[key], page.asked = page, next(self.order)
        self.size += page.size
        while len(self.pages) > MOST_PAGES or self.size > MOST_BYTES:
            self._drop([min(self.pages, key=lambda key: self.pages[key].asked)])

    def _drop(self, keys: Iterable[Key]) -> None:
        for key in keys:
            if (page := self.pages.pop(key, None)) is not None:
                self.size -= page.size

    def _catch_up(self, present: tuple[str, int]) -> None:
        """Drop what may not be as it was, now that the log has come so far. Raises Away."""
        if present == self.seen:
            return
        (epoch, position), (seen_epoch, seen) = present, self.seen
        if epoch == seen_epoch and seen - MOST_NEW <= position <= seen:
            return  # somebody who asked later was quicker
        moved = _moved_since(seen, position) if epoch == seen_epoch and seen < position <= seen + MOST_NEW else None
        if moved is None:
            self._drop(list(self.pages))
        elif moved:
            self._drop([key for key, page in self.pages.items() if _is_moved(key, page, moved)])
        for making in self.under_way:
            making.is_void |= moved is None
            making.moved |= moved or set()
        self.seen = present


def _moved_since(seen: int, position: int) -> set[str] | None:
    """The ideas that got votes and comments, where nothing else happened; None where anything did."""
    try:
        with db.reading() as session:
            entries = log.after(session, seen, position - seen)
    except SQLAlchemyError as away:
        raise Away from away
    events = [entry.event for entry in entries if not isinstance(entry.event, SessionEnded)]
    return {_idea(event) for event in events} if all(map(_idea, events)) else None


def _idea(event: Event) -> str:
    return event.idea if isinstance(event, VoteCast | VoteWithdrawn | VoteHeld | CommentPosted) else ""


def _is_moved(key: Key, page: Page, moved: set[str]) -> bool:
    return bool(moved) and (key.is_moved_by_all or not page.names.isdisjoint(moved))


def _minute() -> int:
    return int(now().timestamp() // 60)


# At the door


class Ready:
    """Stands before the hub: answers with a ready page where there can be one, and hands on everything else."""

    def __init__(self, app: Flask) -> None:
        self.app, self.hub = app, app.wsgi_app
        self.shelf = Shelf()

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        key = self._key(environ)
        if key is None or not may_read(self.app, environ.get("REMOTE_ADDR", "")):
            return self.hub(environ, start)
        environ[COUNTED] = True
        answers: list[Answer] = []
        try:
            page = self.shelf.get(key, lambda: self._page(environ, key, answers))
        except Away:
            return self.hub(environ, start)  # it knows how to say so
        if page is not None:
            return page.send(environ, start)
        if not answers:
            return self.hub(environ, start)
        start(answers[0].status, answers[0].headers)
        return [answers[0].content]

    def _key(self, environ: "WSGIEnvironment") -> Key | None:
        path, query, cookies = environ["PATH_INFO"], environ.get("QUERY_STRING", ""), environ.get("HTTP_COOKIE", "")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or not KEPT.fullmatch(path) or environ.get("SCRIPT_NAME"):
            return None
        if query and not (path in LISTS and FILTERS.fullmatch(query)):
            return None
        if "HTTP_AUTHORIZATION" in environ or self.app.config["SESSION_COOKIE_NAME"] in cookies:
            return None
        theme = parse_cookie(cookies).get(self.app.config["THEME_COOKIE_NAME"]) if "theme=" in cookies else None
        return Key(f"{path}?{query}", theme if theme in THEMES else "device")

    def _page(self, environ: "WSGIEnvironment", key: Key, answers: list[Answer]) -> Page | None:
        """The page rendered for all; None, with the answer among the answers, where that is for none but who asked."""
        minute = _minute()
        answer = _ask(self.hub, _for_all(environ, f"{self.app.config['THEME_COOKIE_NAME']}={key.theme}"))
        if answer.is_for_all:
            return Page(answer, minute)
        answers.append(answer)
        return None


def _for_all(environ: "WSGIEnvironment", cookie: str) -> "WSGIEnvironment":
    """The request as anybody might have sent it who asks for this page in the theme of that cookie."""
    asked = {name: value for name, value in environ.items() if not name.startswith("HTTP_") or name in OF_ALL}
    return asked | {"HTTP_COOKIE": cookie}


def _ask(hub: "WSGIApplication", environ: "WSGIEnvironment") -> Answer:
    told: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        told.append((status, headers))
        return lambda content: None

    pieces = hub(environ, start)
    try:
        content = b"".join(pieces)
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    return Answer(*told[-1], content)
