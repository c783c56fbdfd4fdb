"""The stream as a test asks it: a page's cursor, what was missed, and what a view is told from the beginning."""

from events.catalogue import BOARD, View, idea_topic
from events.stream import Cursor, Stream
from ideas_hub.clock import now
from ideas_hub.db import glance, reading
from ideas_hub.live import Live


def stream(**options):
    """A stream as a server has it, that has told all there is."""
    made = Stream(Live(lambda text: f"<p>{text}</p>"), reading, glance, origin="https://hub.example", now=now, **options)
    made.begin(made.head())
    made.catch_up = lambda moment: None
    return made


def cursor(view: View, number: int | None = None, epoch: str | None = None) -> str:
    """A cursor of this hub; at the head unless told."""
    head = stream().head()
    return str(Cursor(view, epoch or head.epoch, head.number(view) if number is None else number))


def replay(view: View, topics=(BOARD,), after: int = 0, *, limit: int | None = None, **options):
    """What a view is told on those topics behind its number `after`."""
    told = stream(**options)
    return told.replay(view, topics, cursor(view, after), told.head(), limit=limit)


def types(reply) -> list[str]:
    return [event["type"] for event in reply.events]


def story(ref: str, view: View) -> list[tuple[str, dict]]:
    """What a view is told of an idea from the beginning: types and data."""
    return [(event["type"], event["data"]) for event in replay(view, [idea_topic(ref)]).events]
