"""The moderators' desk for votes: what is held or came in a rush, what it looks like, and the decision about it.

A moderator is shown numbers and times, never whose votes they are: how somebody votes is nobody's business.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from events import log
from events.catalogue import BurstDecided, IdeaVotesRefused, IdeaVotesReleased, IdeaVotesRushed
from ideas_hub import votes
from ideas_hub.bursts import Arrival, Burst, Fate, HeldVote
from ideas_hub.clock import now
from ideas_hub.db import reading, record, transaction
from ideas_hub.errors import Clash, Missing, RuleBroken, _
from ideas_hub.ideas import Idea
from ideas_hub.people import Actor, Person, PersonCard
from ideas_hub.permissions import find, require, visible_to
from ideas_hub.settings import Settings, settings
from ideas_hub.stages import checked_reason
from ideas_hub.votes import Vote, VoterKey

# Model


@dataclass(frozen=True, slots=True)
class BurstCard:
    """A burst as moderators see it. `votes`: held, or of its rush, or decided with it; `counted`: that came before, from the same
    network; `networks`: from how many a rush came.

    `known_for`: how long half of its voters at most had been here. `domains`: at how many domains they have their addresses, and
    `largest` how many have theirs at the same one.
    """

    ref: str
    idea: str
    title: str
    lang: str
    idea_votes: int
    idea_held: int
    version: int
    fate: Fate
    rush: bool
    began_at: datetime
    last_at: datetime | None
    votes: int
    counted: int
    known_for: timedelta | None
    networks: int
    domains: int
    largest: int
    reason: str
    by: PersonCard | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Bursts:
    """The desk: what waits, the oldest first; what was decided, the newest first; and the head of the log from before."""

    waiting: tuple[BurstCard, ...]
    decided: tuple[BurstCard, ...]
    cursor: log.Head


# Commands


def release_votes(actor: Actor, burst: str, *, reason: str) -> None:
    """What is held of a burst counts, each vote since it was cast; so do those that come after it; what came in a rush goes on to
    count. Announces `idea.votes_released`.

    What was refused may be released later. Raises Missing, NotAllowed, Clash (released already) and Invalid (no reason).
    """
    with transaction() as session:
        row, idea = _locked(session, actor, burst)
        reason = checked_reason(reason)
        if row.fate is Fate.RELEASED:
            raise Clash(_("These votes were released before you decided."))
        held = _votes(session, row, row.fate)
        number = len(held) or session.scalar(_counted(select(func.count()), row)) or 0
        votes.release(session, idea, held)
        _decide(session, actor, row, Fate.RELEASED, reason)
        by, audience = actor.ref or "", idea.effective_audience
        record(session, IdeaVotesReleased(idea=idea.ref, burst=row.ref, votes=number, by=by, audience=audience))


def refuse_votes(actor: Actor, burst: str, *, reason: str, with_first: bool = False) -> None:
    """What is held of a burst does not count, and who cast it is told the reason. Announces `idea.votes_refused`.

    `with_first`: neither do those that came from the same network before it, and counted; of a rush all counted. Raises Missing,
    NotAllowed, Clash (refused already), RuleBroken (released: what counts is not taken away again) and Invalid (no reason).
    """
    with transaction() as session:
        row, idea = _locked(session, actor, burst)
        reason = checked_reason(reason)
        if row.fate is Fate.REFUSED:
            raise Clash(_("These votes were refused before you decided."))
        if row.fate is Fate.RELEASED:
            raise RuleBroken(_("These votes were released and count. What counts is not taken away again."))
        held, counted = _votes(session, row, Fate.HELD), _first(session, row) if with_first or row.rush else []
        votes.refuse(session, idea, held, counted)
        _decide(session, actor, row, Fate.REFUSED, reason)
        number, by, audience = len(held) + len(counted), actor.ref or "", idea.effective_audience
        record(session, IdeaVotesRefused(idea=idea.ref, burst=row.ref, votes=number, by=by, audience=audience))


def notice_rushes(limit: int = 100) -> int:
    """Chore: where many newcomers came to an idea at once, moderators are told, and anew of those only who come after they have
    decided. Announces `idea.votes_rushed`; returns how many."""
    with reading() as session:
        rule = settings(session)
        rushed = [row.idea_id for row in session.execute(_rushes(rule).order_by(Arrival.idea_id).limit(limit))]
    if not rushed:
        return 0
    with transaction() as session:
        query = select(Idea).where(Idea.id.in_(rushed)).order_by(Idea.ref).with_for_update(of=Idea)
        return sum(_begin_rush(session, idea, rule) for idea in session.scalars(query).unique())


# Steps


def _rushes(rule: Settings, *conditions: sa.ColumnElement[bool]) -> Select[int, datetime]:
    """The ideas to which many newcomers came within what the rule calls a while, by votes that count, and since when.

    Nobody has looked at these, and nobody is about to.
    """
    own = sa.and_(Vote.idea_id == Arrival.idea_id, Vote.voter == Arrival.voter)
    seen = select(Burst.id).where(
        Burst.idea_id == Arrival.idea_id, Burst.rush, sa.or_(Burst.fate == Fate.HELD, Burst.at >= Arrival.at)
    )
    query = select(Arrival.idea_id, func.min(Arrival.at).label("since")).join(Vote, own)
    query = query.where(~_LOOKED_AT, Arrival.at > now() - timedelta(minutes=rule.burst_minutes), ~seen.exists(), *conditions)
    return query.group_by(Arrival.idea_id).having(func.count() >= rule.rush_votes)


def _begin_rush(session: Session, idea: Idea, rule: Settings) -> bool:
    """Step: a rush is told, unless another server has told it meanwhile. The idea's row must be locked."""
    row = session.execute(_rushes(rule, Arrival.idea_id == idea.id)).one_or_none()
    if row is None:
        return False
    burst = Burst(idea_id=idea.id, rush=True, began_at=row.since)
    session.add(burst)
    session.flush()
    record(session, IdeaVotesRushed(idea=idea.ref, burst=burst.ref, audience=idea.effective_audience))
    return True


def _locked(session: Session, actor: Actor, ref: str) -> tuple[Burst, Idea]:
    """Step: a burst and its idea, locked, for who may decide."""
    idea_ref = session.scalar(select(Idea.ref).join(Burst, Burst.idea_id == Idea.id).where(Burst.ref == ref))
    idea = find(session, actor, Idea, idea_ref or "", lock=True)
    require(actor, "decide_votes", idea)
    return session.scalars(select(Burst).where(Burst.ref == ref).with_for_update()).one(), idea


def _votes(session: Session, burst: Burst, fate: Fate) -> Sequence[HeldVote]:
    query = select(HeldVote).where(HeldVote.burst_id == burst.id, HeldVote.fate == fate)
    return session.scalars(query.order_by(HeldVote.voter)).all()


def _first(session: Session, burst: Burst) -> list[HeldVote]:
    """Step: the votes that came from the burst's network before it and count, as votes that are to be held with it."""
    rows = session.execute(_counted(select(Vote.voter, Vote.kind, Arrival.at), burst).order_by(Vote.voter))
    return [HeldVote(idea_id=burst.idea_id, voter=row.voter, burst_id=burst.id, kind=row.kind, at=row.at) for row in rows]


def _counted(query: Select[*tuple[object, ...]], burst: Burst) -> Select[*tuple[object, ...]]:
    """The condition that a vote counts, was not looked at in another burst, and came from the burst's network; in a rush, in its
    time."""
    own = sa.and_(Arrival.idea_id == Vote.idea_id, Arrival.voter == Vote.voter)
    in_time = sa.and_(Arrival.at >= burst.began_at, Arrival.at <= (burst.at or now()))
    query = query.select_from(Vote).join(Arrival, own).where(Vote.idea_id == burst.idea_id, ~_LOOKED_AT)
    return query.where(in_time if burst.rush else Arrival.network == burst.network)


_LOOKED_AT = select(HeldVote.voter).where(HeldVote.idea_id == Vote.idea_id, HeldVote.voter == Vote.voter).exists()


def _decide(session: Session, actor: Actor, burst: Burst, fate: Fate, reason: str) -> None:
    burst.fate, burst.reason, burst.by_id, burst.at = fate, reason, actor.person_id, now()
    record(session, BurstDecided(burst=burst.ref, to=fate.value, by=actor.ref or ""))


# Queries


def bursts(actor: Actor, *, most: int = 50) -> Bursts:
    """The desk for votes. Raises SignInNeeded and NotAllowed."""
    require(actor, "decide_votes", None)
    with reading() as session:
        head = log.head(session)
        query = _shown(actor).limit(most)
        waiting = session.execute(query.where(Burst.fate == Fate.HELD).order_by(Burst.began_at, Burst.id))
        decided = session.execute(query.where(Burst.fate != Fate.HELD).order_by(Burst.at.desc(), Burst.id.desc()))
        return Bursts(tuple(_cards(session, actor, waiting)), tuple(_cards(session, actor, decided)), head)


def burst_card(actor: Actor, ref: str) -> BurstCard:
    """One burst. Raises SignInNeeded, NotAllowed and Missing."""
    require(actor, "decide_votes", None)
    with reading() as session:
        for card in _cards(session, actor, session.execute(_shown(actor).where(Burst.ref == ref))):
            return card
    raise Missing


def bursts_waiting(actor: Actor) -> int:
    """How many bursts wait for a moderator, of the ideas that this one sees."""
    with reading() as session:
        waiting = select(func.count()).select_from(Burst).join(Idea, Idea.id == Burst.idea_id)
        return session.scalar(waiting.where(Burst.fate == Fate.HELD, visible_to(actor, Idea))) or 0


def _shown(actor: Actor) -> Select[Burst, Idea, Person]:
    query = select(Burst, Idea, Person).join(Idea, Idea.id == Burst.idea_id).outerjoin(Person, Person.id == Burst.by_id)
    return query.where(visible_to(actor, Idea))


def _cards(session: Session, actor: Actor, rows: Iterable[sa.Row[Burst, Idea, Person]]) -> Iterable[BurstCard]:
    for burst, idea, by in rows:
        came = _came(session, burst)
        known = sorted(row.at - row.since for row in came if row.since is not None)
        domains = [row.email.rpartition("@")[2] for row in came if row.email]
        yield BurstCard(
            ref=burst.ref,
            idea=idea.ref,
            title=idea.title,
            lang=idea.lang,
            idea_votes=idea.votes,
            idea_held=idea.votes_held,
            version=idea.version_in(actor.view),
            fate=burst.fate,
            rush=burst.rush,
            began_at=burst.began_at,
            last_at=max((row.at for row in came), default=None),
            votes=len(came),
            counted=0 if burst.rush else session.scalar(_counted(select(func.count()), burst)) or 0,
            known_for=known[(len(known) - 1) // 2] if known else None,
            networks=len({row.network for row in came} - {None}),
            domains=len(set(domains)),
            largest=max((domains.count(domain) for domain in set(domains)), default=0),
            reason=burst.reason,
            by=by.card() if by else None,
            at=burst.at,
        )


def _came(session: Session, burst: Burst) -> list[sa.Row[Any]]:
    """Who came in a burst: when, since when they are here, by which address, and in a rush from which network."""
    held = select(HeldVote.at, Person.since, Person.email, sa.null().label("network"))
    held = held.where(HeldVote.burst_id == burst.id, HeldVote.fate != Fate.WITHDRAWN)
    queries: list[tuple[Select[*tuple[Any, ...]], Any]] = [(held, HeldVote.voter)]
    if burst.rush:
        queries.append((_counted(select(Arrival.at, Person.since, Person.email, Arrival.network), burst), Vote.voter))
    found: list[sa.Row[Any]] = []
    for query, voter in queries:
        query = query.outerjoin(VoterKey, VoterKey.key == voter).outerjoin(Person, Person.id == VoterKey.person_id)
        found += session.execute(query)
    return found
