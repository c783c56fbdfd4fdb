"""Sponsors: the named members of staff who answer for ideas, and their terms."""

from datetime import datetime

from sqlalchemy import ForeignKey, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import IdeaSponsored, IdeaSponsorLeft
from events.moment import Moment
from ideas_hub.answers import name_who_answers
from ideas_hub.clock import now
from ideas_hub.db import Base, record, transaction
from ideas_hub.errors import Clash, Invalid, RuleBroken, _
from ideas_hub.ideas import Idea, Stage, touch
from ideas_hub.people import Actor, Person
from ideas_hub.permissions import find, may, require
from ideas_hub.stages import checked_reason

# Model


class SponsorTerm(Base):
    """Somebody answers for an idea, from a moment until another."""

    __tablename__ = "sponsor_term"

    id: Mapped[int] = mapped_column(primary_key=True)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    since: Mapped[datetime] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(Text, default="")
    until: Mapped[datetime | None] = mapped_column(Moment)
    end_reason: Mapped[str] = mapped_column(Text, default="")


# Commands


def take_on(actor: Actor, ref: str, *, reason: str = "") -> None:
    """The actor becomes the sponsor of an unsponsored idea; of their own it is harmless. Announces `idea.sponsored`.

    Raises Missing, NotAllowed, Clash (somebody else sponsors it), RuleBroken (it was merged) and Invalid (a reason too long).
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "sponsor", idea)
        reason = checked_reason(reason) if reason.strip() else ""
        if idea.sponsor_id == actor.person_id:
            return
        if idea.sponsor is not None:
            raise Clash(_("%(name)s sponsors this idea already."), name=idea.sponsor.name)
        _begin_term(session, actor, idea, session.get_one(Person, actor.person_id), reason)


def name_sponsor(actor: Actor, ref: str, *, person: str, reason: str) -> None:
    """A leader names who answers for an idea, in the place of whoever did. Announces `idea.sponsored`.

    Raises Missing, NotAllowed, RuleBroken (it was merged) and Invalid (no reason, or not somebody who can sponsor this idea).
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "name_sponsor", idea)
        reason = checked_reason(reason)
        chosen = session.scalar(select(Person).where(Person.ref == person))
        able = chosen is not None and not chosen.suspended and may(chosen.actor(), "sponsor", idea)
        if chosen is None or not able or chosen.actor().view < idea.effective_audience:
            raise Invalid.field("person", _("Choose a member of staff who can sponsor this idea."))
        if idea.sponsor_id == chosen.id:
            return
        if idea.sponsor is not None:
            end_term(session, actor, idea, reason)
        _begin_term(session, actor, idea, chosen, reason)


def end_sponsorship(actor: Actor, ref: str, *, reason: str) -> None:
    """Nobody answers for the idea as its sponsor any more. Announces `idea.sponsor_left`. Without a sponsor it is harmless.

    Raises Missing, NotAllowed and Invalid (no reason).
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "end_sponsor", idea)
        reason = checked_reason(reason)
        if idea.sponsor is not None:
            end_term(session, actor, idea, reason)
            name_who_answers(session, idea)


# Steps


def _begin_term(session: Session, actor: Actor, idea: Idea, person: Person, reason: str) -> None:
    if idea.stage is Stage.MERGED:
        raise RuleBroken(_("This idea was merged into another. Sponsor that one."))
    term = SponsorTerm(idea_id=idea.id, person_id=person.id, since=now(), reason=reason)
    session.add(term)
    idea.sponsor = person
    name_who_answers(session, idea)
    touch(idea)
    session.flush()
    by, audience = actor.ref or "", idea.effective_audience
    record(session, IdeaSponsored(idea=idea.ref, term=term.id, sponsor=person.ref, by=by, audience=audience))


def end_term(session: Session, actor: Actor, idea: Idea, reason: str) -> None:
    open_term = select(SponsorTerm).where(SponsorTerm.idea_id == idea.id, SponsorTerm.until.is_(None))
    term, person = session.scalars(open_term).one(), session.get_one(Person, idea.sponsor_id)
    term.until, term.end_reason = now(), reason
    idea.sponsor = None
    touch(idea)
    by, audience = actor.ref or "", idea.effective_audience
    record(session, IdeaSponsorLeft(idea=idea.ref, term=term.id, sponsor=person.ref, by=by, audience=audience))
