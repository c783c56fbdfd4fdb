"""The database: one door for reading, one for changing, and the place where events are recorded with the change."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from events import log
from events.catalogue import Event
from events.prepared import NOTHING, Prepared
from ideas_hub.database import Database
from ideas_hub.postgresql import PostgreSQL
from ideas_hub.sqlite import SQLite

LETTERS = "23456789bcdfghjkmnpqrstvwxyz"  # no vowels: a reference never spells a word


class Base(DeclarativeBase):
    """Every table of the hub, on the metadata of the log."""

    metadata = log.metadata


# References


def _random_ref() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(8))


_ref: Callable[[], str] = _random_ref


def new_ref() -> str:
    """A public id: short, random, and silent about how many there are."""
    return _ref()


def replace_new_ref(by: Callable[[], str] | None) -> None:
    """Have references given by something else (None: at random), so that two hubs can be made alike."""
    global _ref
    _ref = by or _random_ref


# Connecting


_database: Database | None = None


def connect(url: str) -> Database:
    """Open the database that the rest of this process works on."""
    global _database
    disconnect()
    parsed = sa.make_url(url)
    _database = SQLite(parsed) if parsed.get_backend_name() == "sqlite" else PostgreSQL(parsed)
    return _database


def disconnect() -> None:
    global _database
    if _database is not None:
        _database.close()
        _database = None


def database() -> Database:
    """The open database; raises RuntimeError where none is."""
    if _database is None:
        raise RuntimeError("no database is open: call db.connect(url) first")
    return _database


# Reading and changing


@contextmanager
def reading() -> Iterator[Session]:
    """A session that sees one moment of the database and can change nothing."""
    with database().reading() as session:
        yield session


_shared: ContextVar[Session | None] = ContextVar("shared", default=None)


def transaction() -> AbstractContextManager[Session]:
    """A session whose changes happen all or not at all, together with the events recorded in it.

    Only commands open one, and they do not nest. Inside it nothing waits for anything but the database. When the block
    ends, what was recorded is numbered and written as the last statements, and the change is durable when this returns.
    """
    shared = _shared.get()
    return database().writing() if shared is None else nullcontext(shared)


def is_shared() -> bool:
    """Is what a command does here part of somebody else's transaction?"""
    return _shared.get() is not None


@contextmanager
def shared_transaction(name: str) -> Iterator[Session]:
    """A transaction that the command called in it has as its own, so that something more is true at once with its change.

    Raises AtWork where another one of that name is under way.
    """
    with database().writing_alone(name) as session:
        before = _shared.set(session)
        try:
            yield session
        finally:
            _shared.reset(before)


def record(session: Session, event: Event) -> None:
    """State a fact. It is numbered and written with the transaction's last statements."""
    session.info.setdefault("recorded", []).append(event)


def record_imported(session: Session, event: Event, at: datetime) -> None:
    """State a fact of another place, from before it came here. It keeps its own time, and is told to nobody."""
    session.info.setdefault("imported", []).append((event, at))


def glance(question: Prepared, values: Mapping[str, Any] = NOTHING) -> Sequence[Any]:
    """What one question returns at this moment, of the open database: for what is asked with every request."""
    return database().glance(question, values)


def add_once(session: Session, row: Base) -> bool:
    """Insert a row unless one with its key is there, and say whether it was inserted. The database decides, not a look before."""
    columns = sa.inspect(type(row)).local_table.columns
    values = {column.key: getattr(row, column.key) for column in columns if getattr(row, column.key) is not None}
    return bool(add_many(session, type(row), [values]))


def add_many(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
    """Insert those rows whose key is not there yet, and return the keys of those that were inserted."""
    return _adding(model, session.get_bind().dialect.name).each(session, rows)


def add_up(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert those rows; where one with its key is there, its numbers are added to that one's."""
    _adding_up(model, session.get_bind().dialect.name).each(session, rows)


@cache
def _adding(model: type[Base], dialect: str) -> Prepared:
    table = sa.inspect(model).local_table
    return Prepared(_insert(table, dialect).on_conflict_do_nothing().returning(*table.primary_key))


@cache
def _adding_up(model: type[Base], dialect: str) -> Prepared:
    table = sa.inspect(model).local_table
    insert = _insert(table, dialect)
    sums = {column.name: column + insert.excluded[column.name] for column in table.columns if not column.primary_key}
    return Prepared(insert.on_conflict_do_update(index_elements=[*table.primary_key], set_=sums))


def _insert(table: Any, dialect: str) -> Any:
    return (sqlite_dialect if dialect == "sqlite" else postgresql_dialect).insert(table)


def disk_is_full(error: DBAPIError) -> bool:
    text = str(error.orig)
    return "database or disk is full" in text or "No space left on device" in text
