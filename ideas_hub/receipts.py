"""Receipts: what somebody voted for, when, and whether it counts. Queries only, and for nobody but that person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import select

from ideas_hub.bursts import Burst, Fate, HeldVote
from ideas_hub.db import reading
from ideas_hub.errors import SignInNeeded
from ideas_hub.ideas import Idea
from ideas_hub.people import Actor, Kind
from ideas_hub.permissions import visible_to
from ideas_hub.votes import Vote, VoterKey


@dataclass(frozen=True, slots=True)
class Receipt:
    """One's own vote. `title` is None of an idea that one may no longer see; `at` of a vote from before times were noted.

    `level`: what the hub knows of who cast it. `fate` is None where it counts, and counted from the beginning.
    """

    idea: str | None
    title: str | None
    lang: str
    level: Kind
    at: datetime | None
    counts: bool
    fate: Fate | None
    reason: str
    decided_at: datetime | None


def receipts(
    actor: Actor, *, after: tuple[Any, int] | None = None, limit: int = 50
) -> tuple[list[Receipt], tuple[Any, int] | None]:
    """The actor's votes, the newest first, and where the next piece begins. Raises SignInNeeded."""
    if actor.person_id is None:
        raise SignInNeeded
    with reading() as session:
        key = select(VoterKey.key).where(VoterKey.person_id == actor.person_id).scalar_subquery()
        counted = select(Vote.idea_id, Vote.kind, Vote.at, sa.true().label("counts")).where(Vote.voter == key)
        kept = HeldVote.fate.in_((Fate.HELD, Fate.REFUSED))
        held = select(HeldVote.idea_id, HeldVote.kind, HeldVote.at, sa.false().label("counts")).where(HeldVote.voter == key, kept)
        own = sa.union_all(counted, held).subquery()
        at = sa.func.coalesce(own.c.at, sa.literal(_LONG_AGO, own.c.at.type))
        query = (
            select(
                own, at.label("place"), Idea.ref, Idea.title, Idea.lang, HeldVote.fate, Burst.reason, Burst.at.label("decided_at")
            )
            .select_from(own)
            .outerjoin(Idea, sa.and_(Idea.id == own.c.idea_id, visible_to(actor, Idea)))
            .outerjoin(HeldVote, sa.and_(HeldVote.idea_id == own.c.idea_id, HeldVote.voter == key))
            .outerjoin(Burst, Burst.id == HeldVote.burst_id)
        )
        if after is not None:
            last = (sa.literal(after[0], own.c.at.type), sa.literal(after[1]))
            query = query.where(sa.tuple_(at, own.c.idea_id) < sa.tuple_(*last))
        rows = session.execute(query.order_by(sa.desc("place"), own.c.idea_id.desc()).limit(limit + 1)).all()
    more, rows = len(rows) > limit, rows[:limit]
    return [_receipt(row) for row in rows], (rows[-1].place, rows[-1].idea_id) if more else None


def _receipt(row: Any) -> Receipt:
    fate = None if row.fate is Fate.WITHDRAWN else row.fate
    return Receipt(
        idea=row.ref,
        title=row.title,
        lang=row.lang or "en",
        level=row.kind,
        at=row.at,
        counts=row.counts,
        fate=fate,
        reason=row.reason or "" if fate else "",
        decided_at=row.decided_at if fate else None,
    )


_LONG_AGO = datetime.fromisoformat("0001-01-01T00:00:00+00:00")
