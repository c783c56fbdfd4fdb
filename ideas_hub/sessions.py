"""How the hub knows somebody again: sessions of browsers and tokens of scripts. Both are rows, so both can be taken back.

Only a hash of each secret is kept: who reads the database cannot act as anybody.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, String, bindparam, delete, func, select, type_coerce
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from events.catalogue import SessionEnded
from events.moment import Moment
from ideas_hub.addresses import normalise_email
from ideas_hub.clock import now
from ideas_hub.db import Base, reading, record, transaction
from ideas_hub.errors import Missing
from ideas_hub.people import NOBODY, Actor, Person, Role, RoleHeld, Team, Words, person_by_ref, person_with

SESSION_LASTS = timedelta(days=30)

# Model


class Means(StrEnum):
    """By what somebody is known."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105


class Credential(Base):
    __tablename__ = "credential"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    means: Mapped[Means] = mapped_column(Words(Means))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)
    made_at: Mapped[datetime] = mapped_column(Moment)
    until: Mapped[datetime] = mapped_column(Moment, index=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, and until when that holds; nobody's holds for ever."""

    actor: Actor
    person: str | None = None
    until: datetime | None = None


# Rules


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


# Commands


def start_session(person: str) -> str:
    """Sign a person in, and return the secret that their browser keeps. Raises Missing, also for who came with an import."""
    with transaction() as session:
        somebody = person_by_ref(session, person)
        if somebody.email is None:
            raise Missing
        return _grant(session, somebody, Means.SESSION, SESSION_LASTS)


def make_token(email: str, days: int) -> str:
    """Make an API token for the person with that address, and return it: it is not shown again. Raises Missing."""
    with transaction() as session:
        person = person_with(session, normalise_email(email))
        if person is None:
            raise Missing
        return _grant(session, person, Means.TOKEN, timedelta(days=days))


def end(secret: str) -> None:
    """Void a session or a token. What it has open is closed. Twice is harmless."""
    with transaction() as session:
        credential = session.get(Credential, _digest(secret))
        if credential is not None:
            _end(session, credential)


def end_expired(limit: int = 100) -> int:
    """Chore: forget what has run out, at most that many, and return how many."""
    with transaction() as session:
        query = select(Credential).where(Credential.until <= now()).order_by(Credential.until).limit(limit)
        expired = session.scalars(query.with_for_update(of=Credential, skip_locked=True)).all()
        for credential in expired:
            _end(session, credential)
        return len(expired)


def _grant(session: Session, person: Person, means: Means, lasts: timedelta) -> str:
    secret = secrets.token_urlsafe(32)
    session.add(Credential(digest=_digest(secret), means=means, person_id=person.id, made_at=now(), until=now() + lasts))
    return secret


def _end(session: Session, credential: Credential) -> None:
    record(session, SessionEnded(person=credential.person.ref))
    session.execute(delete(Credential).where(Credential.digest == credential.digest))


# Queries

_HOLDER = (  # one row: it is asked for with each request
    select(
        Credential.means,
        Credential.until,
        Person.id,
        Person.ref,
        Person.name,
        Person.kind,
        Team.name.label("team"),
        select(func.aggregate_strings(type_coerce(RoleHeld.role, String), " "))
        .where(RoleHeld.person_id == Person.id)
        .scalar_subquery()
        .label("roles"),
    )
    .join(Person, Person.id == Credential.person_id)
    .outerjoin(Team, Team.id == Person.team_id)
    .where(Credential.digest == bindparam("digest"))
)


def identify(secret: str, means: Means) -> Identity:
    """Who holds that secret: nobody, where it is unknown, ended or run out. Roles are looked up, never remembered."""
    with reading() as session:
        holder = session.connection().execute(_HOLDER, {"digest": _digest(secret)}).one_or_none()
    if holder is None or holder.means is not means or holder.until <= now():
        return Identity(NOBODY)
    roles = frozenset(Role(role) for role in (holder.roles or "").split())
    return Identity(Actor(holder.id, holder.ref, holder.name, holder.kind, holder.team, roles), holder.ref, holder.until)
