"""What the log would be with an autoincrementing key in the place of its head row. A server that calls
`take_the_lock_out` is such a hub.

Numbers are given out in one order and committed in another, and what is rolled back leaves a hole.
"""

import time
from itertools import count

import sqlalchemy as sa

from events import log
from events.catalogue import VIEWS
from events.prepared import Prepared
from ideas_hub.errors import Busy
from tests.events.test_log import by_sequences

SLOW = 0.4  # seconds between the numbering and the commit, of every third fact that is told
told, untold = count(1), count(1)


def append(session, events, at, *, imported=()):
    by_sequences(session, events, at, imported=imported)
    if any(event.audience is not None for event in events):
        time.sleep(SLOW if next(told) % 3 == 0 else 0)
    elif next(untold) % 10 == 0:
        raise Busy


def head(session):
    """The log ends where its rows do: nobody keeps a head."""
    [(epoch, position, *numbers)] = _WHERE_ROWS_END(session)
    return log.Head(epoch, position, tuple(numbers))


_WHERE_ROWS_END = Prepared(
    sa.select(
        sa.select(log.head_table.c.epoch).scalar_subquery(),
        *(sa.func.coalesce(sa.func.max(log.event_table.c[name]), 0) for name in ("position", *(view.word for view in VIEWS))),
    )
)


def prepare(session):
    """Sequences that go on where the log is."""
    here = log.head(session)
    for name, number in (("position", here.position), *((view.word, here.number(view)) for view in VIEWS)):
        session.execute(sa.text(f"CREATE SEQUENCE by_{name} START WITH {number + 1}"))


def finish(session):
    """A head row that says where the log ends, so that nothing is wrong with it but its holes."""
    here = head(session)
    numbers = {view.word: here.number(view) for view in VIEWS}
    session.execute(sa.update(log.head_table).values(position=here.position, **numbers))


def take_the_lock_out():
    log.append, log.head = append, head
