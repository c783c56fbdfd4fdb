"""Who may see what, and who may do what. The whole matrix stands here and nowhere else.

Seeing is a condition on rows: `visible_to` for a person, `visible_in` for a view of the stream. Doing is one line of `ACTS`
each. A refusal to see looks exactly like something that does not exist.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, SmallInteger, String, and_, or_, select
from sqlalchemy.orm import Mapped, Session, lazyload, mapped_column

from events.catalogue import View
from events.moment import Moment
from events.prepared import Prepared
from ideas_hub.db import new_ref
from ideas_hub.errors import Missing, NotAllowed, SignInNeeded, _
from ideas_hub.people import Actor, Kind, Role


class Ladder(sa.types.TypeDecorator[View]):
    """An audience, kept as its place on the ladder, so that "at least" is a comparison."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: Any, dialect: Any) -> View | None:
        return None if value is None else View(value)


class Guarded:
    """What every row carries that somebody may not see.

    `audience` is what the row was given; `effective_audience` is that or a narrower one, where what it belongs to has a
    narrower one. `held`: kept back until somebody has looked. `hidden`: taken out of sight, itself or with what it belongs to.
    """

    ref: Mapped[str] = mapped_column(String(16), unique=True, default=new_ref)
    audience: Mapped[View] = mapped_column(Ladder)
    effective_audience: Mapped[View] = mapped_column(Ladder)
    held: Mapped[bool] = mapped_column(default=False)
    hidden: Mapped[bool] = mapped_column(default=False)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Moment)

    keeps_its_place: ClassVar[bool] = False  # is it still there, without its words, when it was withdrawn?

    @classmethod
    def written_by(cls, person_id: Any) -> ColumnElement[bool]:
        """The condition that this person is its author."""
        raise NotImplementedError


G = TypeVar("G", bound=Guarded)


def visible_to(actor: Actor, model: type[Guarded]) -> ColumnElement[bool]:
    """The condition that the actor may see a row. Moderators see hidden ones too, authors their own held ones."""
    return _visible(model, actor.view, actor.holds(Role.MODERATOR), actor.person_id)


def _visible(model: type[Guarded], view: View, sees_hidden: bool, person: Any) -> ColumnElement[bool]:
    conditions = [model.effective_audience <= view]
    if not sees_hidden:
        conditions.append(model.hidden.is_(False))
    free = model.held.is_(False)
    conditions.append(or_(free, model.written_by(person)) if person is not None else free)
    return and_(*conditions, _still_there(model))


def visible_in(view: View, model: type[Guarded]) -> ColumnElement[bool]:
    """The condition that a view of the stream may carry a row."""
    shown = and_(model.effective_audience <= view, model.hidden.is_(False), model.held.is_(False))
    return and_(shown, _still_there(model))


def _still_there(model: type[Guarded]) -> ColumnElement[bool]:
    return sa.true() if model.keeps_its_place else model.withdrawn_at.is_(None)


def find(session: Session, actor: Actor, model: type[G], ref: str, *, lock: bool = False) -> G:
    """The row of that reference, if the actor may see it; with `lock`, nobody else changes it until the transaction ends.

    Raises Missing, and with `lock` SignInNeeded: who changes something has to be somebody, before anything is looked up.
    """
    query = cast(Select[Any], _finding(actor, model, ref, (model,), lock).statement)
    if lock:
        # What belongs to the row is loaded where it is asked for: most commands ask for little of it.
        query = query.options(lazyload("*")).execution_options(populate_existing=True)
    row = session.scalar(query, _bound(actor, ref))
    if row is None:
        raise Missing
    return row


def find_some(session: Session, actor: Actor, model: type[Guarded], ref: str, columns: tuple[Any, ...]) -> Sequence[Any]:
    """As `find` with `lock`, but these columns of the row only, as they stand in the database: for what is done very often.

    In them, `ASKING` stands for the id of the person who asks.
    """
    rows = _finding(actor, model, ref, columns, True)(session, _bound(actor, ref))
    if not rows:
        raise Missing
    return cast(Sequence[Any], rows[0])


ASKING = sa.bindparam("asking", type_=sa.Integer)


def _finding(actor: Actor, model: Any, ref: str, what: tuple[Any, ...], lock: bool) -> Prepared:
    if lock and not actor.is_somebody:
        raise SignInNeeded
    if not (ref.isascii() and ref.isprintable()):  # PostgreSQL refuses to look for some of those
        raise Missing
    return _query(model, what, lock, actor.view, actor.holds(Role.MODERATOR), actor.person_id is not None)


@lru_cache(maxsize=256)
def _query(model: Any, what: tuple[Any, ...], lock: bool, view: View, sees_hidden: bool, is_person: bool) -> Prepared:
    """Built once for all who may see the same, for building it takes longer than asking it."""
    visible = _visible(model, view, sees_hidden, ASKING if is_person else None)
    query = select(*what).where(model.ref == sa.bindparam("ref"), visible)
    return Prepared(query.with_for_update(of=model) if lock else query)


def _bound(actor: Actor, ref: str) -> dict[str, Any]:
    return {"ref": ref, "asking": actor.person_id}


# Acts


def leads(actor: Actor, thing: Any) -> bool:
    return actor.holds(Role.LEADER, Role.ADMIN)


def is_author(actor: Actor, thing: Any) -> bool:
    return actor.ref in thing.author_refs


def is_sponsor(actor: Actor, idea: Any) -> bool:
    return actor.ref is not None and actor.ref == idea.sponsor_ref


def may_address(actor: Actor, audience: View) -> bool:
    """May the actor write for that audience? Residents write for everybody, staff for no view they do not have."""
    return audience is View.PUBLIC or (actor.kind is Kind.STAFF and audience <= actor.view)


@dataclass(frozen=True, slots=True)
class Act:
    """Whether an actor may do something to a thing, and what they are told when not."""

    rule: Callable[[Actor, Any], bool]
    refusal: str


ACTS = {
    # acts on an audience
    "post": Act(may_address, _("You cannot post an idea for that audience.")),
    "comment": Act(may_address, _("You cannot comment for that audience.")),
    # acts on an idea
    "revise": Act(is_author, _("Only its authors can change the words of an idea.")),
    "invite": Act(is_author, _("Only its authors can invite somebody to join them.")),
    "leave": Act(is_author, _("You are no author of this idea.")),
    "withdraw": Act(is_author, _("Only its author can withdraw this.")),
    "shorten": Act(
        lambda actor, idea: is_author(actor, idea) or is_sponsor(actor, idea) or leads(actor, idea),
        _("Only its authors, its sponsor and leaders can give an idea a short title."),
    ),
    "set_audience": Act(leads, _("Only leaders can open or restrict an idea.")),
    "vote": Act(lambda actor, idea: not is_author(actor, idea), _("You wrote this idea, so your vote is in it already.")),
    "sponsor": Act(
        lambda actor, idea: actor.kind is Kind.STAFF and actor.holds(Role.SPONSOR, Role.LEADER),
        _("Only sponsors can take on an idea."),
    ),
    "name_sponsor": Act(leads, _("Only leaders can name a sponsor.")),
    "end_sponsor": Act(
        lambda actor, idea: is_sponsor(actor, idea) or leads(actor, idea),
        _("Only the sponsor and leaders can end this."),
    ),
    "answer": Act(
        lambda actor, idea: is_sponsor(actor, idea) or (actor.ref is not None and actor.ref == idea.answer_by_ref),
        _("Only the sponsor, or whom the answer clock names, can answer an idea."),
    ),
    "move": Act(
        lambda actor, idea: is_sponsor(actor, idea) or leads(actor, idea),
        _("Only the sponsor and leaders can move an idea."),
    ),
    "merge": Act(lambda actor, idea: actor.holds(Role.MODERATOR, Role.ADMIN), _("Only moderators and admins can merge ideas.")),
    "decide_votes": Act(
        lambda actor, idea: actor.holds(Role.MODERATOR), _("Only moderators can look at votes that are held, and decide.")
    ),
    "recount": Act(
        lambda actor, idea: actor.holds(Role.MODERATOR, Role.ADMIN), _("Only moderators and admins can have votes recounted.")
    ),
    # acts on the hub: asked about nothing in particular
    "see_people": Act(lambda actor, hub: actor.holds(Role.ADMIN), _("Only admins can look people up.")),
    "change_person": Act(lambda actor, hub: actor.holds(Role.ADMIN), _("Only admins can change what somebody is.")),
    "suspend": Act(lambda actor, hub: actor.holds(Role.ADMIN), _("Only admins can suspend people.")),
    "join_people": Act(lambda actor, hub: actor.holds(Role.ADMIN), _("Only admins can make two people one.")),
    "arrange": Act(lambda actor, hub: actor.holds(Role.ADMIN), _("Only admins can change teams and directorates.")),
    "set_up": Act(lambda actor, hub: actor.holds(Role.ADMIN), _("Only admins can change themes and settings.")),
    "audit": Act(lambda actor, hub: actor.holds(Role.ADMIN), _("Only admins can read the audit log.")),
    # acts on an idea or a comment
    "hide": Act(lambda actor, thing: actor.holds(Role.MODERATOR), _("Only moderators can hide this or show it again.")),
}


def may(actor: Actor, act: str, thing: Any) -> bool:
    """May the actor do that? For deciding what to show; commands use `require`."""
    return actor.is_hub or (actor.is_somebody and ACTS[act].rule(actor, thing))


def require(actor: Actor, act: str, thing: Any) -> None:
    """Raises SignInNeeded or NotAllowed unless the actor may do that."""
    if not actor.is_somebody:
        raise SignInNeeded
    if not may(actor, act, thing):
        raise NotAllowed(ACTS[act].refusal)
