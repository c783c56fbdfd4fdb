"""Merges: an idea becomes part of another, and takes its votes along."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from events.catalogue import IdeaTookIn
from ideas_hub import answers, votes
from ideas_hub.db import record
from ideas_hub.errors import Invalid, Missing, RuleBroken, _
from ideas_hub.ideas import Idea, Stage
from ideas_hub.people import Actor
from ideas_hub.permissions import find, visible_to
from ideas_hub.stages import check_move, enter

# Rules

NEEDED = {"into": _("Choose another idea to merge this one into.")}


# Steps


def lock_both(session: Session, actor: Actor, ref: str, into: str) -> tuple[Idea, Idea]:
    """Step: the two ideas of a merge, locked in one order whoever merges what, so that two merges cannot wait for each other.

    Raises Missing (the idea itself) and Invalid (`into` is not an idea that the actor may see, or the same).
    """
    if ref == into:
        raise Invalid.field("into", NEEDED["into"])
    try:
        first, second = (find(session, actor, Idea, each, lock=True) for each in sorted((ref, into)))
    except Missing:
        if session.scalar(select(Idea.id).where(Idea.ref == ref, visible_to(actor, Idea))) is None:
            raise
        raise Invalid.field("into", NEEDED["into"]) from None
    return (first, second) if first.ref == ref else (second, first)


def merge(session: Session, actor: Actor, idea: Idea, into: Idea, reason: str) -> None:
    """Step: the idea enters the stage `merged`, and its votes go with it, each person's once.

    Announces `idea.merged`, and `idea.took_in` of the other one, to those who can see both.

    Raises RuleBroken (the target was merged itself) and Invalid (it is hidden or has a narrower audience: its name would be
    told to those who may not see it).
    """
    check_move(idea, Stage.MERGED)
    if into.stage is Stage.MERGED:
        raise RuleBroken(_("That idea was merged into another itself. Choose that one."))
    if into.hidden or into.effective_audience > idea.effective_audience:
        raise Invalid.field("into", _("Choose an idea that is open to everybody who can see this one."))
    votes.move_all(session, idea, into)
    answers.stop_clock(session, idea)
    enter(session, actor, idea, Stage.MERGED, reason, note=into.ref)
    record(session, IdeaTookIn(idea=into.ref, merged=idea.ref, by=actor.ref or "", audience=idea.effective_audience))
