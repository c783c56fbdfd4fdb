"""Co-authors: invited by an author while the idea may be changed, authors once they accept. Their vote goes.

Who invites a resident writes an address, and is never told whether anybody has it: the invitation looks the same to them
whether it is read, declined or lies there for ever. Staff are found by name, by staff.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, joinedload, mapped_column, relationship

from events.catalogue import CoAuthorJoined, CoAuthorLeft
from events.moment import Moment
from ideas_hub import votes
from ideas_hub.addresses import normalise_email
from ideas_hub.answers import name_who_answers
from ideas_hub.clock import now
from ideas_hub.db import Base, add_once, new_ref, reading, record, transaction
from ideas_hub.errors import Invalid, Missing, RuleBroken, SignInNeeded, _
from ideas_hub.ideas import Authorship, Idea, Stage, touch
from ideas_hub.people import Actor, Kind, Person, PersonCard
from ideas_hub.permissions import find, require, visible_to

MOST_INVITED = 10  # of an idea, at a time: an invitation is no way to write to many
FOUND = 10  # colleagues that a name finds
SHORTEST_NAME = 2

# Model


class Invitation(Base):
    """Somebody is asked to become an author: a colleague by name, or whoever has that address, today or later.

    `open`: for the author who invited, until it is accepted or taken back. `declined`: for whom it is for, for good. The
    first says nothing of the second.
    """

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(16), unique=True, default=new_ref)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"))
    idea: Mapped[Idea] = relationship(lazy="raise")
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    person: Mapped[Person | None] = relationship(lazy="joined", foreign_keys=[person_id])
    email: Mapped[str | None] = mapped_column(String(254))
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    by: Mapped[Person] = relationship(lazy="joined", innerjoin=True, foreign_keys=[by_id])
    at: Mapped[datetime] = mapped_column(Moment)
    open: Mapped[bool] = mapped_column(default=True)
    declined: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        UniqueConstraint("idea_id", "person_id", name="uq_invitation_person"),
        UniqueConstraint("idea_id", "email", name="uq_invitation_email"),
        Index("ix_invitation_person", "person_id"),
        Index("ix_invitation_email", "email"),
    )


@dataclass(frozen=True, slots=True)
class InvitationCard:
    """An invitation as those two see it whom it concerns. `email`: as the author typed it, for authors only."""

    ref: str
    idea: str
    title: str
    person: PersonCard | None
    email: str | None
    by: PersonCard
    at: datetime


# Commands


def invite_author(actor: Actor, ref: str, *, person: str | None = None, email: str | None = None) -> str:
    """Ask a colleague (`person`), or whoever has an address, to become a co-author; the invitation's reference.

    Whether anybody has the address makes no difference to what is done or returned. Twice is harmless. Raises Missing,
    NotAllowed (not an author), RuleBroken (the idea has moved on, or too many are invited) and Invalid.
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "invite", idea)
        _check_new(idea)
        row = Invitation(idea_id=idea.id, by_id=actor.person_id, at=now(), ref=new_ref(), open=False, declined=False)
        if person:
            row.person_id = _colleague(session, actor, idea, person).id
            same = Invitation.person_id == row.person_id
        else:
            row.email = normalise_email(email or "")
            if row.email in _own_addresses(session, actor):
                raise Invalid.field("email", _("This is your own address: you are an author already."))
            same = Invitation.email == row.email
        opened = select(func.count()).where(Invitation.idea_id == idea.id, Invitation.open)
        add_once(session, row)
        found = session.scalars(select(Invitation).where(Invitation.idea_id == idea.id, same)).one()
        if not found.open:
            if (session.scalar(opened) or 0) >= MOST_INVITED:
                raise RuleBroken(_("%(most)d people are invited already. Take one back first."), most=MOST_INVITED)
            found.open, found.at, found.by_id = True, now(), actor.person_id or 0
        return found.ref


def take_back_invitation(actor: Actor, ref: str, invitation: str) -> None:
    """An author no longer asks. Twice is harmless. Raises Missing and NotAllowed (not an author)."""
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "invite", idea)
        row = session.scalar(select(Invitation).where(Invitation.ref == invitation, Invitation.idea_id == idea.id))
        if row is None:
            raise Missing
        row.open = False


def accept_invitation(actor: Actor, invitation: str) -> str:
    """The actor becomes an author of the idea, and their vote for it goes; its reference. Announces `idea.co_author_joined`.

    Raises SignInNeeded, Missing (not theirs, taken back, or of an idea that they do not see) and RuleBroken (the idea has moved
    on, or they sponsor it).
    """
    with transaction() as session:
        row = _own(session, actor, invitation)
        idea = find(session, actor, Idea, row.idea.ref, lock=True)
        _check_new(idea)
        if idea.sponsor_id == actor.person_id:
            raise RuleBroken(_("You sponsor this idea, and nobody answers for their own. Stop sponsoring it first."))
        session.delete(row)
        if actor.ref in idea.author_refs:
            return idea.ref
        place = max((authorship.place for authorship in idea.authorships), default=-1) + 1
        joined = Authorship(person_id=actor.person_id, place=place, person=session.get_one(Person, actor.person_id))
        idea.authorships.append(joined)
        session.flush()
        votes.withdraw(session, idea, votes.voter_key(session, actor))
        name_who_answers(session, idea)
        touch(idea)
        record(session, CoAuthorJoined(idea=idea.ref, person=actor.ref or "", audience=idea.effective_audience))
        return idea.ref


def decline_invitation(actor: Actor, invitation: str) -> None:
    """The actor is not asked about this idea again; who invited them is not told. Twice is harmless. Raises Missing."""
    with transaction() as session:
        _own(session, actor, invitation, also_declined=True).declined = True


def leave_authors(actor: Actor, ref: str) -> None:
    """The actor is no longer an author of the idea. Announces `idea.co_author_left`.

    Raises Missing, NotAllowed (not an author) and RuleBroken (the last one: an idea has an author).
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "leave", idea)
        if len(idea.authorships) == 1:
            raise RuleBroken(_("You are its only author. An idea needs one; withdraw it, or invite somebody first."))
        idea.authorships.remove(next(each for each in idea.authorships if each.person_id == actor.person_id))
        session.flush()
        name_who_answers(session, idea)
        touch(idea)
        record(session, CoAuthorLeft(idea=idea.ref, person=actor.ref or "", audience=idea.effective_audience))


# Steps


def _check_new(idea: Idea) -> None:
    if idea.stage is not Stage.NEW:
        raise RuleBroken(_("This idea has moved on, so nobody joins its authors any more."))


def _colleague(session: Session, actor: Actor, idea: Idea, ref: str) -> Person:
    found = (
        session.scalar(select(Person).where(Person.ref == ref, Person.kind == Kind.STAFF)) if actor.kind is Kind.STAFF else None
    )
    if found is None or not _can_join(found, idea):
        raise Invalid.field("person", _("Choose a member of staff who can see this idea and is no author of it yet."))
    return found


def _can_join(person: Person, idea: Idea) -> bool:
    able = person.actor().view >= idea.effective_audience and not person.suspended
    return able and person.ref not in idea.author_refs and person.id != idea.sponsor_id


def _own_addresses(session: Session, actor: Actor) -> set[str | None]:
    """One's own: of any other address nothing may be told."""
    return {session.scalar(select(Person.email).where(Person.id == actor.person_id))}


def _for(actor: Actor) -> sa.ColumnElement[bool]:
    own = select(Person.email).where(Person.id == actor.person_id).scalar_subquery()
    return sa.and_(Invitation.open, sa.or_(Invitation.person_id == actor.person_id, Invitation.email == own))


def _own(session: Session, actor: Actor, ref: str, *, also_declined: bool = False) -> Invitation:
    """Step: an invitation for the actor, to an idea that they see. Raises SignInNeeded and Missing."""
    if actor.person_id is None:
        raise SignInNeeded
    query = select(Invitation).join(Idea, Idea.id == Invitation.idea_id).where(Invitation.ref == ref, _for(actor))
    query = query.where(visible_to(actor, Idea), sa.true() if also_declined else Invitation.declined.is_(False))
    row = session.scalar(query.options(joinedload(Invitation.idea, innerjoin=True)))
    if row is None:
        raise Missing
    return row


# Queries


def invitations_to(actor: Actor) -> list[InvitationCard]:
    """What the actor is asked to join, of the ideas that they see and that are still new; the newest first."""
    if actor.person_id is None:
        return []
    with reading() as session:
        query = (
            select(Invitation, Idea).join(Idea, Idea.id == Invitation.idea_id).where(_for(actor), Invitation.declined.is_(False))
        )
        query = query.where(visible_to(actor, Idea), Idea.stage == Stage.NEW, ~Idea.written_by(actor.person_id))
        return [_card(row, idea) for row, idea in session.execute(query.order_by(Invitation.at.desc(), Invitation.ref).limit(50))]


def invited(actor: Actor, ref: str) -> list[InvitationCard]:
    """Whom its authors ask to join an idea, whatever became of it; the newest first. Raises Missing and NotAllowed."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        require(actor, "invite", idea)
        query = (
            select(Invitation)
            .where(Invitation.idea_id == idea.id, Invitation.open)
            .order_by(Invitation.at.desc(), Invitation.ref)
        )
        return [_card(row, idea) for row in session.scalars(query)]


def authors_of(actor: Actor, ref: str) -> list[PersonCard]:
    """The authors of an idea, the first first. Raises Missing."""
    with reading() as session:
        return [authorship.person.card() for authorship in find(session, actor, Idea, ref).authorships]


def colleagues(actor: Actor, ref: str, name: str) -> list[PersonCard]:
    """The staff of that name, or of a part of it, who could join an idea: for its authors who are staff. Raises Missing."""
    name = " ".join(name.split())
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        require(actor, "invite", idea)
        if actor.kind is not Kind.STAFF or len(name) < SHORTEST_NAME:
            return []
        people = select(Person).where(Person.kind == Kind.STAFF, Person.name.icontains(name, autoescape=True))
        found = session.scalars(people.order_by(Person.name, Person.ref).limit(100)).all()
        return [person.card() for person in found if _can_join(person, idea)][:FOUND]


def _card(row: Invitation, idea: Idea) -> InvitationCard:
    person = row.person.card() if row.person else None
    return InvitationCard(row.ref, idea.ref, idea.title, person, row.email, row.by.card(), row.at)
