"""The database: one door for reading, one for changing, and the place where events are recorded with the change.

SQLite: readers have connections of their own; there is one for writing, taken in turn, so that a transaction never waits
for another one of this process while it holds anything. Those that are ready at the same time are committed as a group, with
one fsync for all. PostgreSQL: each transaction has a connection from the pool, and is committed alone.
"""

import fcntl
import hashlib
import os
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from events import log
from events.catalogue import Event
from events.prepared import DRIVER, NOTHING, Prepared
from ideas_hub.clock import now
from ideas_hub.errors import AtWork, Busy, Clash, _

try:
    import pysqlite3 as sqlite  # the newest SQLite, where there is a wheel of it
except ModuleNotFoundError:
    import sqlite3 as sqlite

SAFE_FOR_TWO_WRITERS = (3, 51, 3)  # SQLite before it can corrupt a WAL file that two processes write
WAIT_FOR_WRITER = 5.0  # seconds, for another process to finish its transaction
MOST_TOGETHER = 100  # commands in a group
LONGEST_GATHERING = 0.05  # seconds from the begin of a group until it takes no more commands
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


class Database(ABC):
    """An open database: `reading()` and `transaction()` of this module work on it.

    `offload` runs work that would block the loop; `committed` is called after each commit. Both are set by who starts the server.
    """

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.offload: Callable[[Callable[[], None]], None] = lambda work: work()
        self.committed: Callable[[], None] = lambda: None
        self.at_work: dict[str, object] = {}

    @property
    @abstractmethod
    def engine(self) -> Engine:
        """For migrations and other work on the schema."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Session]: ...

    @abstractmethod
    def writing(self) -> AbstractContextManager[Session]: ...

    @abstractmethod
    def glance(self, question: Prepared, values: Mapping[str, Any] = NOTHING) -> Sequence[Any]:
        """What one question returns at this moment: for what is asked with every request."""

    @contextmanager
    def writing_alone(self, name: str) -> Iterator[Session]:
        """As `writing`; but refused at once, where somebody else is writing what has that name. Raises AtWork."""
        mine = object()
        if self.at_work.setdefault(name, mine) is not mine:
            raise AtWork
        try:
            with self.writing() as session:
                yield session
        finally:
            del self.at_work[name]

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """For a server, and for work that needs every server gone: nobody else of that sort works on it meanwhile."""
        yield

    @abstractmethod
    def close(self) -> None: ...


class Driver:
    """The door to the driver of a SQLite connection. `undone` is called with the error after which its transaction is gone."""

    __slots__ = ("connection", "dialect", "undone")

    def __init__(self, connection: Any, dialect: sa.Dialect) -> None:
        self.connection, self.dialect = connection, dialect
        self.undone: Callable[[StatementError], None] | None = None

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        try:
            return self.connection.execute(sql, values)
        except sqlite.Error as error:
            failure = DBAPIError.instance(sql, [*values], error, sqlite.Error, hide_parameters=True, dialect=self.dialect)
            if self.undone is not None and not self.connection.in_transaction:
                self.undone(failure)
            raise failure from error


@dataclass(slots=True)
class Group:
    """Commands on SQLite that are committed together: how many have `done` their work, and the `error` that undid it."""

    connection: Connection
    transaction: sa.RootTransaction
    driver: Driver
    done: int = 0
    until: float = field(default_factory=lambda: time.monotonic() + LONGEST_GATHERING)
    error: StatementError | None = None

    def __post_init__(self) -> None:
        self.driver.undone = self.undo

    def undo(self, error: StatementError) -> None:
        """All that its commands did is gone, and nothing more is done, least of all outside a transaction."""
        self.error = error
        self.connection.invalidate()

    @property
    def takes_more(self) -> bool:
        return self.error is None and self.done < MOST_TOGETHER and time.monotonic() < self.until


class SQLite(Database):
    """Group commit: each command has a savepoint in the transaction of its group, and returns when that is committed.

    Who has the turn may change `group` and what is written; it is held while a command is at work, and during the commit. A
    command takes it twice: to do its work, and then, behind all who waited for it meanwhile, to commit what they did together.
    So nobody waits for others to come, and while a commit is under way the next group gathers before the turn.
    """

    def __init__(self, url: sa.URL) -> None:
        super().__init__(url)
        self.turn = threading.Lock()
        self.group: Group | None = None  # the one that is open
        self.claim: IO[str] | None = None
        self.readers = self._engine("BEGIN", "query_only=ON", "busy_timeout=250", "cache_size=-8000")
        self.writer = self._engine("BEGIN IMMEDIATE", "busy_timeout=0", pool_size=1, max_overflow=0)
        self.read_session = sessionmaker(self.readers, expire_on_commit=False)
        self.glancing = threading.Lock()
        self.glancer: Driver | None = None
        sa.event.listen(self.writer, "handle_error", self._notice)

    @property
    def engine(self) -> Engine:
        return self.writer

    def _engine(self, begin: str, *pragmas: str, **options: Any) -> Engine:
        # What people wrote is a parameter, and no error shall carry it into a log.
        arguments = {"check_same_thread": False, "isolation_level": None}
        engine = sa.create_engine(self.url, module=sqlite, connect_args=arguments, hide_parameters=True, **options)

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, record: object) -> None:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", *pragmas):
                connection.execute(f"PRAGMA {pragma}")

        @sa.event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """One server a file: the lock dies with its process. Raises Clash."""
        self._claim(_("Another server or migration is at work on %(file)s."))
        try:
            yield
        finally:
            self._let_go()

    def _claim(self, refusal: str) -> None:
        name = os.path.realpath(str(self.url.database))  # one lock for one file, by whatever name it is opened
        file = open(f"{name}.lock", "w")  # noqa: SIM115  held until this process lets go
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            file.close()
            raise Clash(refusal, file=self.url.database) from taken
        self.claim = file

    def _let_go(self) -> None:
        if self.claim is not None:
            self.claim.close()
            self.claim = None

    def close(self) -> None:
        self._let_go()
        if self.glancer is not None:
            self.glancer.connection.close()
            self.glancer = None
        self.readers.dispose()
        self.writer.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.read_session() as session:
            yield session

    def glance(self, question: Prepared, values: Mapping[str, Any] = NOTHING) -> Sequence[Any]:
        with self.glancing:
            if self.glancer is None:
                own = self.readers.raw_connection()
                own.detach()  # the pool is for those who give back what they take
                self.glancer = Driver(own.dbapi_connection, self.readers.dialect)
            return question.by(self.glancer, values)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        since = time.monotonic()
        with ExitStack() as afterwards, self.turn:
            group = self._gathering(since)
            afterwards.callback(self._settle, group)
            with self._savepoint(group):
                session = Session(
                    group.connection,
                    expire_on_commit=False,
                    join_transaction_mode="create_savepoint",
                    info={DRIVER: group.driver},
                )
                with session:
                    yield session
                    _finish(session)
                    if session.in_transaction():  # who asked prepared questions only never began one
                        session.commit()

    @contextmanager
    def _savepoint(self, group: Group) -> Iterator[None]:
        """What one command of the group does, all or nothing."""
        group.driver.execute("SAVEPOINT command")
        try:
            yield
        except BaseException:
            if group.error is None:
                group.driver.execute("ROLLBACK TO command")
                group.driver.execute("RELEASE command")
            raise
        group.driver.execute("RELEASE command")
        group.done += 1

    def _gathering(self, since: float) -> Group:
        """The group that takes one more command. Raises Busy where another process has been writing `since` too long ago."""
        if self.group is not None and not self.group.takes_more:
            self._commit(self.group)
        if self.group is None:
            if self.claim is None and sqlite.sqlite_version_info < SAFE_FOR_TWO_WRITERS:
                self._claim(_("A server writes to %(file)s, and this SQLite is too old for two to do so. Stop it first."))
            self.group = self._begin(patience=since + WAIT_FOR_WRITER)
        return self.group

    def _begin(self, patience: float) -> Group:
        """Take the write lock. Another process may hold it: wait for that in small naps, so that the loop goes on."""
        connection = self.writer.connect()
        try:
            while True:
                try:
                    transaction = connection.begin()
                    return Group(connection, transaction, Driver(connection.connection.dbapi_connection, self.writer.dialect))
                except OperationalError as taken:
                    if "locked" not in str(taken.orig):
                        raise
                    if time.monotonic() > patience:
                        raise Busy from taken
                    time.sleep(0.01)
        except BaseException:
            connection.close()
            raise

    def _notice(self, context: sa.ExceptionContext) -> None:
        """A full disk makes SQLite roll back all of a transaction, savepoints and what other commands did included."""
        at_fault = context.connection
        if self.group is None or at_fault is None or at_fault is not self.group.connection:
            return
        if not at_fault.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
            self.group.error = context.sqlalchemy_exception
            context.is_disconnect = True  # nothing more is done on it, least of all outside a transaction

    def _settle(self, group: Group) -> None:
        """What the commands of a group did is durable when this returns. Where nothing of it is there, this raises why.

        A command that was refused is told so as well: its refusal may rest on what the commands before it did.
        """
        time.sleep(0)  # let those in who are ready
        with self.turn:
            self._commit(group)
        if group.error is not None:
            raise copy(group.error)

    def _commit(self, group: Group) -> None:
        """End the group, unless somebody else has done so."""
        if group is not self.group:
            return
        self.group = None
        with group.connection:
            if group.error is not None or not group.done:
                return
            try:
                self.offload(group.transaction.commit)
            except BaseException as error:
                # Whatever ended it: the others have to be told something, by errors they can handle.
                group.error = error if isinstance(error, DBAPIError) else InterfaceError("COMMIT", None, error)
                group.connection.invalidate()  # a COMMIT that failed leaves its transaction open
                if not isinstance(error, Exception):
                    raise
                return
        self.committed()


class PostgreSQL(Database):
    def __init__(self, url: sa.URL) -> None:
        # psycopg 3, SQLAlchemy's own choice, blocks eventlet's loop; psycopg2 does not.
        super().__init__(url.set(drivername="postgresql+psycopg2"))
        # A day in SQL is a day of `clock.today`. Nobody waits for ever: neither for a lock whose holder's machine is gone,
        # nor for a database that no longer answers.
        options = "-c timezone=utc -c lock_timeout=10s -c idle_in_transaction_session_timeout=30s"
        alive = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
        arguments = {"options": options, **alive}
        pooling = {"pool_size": 10, "max_overflow": 20, "pool_timeout": 10, "pool_pre_ping": True}
        self.pool = sa.create_engine(self.url, connect_args=arguments, hide_parameters=True, **pooling)
        # A read sees one moment of the database, so that a page agrees with its cursor.
        readers = self.pool.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self.read_session = sessionmaker(readers, expire_on_commit=False)
        self.write_session = sessionmaker(self.pool, expire_on_commit=False)
        # For what is asked with every request: no transaction around it, and nothing asked before it.
        self.glances = sa.create_engine(self.url, connect_args=arguments, isolation_level="AUTOCOMMIT", pool_timeout=10)

    @property
    def engine(self) -> Engine:
        return self.pool

    def close(self) -> None:
        self.pool.dispose()
        self.glances.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self.read_session() as session:
            yield session

    def glance(self, question: Prepared, values: Mapping[str, Any] = NOTHING) -> Sequence[Any]:
        try:
            return self._glance(question, values)
        except DBAPIError as lost:
            if not lost.connection_invalidated:
                raise
            return self._glance(question, values)  # the one that was kept had been cut meanwhile; it is the pool's last such

    def _glance(self, question: Prepared, values: Mapping[str, Any]) -> Sequence[Any]:
        with self.glances.connect() as connection:
            return connection.execute(question.statement, values).all()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self.write_session() as session:
            yield session
            _finish(session)
            session.commit()
        self.committed()

    @contextmanager
    def writing_alone(self, name: str) -> Iterator[Session]:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        with super().writing_alone(name) as session:
            if not session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(number))):  # another process has it
                raise AtWork
            yield session


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


@contextmanager
def transaction() -> Iterator[Session]:
    """A session whose changes happen all or not at all, together with the events recorded in it.

    Only commands open one, and they do not nest. Inside it nothing waits for anything but the database. When the block
    ends, what was recorded is numbered and written as the last statements, and the change is durable when this returns.
    """
    if (shared := _shared.get()) is not None:
        yield shared
        return
    with database().writing() as session:
        yield session


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


def _finish(session: Session) -> None:
    session.flush()
    recorded, imported = session.info.pop("recorded", []), session.info.pop("imported", [])
    if recorded or imported:
        log.append(session, recorded, now(), imported=imported)


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
