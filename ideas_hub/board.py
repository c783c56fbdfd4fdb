"""Queries only: the board, which is the pipeline as the asker may see it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from events import log
from ideas_hub.answers import AnswerClock
from ideas_hub.cards import IdeaCard, idea_cards
from ideas_hub.clock import now, today
from ideas_hub.db import reading
from ideas_hub.ideas import Idea, Stage, stage_counts
from ideas_hub.people import Actor
from ideas_hub.permissions import visible_to
from ideas_hub.trials import Trial

MOST_CARDS = 50
ON_TIME_WINDOW = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Column:
    """A stage with its ideas: the late ones first, then by votes."""

    stage: Stage
    count: int
    cards: tuple[IdeaCard, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """`waiting`: ideas that wait for an owed answer; `late`: those past their day; `on_time`: the share of answers in the
    last 90 days that came in time, None without any; `trials`: running, and of these `trials_ended`: past their end."""

    waiting: int
    late: int
    on_time: float | None
    trials: int
    trials_ended: int


@dataclass(frozen=True, slots=True)
class Board:
    at: datetime
    columns: tuple[Column, ...]
    figures: Figures
    cursor: log.Head


def board(actor: Actor, *, cards: int = MOST_CARDS) -> Board:
    """The board as it is now, with at most that many cards a column, and the head of the log from before its rows."""
    with reading() as session:
        head = log.head(session)
        counts = stage_counts(session, actor.view)
        shown = {stage: _first(session, actor, stage, cards) for stage in Stage}
        found = _cards(session, actor, [id for ids in shown.values() for id in ids])
        columns = tuple(Column(stage, counts[stage], tuple(found[id] for id in ids)) for stage, ids in shown.items())
        return Board(now(), columns, _figures(session, actor), head)


def _first(session: Session, actor: Actor, stage: Stage, most: int) -> list[int]:
    """The ids of the ideas that stand first in a column."""
    here = select(Idea.id).where(visible_to(actor, Idea), Idea.hidden.is_(False), Idea.stage == stage)
    late = Idea.answer_due < today()
    owed = session.scalars(here.where(late).order_by(Idea.answer_due, Idea.votes.desc(), Idea.ref).limit(most)).all()
    others = here.where(Idea.answer_due.is_(None) | ~late).order_by(Idea.votes.desc(), Idea.ref.desc())
    rest = session.scalars(others.limit(most - len(owed))).all() if len(owed) < most else []
    return [*owed, *rest]


def _cards(session: Session, actor: Actor, ids: Collection[int]) -> dict[int, IdeaCard]:
    """The cards of those ideas, of all columns at once."""
    ideas = session.scalars(select(Idea).where(Idea.id.in_(ids))).all()
    return {idea.id: card for idea, card in zip(ideas, idea_cards(session, actor, ideas), strict=True)}


def _figures(session: Session, actor: Actor) -> Figures:
    def how_many(*conditions: ColumnElement[bool]) -> int:
        seen = select(func.count()).select_from(Idea).where(visible_to(actor, Idea), Idea.hidden.is_(False))
        return session.scalar(seen.where(*conditions)) or 0

    ended = select(Trial.idea_id).group_by(Trial.idea_id).having(func.max(Trial.ends) < today())
    stopped = (
        select(func.count(), func.count().filter(func.date(AnswerClock.stopped_at) <= AnswerClock.due))
        .join(Idea, Idea.id == AnswerClock.idea_id)
        .where(visible_to(actor, Idea), Idea.answered_at.is_not(None), AnswerClock.stopped_at >= now() - ON_TIME_WINDOW)
    )
    given, in_time = session.execute(stopped).one()
    return Figures(
        waiting=how_many(Idea.answer_due > date.min),  # that is every clock that runs, found by its index
        late=how_many(Idea.answer_due < today()),
        on_time=in_time / given if given else None,
        trials=how_many(Idea.stage == Stage.TRIAL),
        trials_ended=how_many(Idea.stage == Stage.TRIAL, Idea.id.in_(ended)),
    )
