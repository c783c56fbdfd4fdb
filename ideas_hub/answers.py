"""Answers, and the clock that obliges somebody to give one."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, String, Text, exists, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from events.catalogue import IdeaAnswerDue, IdeaAnswered, IdeaAnswerOverdue
from events.moment import Moment
from ideas_hub.clock import add_working_days, now, today
from ideas_hub.db import Base, new_ref, record, transaction
from ideas_hub.errors import _
from ideas_hub.ideas import OPEN_TO_VOTES, Idea, touch
from ideas_hub.people import Actor, Directorate, Person, Team
from ideas_hub.permissions import require
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
    """The obligation to answer an idea: since when, until when, and when it was met. An idea has one at a time."""

    __tablename__ = "answer_clock"

    id: Mapped[int] = mapped_column(primary_key=True)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"))
    started_at: Mapped[datetime] = mapped_column(Moment)
    due: Mapped[date]
    overdue_told: Mapped[bool] = mapped_column(default=False)
    stopped_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (Index("ix_answer_clock_idea", "idea_id", unique=True),)


# Rules


def checked_answer(text: str) -> str:
    """The answer, trimmed. Raises Invalid where it is empty or too long."""
    needed = {"text": _("Write your answer: yes, no or not yet; then why.")}
    return measured({"text": text}, {"text": 10_000}, needed)["text"]


# Steps


def set_clock(session: Session, idea: Idea) -> None:
    """Step: where enough votes oblige an answer, and none was given yet, the clock starts. Announces `idea.answer_due`."""
    if idea.answer_due is not None or idea.answered_at is not None or idea.stage not in OPEN_TO_VOTES:
        return
    current = settings(session)
    if idea.votes < current.votes_that_oblige(idea.effective_audience):
        return
    if session.scalar(select(exists().where(AnswerClock.idea_id == idea.id))):
        return
    idea.answer_due = add_working_days(today(), current.answer_days)
    session.add(AnswerClock(idea_id=idea.id, started_at=now(), due=idea.answer_due))
    name_who_answers(session, idea)
    touch(idea)
    record(
        session,
        IdeaAnswerDue(idea=idea.ref, due=idea.answer_due.isoformat(), audience=idea.effective_audience),
    )


def name_who_answers(session: Session, idea: Idea) -> None:
    """Step: while the clock runs, it names the sponsor, or the lead where there is none."""
    if idea.answer_due is not None:
        idea.answer_by = idea.sponsor or _lead(session, idea)


def _lead(session: Session, idea: Idea) -> Person | None:
    """The lead of the directorate that an idea belongs to: by its themes, else by the team of its first author, else any."""
    by_theme = [theme.directorate_id for theme in idea.themes if theme.directorate_id is not None]
    teams = [authorship.person.team_id for authorship in idea.authorships]
    by_author = session.scalars(select(Team.directorate_id).where(Team.id.in_(teams)).order_by(Team.id)).all()
    everywhere = session.scalars(select(Directorate.id).order_by(Directorate.name)).all()
    for directorate in (*by_theme, *by_author, *everywhere):
        lead = session.scalar(
            select(Person).join(Directorate, Directorate.lead_id == Person.id).where(Directorate.id == directorate)
        )
        if lead is not None:
            return lead
    return None


def give(session: Session, actor: Actor, idea: Idea, text: str) -> Answer:
    """Step: answer the idea; its clock stops. Announces `idea.answered`."""
    require(actor, "answer", idea)
    answer = Answer(idea_id=idea.id, text=checked_answer(text), by_id=actor.person_id, at=now())
    session.add(answer)
    clock = session.scalar(select(AnswerClock).where(AnswerClock.idea_id == idea.id, AnswerClock.stopped_at.is_(None)))
    if clock is not None:
        clock.stopped_at = answer.at
    idea.answered_at, idea.answer_due, idea.answer_by = answer.at, None, None
    touch(idea)
    session.flush()
    record(session, IdeaAnswered(idea=idea.ref, answer=answer.ref, audience=idea.effective_audience))
    return answer


# Commands


def tell_overdue(limit: int = 100) -> int:
    """Chore: say of each clock that ran out, once, that it did. Announces `idea.answer_overdue`; returns how many."""
    with transaction() as session:
        late = (AnswerClock.due < today(), AnswerClock.stopped_at.is_(None), AnswerClock.overdue_told.is_(False))
        query = select(AnswerClock, Idea).join(Idea, Idea.id == AnswerClock.idea_id).where(*late)
        rows = session.execute(
            query.order_by(AnswerClock.due, AnswerClock.id).limit(limit).with_for_update(of=Idea, skip_locked=True)
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
