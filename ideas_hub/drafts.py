"""Drafts: what somebody has typed into a form and not sent yet, kept for them and shown to nobody else.

A draft is no fact of the hub: nothing of it goes into the log, the stream or search.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.moment import Moment
from ideas_hub.clock import now
from ideas_hub.db import Base, add_once, reading, transaction
from ideas_hub.errors import Changed, Invalid, Missing, RuleBroken, SignInNeeded, _
from ideas_hub.people import Actor
from ideas_hub.texts import shows

MOST_DRAFTS = 20  # of a person at a time
MOST_LETTERS = 40_000  # in one draft: twice what an idea may hold, so that a text that is too long is kept as well
UNDO = timedelta(days=1)  # for which a discarded draft can be had back
KEPT = timedelta(days=180)  # for which a draft lies that nobody touches

WORDS = ("title", "problem", "proposal", "gain", "cost_of_inaction", "place", "body")  # what is typed; the rest is chosen
FIELDS = {
    "post": (*WORDS[:6], "theme", "audience"),
    "edit": (*WORDS[:6], "theme", "revision"),
    "comment": ("body", "kind", "audience"),
    "reply": ("body",),
}
FORM = re.compile(r"post|(?:edit|comment)-[0-9a-z]{1,16}|reply-[0-9a-z]{1,16}-[0-9a-z]{1,16}")

Values = Mapping[str, Sequence[str]]  # what stands in each field of a form; several where several can be ticked

# Model


class Draft(Base):
    """`version` rises with every change, also where the draft went: a page that was open before is known by it."""

    __tablename__ = "draft"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    form: Mapped[str] = mapped_column(String(40), primary_key=True)
    content: Mapped[dict[str, list[str]]] = mapped_column(sa.JSON)
    version: Mapped[int] = mapped_column(default=0)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    gone_at: Mapped[datetime | None] = mapped_column(Moment, index=True)  # posted, or discarded


@dataclass(frozen=True, slots=True)
class DraftCard:
    """One's own draft. `idea`: what it is about, None for an idea that is to be posted."""

    form: str
    values: Values
    version: int
    at: datetime
    gone_at: datetime | None

    @property
    def what(self) -> str:
        return self.form.partition("-")[0]

    @property
    def idea(self) -> str | None:
        return self.form.split("-")[1] if "-" in self.form else None

    @property
    def excerpt(self) -> str:
        """What was typed but for the title."""
        return " ".join(text for name in WORDS[1:] for text in self.values.get(name, ()) if text.strip())

    @property
    def text(self) -> str:
        """All that was typed, the first field first."""
        return "\n\n".join(text for name in WORDS for text in self.values.get(name, ()) if text.strip())


# Rules


def checked(form: str, values: Values) -> dict[str, list[str]]:
    """What is kept of that form. Raises Missing (no form of ours) and Invalid (a field that it has not, too much text)."""
    if not FORM.fullmatch(form):
        raise Missing
    for name in values:
        if name not in FIELDS[form.partition("-")[0]]:
            raise Invalid.field(name, _("This form has no such field."))
    if sum(len(value) for chosen in values.values() for value in chosen) > MOST_LETTERS or any(
        len(v) > 50 for v in values.values()
    ):
        raise Invalid.field("values", _("This is too long for a draft: at most %(most)d characters."), most=MOST_LETTERS)
    return {name: list(chosen) for name, chosen in values.items()}


def is_empty(values: Values) -> bool:
    """Has nothing been typed, whatever was chosen?"""
    return not any(any(map(shows, text)) for name in WORDS for text in values.get(name, ()))


# Commands


def keep_draft(actor: Actor, form: str, *, values: Values, seen: int | None = None) -> DraftCard:
    """The actor's draft of that form has these values. Where nothing is typed any more, it goes. Twice is harmless.

    `seen`: the version that the actor knows (0: none; None: whatever stands). Raises SignInNeeded, Missing, Changed (another
    tab or device was quicker, or the draft was posted or discarded there), RuleBroken (too many drafts) and Invalid.
    """
    _somebody(actor)
    content = checked(form, values)
    with transaction() as session:
        add_once(session, Draft(person_id=actor.person_id, form=form, content={}, version=0, at=now(), gone_at=now()))
        draft = _own(session, actor, form)
        if draft.content == content and draft.gone_at is None:
            return _card(draft)
        if seen is not None and seen != draft.version:
            raise Changed
        if draft.gone_at is not None and not is_empty(content):
            counted = select(func.count()).where(Draft.person_id == actor.person_id, Draft.gone_at.is_(None))
            if (session.scalar(counted) or 0) >= MOST_DRAFTS:
                raise RuleBroken(_("You have %(most)d drafts. Discard one, then this one can be kept."), most=MOST_DRAFTS)
        if is_empty(content):
            _end(draft, content={})
        else:
            draft.content, draft.version, draft.at, draft.gone_at = content, draft.version + 1, now(), None
        return _card(draft)


def discard_draft(actor: Actor, form: str) -> None:
    """The actor's draft of that form is gone, and can be had back for a day. Twice is harmless. Raises Missing."""
    _somebody(actor)
    with transaction() as session:
        draft = _own(session, actor, form)
        if draft.gone_at is None:
            _end(draft, content=draft.content)


def restore_draft(actor: Actor, form: str) -> None:
    """A discarded draft of the actor's is there again. Twice is harmless. Raises Missing (it was posted, or a day has passed)."""
    _somebody(actor)
    with transaction() as session:
        draft = _own(session, actor, form)
        if draft.gone_at is None:
            return
        if is_empty(draft.content):
            raise Missing
        draft.gone_at, draft.version = None, draft.version + 1


def forget_drafts(limit: int = 100) -> int:
    """Chore: drafts that went a day ago, or that nobody touched for half a year, are deleted; returns how many."""
    with transaction() as session:
        old = sa.or_(Draft.gone_at < now() - UNDO, Draft.at < now() - KEPT)
        keys = select(Draft).where(old).order_by(Draft.at).limit(limit).with_for_update(skip_locked=True)
        found = session.scalars(keys).all()
        for draft in found:
            session.delete(draft)
        return len(found)


# Steps


def write(session: Session, actor: Actor, form: str, values: Values) -> None:
    """Step: these words stand in the actor's draft of that form, behind those that stood there."""
    add_once(session, Draft(person_id=actor.person_id, form=form, content={}, version=0, at=now(), gone_at=now()))
    draft = _own(session, actor, form)
    before = {} if draft.gone_at is not None else draft.content
    typed = {name: ["\n\n".join([*before.get(name, ()), *values[name]])] for name in WORDS if name in values}
    draft.content = before | {name: list(chosen) for name, chosen in values.items()} | typed
    draft.version, draft.at, draft.gone_at = draft.version + 1, now(), None


def use(session: Session, actor: Actor, form: str | None) -> None:
    """Step: what was drafted there has been posted. Nothing of it is left."""
    if form is not None:
        draft = session.get(Draft, (actor.person_id, form), with_for_update=True)
        if draft is not None:
            _end(draft, content={})


def _end(draft: Draft, content: dict[str, list[str]]) -> None:
    draft.content, draft.version, draft.gone_at = content, draft.version + 1, now()


def _own(session: Session, actor: Actor, form: str) -> Draft:
    draft = session.get(Draft, (actor.person_id, form), with_for_update=True)
    if draft is None:
        raise Missing
    return draft


def _somebody(actor: Actor) -> None:
    if actor.person_id is None:
        raise SignInNeeded


# Queries


def own_drafts(session: Session, actor: Actor) -> list[DraftCard]:
    """The actor's own drafts, also those that went and are remembered for a while; the newest first."""
    own = select(Draft).where(Draft.person_id == actor.person_id).order_by(Draft.at.desc(), Draft.form)
    return [_card(draft) for draft in session.scalars(own)] if actor.person_id is not None else []


def drafts(actor: Actor) -> dict[str, DraftCard]:
    """The actor's own drafts by form, as `own_drafts`."""
    with reading() as session:
        return {card.form: card for card in own_drafts(session, actor)}


def draft(actor: Actor, form: str) -> DraftCard:
    """The actor's own draft of that form. Raises SignInNeeded and Missing (there is none, or it went)."""
    _somebody(actor)
    found = drafts(actor).get(form)
    if found is None or found.gone_at is not None:
        raise Missing
    return found


def _card(draft: Draft) -> DraftCard:
    values = {name: tuple(chosen) for name, chosen in draft.content.items()}
    return DraftCard(draft.form, values, draft.version, draft.at, draft.gone_at)
