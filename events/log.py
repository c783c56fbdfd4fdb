"""The event log: every fact in commit order, each with a number in every view that may see it.

**Numbering.** A fact has a `position` (all facts) and a number in each view that may see it. All are given out from one
head row, by one UPDATE that is among the last statements of the writing transaction. The row stays locked until the commit,
so the order of numbers is the order of commits, and a reader that has seen *n* can never be overtaken by a smaller number
that becomes visible later, as happens with an autoincrementing sequence. A rolled-back transaction gives its numbers back:
there are no holes.

**What was imported** happened elsewhere, before it came here. Its facts are numbered like all others and stand in timelines at
their own time, but nobody is told them: not on a socket, and not on coming back.

The tables here are the ground of the hub's whole schema: `ideas_hub.db.Base` is declared on this `metadata`.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    MetaData,
    Row,
    SmallInteger,
    String,
    Table,
    and_,
    bindparam,
    false,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from events.catalogue import BOARD, IDEAS, TYPES, VIEWS, Event, View, types_on
from events.moment import Moment
from events.prepared import Glance, Prepared

logger = logging.getLogger(__name__)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

BigKey = BigInteger().with_variant(Integer, "sqlite")

head_table = Table(
    "log_head",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", String(16), nullable=False),
    Column("position", BigKey, nullable=False),
    *(Column(view.word, BigKey, nullable=False) for view in VIEWS),
)

event_table = Table(
    "event",
    metadata,
    Column("position", BigKey, primary_key=True, autoincrement=False),
    *(Column(view.word, BigKey) for view in VIEWS),
    Column("type", String(40), nullable=False),
    Column("subject", String(80)),
    Column("audience", SmallInteger),
    Column("data", JSON, nullable=False),
    Column("at", Moment, nullable=False),
    Column("imported", Boolean, nullable=False, server_default=false()),
    *(Index(f"ix_event_{view.word}", view.word, unique=True) for view in VIEWS),
    Index("ix_event_subject", "subject", "position"),
)

NUMBER = {view: event_table.c[view.word] for view in VIEWS}
"""The column that holds a fact's number in a view."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log has come: the last position, and the last number of each view."""

    epoch: str
    position: int
    numbers: tuple[int, ...]

    def number(self, view: View) -> int:
        return self.numbers[view]


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact as it stands in the log. `numbers[view]` is None where that view may not see it."""

    event: Event
    position: int
    numbers: tuple[int | None, ...]
    at: datetime
    imported: bool = False

    def number(self, view: View) -> int:
        number = self.numbers[view]
        if number is None:
            raise LookupError(f"entry {self.position} has no number in the {view.word} view")
        return number


_GIVE_OUT = Prepared(
    update(head_table)
    .where(head_table.c.id == 1)
    .values({name: head_table.c[name] + bindparam(f"n_{name}") for name in ("position", *(v.word for v in VIEWS))})
    .returning(head_table.c.position, *(head_table.c[view.word] for view in VIEWS))
)


def append(session: Session, events: Sequence[Event], at: datetime, *, imported: Sequence[tuple[Event, datetime]] = ()) -> None:
    """Number the events and write them, and what was `imported` with its own times.

    These must be the transaction's last statements: they lock the head row.
    """
    facts = [*((event, moment, True) for event, moment in imported), *((event, at, False) for event in events)]
    gained = {view: sum(sees(view, fact[0]) for fact in facts) for view in VIEWS}
    [given] = _GIVE_OUT(session, {"n_position": len(facts), **{f"n_{view.word}": gained[view] for view in VIEWS}})
    position = given.position - len(facts)
    numbers = {view: getattr(given, view.word) - gained[view] for view in VIEWS}
    rows = []
    for event, moment, is_imported in facts:
        position += 1
        row: dict[str, Any] = {"position": position, "type": event.type, "subject": event.subject}
        row |= {"audience": event.audience, "data": event.data(), "at": moment, "imported": is_imported}
        for view in VIEWS:
            numbers[view] += sees(view, event)
            row[view.word] = numbers[view] if sees(view, event) else None
        rows.append(row)
    _ADD.each(session, rows)


_ADD = Prepared(insert(event_table))
_HEAD = Prepared(select(head_table).where(head_table.c.id == 1))
HERE = Prepared(select(head_table.c.epoch, head_table.c.position).where(head_table.c.id == 1))
"""How far the log has come, asked with each page that is ready."""
_AFTER = Prepared(
    select(event_table)
    .where(event_table.c.position > bindparam("seen"))
    .order_by(event_table.c.position)
    .limit(bindparam("most"))
)


def sees(view: View, event: Event) -> bool:
    """Is the fact told in that view at all?"""
    return event.audience is not None and event.audience <= view


def begin(session: Session, epoch: str) -> None:
    """Write the head row of an empty log, or give the log a new epoch: every cursor handed out before is void then."""
    renewed = update(head_table).where(head_table.c.id == 1).values(epoch=epoch).returning(head_table.c.id)
    if session.execute(renewed).first() is None:
        session.execute(insert(head_table).values(id=1, epoch=epoch, position=0, **{view.word: 0 for view in VIEWS}))


def head(session: Session | Glance) -> Head:
    """How far the log has come. Read it *before* the rows of a page, and the page's cursor is never ahead of the page."""
    [row] = _HEAD(session)
    return Head(row.epoch, row.position, tuple(getattr(row, view.word) for view in VIEWS))


def after(session: Session | Glance, position: int, limit: int) -> list[Entry]:
    """Every fact behind that position, of all views and none, oldest first: what a relay tails."""
    return _entries(_AFTER(session, {"seen": position, "most": limit}))


def told(session: Session, view: View, topics: Collection[str], *, after: int, upto: int, limit: int) -> list[Entry]:
    """What a view was told on those topics, behind number `after` and up to `upto`, oldest first."""
    number = NUMBER[view]
    query = select(event_table).where(number > after, number <= upto, on_topics(topics), event_table.c.imported.is_(False))
    return _entries(session.execute(query.order_by(number).limit(limit)))


def told_before(session: Session, view: View, number: int, *, limit: int) -> list[Entry]:
    """What a view was told up to that number, newest first."""
    number_in = NUMBER[view]
    query = select(event_table).where(number_in <= number, event_table.c.imported.is_(False))
    return _entries(session.execute(query.order_by(number_in.desc()).limit(limit)))


def told_at(session: Session, view: View, number: int) -> datetime | None:
    """When a view was first told something from that number on; None where it was told nothing."""
    query = select(event_table.c.at).where(NUMBER[view] >= number, event_table.c.imported.is_(False))
    return session.execute(query.order_by(NUMBER[view]).limit(1)).scalar()


def moved_since(session: Session, view: View, number: int) -> list[str]:
    """The subjects whose tallies may have moved since a view was told its fact of that number.

    Which of them the view may see is for the reader to ask: the ledger's facts have no number in any view.
    """
    seen = select(func.coalesce(func.max(event_table.c.position), 0)).where(NUMBER[view] == number).scalar_subquery()
    moving = [kind.type for kind in TYPES.values() if kind.moves_facts]
    query = select(event_table.c.subject).where(event_table.c.position > seen, event_table.c.type.in_(moving))
    return list(session.scalars(query.where(event_table.c.subject.is_not(None)).distinct()))


def on_topics(topics: Collection[str]) -> ColumnElement[bool]:
    """The condition that a fact is carried by at least one of the topics."""
    conditions: list[ColumnElement[bool]] = [event_table.c.type.in_(types_on(feed)) for feed in (IDEAS, BOARD) if feed in topics]
    subjects = [f"ideas/{topic.removeprefix('idea:')}" for topic in topics if topic.startswith("idea:")]
    if subjects:
        conditions.append(event_table.c.subject.in_(subjects))
    return or_(*conditions) if conditions else false()


def of_subject(session: Session, view: View, subject: str, *, after: tuple[datetime, int] | None, limit: int) -> list[Entry]:
    """What a view was told of one subject, oldest first by time; `after` is the time and number of the last one seen."""
    number, at = NUMBER[view], event_table.c.at
    query = select(event_table).where(event_table.c.subject == subject, number.is_not(None))
    if after is not None:
        query = query.where(or_(at > after[0], and_(at == after[0], number > after[1])))
    return _entries(session.execute(query.order_by(at, number).limit(limit)))


def newest_of_subject(
    session: Session,
    view: View,
    subject: str,
    *,
    without: Collection[str],
    limit: int,
    before: tuple[datetime, int] | None = None,
) -> list[Entry]:
    """The last that a view was told of one subject, newest first by time, but for facts of some types.

    `before` is the time and number of the last one seen.
    """
    number, at = NUMBER[view], event_table.c.at
    query = select(event_table).where(event_table.c.subject == subject, number.is_not(None), event_table.c.type.not_in(without))
    if before is not None:
        query = query.where(or_(at < before[0], and_(at == before[0], number < before[1])))
    return _entries(session.execute(query.order_by(at.desc(), number.desc()).limit(limit)))


def newest(session: Session, view: View, types: Collection[str], *, among: int, limit: int) -> list[Entry]:
    """The last facts of those types that a view was told, newest first; none that is older than the last `among` of all types."""
    number = NUMBER[view]
    last = select(head_table.c[view.word]).where(head_table.c.id == 1).scalar_subquery()
    lately = (number > last - among, event_table.c.imported.is_(False))
    query = select(event_table).where(*lately, event_table.c.type.in_(types))
    return _entries(session.execute(query.order_by(number.desc()).limit(limit)))


def _event(row: Row[Any]) -> Event:
    """The fact of a row. One that this code does not know (a newer server wrote it) keeps its place, and tells nothing."""
    try:
        return TYPES[row.type].load(row.data, None if row.audience is None else View(row.audience))
    except (KeyError, TypeError):
        logger.warning("position %d of the log holds a fact that this code cannot read: %s", row.position, row.type)
        return Event()


def _entries(rows: Iterable[Row[Any]]) -> list[Entry]:
    return [
        Entry(
            _event(row),
            row.position,
            tuple(getattr(row, view.word) for view in VIEWS),
            row.at,
            row.imported,
        )
        for row in rows
    ]
