"""SQLite: readers have connections of their own; there is one for writing, taken in turn, so that a transaction never waits
for another one of this process while it holds anything. Those that are ready at the same time are committed as a group, with
one fsync for all.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.orm import Session, sessionmaker

from events.prepared import DRIVER, NOTHING, Prepared
from ideas_hub.database import Database
from ideas_hub.errors import Busy, Clash, _

try:
    import pysqlite3 as sqlite  # the newest SQLite, where there is a wheel of it
except ModuleNotFoundError:
    import sqlite3 as sqlite

SAFE_FOR_TWO_WRITERS = (3, 51, 3)  # SQLite before it can corrupt a WAL file that two processes write
WAIT_FOR_WRITER = 5.0  # seconds, for another process to finish its transaction
MOST_TOGETHER = 100  # commands in a group
LONGEST_GATHERING = 0.05  # seconds from the begin of a group until it takes no more commands


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
    unused: Session | None = None  # a session into which no command has put anything
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

    @contextmanager
    def command(self) -> Iterator[Session]:
        """What one command does, all or nothing. Those that ask prepared questions only have one session after each other."""
        options: dict[str, Any] = {"expire_on_commit": False, "join_transaction_mode": "create_savepoint"}
        session, self.unused = self.unused or Session(self.connection, info={DRIVER: self.driver}, **options), None
        self.driver.execute("SAVEPOINT command")
        try:
            yield session
            if is_used := session.in_transaction():
                session.commit()
                session.close()
        except BaseException:
            self._undo_command(session)
            raise
        self.driver.execute("RELEASE command")
        self.done += 1
        self.unused = None if is_used else session

    def _undo_command(self, session: Session) -> None:
        try:
            session.close()
        finally:
            if self.error is None:
                self.driver.execute("ROLLBACK TO command")
                self.driver.execute("RELEASE command")


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
        since, group = time.monotonic(), None
        try:
            with self.turn:
                group = self._gathering(since)
                with group.command() as session:
                    yield session
                    self.finish(session)
        finally:
            if group is not None:
                self._settle(group)

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
