"""Links by mail: how somebody proves that an address is theirs, without a password.

Who asks is sent a link and, for the browser in which they asked, a code of six digits. Whichever is used first ends both. The
database holds neither: both are made from a random word that stands here and a key of the installation that does not, when the
mail is written, and are known again by their hashes.

What somebody without an account has written waits with the link (`act`), and is carried out when it is used: `pending.py`.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from events.moment import Moment
from ideas_hub.addresses import mailbox_of, normalise_email
from ideas_hub.clock import now
from ideas_hub.db import Base, reading, transaction
from ideas_hub.errors import Missing, RuleBroken, _
from ideas_hub.outbox import Mail, put_mail

LASTS = timedelta(minutes=10)  # from when the mail was sent: a mail server that is down takes nobody's time
KEPT = timedelta(days=3)  # for which what was written waits, and may be sent a new link
MOST_LINKS, WITHIN = 5, timedelta(hours=1)  # that are sent to a mailbox
MOST_WRONG_CODES = 3
KIND = "link"  # of the mails that carry one

# Model


class MailLink(Base):
    """`word` and the key of the installation make the link's token and code; `digest` is the token's, `browser` that of what the
    asking browser keeps. `act`: what waits for it."""

    __tablename__ = "mail_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(String(43))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    browser: Mapped[str] = mapped_column(String(64), index=True)
    email: Mapped[str] = mapped_column(String(254))
    mailbox: Mapped[str] = mapped_column(String(254))
    name: Mapped[str] = mapped_column(String(120), default="")  # under which they want to be known, where they said so
    act: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    mail_id: Mapped[int | None] = mapped_column(ForeignKey(Mail.id, ondelete="SET NULL"), index=True)
    mail: Mapped[Mail | None] = relationship(lazy="joined")
    made_at: Mapped[datetime] = mapped_column(Moment, index=True)
    wrong_codes: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (sa.Index("ix_mail_link_mailbox", "mailbox", "made_at"),)

    @property
    def state(self) -> "State":
        if self.used_at is not None:
            return State.USED
        sent_at = self.mail.sent_at if self.mail else self.made_at
        return State.OPEN if sent_at is None or now() < sent_at + LASTS else State.OVER

    @property
    def is_told_to_nobody(self) -> bool:
        """Will no mail say what its token and code are? Then only somebody who guesses can have them."""
        return self.mail is not None and self.mail.sent_at is None and self.mail.due_at is None


class State(StrEnum):
    """Whether a link can be used: once, and for ten minutes."""

    OPEN = "open"
    USED = "used"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Asked:
    """A link that was asked for, as its browser and its reader may know it."""

    email: str
    name: str
    act: Mapping[str, Any]
    state: State


# Rules

USED = _("This link was used already. Each works once; ask for another.")
OVER = _("This link worked for ten minutes, and they are over. Ask for another.")
WRONG_CODE = _("That is not the code in the mail we sent for this browser. Look again, or use the link.")
NO_MORE_CODES = _("The code was wrong too often. Use the link in the mail, or ask for another.")


def token_of(key: str, word: str) -> str:
    """The token of 256 bits that a link carries."""
    return base64.urlsafe_b64encode(_made(key, f"link {word}")).decode().rstrip("=")


def code_of(key: str, word: str) -> str:
    """The six digits that do the same in the browser that asked."""
    return f"{int.from_bytes(_made(key, f'code {word}')) % 1_000_000:06}"


def _made(key: str, what: str) -> bytes:
    return hmac.digest(key.encode(), what.encode(), "sha256")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def check_open(link: MailLink) -> None:
    """Raises RuleBroken where the link was used, or its time is over."""
    if link.state is not State.OPEN:
        raise RuleBroken(USED if link.state is State.USED else OVER)


# Commands


def ask_for_link(email: str, *, key: str, then: str = "") -> str:
    """A link to sign in is on its way to that address; returns what the browser that asked keeps. It leads to the page `then`.

    Nothing is looked up of who has the address, and nothing that is done or returned depends on it. Raises Invalid.
    """
    address = normalise_email(email)
    with transaction() as session:
        return ask(session, address, key=key, act={"then": then})


def renew_link(token: str, *, key: str) -> None:
    """A link that ran out is sent anew, to the same address, with what waits for it. Raises Missing, and RuleBroken for one that
    was used."""
    with transaction() as session:
        link = find_link(session, token)
        if link.state is State.USED:
            raise RuleBroken(USED)
        _put_link(session, link.email, key=key, act=link.act, name=link.name, browser=link.browser)
        _end(link)


def forget_links(limit: int = 100) -> int:
    """Chore: links of three days ago are forgotten, with what waited for them; returns how many."""
    with transaction() as session:
        query = select(MailLink.id).where(MailLink.made_at <= now() - KEPT).order_by(MailLink.made_at).limit(limit)
        ids = session.scalars(query.with_for_update(of=MailLink, skip_locked=True)).all()
        session.execute(sa.delete(MailLink).where(MailLink.id.in_(ids)))
        return len(ids)


# Steps


def ask(session: Session, email: str, *, key: str, act: Mapping[str, Any], name: str = "") -> str:
    """Step: a link for that address is on its way, and `act` waits for it; returns what the browser that asked keeps.

    Of one mailbox only so many in an hour are sent. The others are written down alike: who asks is not told how many others did.
    """
    browser = secrets.token_urlsafe(32)
    _put_link(session, email, key=key, act=act, name=name, browser=_digest(browser))
    return browser


def _put_link(session: Session, email: str, *, key: str, act: Mapping[str, Any], name: str, browser: str) -> None:
    word, mailbox = secrets.token_urlsafe(32), mailbox_of(email)
    lately = select(func.count()).where(MailLink.mailbox == mailbox, MailLink.made_at > now() - WITHIN)
    refused = "too many in an hour" if (session.scalar(lately) or 0) >= MOST_LINKS else ""
    mail = put_mail(session, KIND, email, {"word": word, "act": summary(act)}, refused=refused)
    session.add(
        MailLink(
            word=word,
            digest=_digest(token_of(key, word)),
            browser=browser,
            email=email,
            mailbox=mailbox,
            name=name,
            act=dict(act),
            mail_id=mail.id,
            made_at=now(),
        )
    )


def summary(act: Mapping[str, Any]) -> dict[str, Any]:
    """Of what waits, as much as a mail says and a used link remembers: nothing that somebody could have typed."""
    return {name: act[name] for name in ("what", "idea") if name in act}


def find_link(session: Session, token: str) -> MailLink:
    """Step: the link with that token, locked. Raises Missing."""
    link = session.scalar(select(MailLink).where(MailLink.digest == _digest(token)).with_for_update(of=MailLink))
    if link is None:
        raise Missing
    return link


def link_by_code(session: Session, browser: str, code: str, *, key: str) -> MailLink | None:
    """Step: the last link that was asked for in that browser, locked, if the code is its; a wrong code is counted, and None.

    Raises Missing (the browser asked for none) and RuleBroken (too many wrong codes, used, over).
    """
    query = select(MailLink).where(MailLink.browser == _digest(browser)).order_by(MailLink.id.desc()).limit(1)
    link = session.scalar(query.with_for_update(of=MailLink))
    if link is None:
        raise Missing
    check_open(link)
    if link.wrong_codes >= MOST_WRONG_CODES:
        raise RuleBroken(NO_MORE_CODES)
    is_right = hmac.compare_digest(code_of(key, link.word), "".join(code.split()))
    if not is_right or link.is_told_to_nobody:  # else who asks often enough could guess as often
        link.wrong_codes += 1
        return None
    return link


def use(link: MailLink) -> None:
    """Step: the link has been used, and no word of what waited for it is kept."""
    check_open(link)
    _end(link)


def _end(link: MailLink) -> None:
    link.used_at, link.act, link.name = now(), summary(link.act), ""


def drop_links(session: Session, mailbox: str) -> None:
    """Step: no link for that mailbox works any more, and nothing waits for one."""
    session.execute(sa.delete(MailLink).where(MailLink.mailbox == mailbox))


# Queries


def link_with(token: str) -> Asked:
    """The link with that token: for who holds it. Nothing is changed by looking. Raises Missing."""
    return _asked(MailLink.digest == _digest(token))


def asked_in(browser: str) -> Asked:
    """The last link that was asked for in that browser. Raises Missing."""
    return _asked(MailLink.browser == _digest(browser))


def _asked(condition: sa.ColumnElement[bool]) -> Asked:
    with reading() as session:
        link = session.scalar(select(MailLink).where(condition).order_by(MailLink.id.desc()).limit(1))
        if link is None:
            raise Missing
        return Asked(link.email, link.name, link.act, link.state)
