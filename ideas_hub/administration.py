"""What admins do to people. Each change is a fact of the audit log.

Whoever loses something by it loses it at once: their roles are read with each request, and what they have open is asked again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ColumnElement, ForeignKey, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import (
    PersonReinstated,
    PersonSuspended,
    RightsChanged,
)
from events.moment import Moment
from ideas_hub.answers import name_who_answers
from ideas_hub.clock import now
from ideas_hub.db import Base, reading, record, transaction
from ideas_hub.errors import Invalid, Missing, RuleBroken, _
from ideas_hub.ideas import Idea
from ideas_hub.people import (
    Actor,
    Kind,
    Person,
    PersonCard,
    Role,
    RoleHeld,
    Team,
    described,
    normalise_name,
    note_changes,
)
from ideas_hub.permissions import require
from ideas_hub.stages import checked_reason

# Model


class Suspension(Base):
    """Somebody may not act, from a moment until another."""

    __tablename__ = "suspension"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime] = mapped_column(Moment)
    lift_reason: Mapped[str] = mapped_column(Text, default="")
    lifted_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    lifted_at: Mapped[datetime | None] = mapped_column(Moment)


@dataclass(frozen=True, slots=True)
class PersonFile:
    """A person as admins see them. `email` is None for who came with an import, and cannot sign in."""

    card: PersonCard
    email: str | None
    roles: frozenset[Role]
    directorate: str | None
    since: datetime | None
    suspended: bool
    joined: PersonCard | None
    suspensions: tuple["SuspensionCard", ...] = ()


@dataclass(frozen=True, slots=True)
class SuspensionCard:
    reason: str
    by: PersonCard | None
    at: datetime
    lift_reason: str
    lifted_at: datetime | None


# Rules

NOT_STAFF = _("Roles, teams and directorates are for staff.")


def is_admin() -> ColumnElement[bool]:
    """The condition that a person is an admin who can act."""
    return sa.and_(Person.held.any(role=Role.ADMIN), Person.suspended.is_(False), Person.joined_id.is_(None))


# Commands


def change_person(
    actor: Actor,
    ref: str,
    *,
    name: str | None = None,
    kind: Kind | None = None,
    team: int | None = None,
    roles: Collection[Role] | None = None,
) -> None:
    """Change what is given of a person: `team` by its id (0: none), `roles` to those named and no others.

    Twice is harmless. Raises SignInNeeded, NotAllowed, Missing, Invalid (a resident with roles or a team; a team that is not
    there) and RuleBroken (nobody would be admin any more).
    """
    require(actor, "change_person", None)
    with transaction() as session:
        person = _locked(session, ref)
        before = described(person)
        if name is not None:
            person.name = normalise_name(name)
        person.kind = kind or person.kind
        if team is not None:
            person.team = _team(session, team) if team else None
        if roles is not None:
            _check_can_hold(person, roles)
            person.held = [held for held in person.held if held.role in roles]
            person.held += [RoleHeld(role=role) for role in sorted(set(roles) - person.roles)]
        if person.kind is Kind.RESIDENT and (person.held or person.team):
            raise Invalid.field("kind", NOT_STAFF)
        _tell(session, actor, person, before)


def suspend(actor: Actor, ref: str, *, reason: str) -> None:
    """A person may not act or sign in any more; what they wrote stays. Twice is harmless.

    Whatever they have open is theirs no more within two seconds; who they were to answer, somebody else answers. Raises
    SignInNeeded, NotAllowed, Missing, Invalid (no reason) and RuleBroken (oneself, or the last admin).
    """
    require(actor, "suspend", None)
    with transaction() as session:
        person, reason = _locked(session, ref), checked_reason(reason)
        if person.ref == actor.ref:
            raise RuleBroken(_("You cannot suspend yourself. Ask another admin."))
        if person.suspended:
            return
        person.suspended = True
        _check_admin_left(session)
        row = Suspension(person_id=person.id, reason=reason, by_id=actor.person_id, at=now())
        session.add(row)
        session.flush()
        _answered_by_others(session, person)
        record(session, PersonSuspended(person=person.ref, suspension=row.id, by=actor.ref or ""))
        record(session, RightsChanged(person=person.ref))


def lift_suspension(actor: Actor, ref: str, *, reason: str) -> None:
    """A person who was suspended may act again. Twice is harmless. Raises SignInNeeded, NotAllowed, Missing and Invalid."""
    require(actor, "suspend", None)
    with transaction() as session:
        person, reason = _locked(session, ref), checked_reason(reason)
        if not person.suspended:
            return
        person.suspended = False
        row = session.scalars(select(Suspension).where(Suspension.person_id == person.id, Suspension.lifted_at.is_(None))).one()
        row.lifted_at, row.lifted_by_id, row.lift_reason = now(), actor.person_id, reason
        record(session, PersonReinstated(person=person.ref, suspension=row.id, by=actor.ref or ""))
        record(session, RightsChanged(person=person.ref))


# Steps


def _locked(session: Session, ref: str) -> Person:
    """Step: a person, locked. Who was found to be somebody else is changed there. Raises Missing."""
    person = session.scalar(select(Person).where(Person.ref == ref, Person.joined_id.is_(None)).with_for_update(of=Person))
    if person is None:
        raise Missing
    return person


def _check_can_hold(person: Person, roles: Collection[Role]) -> None:
    if roles and person.email is None:
        raise Invalid.field("roles", _("Nobody can sign in as this person, so they can hold no role."))


def _check_admin_left(session: Session) -> None:
    """Step: of all who are admins, one at least still is. They are locked, so that two cannot remove each other."""
    session.flush()
    session.execute(select(RoleHeld.person_id).where(RoleHeld.role == Role.ADMIN).order_by(RoleHeld.person_id).with_for_update())
    if session.scalar(select(Person.id).where(is_admin()).limit(1)) is None:
        raise RuleBroken(_("Nobody would be an admin of this hub any more. Make somebody else an admin first."))


def _tell(session: Session, actor: Actor, person: Person, before: Mapping[str, str]) -> None:
    """Step: what is different of a person is told to the audit log, and to what they have open."""
    session.flush()
    if "admin" in before["roles"].split() and Role.ADMIN not in person.roles:
        _check_admin_left(session)
    if note_changes(session, person, before, by=actor.ref or ""):
        _answered_by_others(session, person)
        record(session, RightsChanged(person=person.ref))


def _answered_by_others(session: Session, person: Person) -> None:
    """Step: the clocks that name a person are asked again whom they name."""
    waiting = select(Idea).where(Idea.answer_by_id == person.id, Idea.answer_due.is_not(None)).order_by(Idea.ref)
    for idea in session.scalars(waiting.with_for_update(of=Idea)).all():
        name_who_answers(session, idea)


def _team(session: Session, id: int) -> Team:
    team = session.get(Team, id)
    if team is None:
        raise Invalid.field("team", _("Choose a team from the list."))
    return team


# Queries


def find_people(
    actor: Actor,
    *,
    question: str = "",
    kind: Kind | None = None,
    role: Role | None = None,
    suspended: bool = False,
    after: tuple[str, str] | None = None,
    limit: int = 50,
) -> tuple[list[PersonFile], tuple[str, str] | None]:
    """People by a part of their name or their address, by name, and where the next piece begins. Raises as `person_file`."""
    require(actor, "see_people", None)
    query = select(Person).where(Person.joined_id.is_(None))
    if question := " ".join(question.split()):
        like = {"autoescape": True}
        query = query.where(sa.or_(Person.name.icontains(question, **like), Person.email.icontains(question, **like)))
    if kind:
        query = query.where(Person.kind == kind)
    if role:
        query = query.where(Person.held.any(role=role))
    if suspended:
        query = query.where(Person.suspended)
    if after is not None:
        query = query.where(sa.tuple_(Person.name, Person.ref) > sa.tuple_(*map(sa.literal, after)))
    with reading() as session:
        found = session.scalars(query.order_by(Person.name, Person.ref).limit(limit + 1)).all()
        files = [_file(person) for person in found[:limit]]
    return files, (files[-1].card.name, files[-1].card.ref) if len(found) > limit else None


def person_file(actor: Actor, ref: str) -> PersonFile:
    """All that admins see of a person. Raises SignInNeeded, NotAllowed and Missing."""
    require(actor, "see_people", None)
    with reading() as session:
        person = session.scalar(select(Person).where(Person.ref == ref))
        if person is None:
            raise Missing
        by = select(Suspension, Person).outerjoin(Person, Person.id == Suspension.by_id).where(Suspension.person_id == person.id)
        suspensions = [
            SuspensionCard(row.reason, who.card() if who else None, row.at, row.lift_reason, row.lifted_at)
            for row, who in session.execute(by.order_by(Suspension.id.desc()))
        ]
        return _file(person, suspensions)


def _file(person: Person, suspensions: Sequence[SuspensionCard] = ()) -> PersonFile:
    return PersonFile(
        card=person.card(),
        email=person.email,
        roles=person.roles,
        directorate=person.team.directorate.name if person.team else None,
        since=person.since,
        suspended=person.suspended,
        joined=person.joined.card() if person.joined_id and person.joined else None,
        suspensions=tuple(suspensions),
    )
