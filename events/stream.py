"""Watching and resuming: what somebody missed, exactly, or a plain `reset` with its reason. There are no sockets in here.

A **cursor** says how far one has seen, in one view and one epoch of the log. It is the same for the socket and for HTTP,
whatever the topics, and holds only the number of its own view, so it cannot tell how much its bearer was not shown.
"""

import json
import re
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.orm import Session

from events import log
from events.catalogue import BOARD, IDEAS, LEDGER, VIEWS, Event, View, idea_topic
from events.prepared import Glance
from events.ring import Ring

REPLAY_LIMIT = 1000
REPLAY_BYTES = 700_000  # of one answer: a page that missed more is quicker to load anew, and may not be able to take it
REPLAY_WINDOW = timedelta(days=7)
LATELY = 2000  # facts that a server which begins has in memory, so that those who come back to it are answered from there
AT_ONCE = 100  # facts whose texts are joined while everybody else waits
MOST_ANSWERS = 50


class Viewer(Protocol):
    """Whoever watches: all that the stream itself knows of a person."""

    @property
    def view(self) -> View: ...


class Source(Protocol):
    """What the stream asks of the hub, which alone knows who may see what."""

    def allowed(self, actor: Any, topics: Collection[str]) -> set[str]:
        """Those of the topics that the actor may watch."""
        ...

    def tell(self, events: Sequence[Event], view: View) -> list[dict[str, Any] | None]:
        """The data of each event with its texts joined, or None where that view may not see it now."""
        ...

    def facts(self, topics: Collection[str], view: View) -> dict[str, dict[str, Any]]:
        """The tallies of those topics that the view may see, as they are now."""
        ...


Reading = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has seen, in one view and one epoch."""

    view: View
    epoch: str
    number: int

    def __str__(self) -> str:
        plain = f"{self.view.word[0]}.{self.epoch}.{self.number}"
        return urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor that `text` stands for; raises ValueError for what no hub has handed out."""
        try:
            plain = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode("ascii")
        except (UnicodeError, NotBase64) as wrong:
            raise ValueError("not a cursor") from wrong
        match = re.fullmatch(r"([psl])\.([0-9a-z]{1,16})\.([0-9]{1,18})", plain)
        if match is None:
            raise ValueError("not a cursor")
        view = next(view for view in View if view.word[0] == match[1])
        return cls(view, match[2], int(match[3]))


@dataclass(frozen=True, slots=True)
class Reply:
    """What a watcher is told: where it stands now, and what it missed (`resume`) or why it must reload (`reset`)."""

    mode: str
    cursor: str
    texts: Sequence[str] = ()  # the events, as JSON
    why: str | None = None

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.texts]

    def message(self) -> dict[str, Any]:
        reason = {"why": self.why} if self.why else {}
        return {"mode": self.mode, **reason, "cursor": self.cursor, "events": self.events}


@dataclass(frozen=True, slots=True)
class Watch:
    """The topics that may be watched, what was missed on them, and their tallies now."""

    allowed: set[str]
    reply: Reply
    facts: dict[str, dict[str, Any]]

    def message(self, refused: list[str]) -> str:
        """The whole answer as JSON; its events are ready, and are not written anew."""
        begin = {"ok": True, "mode": self.reply.mode} | ({"why": self.reply.why} if self.reply.why else {})
        end = {"cursor": self.reply.cursor, "facts": self.facts, "refused": refused}
        return f'{text(begin)[:-1]},"events":[{",".join(self.reply.texts)}],{text(end)[1:]}'


class Stream:
    """The log as it is told to watchers.

    `telling` is held while anything goes out to sockets, and while a watcher's rooms are joined, so each fact is either
    told in those rooms or stands behind it. `delivered` is how far the sockets of this process have been told; the relay
    moves it on, as far as some moment at once when `catch_up` is called. What was told lately stands ready in the rings.
    """

    delivered: log.Head
    catch_up: Callable[[float], None]

    def __init__(
        self,
        source: Source,
        reading: Reading,
        glance: Glance,
        *,
        origin: str,
        now: Callable[[], datetime],
        window: timedelta = REPLAY_WINDOW,
    ) -> None:
        self.source, self.reading, self.glance = source, reading, glance
        self.origin, self.now, self.window = origin, now, window
        self.telling = threading.Lock()
        self.reading_far_back = threading.Lock()
        self.rings: dict[View, Ring] = {}
        self.answers: dict[Hashable, Any] = {}  # what others were answered since anything was told last
        self.forgotten = 0  # how often words were taken back: what was read before is not told after

    # What the relay does

    def begin(self, head: log.Head) -> None:
        """Tell what comes behind `head`. What came before it stands in the log, and the last of it in memory as well."""
        self.move_on(head)
        with self.reading() as session:
            lately = log.told_before(session, VIEWS[-1], head.number(VIEWS[-1]), limit=LATELY)
        for view in VIEWS:
            seen = [entry for entry in reversed(lately) if is_told(entry, view)]
            first = seen[0].number(view) - 1 if seen else head.number(view)
            self.rings[view] = Ring(view, first if len(lately) == LATELY else 0)
            for entry in seen:
                self.rings[view].add(entry)

    def move_on(self, head: log.Head) -> None:
        """The sockets have been told all up to there."""
        self.delivered = head
        self.answers.clear()

    def forget(self, subject: str | None = None) -> None:
        """What stands ready about a subject, or at all, may say something else now."""
        self.forgotten += 1
        self.answers.clear()
        for ring in self.rings.values():
            ring.forget(subject)

    def texts(self, entries: Sequence[log.Entry], view: View) -> list[str | None]:
        """Each entry as JSON, as the view is told it now; None where it may not see it."""
        told = self.envelopes(entries, view, self.delivered.epoch) if entries else []
        return [None if event is None else text(event) for event in told]

    def head(self) -> log.Head:
        return log.head(self.glance)

    def cursor(self, view: View, head: log.Head) -> str:
        return str(Cursor(view, head.epoch, head.number(view)))

    # What watchers ask for

    def watch(self, actor: Viewer, topics: Collection[str], cursor: str | None, upto: log.Head | None = None) -> "Watch":
        """What somebody is told who begins to watch: all behind their cursor, up to where the rooms take over.

        Who watches the gathering topics and resumes is told the tallies of all ideas that moved meanwhile: votes are no events.
        The events come last, and nothing waits between reading them and returning them. Who asks the same as somebody else
        just did is answered the same: every change since then is still to be told.
        """
        upto = upto or self.delivered
        ideas = frozenset(topic for topic in topics if topic.startswith("idea:"))
        asked = ideas | self.source.allowed(actor, set(topics) - ideas)
        key = (actor.view, asked, cursor, upto)
        while (watch := self.answers.get(key)) is None:
            before = self.delivered, self.forgotten
            watch = self._watch(actor, asked, cursor, upto)
            if before == (self.delivered, self.forgotten) and len(self.answers) < MOST_ANSWERS:
                self.answers[key] = watch
            if before[1] == self.forgotten:
                break
        return watch

    def _watch(self, actor: Viewer, asked: frozenset[str], cursor: str | None, upto: log.Head) -> "Watch":
        """Of the ideas among what is asked only those are allowed that the view may see: of others there are no tallies."""
        moved: set[str] = set()
        why = self._is_void(actor.view, cursor, upto)
        if why is None and cursor is not None and not asked.isdisjoint((IDEAS, BOARD)):
            moved = self._moved(actor, cursor)
            if len(moved) > REPLAY_LIMIT:
                moved, why = set(), "too_far"
        facts = self.source.facts(asked | moved, actor.view)
        allowed = {topic for topic in asked if topic in facts or not topic.startswith("idea:")}
        if why is not None:
            return Watch(allowed, Reply("reset", self.cursor(actor.view, upto), why=why), facts)
        return Watch(allowed, self._missed(actor.view, allowed, cursor, upto), facts)

    def _missed(self, view: View, topics: Collection[str], cursor: str | None, upto: log.Head) -> Reply:
        """As `replay`, from the ring where that goes back so far. The cursor is not void."""
        ring = self.rings[view]
        seen = Cursor.parse(cursor) if cursor is not None else None
        if seen is None or seen.number < ring.since:
            with self.reading_far_back:  # one after the other: whoever asks for much shall not take the server from others
                return self.replay(view, topics, cursor, upto)
        told = ring.after(seen.number, topics, REPLAY_LIMIT, upto=upto.number(view))
        here = self.cursor(view, upto)
        if len(told) > REPLAY_LIMIT:
            return Reply("reset", here, why="too_far")
        ring.make(told, lambda entries: self.texts(entries, view))
        return _bounded(Reply("resume", here, [each.text for each in told if each.text is not None]))

    def _is_void(self, view: View, cursor: str | None, upto: log.Head) -> str | None:
        """Why nothing can be resumed from there; None if it can, or one starts."""
        if cursor is None:
            return None
        try:
            seen = Cursor.parse(cursor)
        except ValueError:
            return "unknown"
        oldest = self.rings[view].oldest
        if seen.number >= self.rings[view].since and (oldest is None or oldest >= self.now() - self.window):
            return self._void_by(seen, view, upto)
        with self.reading() as session:
            return self._void(session, seen, view)

    @staticmethod
    def _void_by(seen: Cursor, view: View, head: log.Head) -> str | None:
        if seen.epoch != head.epoch:
            return "epoch"
        if seen.view is not view:
            return "rights"
        if seen.number > head.number(view):
            return "ahead"
        return None

    def _moved(self, actor: Viewer, cursor: str) -> set[str]:
        """The topics of ideas that moved behind the cursor; only what the actor may see counts towards too many."""
        with self.reading() as session:
            subjects = log.moved_since(session, actor.view, Cursor.parse(cursor).number)
        topics = [idea_topic(subject.removeprefix("ideas/")) for subject in subjects]
        if len(topics) <= REPLAY_LIMIT:
            return set(topics)
        moved: set[str] = set()
        while topics and len(moved) <= REPLAY_LIMIT:
            some, topics = topics[:REPLAY_LIMIT], topics[REPLAY_LIMIT:]
            moved |= self.source.allowed(actor, some)
        return moved

    def replay(
        self, view: View, topics: Collection[str], cursor: str | None, head: log.Head, *, limit: int | None = None
    ) -> Reply:
        """What was told on the topics behind the cursor and up to `head`, or a reset with its reason.

        A cursor between `head` and the end of the log has missed nothing so far: what follows `head` will be told.
        Without `limit` a reader too far behind is reset (`too_far`); with it, they get that many and a cursor to go on from.
        """
        here = self.cursor(view, head)
        if cursor is None:
            return Reply("start", here)
        with self.reading() as session:
            try:
                seen = Cursor.parse(cursor)
            except ValueError:
                return Reply("reset", here, why="unknown")
            if why := self._void(session, seen, view):
                return Reply("reset", here, why=why)
            most = REPLAY_LIMIT if limit is None else limit
            entries = log.told(session, view, topics, after=seen.number, upto=head.number(view), limit=most + 1)
        if len(entries) > most:
            if limit is None:
                return Reply("reset", here, why="too_far")
            entries = entries[:most]
            here = str(Cursor(view, head.epoch, entries[-1].number(view)))
        told = self.envelopes(entries, view, head.epoch)
        reply = Reply("resume", here, [text(event) for event in told if event is not None])
        return _bounded(reply) if limit is None else reply

    def _void(self, session: Session, seen: Cursor, view: View) -> str | None:
        """Why nothing can be resumed from there; None if it can."""
        head = log.head(session)  # not the relay's: a page may have been rendered from what the relay has yet to tell
        if why := self._void_by(seen, view, head):
            return why
        missed_since = log.told_at(session, view, seen.number + 1)
        if missed_since is not None and missed_since < self.now() - self.window:
            return "trimmed"
        return None

    def envelopes(self, entries: Sequence[log.Entry], view: View, epoch: str) -> list[dict[str, Any] | None]:
        """Each entry as the CloudEvent that the view is told, or None where it may not see it now."""
        told: list[dict[str, Any] | None] = []
        for some in (entries[start : start + AT_ONCE] for start in range(0, len(entries), AT_ONCE)):
            data = self.source.tell([entry.event for entry in some], view)
            told += [
                d if d is None else envelope(entry, d, view, epoch, self.origin) for entry, d in zip(some, data, strict=True)
            ]
            time.sleep(0)  # whoever else has something to do may go on
        return told


def is_told(entry: log.Entry, view: View) -> bool:
    """Is anybody told that fact, in that view?"""
    return entry.numbers[view] is not None and not entry.imported and not isinstance(entry.event, LEDGER)


def _bounded(reply: Reply) -> Reply:
    too_much = sum(len(text.encode()) for text in reply.texts) > REPLAY_BYTES
    return Reply("reset", reply.cursor, why="too_far") if too_much else reply


def text(content: object) -> str:
    """As JSON, as short as can be."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def envelope(entry: log.Entry, data: Mapping[str, Any], view: View, epoch: str, origin: str) -> dict[str, Any]:
    """A fact as a CloudEvents 1.0 object. Its id and its numbers are those of the view, and of no other."""
    cursor = str(Cursor(view, epoch, entry.number(view)))
    return {
        "specversion": "1.0",
        "id": cursor,
        "source": origin,
        "type": entry.event.type,
        **({"subject": entry.event.subject} if entry.event.subject else {}),
        "time": entry.at.isoformat().replace("+00:00", "Z"),
        "sequence": f"{entry.number(view):012d}",
        "cursor": cursor,
        "datacontenttype": "application/json",
        "data": dict(data),
    }
