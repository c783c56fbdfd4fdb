"""What a command left behind: the rows, the log, and nothing at all where it refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from events import log
from events.catalogue import Event
from ideas_hub.db import reading
from ideas_hub.errors import Refusal
from ideas_hub.schema import metadata


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table; what search can find is among them."""
    with reading() as session:
        return {table.name: sorted(map(tuple, session.execute(sa.select(table))), key=repr) for table in metadata.sorted_tables}


@contextmanager
def nothing_written() -> Iterator[None]:
    """Whatever happens in the block, all rows and the log are as before."""
    before = everything()
    yield
    assert everything() == before


@contextmanager
def refused(refusal: type[Refusal]) -> Iterator[pytest.ExceptionInfo[Refusal]]:
    """The block is refused in this way, and nothing was written."""
    with nothing_written(), pytest.raises(refusal) as caught:
        yield caught


@contextmanager
def news() -> Iterator[list[Event]]:
    """The facts that were recorded in the block, in order."""
    with reading() as session:
        start = log.head(session).position
    found: list[Event] = []
    yield found
    found += [entry.event for entry in entries(after=start)]


def entries(*, after: int = 0) -> list[log.Entry]:
    """The whole log behind a position."""
    with reading() as session:
        return log.after(session, after, 1_000_000)


def rows(model: Any, *conditions: Any) -> list[Any]:
    """The rows of a model, in the order of their keys."""
    with reading() as session:
        return list(session.scalars(sa.select(model).where(*conditions).order_by(*sa.inspect(model).primary_key)))
