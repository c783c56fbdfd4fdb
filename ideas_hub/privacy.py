"""Leaving: somebody's name, address and the way to their votes go; what they voted and wrote stays, and is nobody's by name."""

import hmac
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import RightsChanged, SessionEnded
from events.moment import Moment
from ideas_hub.authors import Invitation
from ideas_hub.bursts import HeldVote
from ideas_hub.claims import Claim
from ideas_hub.clock import now
from ideas_hub.db import Base, add_many, record, transaction
from ideas_hub.drafts import Draft
from ideas_hub.errors import NotAllowed, SignInNeeded, _
from ideas_hub.ideas import Idea, Stage
from ideas_hub.links import drop_links
from ideas_hub.outbox import drop_mails
from ideas_hub.people import Actor, Kind, Person
from ideas_hub.sessions import Credential
from ideas_hub.votes import Vote, VoterKey

WHO_LEFT = _("Somebody who left")  # how they are spoken of
CLOSED_FOR_GOOD = (Stage.ADOPTED, Stage.LEARNED, Stage.MERGED)  # no way leads from here to a stage that takes votes

# Model


class Departure(Base):
    """Under which key a mailbox voted whose person left, so that nobody has two votes by leaving and coming back.

    The mailbox stands here as a hash that cannot be made without the key of the installation.
    """

    __tablename__ = "departure"

    mailbox: Mapped[str] = mapped_column(String(64), primary_key=True)
    voter: Mapped[str] = mapped_column(String(22))
    at: Mapped[datetime] = mapped_column(Moment)


# Rules


def _disguised(mailbox: str, key: str) -> str:
    return hmac.digest(key.encode(), f"left {mailbox}".encode(), "sha256").hex()


# Commands


def leave(actor: Actor, *, key: str) -> None:
    """The actor's account is gone: nobody can sign in as them, and their name, address, drafts and invitations are erased.

    Their votes stay counted and their texts stay, by somebody who left. Raises SignInNeeded and NotAllowed (staff).
    """
    if actor.person_id is None:
        raise SignInNeeded
    if actor.kind is Kind.STAFF:
        raise NotAllowed(_("Your account is the council's. Ask the people who run this hub to close it."))
    with transaction() as session:
        person = session.scalars(select(Person).where(Person.id == actor.person_id).with_for_update(of=Person)).one()
        email, others = person.email, session.scalars(select(Person).where(Person.joined_id == person.id)).all()
        for mailbox in [each.mailbox for each in (person, *others) if each.mailbox is not None]:
            _keep_voter(session, person, mailbox, key)
            drop_links(session, mailbox)
            drop_mails(session, mailbox)
        for model in (Credential, Draft, Claim, VoterKey):
            session.execute(sa.delete(model).where(model.person_id == person.id))
        session.execute(sa.delete(Invitation).where(sa.or_(Invitation.person_id == person.id, Invitation.email == email)))
        for each in (person, *others):  # also whom they were found to be
            each.email, each.name = None, WHO_LEFT
        record(session, SessionEnded(person=person.ref))
        record(session, RightsChanged(person=person.ref))


def forget_departures(limit: int = 100) -> int:
    """Chore: who left is not known again once nothing that they voted for can take votes any more; returns how many."""
    with transaction() as session:
        counts = [
            sa.exists().where(vote.voter == Departure.voter, vote.idea_id == Idea.id, Idea.stage.not_in(CLOSED_FOR_GOOD))
            for vote in (Vote, HeldVote)
        ]
        query = select(Departure).where(~sa.or_(*counts)).order_by(Departure.mailbox).limit(limit)
        found = session.scalars(query.with_for_update(skip_locked=True)).all()
        for departure in found:
            session.delete(departure)
        return len(found)


# Steps


def _keep_voter(session: Session, person: Person, mailbox: str, key: str) -> None:
    voter = session.scalar(select(VoterKey.key).where(VoterKey.person_id == person.id))
    if voter is not None:
        session.merge(Departure(mailbox=_disguised(mailbox, key), voter=voter, at=now()))


def come_back(session: Session, person: Person, key: str) -> Person:
    """Step: who has the mailbox of somebody who left has their votes again; returns who that is now.

    Who left with two addresses that were found to be theirs, and is back already by the other one, is that person.
    """
    left = session.get(Departure, _disguised(person.mailbox or "", key))
    if left is None:
        return person
    session.delete(left)
    back = session.scalar(select(Person).join(VoterKey, VoterKey.person_id == Person.id).where(VoterKey.key == left.voter))
    if back is not None and person.kind is Kind.RESIDENT and session.get(VoterKey, person.id) is None:
        person.joined_id = back.id
        return back
    add_many(session, VoterKey, [{"person_id": person.id, "key": left.voter}])
    return person
