"""Trials: safe-to-fail tests of an idea, each with a hypothesis, the smallest test that tells, a measure and an end."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ForeignKey, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.moment import Moment
from ideas_hub.clock import now, today
from ideas_hub.db import Base
from ideas_hub.errors import Invalid, _
from ideas_hub.ideas import Idea, Stage, put_said_in_search
from ideas_hub.people import Actor
from ideas_hub.search import Said
from ideas_hub.stages import check_move, enter
from ideas_hub.texts import measured

# Model


class Trial(Base):
    """The plan of a trial. An idea tried again has another one."""

    __tablename__ = "trial"

    id: Mapped[int] = mapped_column(primary_key=True)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), index=True)
    hypothesis: Mapped[str] = mapped_column(Text)
    test: Mapped[str] = mapped_column(Text)
    measure: Mapped[str] = mapped_column(Text)
    ends: Mapped[date]
    begun_at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True, slots=True)
class TrialPlan:
    hypothesis: str
    test: str
    measure: str
    ends: date
    begun_at: datetime


# Rules

SIZES = {"hypothesis": 2000, "test": 2000, "measure": 2000}
NEEDED = {
    "hypothesis": _("Say what you believe will happen."),
    "test": _("Say what is the smallest test that would tell."),
    "measure": _("Say what you will measure."),
    "ends": _("Say on which day the trial ends."),
}


# Steps


def start_trial(
    session: Session, actor: Actor, idea: Idea, reason: str, *, hypothesis: str, test: str, measure: str, ends: date
) -> None:
    """Step: the idea enters the stage `trial` with a plan. Raises Invalid (a text missing, an end that is not ahead)."""
    check_move(idea, Stage.TRIAL)
    plan = measured({"hypothesis": hypothesis, "test": test, "measure": measure}, SIZES, NEEDED)
    if ends <= today():
        raise Invalid.field("ends", _("Choose a day that is still to come."))
    trial = Trial(idea_id=idea.id, ends=ends, begun_at=now(), **plan)
    session.add(trial)
    session.flush()
    put_said_in_search(session, idea, Said.TRIAL, trial.id, "\n".join(plan.values()))
    enter(session, actor, idea, Stage.TRIAL, reason, note=ends.isoformat())


# Queries


def latest_trial(session: Session, idea: Idea) -> TrialPlan | None:
    """The newest trial of an idea."""
    trial = session.scalar(select(Trial).where(Trial.idea_id == idea.id).order_by(Trial.id.desc()).limit(1))
    if trial is None:
        return None
    return TrialPlan(trial.hypothesis, trial.test, trial.measure, trial.ends, trial.begun_at)
