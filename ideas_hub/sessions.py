"""How the hub knows somebody again: sessions of browsers and tokens of scripts. Both are rows, so both can be taken back.

Only a hash of each secret is kept: who reads the database cannot act as anybody.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, bindparam, delete, func, literal_column, select, type_coerce
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from events.catalogue import SessionEnded
from events.moment import Moment
from events.prepared import Prepared
from ideas_hub.addresses import normalise_email
from ideas_hub.claims import once
from ideas_hub.clock import now
from ideas_hub.db import Base, glance, reading, record, transaction
from ideas_hub.errors import Invalid, Missing, RuleBroken, _
from ideas_hub.people import NOBODY, Actor, Person, Role, RoleHeld, Team, Words, check_may_act, person_by_ref, person_with

SESSION_LASTS = timedelta(days=30)
LONGEST_NAME, LONGEST_TOKEN, MOST_TOKENS = 80, 365, 20  # characters, days, and how many one may make on one's own page
REF = 16  # letters of its digest by which a credential is called
SELDOM = timedelta(minutes=5)  # how often it is written when something was used last
MOST_USED = 20_000  # credentials whose use waits to be written; of more it is not noted

# Model


class Means(StrEnum):
    """By what somebody is known."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Whence:
    """From where somebody signed in, as roughly as it helps them to know it again."""

    browser: str = ""  # Firefox on Windows
    network: str = ""  # 192.0.2.0/24


NOWHERE = Whence()


class Credential(Base):
    __tablename__ = "credential"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    means: Mapped[Means] = mapped_column(Words(Means))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)
    name: Mapped[str] = mapped_column(String(LONGEST_NAME), default="", server_default="")  # of a token
    browser: Mapped[str] = mapped_column(String(80), default="", server_default="")
    network: Mapped[str] = mapped_column(String(50), default="", server_default="")
    provider_session: Mapped[str | None] = mapped_column(String(255))  # by whose end this one ends; empty where it has no name
    made_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)  # None: not since it was made
    until: Mapped[datetime] = mapped_column(Moment, index=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, and until when that holds; nobody's holds for ever."""

    actor: Actor
    person: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CredentialCard:
    """A session or a token as its owner sees it; `ref` tells it from their others. `is_this`: by which they look at it."""

    ref: str
    means: Means
    name: str
    browser: str
    network: str
    made_at: datetime
    used_at: datetime
    until: datetime
    is_this: bool


# Rules


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def ref_of(secret: str) -> str:
    """What tells that credential from its owner's others; it says nothing of the secret."""
    return _digest(secret)[:REF]


# Commands


def start_session(person: str, whence: Whence = NOWHERE) -> str:
    """Sign a person in, and return the secret that their browser keeps.

    Raises Missing, also for who came with an import, and RuleBroken for who is suspended.
    """
    with transaction() as session:
        somebody = person_by_ref(session, person)
        if somebody.email is None:
            raise Missing
        return grant(session, somebody, Means.SESSION, SESSION_LASTS, whence)


def make_token(email: str, days: int) -> str:
    """Make an API token for the person with that address, and return it: it is not shown again. Raises Missing."""
    with transaction() as session:
        person = person_with(session, normalise_email(email))
        if person is None:
            raise Missing
        return grant(session, person, Means.TOKEN, timedelta(days=days))


@once
def make_own_token(actor: Actor, secret: str, *, name: str, days: int) -> str:
    """That new secret is an API token of the actor, and may do what they may; return its reference.

    Raises Invalid, and RuleBroken where they have too many.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid.field("name", _("Write a name of 1 to %(most)d characters, so that you know it again."), most=LONGEST_NAME)
    if not 0 < days <= LONGEST_TOKEN:
        raise Invalid.field("days", _("Choose for how long, %(most)d days at most."), most=LONGEST_TOKEN)
    with transaction() as session:
        person = person_by_ref(session, actor.ref or "")
        query = select(func.count()).where(Credential.person_id == person.id, Credential.means == Means.TOKEN)
        if (session.scalar(query) or 0) >= MOST_TOKENS:
            raise RuleBroken(_("You have %(most)d tokens. Take one back that you no longer need."), most=MOST_TOKENS)
        grant(session, person, Means.TOKEN, timedelta(days=days), name=name, secret=secret)
        return ref_of(secret)


def end(secret: str) -> None:
    """Void a session or a token. What it has open is closed. Twice is harmless."""
    with transaction() as session:
        end_all(session, Credential.digest == _digest(secret))


def end_own(actor: Actor, ref: str) -> None:
    """Void one of the actor's own sessions or tokens. Raises Missing."""
    with transaction() as session:
        if not end_all(session, Credential.person_id == actor.person_id, func.substr(Credential.digest, 1, REF) == ref):
            raise Missing


def end_others(actor: Actor, secret: str) -> None:
    """Void all sessions of the actor but the one with that secret; tokens stay. Twice is harmless."""
    with transaction() as session:
        own = (Credential.person_id == actor.person_id, Credential.means == Means.SESSION)
        end_all(session, *own, Credential.digest != _digest(secret))


def end_expired(limit: int = 100) -> int:
    """Chore: forget what has run out, at most that many, and return how many."""
    with transaction() as session:
        query = select(Credential).where(Credential.until <= now()).order_by(Credential.until).limit(limit)
        return _end(session, session.scalars(query.with_for_update(of=Credential, skip_locked=True)))


def note_uses(limit: int = 100) -> int:
    """Chore: write when what was used in this process was used last, of at most that many, and return of how many."""
    noted = [(digest, _used.pop(digest)) for digest in list(_used)[:limit]]
    if noted:
        with transaction() as session:
            for digest, at in sorted(noted):
                session.execute(sa.update(Credential).where(Credential.digest == digest).values(used_at=at))
    return len(noted)


# Steps


def grant(
    session: Session,
    person: Person,
    means: Means,
    lasts: timedelta,
    whence: Whence = NOWHERE,
    *,
    name: str = "",
    provider_session: str | None = None,
    secret: str | None = None,
) -> str:
    """Step: a new session or token for that person, by its secret, which nobody can read again; a new one unless given.

    Raises RuleBroken for who is suspended.
    """
    check_may_act(person)
    secret, moment = secret or new_secret(), now()
    session.add(
        Credential(
            digest=_digest(secret),
            means=means,
            person_id=person.id,
            name=name,
            browser=whence.browser,
            network=whence.network,
            provider_session=provider_session,
            made_at=moment,
            until=moment + lasts,
        )
    )
    return secret


def end_all(session: Session, *conditions: sa.ColumnElement[bool]) -> int:
    """Step: void the sessions and tokens of which that is true, and return how many."""
    return _end(session, session.scalars(select(Credential).where(*conditions)))


def _end(session: Session, credentials: Iterable[Credential]) -> int:
    found = list(credentials)
    for credential in found:
        record(session, SessionEnded(person=credential.person.ref))
        session.execute(delete(Credential).where(Credential.digest == credential.digest))
    return len(found)


# Queries

_HOLDER = Prepared(  # one row: it is asked for with each request
    select(
        Credential.means,
        Credential.until,
        Person.id,
        Person.ref,
        Person.name,
        Person.kind,
        Person.since,
        Team.name.label("team"),
        # A separator that is bound would be written into the statement each time.
        select(func.aggregate_strings(type_coerce(RoleHeld.role, String), literal_column("' '")))  # type: ignore[arg-type]
        .where(RoleHeld.person_id == Person.id)
        .scalar_subquery()
        .label("roles"),
    )
    .join(Person, Person.id == Credential.person_id)
    .outerjoin(Team, Team.id == Person.team_id)
    .where(Credential.digest == bindparam("digest"), Person.suspended.is_(False))
)

_used: dict[str, datetime] = {}  # what was used in this process, and when: a GET does not write it


def identify(secret: str, means: Means) -> Identity:
    """Who holds that secret: nobody, where it is unknown, ended or run out. Roles are looked up, never remembered."""
    digest, moment = _digest(secret), now()
    holder = next(iter(glance(_HOLDER, {"digest": digest})), None)
    if holder is None or holder.means is not means or holder.until <= moment:
        return Identity(NOBODY)
    if len(_used) < MOST_USED:
        _used[digest] = moment
    roles = frozenset(Role(role) for role in (holder.roles or "").split())
    actor = Actor(holder.id, holder.ref, holder.name, holder.kind, holder.team, roles, holder.since)
    return Identity(actor, holder.ref, holder.until)


def credentials_of(actor: Actor, secret: str) -> list[CredentialCard]:
    """The actor's sessions and tokens that still hold, the last used first; `secret` is that of who asks."""
    with reading() as session:
        query = select(Credential).where(Credential.person_id == actor.person_id, Credential.until > now())
        found = session.scalars(query.order_by(Credential.made_at, Credential.digest)).all()
    return sorted((_card(each, secret) for each in found), key=lambda card: (card.is_this, card.used_at), reverse=True)


def _card(credential: Credential, secret: str) -> CredentialCard:
    return CredentialCard(
        ref=credential.digest[:REF],
        means=credential.means,
        name=credential.name,
        browser=credential.browser,
        network=credential.network,
        made_at=credential.made_at,
        used_at=_used.get(credential.digest) or credential.used_at or credential.made_at,
        until=credential.until,
        is_this=credential.digest == _digest(secret),
    )
