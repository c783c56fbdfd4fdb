"""Claims: who sends something with a key may send it again when the answer was lost, and it is done once.

The request says what is claimed (`claim`); a command marked `@once` writes the claim in its own transaction, with the
reference it returns. Asked again, it does nothing and returns that. Only the reference is kept: what is answered is read
anew, through the permission of who asks. What was refused is not kept, and may be sent again with the same key.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.moment import Moment
from ideas_hub.clock import now
from ideas_hub.db import Base, shared_transaction, transaction
from ideas_hub.errors import Invalid, _

P = ParamSpec("P")
R = TypeVar("R", bound=str | None)

KEPT_FOR = timedelta(hours=24)
LONGEST_KEY = 255

# Model


class Claim(Base):
    """Somebody's key, a hash of what was asked with it, and the reference of what it made."""

    __tablename__ = "claim"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(LONGEST_KEY), primary_key=True)
    asked: Mapped[str] = mapped_column(String(64))
    made: Mapped[str | None] = mapped_column(String(16))
    at: Mapped[datetime] = mapped_column(Moment, index=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request claims: the person's database id, their key, and a hash of what is asked with it."""

    person_id: int
    key: str
    what: str


_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)


def claim(asked: Asked | None) -> None:
    """From now on, what is done in this context is done for that claim; for none with None."""
    _asked.set(asked)


# Commands


def once(command: Callable[P, R]) -> Callable[P, R]:
    """Have a command done once for each claim, also when it is asked for again after a crash.

    It returns a reference or None, and reads nothing after its transaction. Besides what the command raises: Invalid (the
    key was used for something else) and AtWork (it is being done at this moment).
    """

    @wraps(command)
    def done_once(*args: P.args, **kwargs: P.kwargs) -> R:
        asked = _asked.get()
        if asked is None:
            return command(*args, **kwargs)
        with shared_transaction(f"claim {asked.person_id} {asked.key}") as session:
            if (found := _claim_of(session, asked)) is not None:
                return cast(R, found.made)
            made = command(*args, **kwargs)
            session.add(Claim(person_id=asked.person_id, key=asked.key, asked=asked.what, made=made, at=now()))
        return made

    return done_once


def forget_claims(limit: int = 100) -> int:
    """Chore: forget claims that are older than a day, at most that many, and return how many."""
    with transaction() as session:
        old = sa.select(Claim.person_id, Claim.key).where(Claim.at <= now() - KEPT_FOR).order_by(Claim.at).limit(limit)
        rows = session.execute(old.with_for_update(skip_locked=True)).all()
        for person_id, key in rows:
            session.execute(sa.delete(Claim).where(Claim.person_id == person_id, Claim.key == key))
        return len(rows)


# Steps


def _claim_of(session: Session, asked: Asked) -> Claim | None:
    """The claim that stands under that key. Raises Invalid where it was for something else."""
    found = session.get(Claim, (asked.person_id, asked.key))
    if found is not None and found.at <= now() - KEPT_FOR:
        session.delete(found)
        session.flush()
        return None
    if found is not None and found.asked != asked.what:
        raise Invalid.field("Idempotency-Key", _("This key was sent with something else. Use a new key for each thing you send."))
    return found
