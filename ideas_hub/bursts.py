"""Bursts: votes that look stuffed are held, by a rule that anybody can read (docs/votes.md), until a moderator has looked.

The rule looks at residents who are new to the hub, and at nobody else: staff, and residents who have been here for a while, are
never held, however many of them share a network. Where enough newcomers have come from one network to one idea within a while,
the votes of those who follow are held. The first ones count: they may be a library, a school or a family.

Newcomers who come from many networks are not held: nothing but their number would speak against them. Where there are many
within a while, moderators are told: that is a *rush*, and they may refuse its votes (`moderation.py`).

Of the network the hub keeps a keyed hash, salted with the idea: it tells whether two votes for one idea came from the same place,
and nothing about who votes for what elsewhere. It is forgotten after `KEPT_FOR`.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import IdeaVotesHeld, VoteHeld, VoteWithdrawn
from events.moment import Moment
from events.prepared import Prepared
from ideas_hub.clock import now
from ideas_hub.db import Base, add_many, new_ref, record, transaction
from ideas_hub.errors import RuleBroken, _
from ideas_hub.ideas import Idea, touch
from ideas_hub.people import Actor, Kind, Words
from ideas_hub.settings import RANGES, Settings, settings

KEPT_FOR = timedelta(days=30)
STRICTEST = Settings(newcomer_days=RANGES["newcomer_days"][1])  # who is not new by this is not new

# Model


class Arrival(Base):
    """A newcomer came to an idea to vote for it, from a network. Kept for as long as it can matter."""

    __tablename__ = "arrival"

    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), primary_key=True)
    voter: Mapped[str] = mapped_column(String(22), primary_key=True)
    network: Mapped[str] = mapped_column(String(22))
    at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_arrival_network", "idea_id", "network", "at"), Index("ix_arrival_at", "at"))


class Fate(StrEnum):
    """What became of a burst, or of a vote in it."""

    HELD = "held"
    RELEASED = "released"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"  # by who cast it


class Burst(Base):
    """Votes for one idea that came from one network and are held, and what a moderator decided about all of them.

    In a `rush` they came from wherever since `began_at`, and count unless they are refused.
    """

    __tablename__ = "burst"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(16), unique=True, default=new_ref)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"))
    network: Mapped[str | None] = mapped_column(String(22))  # None: forgotten, or a rush
    rush: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    began_at: Mapped[datetime] = mapped_column(Moment)
    fate: Mapped[Fate] = mapped_column(Words(Fate), default=Fate.HELD)
    reason: Mapped[str] = mapped_column(Text, default="")
    by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime | None] = mapped_column(Moment)  # when it was decided

    __table_args__ = (Index("ix_burst_idea", "idea_id"), Index("ix_burst_fate", "fate", "began_at"))


class HeldVote(Base):
    """A vote that was held: it counts from `at` where it was released, and stands in `vote` then."""

    __tablename__ = "held_vote"

    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), primary_key=True)
    voter: Mapped[str] = mapped_column(String(22), primary_key=True)
    burst_id: Mapped[int] = mapped_column(ForeignKey(Burst.id, ondelete="CASCADE"), index=True)
    kind: Mapped[Kind] = mapped_column(Words(Kind))
    at: Mapped[datetime] = mapped_column(Moment)
    fate: Mapped[Fate] = mapped_column(Words(Fate), default=Fate.HELD)

    __table_args__ = (Index("ix_held_vote_voter", "voter"),)


# Rules

Whence = Callable[[str], str | None] | None
_networks: ContextVar[Whence] = ContextVar("networks", default=None)


def came_from() -> Whence:
    """From where votes come in this context."""
    return _networks.get()


def come_from(network: Whence) -> None:
    """From now on in this context, votes come from that network: by an idea's reference, its hash there, or None.

    With None, and where it answers None, nobody knows from where, and nothing is held for it.
    """
    _networks.set(network)


def is_newcomer(actor: Actor, rule: Settings, at: datetime) -> bool:
    """Is the actor a resident whom the hub has known for so short a time that their votes may be held?"""
    return actor.kind is Kind.RESIDENT and actor.since is not None and actor.since > at - timedelta(days=rule.newcomer_days)


# Steps


def hold(session: Session, actor: Actor, idea: Any, voter: str, whence: Whence, counts: Callable[[], bool]) -> bool:
    """Step: hold a vote that the rule says is to be held, and say whether it is. The idea's row must be locked.

    `counts`: does one of theirs count already? Then it stays so. Of who is known for long this asks nothing in the database,
    unless the idea has a vote that was held. Raises RuleBroken (a moderator refused this vote).
    """
    own = _own(session, idea, voter)
    if own is not None and own.fate is Fate.HELD:
        return True
    burst = _burst_of(session, actor, idea, voter, whence, counts) if own is None else _burst_again(session, idea, own)
    if burst is None:
        return False
    kind, at = actor.kind or Kind.RESIDENT, now()
    _hold_under(session, idea, HeldVote(idea_id=idea.id, voter=voter, burst_id=burst.id, kind=kind, at=at))
    return True


def withdraw(session: Session, idea: Any, voter: str) -> bool:
    """Step: take back a vote that is held, and say whether there was one. The idea's row must be locked."""
    own = session.get(HeldVote, (idea.id, voter)) if idea.votes_held else None
    if own is None or own.fate is not Fate.HELD:
        return False
    own.fate = Fate.WITHDRAWN
    _count(session, idea, -1)
    record(session, VoteWithdrawn(idea=idea.ref, voter=voter))
    return True


def held(session: Session, idea: Idea) -> Sequence[HeldVote]:
    """Step: the votes for an idea that are held, in one order."""
    query = select(HeldVote).where(HeldVote.idea_id == idea.id, HeldVote.fate == Fate.HELD)
    return session.scalars(query.order_by(HeldVote.voter)).all() if idea.votes_held else ()


def refused(session: Session, idea: Idea) -> set[str]:
    """Step: whose votes for the idea were refused."""
    query = select(HeldVote.voter).where(HeldVote.idea_id == idea.id, HeldVote.fate == Fate.REFUSED)
    return set(session.scalars(query)) if idea.votes_refused else set()


def move(session: Session, vote: HeldVote, idea: Idea, into: Idea) -> None:
    """Step: a vote that is held is held for another idea instead, with its burst. Both rows must be locked."""
    burst, kind = session.get_one(Burst, vote.burst_id), vote.kind
    withdraw(session, idea, vote.voter)
    before = session.get(HeldVote, (into.id, vote.voter))
    if before is not None and before.fate is not Fate.WITHDRAWN:
        return
    if burst.idea_id != into.id:
        burst.idea_id = into.id
        record(session, IdeaVotesHeld(idea=into.ref, burst=burst.ref, audience=into.effective_audience))
    _hold_under(session, into, HeldVote(idea_id=into.id, voter=vote.voter, burst_id=burst.id, kind=kind, at=now()))


def hold_as(session: Session, idea: Idea, vote: HeldVote, voter: str) -> HeldVote:
    """Step: a vote that stands no more is held under another key, since the same moment. The idea's row must be locked."""
    same = HeldVote(idea_id=idea.id, voter=voter, burst_id=vote.burst_id, kind=vote.kind, at=vote.at)
    return _hold_under(session, idea, same, since=vote.at.isoformat())


def drop_refused(session: Session, idea: Idea, vote: HeldVote) -> None:
    """Step: a vote that was refused is there no more: who cast it is somebody else. The idea's row must be locked."""
    vote.fate = Fate.WITHDRAWN
    idea.votes_refused -= 1
    touch(idea)
    record(session, VoteWithdrawn(idea=idea.ref, voter=vote.voter))


def _hold_under(session: Session, idea: Any, vote: HeldVote, *, since: str = "") -> HeldVote:
    vote.fate = Fate.HELD
    kept = session.merge(vote)
    _count(session, idea, +1)
    record(session, VoteHeld(idea=idea.ref, voter=vote.voter, since=since))
    return kept


def _own(session: Session, idea: Any, voter: str) -> HeldVote | None:
    if not (idea.votes_held or idea.votes_refused):
        return None
    own = session.get(HeldVote, (idea.id, voter))
    if own is not None and own.fate is Fate.REFUSED:
        reason = session.get_one(Burst, own.burst_id).reason
        raise RuleBroken(_("Your vote for this idea was held, and refused by a moderator: %(reason)s"), reason=reason)
    return own


def _burst_of(session: Session, actor: Actor, idea: Any, voter: str, whence: Whence, counts: Callable[[], bool]) -> Burst | None:
    """Step: the burst that a new vote is part of; None where it counts. Notes that a newcomer came."""
    at = now()
    if whence is None or not is_newcomer(actor, STRICTEST, at):
        return None
    rule, network = settings(session), whence(idea.ref)
    if network is None or not is_newcomer(actor, rule, at):
        return None
    are_enough = _are_enough(session, idea, network, at - timedelta(minutes=rule.burst_minutes), rule.burst_votes)
    is_first = add_many(session, Arrival, [{"idea_id": idea.id, "voter": voter, "network": network, "at": at}])
    if not is_first:
        again = session.get(HeldVote, (idea.id, voter))
        return None if again is None else _burst_again(session, idea, again)
    return _under_way(session, idea, network) if are_enough and not counts() else None


def _burst_again(session: Session, idea: Any, own: HeldVote) -> Burst | None:
    """Step: the burst of a vote that was held, taken back, and is cast again: it does not escape by that."""
    last = session.get_one(Burst, own.burst_id)
    if last.fate is Fate.REFUSED:
        return _under_way(session, idea, last.network)
    return last if last.fate is Fate.HELD else None


def _under_way(session: Session, idea: Any, network: str | None) -> Burst | None:
    """Step: the burst from that network that is under way, begun where there is none; None where a moderator has released it."""
    own = (Burst.idea_id == idea.id, Burst.network == network, Burst.rush.is_(False))
    last = session.scalar(select(Burst).where(*own).order_by(Burst.id.desc()).limit(1))
    if last is None or last.fate is Fate.REFUSED:
        return _begin(session, idea, network)
    return last if last.fate is Fate.HELD else None


def _are_enough(session: Session, idea: Any, network: str, since: datetime, number: int) -> bool:
    """Have so many newcomers come from that network to the idea since then? It never takes long, however many have."""
    of = {"idea": idea.id, "network": network, "since": since, "others": number - 1}
    return bool(_LAST_OF_ENOUGH(session, of))


# The limit is no value that is handed in: SQLite would prepare the statement anew for each.
_LAST_OF_ENOUGH = Prepared(
    select(sa.literal_column("1").label("is_there"))
    .where(
        Arrival.idea_id == sa.bindparam("idea"),
        Arrival.network == sa.bindparam("network"),
        Arrival.at > sa.bindparam("since"),
    )
    .limit(sa.literal_column("1"))
    .offset(sa.bindparam("others", type_=sa.Integer))
)


def _begin(session: Session, idea: Any, network: str | None) -> Burst:
    """Step: a burst is under way, and is told."""
    burst = Burst(idea_id=idea.id, network=network, began_at=now())
    session.add(burst)
    session.flush()
    record(session, IdeaVotesHeld(idea=idea.ref, burst=burst.ref, audience=idea.effective_audience))
    return burst


def _count(session: Session, idea: Any, change: int) -> None:
    """Step: so many more votes are held. `idea` is its row, or what a vote reads of it."""
    idea.votes_held += change
    touch(idea)
    if not isinstance(idea, Idea):
        changes = f"changes_{idea.effective_audience.word}"
        values = {"votes_held": idea.votes_held, changes: getattr(idea, changes)}
        session.execute(sa.update(Idea).where(Idea.id == idea.id).values(values))


# Commands


def forget_networks(limit: int = 100) -> int:
    """Chore: forget from where votes came that are older than `KEPT_FOR`, at most so many, and return how many."""
    with transaction() as session:
        old = now() - KEPT_FOR
        query = select(Arrival).where(Arrival.at <= old).order_by(Arrival.at).limit(limit)
        arrivals = session.scalars(query.with_for_update(skip_locked=True)).all()
        for arrival in arrivals:
            session.delete(arrival)
        bursts = select(Burst).where(Burst.began_at <= old, Burst.network.is_not(None)).order_by(Burst.id).limit(limit)
        forgotten = session.scalars(bursts.with_for_update(skip_locked=True)).all()
        for burst in forgotten:
            burst.network = None
        return max(len(arrivals), len(forgotten))
