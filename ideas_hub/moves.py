"""Decisions about an idea: moving it, answering it, and both in one. Each stage is entered by whom it belongs to."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from ideas_hub import answers, lessons, merges, trials
from ideas_hub.claims import once
from ideas_hub.clock import today
from ideas_hub.db import transaction
from ideas_hub.errors import Invalid, Sentence, _
from ideas_hub.ideas import Idea, Stage
from ideas_hub.people import Actor
from ideas_hub.permissions import find, may, require
from ideas_hub.stages import NO_SPONSOR, STAGE_LABELS, check_move, enter, lacks_sponsor, onward

# Rules

# What a stage needs, and the sentence for who left it out.
NEEDS: Mapping[Stage, Mapping[str, str]] = {
    Stage.TRIAL: trials.NEEDED,
    Stage.LEARNED: lessons.NEEDED,
    Stage.PARKED: {"review_on": _("Say on which day to look at it again.")},
    Stage.MERGED: merges.NEEDED,
}


def open_moves(actor: Actor, idea: Any) -> list[Stage]:
    """Where the actor may move an idea (its row or its card) as it stands, in the order of the board."""
    return [to for to in onward(idea.stage) if may(actor, _act(to), idea) and not lacks_sponsor(idea, to)]


def in_the_way(actor: Actor, idea: Any) -> str | None:
    """Why a stage that the actor would expect is not among `open_moves`; None where none is missing."""
    shut = (to for to in onward(idea.stage) if may(actor, _act(to), idea) and lacks_sponsor(idea, to))
    return NO_SPONSOR if any(shut) else None


def _act(to: Stage) -> str:
    return "merge" if to is Stage.MERGED else "move"


def checked_needs(to: Stage, given: Mapping[str, Any]) -> dict[str, Any]:
    """What entering that stage needs. Raises Invalid, naming all that is missing, and all that does not belong to it."""
    needed = NEEDS.get(to, {})
    errors = {name: Sentence(said) for name, said in needed.items() if given.get(name) in (None, "")}
    for name, value in given.items():
        if value not in (None, "") and name not in needed:
            errors[name] = Sentence(_("This does not belong to the stage “%(to)s”."), {"to": Sentence(STAGE_LABELS[to])})
    if errors:
        raise Invalid(errors)
    return {name: given[name] for name in needed}


# Commands


@once
def move_idea(actor: Actor, ref: str, *, to: Stage, reason: str, **needs: Any) -> None:
    """Move an idea to another stage, with a reason and what that stage needs (`NEEDS`).

    Announces `idea.stage_changed` or `idea.merged`. Raises Missing, NotAllowed, RuleBroken (not a move of the table) and
    Invalid (something missing).
    """
    with transaction() as session:
        _move(session, actor, ref, to, reason, needs)


@once
def answer_idea(actor: Actor, ref: str, *, text: str, to: Stage | None = None, reason: str | None = None, **needs: Any) -> str:
    """Answer an idea, and with `to` move it in the same breath; return the answer's reference. Announces `idea.answered`.

    The answer is the reason of the move, unless another is given. Raises Missing, NotAllowed, RuleBroken and Invalid.
    """
    with transaction() as session:
        if to is None:
            if given := {name for name, value in needs.items() if value not in (None, "")}:
                raise Invalid({name: Sentence(_("This belongs to a move. Say where to.")) for name in given})
            idea = find(session, actor, Idea, ref, lock=True)
        else:
            words = answers.checked_answer(text)
            # An answer may be longer than a reason: where it is, the answer itself says the rest.
            idea = _move(session, actor, ref, to, reason or _shortened(words, 2000), needs, answering=True)
        return answers.give(session, actor, idea, text).ref


# Steps


def _move(
    session: Session,
    actor: Actor,
    ref: str,
    to: Stage,
    reason: str,
    needs: Mapping[str, Any],
    *,
    answering: bool = False,
) -> Idea:
    into = needs.get("into") if to is Stage.MERGED else None
    idea, target = merges.lock_both(session, actor, ref, into) if into else (find(session, actor, Idea, ref, lock=True), None)
    require(actor, _act(to), idea)
    if answering:
        require(actor, "answer", idea)
    check_move(idea, to)
    given = checked_needs(to, needs)
    if target is not None:
        merges.merge(session, actor, idea, target, reason)
    elif to is Stage.TRIAL:
        trials.start_trial(session, actor, idea, reason, **given)
    elif to is Stage.LEARNED:
        lessons.learn(session, actor, idea, reason, **given)
    elif to is Stage.PARKED:
        _park(session, actor, idea, reason, **given)
    else:
        enter(session, actor, idea, to, reason)
    return idea


def _park(session: Session, actor: Actor, idea: Idea, reason: str, *, review_on: date) -> None:
    if review_on <= today():
        raise Invalid.field("review_on", _("Choose a day that is still to come."))
    enter(session, actor, idea, Stage.PARKED, reason, note=review_on.isoformat())


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
