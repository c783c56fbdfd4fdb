"""Answers, and the clock that obliges somebody to give one."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from events.catalogue import IdeaAnswerDue, IdeaAnswered, IdeaAnswerOverdue
from events.moment import Moment
from ideas_hub.clock import add_working_days, now, today
from ideas_hub.db import Base, new_ref, record, transaction
from ideas_hub.errors import _
from ideas_hub.ideas import OPEN_TO_VOTES, Idea, put_said_in_search, touch
from ideas_hub.people import Actor, Directorate, Person, Role
from ideas_hub.permissions import require
from ideas_hub.search import Said
from ideas_hub.settings import settings
from ideas_hub.texts import measured

# Model


class Answer(Base):
    """The public reply to an idea by whom it was for to give."""

    __tablename__ = "answer"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(16), unique=True, default=new_ref)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(Text)
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    by: Mapped[Person] = relationship(lazy="joined", innerjoin=True)
    at: Mapped[datetime] = mapped_column(Moment)


class AnswerClock(Base):
    """The obligation to answer an idea: since when, until when, and when it was met. An idea has one at the most."""

    __tablename__ = "answer_clock"

    id: Mapped[int] = mapped_column(primary_key=True)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"))
    started_at: Mapped[datetime] = mapped_column(Moment)
    due: Mapped[date]
    overdue_told: Mapped[bool] = mapped_column(default=False)
    stopped_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (
        Index("ix_answer_clock_idea", "idea_id", unique=True),
        Index("ix_answer_clock_stopped", "stopped_at"),
    )


# Rules


def checked_answer(text: str) -> str:
    """The answer, trimmed. Raises Invalid where it is empty or too long."""
    needed = {"text": _("Write your answer: yes, no or not yet; then why.")}
    return measured({"text": text}, {"text": 10_000}, needed)["text"]


# Steps


def is_owed(session: Session, idea: Any) -> bool:
    """Step: do enough votes oblige an answer, where there was never one? For an idea, or what a vote reads of it."""
    if idea.answer_due is not None or idea.answered_at is not None or idea.stage not in OPEN_TO_VOTES:
        return False
    if idea.votes < settings(session).votes_that_oblige(idea.effective_audience):
        return False
    return not session.scalar(select(exists().where(AnswerClock.idea_id == idea.id)))


def set_clock(session: Session, idea: Idea) -> None:
    """Step: where an answer is owed, and none was given yet, the clock starts. Announces `idea.answer_due`."""
    if not is_owed(session, idea):
        return
    idea.answer_due = add_working_days(today(), settings(session).answer_days)
    session.add(AnswerClock(idea_id=idea.id, started_at=now(), due=idea.answer_due))
    name_who_answers(session, idea)
    touch(idea)
    record(
        session,
        IdeaAnswerDue(idea=idea.ref, due=idea.answer_due.isoformat(), audience=idea.effective_audience),
    )


def name_who_answers(session: Session, idea: Idea) -> None:
    """Step: while the clock runs, it names the sponsor, or the lead where there is none; nobody who cannot see the idea,
    and no author, who would answer themselves."""
    if idea.answer_due is not None:
        in_turn = (person for person in _in_turn(session, idea) if not person.suspended)
        able = (person for person in in_turn if person.actor().view >= idea.effective_audience)
        idea.answer_by = next((person for person in able if person.ref not in idea.author_refs), None)


def _in_turn(session: Session, idea: Idea) -> Iterator[Person]:
    """Who might answer: the sponsor, then the leads (first those of its themes, then of its authors' teams, then of any), then
    the leaders."""
    if idea.sponsor is not None:
        yield idea.sponsor
    query = select(Directorate.id, Person).join(Person, Directorate.lead_id == Person.id)
    leads = {row[0]: row[1] for row in session.execute(query.order_by(Directorate.name))}
    by_theme = [theme.directorate_id for theme in idea.themes]
    by_author = [authorship.person.team.directorate_id for authorship in idea.authorships if authorship.person.team]
    yield from (leads[directorate] for directorate in (*by_theme, *by_author, *leads) if directorate in leads)
    yield from session.scalars(select(Person).where(Person.held.any(role=Role.LEADER)).order_by(Person.name, Person.ref))


def stop_clock(session: Session, idea: Idea) -> None:
    """Step: nobody owes the idea an answer any more."""
    clock = session.scalar(select(AnswerClock).where(AnswerClock.idea_id == idea.id, AnswerClock.stopped_at.is_(None)))
    if clock is not None:
        clock.stopped_at = now()
    idea.answer_due, idea.answer_by = None, None


def give(session: Session, actor: Actor, idea: Idea, text: str) -> Answer:
    """Step: answer the idea; its clock stops. Announces `idea.answered`."""
    require(actor, "answer", idea)
    answer = Answer(idea_id=idea.id, text=checked_answer(text), by_id=actor.person_id, at=now())
    session.add(answer)
    stop_clock(session, idea)
    idea.answered_at = answer.at
    touch(idea)
    session.flush()
    put_said_in_search(session, idea, Said.ANSWER, answer.id, answer.text)
    record(session, IdeaAnswered(idea=idea.ref, answer=answer.ref, audience=idea.effective_audience))
    return answer


# Commands


def tell_overdue(limit: int = 100) -> int:
    """Chore: say of each clock that ran out, once, that it did. Announces `idea.answer_overdue`; returns how many."""
    with transaction() as session:
        late = (AnswerClock.due < today(), AnswerClock.stopped_at.is_(None), AnswerClock.overdue_told.is_(False))
        query = select(AnswerClock, Idea).join(Idea, Idea.id == AnswerClock.idea_id).where(*late)
        rows = session.execute(
            query.order_by(AnswerClock.due, AnswerClock.id).limit(limit).with_for_update(of=(Idea, AnswerClock), skip_locked=True)
        ).all()
        for clock, idea in rows:
            clock.overdue_told = True
            if idea.withdrawn_at is None:
                touch(idea)
                record(
                    session,
                    IdeaAnswerOverdue(idea=idea.ref, due=clock.due.isoformat(), audience=idea.effective_audience),
                )
        return len(rows)
