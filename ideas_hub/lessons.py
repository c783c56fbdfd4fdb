"""Lessons: what others can reuse from what was tried."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from events.moment import Moment
from ideas_hub.clock import now
from ideas_hub.db import Base, new_ref
from ideas_hub.errors import _
from ideas_hub.ideas import Idea, Stage, put_said_in_search
from ideas_hub.people import Actor, Person, PersonCard
from ideas_hub.search import Said
from ideas_hub.stages import check_move, enter
from ideas_hub.texts import measured

# Model


class Lesson(Base):
    __tablename__ = "lesson"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(16), unique=True, default=new_ref)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(Text)
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    by: Mapped[Person] = relationship(lazy="joined", innerjoin=True)
    at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True, slots=True)
class LessonCard:
    ref: str
    text: str
    by: PersonCard
    at: datetime


# Rules

NEEDED = {"lesson": _("Say what others can learn from this.")}


# Steps


def learn(session: Session, actor: Actor, idea: Idea, reason: str, *, lesson: str) -> None:
    """Step: the idea enters the stage `learned` with its lesson. Raises Invalid where there is none."""
    check_move(idea, Stage.LEARNED)
    text = measured({"lesson": lesson}, {"lesson": 10_000}, NEEDED)["lesson"]
    learned = Lesson(idea_id=idea.id, text=text, by_id=actor.person_id, at=now())
    session.add(learned)
    session.flush()
    put_said_in_search(session, idea, Said.LESSON, learned.id, text)
    enter(session, actor, idea, Stage.LEARNED, reason)


# Queries


def lesson_of(session: Session, idea: Idea) -> LessonCard | None:
    """What was learned from an idea, last."""
    found = session.scalar(select(Lesson).where(Lesson.idea_id == idea.id).order_by(Lesson.id.desc()).limit(1))
    return None if found is None else LessonCard(found.ref, found.text, found.by.card(), found.at)
