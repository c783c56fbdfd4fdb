"""People, the teams and directorates they work in, the roles they hold; and the actor, who is somebody acting now."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship, validates

from events.catalogue import DirectorateChanged, PersonChanged, RightsChanged, TeamChanged, View
from events.moment import Moment
from ideas_hub.addresses import mailbox_of, normalise_email
from ideas_hub.clock import now
from ideas_hub.db import Base, add_once, new_ref, reading, record, transaction
from ideas_hub.errors import Invalid, Missing, NotAllowed, RuleBroken, Sentence, SignInNeeded, _
from ideas_hub.texts import measured

# Model


class Kind(StrEnum):
    """A resident may also be a business, a partner or a charity; everybody else works for the council."""

    RESIDENT = "resident"
    STAFF = "staff"


class Role(StrEnum):
    SPONSOR = "sponsor"
    MODERATOR = "moderator"
    SAFEGUARDING = "safeguarding"
    LEADER = "leader"
    ADMIN = "admin"


class Words(sa.types.TypeDecorator[Any]):
    """A StrEnum, kept as its word."""

    impl = String(20)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else str(self.words(value))

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else self.words(value)


class Directorate(Base):
    """A part of the council; its lead answers for ideas that have no sponsor."""

    __tablename__ = "directorate"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    lead_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", use_alter=True))


class Team(Base):
    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    directorate_id: Mapped[int] = mapped_column(ForeignKey(Directorate.id))
    directorate: Mapped[Directorate] = relationship(lazy="joined", innerjoin=True)


class RoleHeld(Base):
    __tablename__ = "role_held"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[Role] = mapped_column(Words(Role), primary_key=True)


class Person(Base):
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(16), unique=True, default=new_ref)
    email: Mapped[str | None] = mapped_column(String(254), unique=True)  # without one nobody can sign in as them
    mailbox: Mapped[str | None] = mapped_column(
        String(254), index=True, unique=True
    )  # what all spellings of that address have in common
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[Kind] = mapped_column(Words(Kind))
    team_id: Mapped[int | None] = mapped_column(ForeignKey(Team.id))
    team: Mapped[Team | None] = relationship(lazy="joined")
    since: Mapped[datetime | None] = mapped_column(Moment, default=now)  # None: from before this was noted
    suspended: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    joined_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", use_alter=True))  # the same human, by another address
    joined: Mapped["Person | None"] = relationship(remote_side=[id], lazy="select")
    held: Mapped[list[RoleHeld]] = relationship(lazy="selectin", cascade="all, delete-orphan")

    @validates("email")
    def _with_its_mailbox(self, _name: str, email: str | None) -> str | None:
        self.mailbox = None if email is None else mailbox_of(email)
        return email

    @property
    def one(self) -> "Person":
        """Who this is: themselves, or the person whom they were found to be."""
        return self if self.joined is None else self.joined

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(held.role for held in self.held)

    def card(self) -> "PersonCard":
        return PersonCard(self.ref, self.name, self.kind, self.team.name if self.team else None)

    def actor(self) -> "Actor":
        team = self.team.name if self.team else None
        return Actor(self.id, self.ref, self.name, self.kind, team, self.roles, self.since)


@dataclass(frozen=True, slots=True)
class PersonCard:
    """A person as everybody may see them: never their address."""

    ref: str
    name: str
    kind: Kind
    team: str | None

    @property
    def initials(self) -> str:
        words = [word for word in self.name.split() if word[0].isalpha()] or [self.name]
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody acting now: what every command takes first. `ref` is None for nobody."""

    person_id: int | None = None
    ref: str | None = None
    name: str = ""
    kind: Kind | None = None
    team: str | None = None
    roles: frozenset[Role] = frozenset()
    since: datetime | None = None  # when they came to the hub; None: longer ago than it remembers

    @property
    def view(self) -> View:
        """The widest view this actor has."""
        if self.is_hub or self.roles & {Role.LEADER, Role.ADMIN}:
            return View.LEADERSHIP
        return View.STAFF if self.kind is Kind.STAFF else View.PUBLIC

    @property
    def is_somebody(self) -> bool:
        return self.person_id is not None or self.is_hub

    @property
    def is_hub(self) -> bool:
        return self is HUB

    def holds(self, *roles: Role) -> bool:
        return bool(self.roles.intersection(roles))

    def card(self) -> PersonCard | None:
        if self.ref is None or self.kind is None:
            return None
        return PersonCard(self.ref, self.name, self.kind, self.team)


NOBODY = Actor()
HUB = Actor(name="Ideas Hub")  # who acts when nobody does: the clock, and whoever fills a hub


# Rules


def normalise_name(name: str) -> str:
    """A name with single spaces, and no marks that force a direction; raises Invalid where it shows nothing or is too long."""
    needed = {"name": _("Write a name of 1 to 120 characters.")}
    return " ".join(measured({"name": name}, {"name": 120}, needed)["name"].split())


# Commands


def add_person(
    email: str,
    *,
    name: str,
    kind: Kind,
    team: str | None = None,
    directorate: str | None = None,
    roles: Iterable[Role] = (),
) -> str:
    """Add the person with that address, or change them, and return their reference.

    A team or directorate is made where it is new; a new team stands in a directorate of its own name unless told. Roles
    are those named and no others. What is different stands in the audit log, and whoever is connected as that person is
    asked again who they are. Raises Invalid (a resident with roles or a team, an empty name).
    """
    roles, name, address = set(roles), normalise_name(name), normalise_email(email)
    if kind is Kind.RESIDENT and (roles or team or directorate):
        raise Invalid.field("kind", _("Roles, teams and directorates are for staff."))
    with transaction() as session:
        person = person_with(session, address)
        if person is None:
            person = Person(email=address, name=name, kind=kind)
            session.add(person)
        before = described(person) if person.id else {}
        person.name, person.kind = name, kind
        person.team = find_or_add_team(session, team, directorate) if team or directorate else None
        person.held = [held for held in person.held if held.role in roles]
        person.held += [RoleHeld(role=role) for role in sorted(roles - person.roles)]
        session.flush()
        note_changes(session, person, before)
        record(session, RightsChanged(person=person.ref))
        return person.ref


def add_residents(names: Mapping[str, str]) -> None:
    """Add many residents at once: their names by their addresses, which must be new to the hub. Raises Invalid."""
    with transaction() as session:
        people = [
            Person(email=normalise_email(address), name=normalise_name(name), kind=Kind.RESIDENT)
            for address, name in names.items()
        ]
        session.add_all(people)
        session.flush()
        for person in people:
            record(session, RightsChanged(person=person.ref))


def change_name(actor: Actor, name: str) -> None:
    """The actor is known by that name from now on, also beside what they wrote before. Twice is harmless.

    Raises SignInNeeded, NotAllowed (staff, whose names are the council's) and Invalid.
    """
    if actor.person_id is None:
        raise SignInNeeded
    if actor.kind is Kind.STAFF:
        raise NotAllowed(_("Your name comes from the council. Ask the people who run this hub to change it."))
    name = normalise_name(name)
    with transaction() as session:
        person = session.get_one(Person, actor.person_id, with_for_update={"of": Person})
        if person.name != name:
            person.name = name
            record(session, RightsChanged(person=person.ref))


def name_lead(directorate: str, email: str) -> None:
    """Make a member of staff the lead of a directorate. Raises Invalid where either is unknown."""
    with transaction() as session:
        place = session.scalar(select(Directorate).where(Directorate.name == directorate))
        person = person_with(session, normalise_email(email))
        if place is None or person is None or person.kind is not Kind.STAFF:
            raise Invalid({"lead": Sentence(_("Name a directorate of this hub and a member of its staff."))})
        if place.lead_id != person.id:
            was = session.scalar(select(Person.ref).where(Person.id == place.lead_id)) or ""
            place.lead_id = person.id
            record(session, DirectorateChanged(directorate=place.id, what="lead", was=was, to=person.ref, by=""))


def person_with(session: Session, email: str) -> Person | None:
    """Step: who has that mailbox, however its address was spelled. `email` is one that was normalised."""
    query = select(Person).where(or_(Person.mailbox == mailbox_of(email), Person.email == email))
    found = session.scalars(query.order_by(Person.mailbox.is_(None))).first()
    return None if found is None else found.one


def check_may_act(person: Person) -> None:
    """Step: raises RuleBroken for who is suspended."""
    if person.suspended:
        raise RuleBroken(_("This account is suspended. Ask the people who run this hub why, and until when."))


def resident_with(session: Session, email: str, name: str) -> Person:
    """Step: who has that mailbox; where nobody has, a new resident of that name."""
    if (person := person_with(session, email)) is None:
        add_once(session, Person(email=email, name=name, kind=Kind.RESIDENT))
        person = session.scalars(select(Person).where(Person.mailbox == mailbox_of(email))).one()
    return person


def find_or_add_team(session: Session, team: str | None, directorate: str | None, by: str = "") -> Team:
    """Step: the team of that name, in that directorate; made where it is new. The audit log has what was made or moved."""
    name = team or directorate or ""
    found = session.scalar(select(Team).where(Team.name == name))
    if found is not None and directorate in (None, found.directorate.name):
        return found
    place = session.scalar(select(Directorate).where(Directorate.name == (directorate or name)))
    if place is None:
        place = Directorate(name=directorate or name)
        session.add(place)
        session.flush()
        record(session, DirectorateChanged(directorate=place.id, what="added", was="", to="", by=by))
    if found is None:
        found = Team(name=name, directorate=place)
        session.add(found)
        session.flush()
        record(session, TeamChanged(team=found.id, what="added", was="", to="", by=by))
    else:
        was, to = str(found.directorate_id), str(place.id)
        found.directorate = place
        record(session, TeamChanged(team=found.id, what="directorate", was=was, to=to, by=by))
    return found


def described(person: Person) -> dict[str, str]:
    """Step: a person as the audit log has them: no address, and of the name only whether it is another one."""
    roles = " ".join(sorted(person.roles))
    return {"name": person.name, "kind": person.kind.value, "team": str(person.team.id if person.team else ""), "roles": roles}


def note_changes(session: Session, person: Person, before: Mapping[str, str], by: str = "") -> bool:
    """Step: what of a person is different from `before` (nothing: they are new) is told to the audit log; is there anything?"""
    now_they_are = described(person)
    if not before:
        record(session, PersonChanged(person=person.ref, what="added", was="", to=person.kind.value, by=by))
        before = {"name": person.name, "kind": person.kind.value, "team": "", "roles": ""}
    changed = {what: (before[what], to) for what, to in now_they_are.items() if before[what] != to}
    for what, (was, to) in changed.items():
        if what == "name":
            was = to = ""
        record(session, PersonChanged(person=person.ref, what=what, was=was, to=to, by=by))
    return bool(changed)


# Queries

CAN_SIGN_IN = (Person.email.is_not(None), Person.suspended.is_(False), Person.joined_id.is_(None))


def person_by_ref(session: Session, ref: str) -> Person:
    """That person, or who they were found to be. Raises Missing."""
    person = session.scalar(select(Person).where(Person.ref == ref))
    if person is None:
        raise Missing
    return person.one


def everybody() -> list[Actor]:
    """All people who can sign in: staff with roles first, then other staff, then residents, by name."""
    with reading() as session:
        people = session.scalars(select(Person).where(*CAN_SIGN_IN).order_by(Person.name)).all()
        actors = [person.actor() for person in people]
    return sorted(actors, key=lambda actor: (actor.kind is Kind.RESIDENT, not actor.roles))
