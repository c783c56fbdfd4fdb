"""What a database of the hub can do. `sqlite.py` and `postgresql.py` are its two kinds; `db.py` is everybody else's door."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from events import log
from events.prepared import NOTHING, Prepared
from ideas_hub.clock import now
from ideas_hub.errors import AtWork


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

    @staticmethod
    def finish(session: Session) -> None:
        """What each transaction ends with: what was recorded in it is numbered and written."""
        session.flush()
        recorded, imported = session.info.pop("recorded", []), session.info.pop("imported", [])
        if recorded or imported:
            log.append(session, recorded, now(), imported=imported)

    @abstractmethod
    def close(self) -> None: ...
