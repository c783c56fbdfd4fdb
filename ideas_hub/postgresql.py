"""PostgreSQL: each transaction has a connection from the pool, and is committed alone."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from events.prepared import NOTHING, Prepared
from ideas_hub.database import Database
from ideas_hub.errors import AtWork


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
            self.finish(session)
            session.commit()
        self.committed()

    @contextmanager
    def writing_alone(self, name: str) -> Iterator[Session]:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        with super().writing_alone(name) as session:
            if not session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(number))):  # another process has it
                raise AtWork
            yield session
