"""The outbox: mails that wait to be sent, and what became of them.

A mail is put in with the change that it tells of. Who sends it (`web/mail.py`) claims it for a while, sends it outside any
transaction, and then says so: each is sent at least once, whatever dies meanwhile, and always under the same reference. What it
says is written when it is sent; here stands only what that needs, and no longer than it is needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.moment import Moment
from ideas_hub.addresses import mailbox_of
from ideas_hub.clock import now
from ideas_hub.db import Base, new_ref, reading, transaction
from ideas_hub.people import Person

LEASE = timedelta(minutes=10)  # for which a mail is its sender's; longer than sending a batch may take
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(minutes=15)  # after a failure; doubled with each
GIVEN_UP_AFTER = timedelta(days=3)
KEPT = timedelta(days=30)  # for which it is remembered what became of a mail

# Model


class Mail(Base):
    """`due_at` is empty where nothing more is to be done: it was sent, or given up. Who claims a mail moves it on by a lease."""

    __tablename__ = "mail"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(16), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(254))  # as it was typed; none once it was sent
    mailbox: Mapped[str | None] = mapped_column(String(254), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    made_at: Mapped[datetime] = mapped_column(Moment, index=True)
    due_at: Mapped[datetime | None] = mapped_column(Moment, index=True)
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime | None] = mapped_column(Moment)
    error: Mapped[str] = mapped_column(String(200), default="")  # what the last attempt was told


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail that was claimed, `until` then. `email` is where to: the address that its person gave first, where there is one.

    So a mail for another spelling of somebody's address goes to nobody else, whatever their provider makes of it.
    """

    id: int
    ref: str
    kind: str
    email: str
    data: Mapping[str, Any]
    tries: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that was not sent: when it was put in, when it is tried next (never, where it was given up), and why not yet."""

    ref: str
    kind: str
    made_at: datetime
    due_at: datetime | None
    tries: int
    error: str


# Rules


def wait_after(tries: int) -> timedelta:
    """How long to wait after so many attempts that failed."""
    return min(FIRST_WAIT * 2 ** min(tries - 1, 20), LONGEST_WAIT)


# Commands


def claim_mails(limit: int = 10) -> list[Letter]:
    """The mails that are due, at most so many, the longest due first; for the length of a lease nobody else gets them."""
    with transaction() as session:
        query = select(Mail).where(Mail.due_at <= now()).order_by(Mail.due_at, Mail.id).limit(limit)
        mails = session.scalars(query.with_for_update(skip_locked=True)).all()
        known = select(Person.mailbox, Person.email).where(Person.mailbox.in_([mail.mailbox for mail in mails]))
        first = {row.mailbox: row.email for row in session.execute(known)}
        until = now() + LEASE
        for mail in mails:
            mail.due_at, mail.tries = until, mail.tries + 1
        return [
            Letter(mail.id, mail.ref, mail.kind, first.get(mail.mailbox) or mail.email or "", mail.data, mail.tries, until)
            for mail in mails
        ]


def mail_sent(letter: Letter) -> None:
    """The mail is out of the house, and nothing of what it said is kept. Twice is harmless."""
    with transaction() as session:
        mail = _claimed(session, letter)
        if mail is not None:
            mail.sent_at, mail.due_at, mail.error = now(), None, ""
            mail.email, mail.mailbox, mail.data = None, None, {}


def mail_failed(letter: Letter, error: str, *, for_good: bool = False) -> bool:
    """The mail was not sent. It is tried again later, unless that was `for_good` or has gone on for days; is it given up?"""
    with transaction() as session:
        mail = _claimed(session, letter)
        if mail is None:
            return False
        given_up = for_good or now() - mail.made_at >= GIVEN_UP_AFTER
        mail.due_at = None if given_up else now() + wait_after(mail.tries)
        mail.error = error[:200]
        return given_up


def put_back_mail(letter: Letter) -> None:
    """The mail was claimed and not tried: it is due again, as if nobody had claimed it."""
    with transaction() as session:
        mail = _claimed(session, letter)
        if mail is not None:
            mail.due_at, mail.tries = now(), mail.tries - 1


def forget_mails(limit: int = 100) -> int:
    """Chore: what became of mails a month ago is forgotten; returns of how many."""
    with transaction() as session:
        query = select(Mail.id).where(Mail.made_at <= now() - KEPT, Mail.due_at.is_(None)).order_by(Mail.made_at).limit(limit)
        ids = session.scalars(query.with_for_update(skip_locked=True)).all()
        session.execute(sa.delete(Mail).where(Mail.id.in_(ids)))
        return len(ids)


# Steps


def put_mail(session: Session, kind: str, email: str, data: Mapping[str, Any], *, refused: str = "") -> Mail:
    """Step: a mail of that kind goes to that address, unless it is `refused`: then it is written down as given up, and why."""
    mail = Mail(
        ref=new_ref() + new_ref(),
        kind=kind,
        email=email,
        mailbox=mailbox_of(email),
        data=dict(data),
        made_at=now(),
        due_at=None if refused else now(),
        tries=0,
        error=refused,
    )
    session.add(mail)
    session.flush()
    return mail


def drop_mails(session: Session, mailbox: str) -> None:
    """Step: nothing is sent to that mailbox any more of what waits, and it is not named any more."""
    session.execute(sa.delete(Mail).where(Mail.mailbox == mailbox))


def _claimed(session: Session, letter: Letter) -> Mail | None:
    """The mail, if it is still who claimed it: after the lease it may be somebody else's."""
    return session.scalar(select(Mail).where(Mail.id == letter.id, Mail.due_at == letter.until).with_for_update())


# Queries


def is_mail_due() -> bool:
    """Is there a mail to be claimed? Asked often, and changes nothing."""
    with reading() as session:
        return session.scalar(select(Mail.id).where(Mail.due_at <= now()).limit(1)) is not None


def unsent_mails(limit: int = 100) -> list[Waiting]:
    """Mails that wait or were given up, the oldest first."""
    with reading() as session:
        query = select(Mail).where(Mail.sent_at.is_(None)).order_by(Mail.made_at, Mail.id).limit(limit)
        return [Waiting(m.ref, m.kind, m.made_at, m.due_at, m.tries, m.error) for m in session.scalars(query)]
