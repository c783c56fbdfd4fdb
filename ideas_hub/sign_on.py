"""Staff as the council's own sign-in knows them: by an issuer, and the subject that somebody is there for ever.

An address is no identity: it changes, and is given to somebody else after a while. It is used once, to find who was here before.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import SIGN_ON, RightsChanged
from events.moment import Moment
from ideas_hub.addresses import normalise_email
from ideas_hub.clock import now
from ideas_hub.db import Base, record, transaction
from ideas_hub.errors import Clash, Missing, _
from ideas_hub.people import Kind, Person, Role, RoleHeld, described, find_or_add_team, note_changes, person_with
from ideas_hub.privacy import come_back
from ideas_hub.sessions import NOWHERE, Credential, Means, Whence, end_all, grant

LASTS = timedelta(hours=12)  # a working day: who was shut out there is shut out here on the next
SEEN_WITHIN = timedelta(days=30)  # or their tokens end: nobody else tells us that somebody does not work here any more

LONGEST_SUBJECT = 255

# Model


class SignOn(Base):
    """The person that an issuer knows by that subject."""

    __tablename__ = "sign_on"

    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(LONGEST_SUBJECT), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    last_at: Mapped[datetime | None] = mapped_column(Moment)  # when they came last; None: not since this is noted


@dataclass(frozen=True, slots=True)
class Voucher:
    """What the council's own sign-in says of somebody. What it does not say stays as the hub has it."""

    issuer: str
    subject: str
    name: str
    email: str | None = None  # only one that it vouches for
    team: str | None = None
    directorate: str | None = None
    roles: frozenset[Role] = frozenset()
    decides: frozenset[Role] = frozenset()  # the roles that it gives and takes; the others are given in the hub
    session: str = ""  # theirs over there, where it has a name


# Commands


def sign_on(voucher: Voucher, whence: Whence = NOWHERE, *, key: str) -> str:
    """Sign in whom the council's sign-in vouches for, and return the secret that their browser keeps.

    Who comes for the first time is whoever has that address, unless they come by another subject already; else somebody
    new. Name, address, team and roles are as the voucher says. Who had left with that address has their votes again; `key`
    is what they were disguised with. Raises Clash where they come twice at the same moment.
    """
    try:
        with transaction() as session:
            person = _known(session, voucher) or _joined(session, voucher)
            _follow(session, person, voucher)
            person = come_back(session, person, key)
            return grant(session, person, Means.SESSION, LASTS, whence, provider_session=voucher.session)
    except IntegrityError as clash:
        raise Clash(_("Somebody signed in as you at the same moment. Try again.")) from clash


def forget_sign_on(email: str) -> None:
    """Whoever next signs in with that address becomes that person, by whatever subject. Raises Missing."""
    with transaction() as session:
        person = person_with(session, normalise_email(email))
        if person is None:
            raise Missing
        for known in session.scalars(select(SignOn).where(SignOn.person_id == person.id)):
            session.delete(known)


def end_sign_ons(
    issuer: str, *, subject: str | None = None, session_there: str | None = None, begun_before: datetime | None = None
) -> int:
    """Void the sessions that began with a sign-in there, by its subject, by its session, or by both; and return how many."""
    theirs = select(SignOn.person_id).where(SignOn.issuer == issuer)
    if subject is not None:
        theirs = theirs.where(SignOn.subject == subject)
    which = [Credential.provider_session.is_not(None) if session_there is None else Credential.provider_session == session_there]
    if begun_before is not None:
        which.append(Credential.made_at < begun_before)
    with transaction() as session:
        return end_all(session, Credential.person_id.in_(theirs), *which)


def end_forsaken_tokens(limit: int = 100) -> int:
    """Chore: void the tokens of who came by the council's sign-in and has not for a month, at most so many; returns how many.

    Their account may have been closed there, of which nobody tells us. Who came otherwise keeps theirs.
    """
    with transaction() as session:
        came = select(SignOn.person_id).group_by(SignOn.person_id).having(func.max(SignOn.last_at) <= now() - SEEN_WITHIN)
        theirs = (Credential.means == Means.TOKEN, Credential.person_id.in_(came))
        some = select(Credential.digest).where(*theirs).order_by(Credential.digest).limit(limit)
        return end_all(session, Credential.digest.in_(session.scalars(some).all()))


# Steps


def _known(session: Session, voucher: Voucher) -> Person | None:
    link = session.get(SignOn, (voucher.issuer, voucher.subject))
    if link is None:
        return None
    link.last_at = now()
    return session.get_one(Person, link.person_id)


def _joined(session: Session, voucher: Voucher) -> Person:
    """Step: who comes for the first time, known by that subject from now on."""
    person = _with_address(session, voucher.email)
    if person is None or session.scalar(_COMES_BY.where(SignOn.person_id == person.id, SignOn.issuer == voucher.issuer)):
        person = Person(name=voucher.name, kind=Kind.STAFF)
        session.add(person)
        session.flush()
    session.add(SignOn(issuer=voucher.issuer, subject=voucher.subject, person_id=person.id, last_at=now()))
    session.flush()
    return person


_COMES_BY = select(SignOn.subject)


def _with_address(session: Session, email: str | None) -> Person | None:
    return person_with(session, email) if email else None


def _follow(session: Session, person: Person, voucher: Voucher) -> None:
    """Step: the person is as the voucher says; an address that somebody else has stays theirs."""
    before, email = described(person), person.email
    person.name, person.kind = voucher.name, Kind.STAFF
    if voucher.email and _with_address(session, voucher.email) is None:
        person.email = voucher.email
    if voucher.team or voucher.directorate:
        person.team = find_or_add_team(session, voucher.team, voucher.directorate, by=SIGN_ON)
    taken, given = voucher.decides - voucher.roles, (voucher.decides & voucher.roles) - person.roles
    person.held = [held for held in person.held if held.role not in taken]
    person.held += [RoleHeld(role=role) for role in sorted(given)]
    session.flush()
    if note_changes(session, person, before, by=SIGN_ON) or person.email != email:
        record(session, RightsChanged(person=person.ref))
