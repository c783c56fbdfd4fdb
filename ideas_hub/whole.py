"""Queries only: all of one idea, as its page and the API show it: texts, answers, stages, revisions."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from events import log
from ideas_hub.answers import Answer, AnswerClock
from ideas_hub.cards import AnswerCard, IdeaCard, Page, answer_card, idea_cards
from ideas_hub.db import reading
from ideas_hub.errors import Missing
from ideas_hub.ideas import Idea, Revision, Stage
from ideas_hub.lessons import LessonCard, lesson_of
from ideas_hub.people import Actor, Person, PersonCard
from ideas_hub.permissions import find, may, visible_to
from ideas_hub.stages import StageChange
from ideas_hub.trials import TrialPlan, latest_trial


@dataclass(frozen=True, slots=True)
class IdeaWhole:
    """An idea with its texts."""

    card: IdeaCard
    problem: str
    proposal: str
    gain: str
    cost_of_inaction: str


@dataclass(frozen=True, slots=True)
class Step:
    """An idea entered a stage. `note`: a day (trial: its end; parked: when to look again), or the idea it went into."""

    stage: Stage
    reason: str
    note: str
    by: PersonCard | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ClockFace:
    """The answer clock as a page draws it."""

    started: date
    due: date
    who: PersonCard | None


@dataclass(frozen=True, slots=True)
class IdeaPage:
    """All that the page of an idea shows, but for its comments and its timeline."""

    idea: IdeaWhole
    answers: tuple[AnswerCard, ...]
    clock: ClockFace | None
    trial: TrialPlan | None
    lesson: LessonCard | None
    steps: tuple[Step, ...]
    merged_into: IdeaCard | None  # where its votes went, if the asker may see that
    cursor: log.Head


@dataclass(frozen=True, slots=True)
class RevisionCard:
    number: int
    title: str
    problem: str
    proposal: str
    gain: str
    cost_of_inaction: str
    by: PersonCard
    at: datetime

    @property
    def texts(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in ("title", "problem", "proposal", "gain", "cost_of_inaction")}


# The idea


def whole_idea(actor: Actor, ref: str) -> IdeaWhole:
    """An idea with its texts. Raises Missing."""
    with reading() as session:
        return _whole(session, actor, find(session, actor, Idea, ref))


def idea_page(actor: Actor, ref: str) -> IdeaPage:
    """All that the page of an idea shows, with the head of the log from before its rows. Raises Missing."""
    with reading() as session:
        head = log.head(session)
        idea = find(session, actor, Idea, ref)
        return IdeaPage(
            idea=_whole(session, actor, idea),
            answers=_answers(session, idea),
            clock=_clock_face(session, idea),
            trial=latest_trial(session, idea),
            lesson=lesson_of(session, idea),
            steps=_steps(session, actor, idea),
            merged_into=_merged_into(session, actor, idea),
            cursor=head,
        )


def possible_sponsors(actor: Actor, ref: str) -> list[PersonCard]:
    """The people whom the actor could name as the sponsor of an idea, by name. Raises Missing."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        if not may(actor, "name_sponsor", idea):
            return []
        people = session.scalars(select(Person).where(Person.held.any()).order_by(Person.name)).all()
        able = [person for person in people if not person.suspended and may(person.actor(), "sponsor", idea)]
        return [person.card() for person in able if person.actor().view >= idea.effective_audience]


def _whole(session: Session, actor: Actor, idea: Idea) -> IdeaWhole:
    card = idea_cards(session, actor, [idea])[0]
    return IdeaWhole(card, idea.problem, idea.proposal, idea.gain, idea.cost_of_inaction)


def _clock_face(session: Session, idea: Idea) -> ClockFace | None:
    if idea.answer_due is None:
        return None
    clock = session.scalars(select(AnswerClock).where(AnswerClock.idea_id == idea.id)).one()
    return ClockFace(clock.started_at.date(), clock.due, idea.answer_by.card() if idea.answer_by else None)


def _steps(session: Session, actor: Actor, idea: Idea) -> tuple[Step, ...]:
    """The stages that an idea has been in, the first at its posting; silent about an idea it went into that is not to be seen."""
    rows = session.execute(
        select(StageChange, Person)
        .outerjoin(Person, Person.id == StageChange.by_id)
        .where(StageChange.idea_id == idea.id)
        .order_by(StageChange.id)
    ).all()
    first = idea.authorships[0].person.card() if idea.authorships else None
    begun = Step(Stage.NEW, "", "", first, idea.posted_at)
    into = {change.note for change, _ in rows if change.stage is Stage.MERGED}
    unseen = into.difference(session.scalars(select(Idea.ref).where(Idea.ref.in_(into), visible_to(actor, Idea))))
    later = [Step(c.stage, c.reason, "" if c.note in unseen else c.note, by.card() if by else None, c.at) for c, by in rows]
    return (begun, *later)


def _merged_into(session: Session, actor: Actor, idea: Idea) -> IdeaCard | None:
    if idea.stage is not Stage.MERGED:
        return None
    last = select(StageChange.note).where(StageChange.idea_id == idea.id).order_by(StageChange.id.desc()).limit(1)
    into = session.scalar(select(Idea).where(Idea.ref == last.scalar_subquery(), visible_to(actor, Idea)))
    return None if into is None else idea_cards(session, actor, [into])[0]


# Its answers


def answers_of(actor: Actor, ref: str) -> tuple[AnswerCard, ...]:
    """The answers to an idea, newest first. Raises Missing."""
    with reading() as session:
        return _answers(session, find(session, actor, Idea, ref))


def _answers(session: Session, idea: Idea) -> tuple[AnswerCard, ...]:
    found = session.scalars(select(Answer).where(Answer.idea_id == idea.id).order_by(Answer.id.desc()))
    return tuple(answer_card(answer, idea) for answer in found)


def latest_answers(actor: Actor, *, after: tuple[Any, str] | None = None, limit: int = 20) -> Page:
    """Answers to the ideas that the actor may see, newest first, as pairs of an answer and its idea."""
    with reading() as session:
        query = select(Answer, Idea).join(Idea, Idea.id == Answer.idea_id).where(visible_to(actor, Idea))
        if after is not None:
            query = query.where(sa.tuple_(Answer.at, Answer.ref) < sa.tuple_(*(sa.literal(value) for value in after)))
        found = session.execute(query.order_by(Answer.at.desc(), Answer.ref.desc()).limit(limit + 1)).all()
        rows = found[:limit]
        cards = idea_cards(session, actor, [idea for _answer, idea in rows])
        items = tuple((answer_card(row[0], row[1]), card) for row, card in zip(rows, cards, strict=True))
        return Page(items, (rows[-1][0].at, rows[-1][0].ref) if len(found) > limit else None)


# Its revisions


def revisions(actor: Actor, ref: str, *, until: int | None = None, limit: int = 100) -> list[RevisionCard]:
    """The newest revisions of an idea's texts, or the newest until that one, newest first. Raises Missing."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        query = select(Revision, Person).join(Person, Person.id == Revision.by_id).where(Revision.idea_id == idea.id)
        if until is not None:
            query = query.where(Revision.number <= until)
        return [_revision_card(*row) for row in session.execute(query.order_by(Revision.number.desc()).limit(limit))]


def two_revisions(actor: Actor, ref: str, one: int, other: int) -> tuple[RevisionCard, RevisionCard]:
    """Those two revisions of an idea's texts, the earlier first. Raises Missing where there is none of such a number."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        query = select(Revision, Person).join(Person, Person.id == Revision.by_id).where(Revision.idea_id == idea.id)
        found = [_revision_card(*row) for row in session.execute(query.where(Revision.number.in_((one, other))))]
    by_number = {card.number: card for card in found}
    if not {one, other} <= set(by_number):
        raise Missing
    return by_number[min(one, other)], by_number[max(one, other)]


def _revision_card(r: Revision, by: Person) -> RevisionCard:
    return RevisionCard(r.number, r.title, r.problem, r.proposal, r.gain, r.cost_of_inaction, by.card(), r.at)
