"""Stages: where an idea may go from where it is, and how it got there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import IdeaMerged, IdeaStageChanged
from events.moment import Moment
from ideas_hub.clock import now
from ideas_hub.db import Base, record
from ideas_hub.errors import RuleBroken, Sentence, _
from ideas_hub.ideas import Idea, Stage, put_said_in_search, recounted, touch
from ideas_hub.people import Actor, Words
from ideas_hub.search import Said
from ideas_hub.texts import measured

# Model


class StageChange(Base):
    """An idea entered a stage: who moved it, why and when."""

    __tablename__ = "stage_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), index=True)
    was: Mapped[Stage] = mapped_column(Words(Stage))
    stage: Mapped[Stage] = mapped_column(Words(Stage))
    reason: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(String(40), default="")  # a day (`review_on`) or an idea (`into`) it came with
    by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime] = mapped_column(Moment)


# Rules

MOVES: Mapping[Stage, frozenset[Stage]] = {
    # to: from
    Stage.EXPLORING: frozenset({Stage.NEW, Stage.PARKED, Stage.DECLINED}),
    Stage.TRIAL: frozenset({Stage.EXPLORING}),
    Stage.ADOPTED: frozenset({Stage.EXPLORING, Stage.TRIAL}),
    Stage.LEARNED: frozenset({Stage.TRIAL, Stage.ADOPTED}),
    Stage.PARKED: frozenset({Stage.NEW, Stage.EXPLORING, Stage.TRIAL}),
    Stage.DECLINED: frozenset({Stage.NEW, Stage.EXPLORING, Stage.TRIAL, Stage.PARKED}),
    Stage.MERGED: frozenset({Stage.NEW, Stage.EXPLORING, Stage.PARKED}),
}

STAGE_LABELS: Mapping[Stage, str] = {
    Stage.NEW: _("New"),
    Stage.EXPLORING: _("Exploring"),
    Stage.TRIAL: _("Trial"),
    Stage.ADOPTED: _("Adopted"),
    Stage.LEARNED: _("Learned"),
    Stage.PARKED: _("Parked"),
    Stage.DECLINED: _("Declined"),
    Stage.MERGED: _("Merged"),
}


NO_SPONSOR = _("An idea needs a sponsor before it can be explored.")


def onward(stage: Stage) -> list[Stage]:
    """The stages that can be entered from this one, in the order of the board."""
    return [to for to in Stage if stage in MOVES.get(to, ())]


def lacks_sponsor(idea: Any, to: Stage) -> bool:
    """Can an idea (its row or its card) not enter that stage for want of a sponsor?"""
    return to is Stage.EXPLORING and idea.sponsor_ref is None


def check_move(idea: Idea, to: Stage) -> None:
    """Raises RuleBroken unless the idea can enter that stage from where it is."""
    words = {"was": Sentence(STAGE_LABELS[idea.stage]), "to": Sentence(STAGE_LABELS[to])}
    if idea.stage is to:
        raise RuleBroken(_("This idea is in the stage “%(to)s” already."), **words)
    if idea.stage not in MOVES.get(to, ()):
        raise RuleBroken(_("An idea cannot go from “%(was)s” to “%(to)s”."), **words)
    if lacks_sponsor(idea, to):
        raise RuleBroken(NO_SPONSOR)


def checked_reason(reason: str) -> str:
    """The reason, trimmed. Raises Invalid where it is empty or too long."""
    needed = {"reason": _("Say why. Everybody can read it.")}
    return measured({"reason": reason}, {"reason": 2000}, needed)["reason"]


# Steps


def enter(session: Session, actor: Actor, idea: Idea, to: Stage, reason: str, *, note: str = "") -> None:
    """Step: the idea enters the stage. Announces `idea.stage_changed`, or `idea.merged` with the idea `note`."""
    check_move(idea, to)
    was = idea.stage
    change = StageChange(
        idea_id=idea.id, was=was, stage=to, reason=checked_reason(reason), note=note, by_id=actor.person_id, at=now()
    )
    session.add(change)
    with recounted(session, idea):
        idea.stage, idea.stage_since = to, change.at
        if to is Stage.EXPLORING:
            idea.explored_at = idea.explored_at or change.at
        if to is Stage.TRIAL:
            idea.tried_at = idea.tried_at or change.at
    touch(idea)
    session.flush()
    put_said_in_search(session, idea, Said.REASON, change.id, change.reason)
    by = actor.ref or ""
    if to is Stage.MERGED:
        record(session, IdeaMerged(idea=idea.ref, into=note, by=by, audience=idea.effective_audience))
    else:
        record(
            session,
            IdeaStageChanged(idea=idea.ref, change=change.id, was=was, to=to, by=by, audience=idea.effective_audience),
        )
