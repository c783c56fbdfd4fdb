"""Queries only: what is somebody's own."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from ideas_hub.answers import Answer
from ideas_hub.cards import IdeaCard, idea_cards
from ideas_hub.clock import now
from ideas_hub.db import reading
from ideas_hub.drafts import DraftCard, own_drafts
from ideas_hub.ideas import Idea, Stage
from ideas_hub.people import Actor
from ideas_hub.permissions import visible_to


@dataclass(frozen=True, slots=True)
class Desk:
    """What is somebody's own: the ideas that wait for their answer, that they sponsor, that they wrote, that they voted for."""

    to_answer: tuple[IdeaCard, ...]
    sponsored: tuple[IdeaCard, ...]
    written: tuple[IdeaCard, ...]
    answered_this_year: int
    drafts: tuple["DraftLine", ...]


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One's own draft, with the title of the idea it is about where that may (still) be seen."""

    draft: DraftCard
    title: str | None


def desk(actor: Actor, *, most: int = 50) -> Desk:
    """One's own page, the most urgent first."""
    with reading() as session:
        me = actor.person_id
        year = now().replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
        answered = select(func.count()).select_from(Answer).where(Answer.by_id == me, Answer.at >= year)

        def mine(*conditions: ColumnElement[bool]) -> tuple[IdeaCard, ...]:
            query = select(Idea).where(visible_to(actor, Idea), *conditions)
            order = (Idea.answer_due.is_(None), Idea.answer_due, Idea.stage_since.desc(), Idea.ref)
            return tuple(idea_cards(session, actor, session.scalars(query.order_by(*order).limit(most)).all()))

        return Desk(
            to_answer=mine(Idea.answer_by_id == me, Idea.answer_due.is_not(None)),
            sponsored=mine(Idea.sponsor_id == me, Idea.answer_due.is_(None), Idea.stage != Stage.MERGED),
            written=mine(Idea.written_by(me)),
            answered_this_year=session.scalar(answered) or 0,
            drafts=_draft_lines(session, actor),
        )


def _draft_lines(session: Session, actor: Actor) -> tuple[DraftLine, ...]:
    """The actor's drafts, and those that were discarded and can be had back, the newest first."""
    own = [card for card in own_drafts(session, actor) if card.gone_at is None or card.text]
    about = {card.idea for card in own if card.idea}
    titles = {
        row.ref: row.title
        for row in session.execute(select(Idea.ref, Idea.title).where(Idea.ref.in_(about), visible_to(actor, Idea)))
    }
    return tuple(DraftLine(card, titles.get(card.idea or "")) for card in own)
