"""Votes: one person's yes to an idea."""

import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, delete, select
from sqlalchemy.orm import Mapped, Session, lazyload, mapped_column, selectinload

from events.catalogue import View, VoteCast, VoteRefused, VoteReleased, VoteWithdrawn
from events.moment import Moment
from events.prepared import Prepared
from ideas_hub import answers, bursts
from ideas_hub.bursts import Fate, HeldVote
from ideas_hub.clock import now, today
from ideas_hub.db import Base, add_many, add_up, is_shared, record, transaction
from ideas_hub.errors import Missing, Refusal, RuleBroken, Sentence, SignInNeeded, _
from ideas_hub.ideas import OPEN_TO_VOTES, Authorship, Idea, Stage, hot_score, touch
from ideas_hub.people import HUB, Actor, Kind, Person, Words
from ideas_hub.permissions import ASKING, find_some, require, visible_to
from ideas_hub.stages import STAGE_LABELS
from ideas_hub.together import Together

# Model


class VoterKey(Base):
    """The only way from a vote to a person. Erasing a person empties their row here, and their votes stay counted."""

    __tablename__ = "voter_key"

    person_id: Mapped[int] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(22), unique=True)


class Vote(Base):
    __tablename__ = "vote"

    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), primary_key=True)
    voter: Mapped[str] = mapped_column(String(22), primary_key=True)
    kind: Mapped[Kind] = mapped_column(Words(Kind))
    at: Mapped[datetime | None] = mapped_column(Moment)  # when it was cast

    __table_args__ = (Index("ix_vote_voter", "voter"),)


class VoteDay(Base):
    """How an idea's votes changed on a day, so that the past can be drawn without the ledger."""

    __tablename__ = "vote_day"

    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    residents: Mapped[int] = mapped_column(default=0)
    staff: Mapped[int] = mapped_column(default=0)


@dataclass(frozen=True, slots=True)
class Tally:
    """An idea's votes, and whether one of them is that of who asks, or theirs is `held` and does not count."""

    idea: str
    votes: int
    votes_residents: int
    votes_staff: int
    voted: bool
    held: bool = False


@dataclass(slots=True, eq=False)
class Ballot:
    """What a vote reads and writes of an idea, under the names that the idea has for it.

    A vote is what the hub does most often, and the whole idea with all that belongs to it is much more.
    """

    id: int
    ref: str
    effective_audience: View
    stage: Stage
    stage_since: datetime
    posted_at: datetime
    answer_due: date | None
    answered_at: datetime | None
    carried_over: int
    votes: int
    votes_residents: int
    votes_staff: int
    hot: float
    changes_public: int
    changes_staff: int
    changes_leadership: int
    votes_held: int
    votes_refused: int
    author_refs: frozenset[str]

    def tallies(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in TALLIES}


TALLIES = ("votes", "votes_residents", "votes_staff", "hot", "changes_public", "changes_staff", "changes_leadership")
BALLOT = (
    *(getattr(Idea, field.name) for field in fields(Ballot)[:-1]),
    select(VoterKey.key).where(VoterKey.person_id == ASKING).scalar_subquery(),
)
AUTHORS = Prepared(
    select(Person.ref).join(Authorship, Authorship.person_id == Person.id).where(Authorship.idea_id == sa.bindparam("idea"))
)

# Rules


def check_open(idea: Idea | Ballot) -> None:
    """Raises RuleBroken where an idea's stage takes no votes."""
    if idea.stage not in OPEN_TO_VOTES:
        raise RuleBroken(
            _("Votes on this idea are closed since %(day)s: %(stage)s."),
            day=idea.stage_since.date(),
            stage=Sentence(STAGE_LABELS[idea.stage]),
        )


# Commands


def cast_vote(actor: Actor, ref: str) -> Tally:
    """The actor's vote for the idea is counted, once, or held where it comes in a burst. Enough of them oblige an answer.

    Votes for one idea that come at the same time are cast together. Raises SignInNeeded, Missing, NotAllowed (an author) and
    RuleBroken (its stage takes no votes, or this one was refused).
    """
    do = _TOGETHER.alone if is_shared() else _TOGETHER
    return do(ref, _Casting(actor, bursts.came_from()))


@dataclass(frozen=True, slots=True)
class _Casting:
    actor: Actor
    whence: bursts.Whence


def _cast_all(ref: str, take: Callable[[], Sequence[_Casting]]) -> Sequence[Tally | Refusal]:
    ballot: Ballot | None = None
    voters: dict[str, Kind] = {}
    held: list[bool | Refusal] = []
    with transaction() as session:
        for one in take():
            try:
                ballot, voter = _ballot(session, one.actor, ref, ballot)
                counts = partial(_counts, session, ballot, voter)
                held.append(bursts.hold(session, one.actor, ballot, voter, one.whence, counts))
            except Refusal as refusal:  # before anything was written for it
                held.append(refusal)
                continue
            if not held[-1]:
                voters[voter] = one.actor.kind or Kind.RESIDENT
        refusals = [one for one in held if isinstance(one, Refusal)]
        if ballot is None or len(refusals) == len(held):
            if len(refusals) == 1:
                raise refusals[0]  # so that nothing is committed
            return refusals
        if voters:
            _cast(session, {ballot: voters})
        return [one if isinstance(one, Refusal) else _tally(ballot, voted=not one, held=one) for one in held]


def _counts(session: Session, ballot: Ballot, voter: str) -> bool:
    return session.get(Vote, (ballot.id, voter)) is not None


_TOGETHER = Together(_cast_all)


def withdraw_vote(actor: Actor, ref: str) -> Tally:
    """The actor has no vote for the idea. Raises as `cast_vote`."""
    with transaction() as session:
        ballot, voter = _ballot(session, actor, ref)
        withdraw(session, ballot, voter)
        return _tally(ballot, voted=False)


def cast_votes(ballots: Mapping[str, Sequence[Actor]]) -> int:
    """Each actor's vote for the idea they stand under is counted, once, as if each had cast it; return how many were counted.

    For the console, which fills a hub (`flask demo`): nobody comes from anywhere there, so none is held. All or nothing. Raises
    as `cast_vote`.
    """
    with transaction() as session:
        ideas = _lock_all(session, ballots)
        keys = _voter_keys(session, {actor for actors in ballots.values() for actor in actors})
        for ref, idea in ideas.items():
            check_open(idea)
            for actor in ballots[ref]:
                require(actor, "vote", idea)
                if actor.view < idea.effective_audience:
                    raise Missing
        kinds = {keys[actor]: actor.kind or Kind.RESIDENT for actors in ballots.values() for actor in actors}
        return _cast(session, {idea: {keys[actor]: kinds[keys[actor]] for actor in ballots[ref]} for ref, idea in ideas.items()})


# Steps


def _ballot(session: Session, actor: Actor, ref: str, known: Ballot | None = None) -> tuple[Ballot, str]:
    """Step: the idea, locked, for a vote of the actor, and the actor's key. `known`: as the votes before it have left it.

    Raises as `cast_vote`, before anything is written.
    """
    found = find_some(session, actor, Idea, ref, BALLOT)
    if known is None:
        # Only now that the row is locked: whoever became an author while we waited for it has no vote.
        authors = frozenset(author.ref for author in AUTHORS(session, {"idea": found[0]}))
        known = Ballot(*(*found[:-1], authors))
    require(actor, "vote", known)
    check_open(known)
    return known, found[-1] or voter_key(session, actor)


_KEY = Prepared(select(VoterKey.key).where(VoterKey.person_id == sa.bindparam("person")))


def voter_key(session: Session, actor: Actor) -> str:
    """Step: the key under which the actor's votes stand; random, made at the first vote."""
    made = secrets.token_urlsafe(16)
    if add_many(session, VoterKey, [{"person_id": actor.person_id, "key": made}]):
        return made
    return str(_KEY(session, {"person": actor.person_id})[0].key)


def _voter_keys(session: Session, actors: Iterable[Actor]) -> dict[Actor, str]:
    """Step: the keys of many. Raises SignInNeeded where somebody is nobody."""
    by_id = {actor.person_id: actor for actor in actors}
    if None in by_id:
        raise SignInNeeded
    known = select(VoterKey.person_id, VoterKey.key).where(VoterKey.person_id.in_(by_id))
    found = {row.person_id: row.key for row in session.execute(known)}
    if missing := sorted(person for person in by_id if person is not None and person not in found):
        add_many(session, VoterKey, [{"person_id": person, "key": secrets.token_urlsafe(16)} for person in missing])
        found = {row.person_id: row.key for row in session.execute(known)}
    return {by_id[person]: key for person, key in found.items()}


def _lock_all(session: Session, refs: Iterable[str]) -> dict[str, Idea]:
    """Step: the ideas, locked in one order, so that two who bring votes cannot wait for each other. Raises Missing."""
    wanted = sorted(refs)
    query = select(Idea).where(Idea.ref.in_(wanted), visible_to(HUB, Idea)).order_by(Idea.ref).with_for_update(of=Idea)
    loading = (lazyload("*"), selectinload(Idea.authorships).joinedload(Authorship.person))
    found = {idea.ref: idea for idea in session.scalars(query.options(*loading).execution_options(populate_existing=True))}
    if len(found) < len(wanted):
        raise Missing
    return found


def cast(session: Session, idea: Idea | Ballot, voter: str, kind: Kind) -> bool:
    """Step: count a vote unless that voter has one, and say whether it was counted. The idea's row must be locked."""
    return _cast(session, {idea: {voter: kind}}) == 1


def _cast(session: Session, ballots: Mapping[Any, Mapping[str, Kind]]) -> int:
    """Step: count the votes of those who have none yet for an idea, and say how many. The ideas' rows must be locked."""
    by_id = {idea.id: idea for idea in ballots}
    own = [(idea.id, who, kind) for idea, voters in ballots.items() for who, kind in voters.items()]
    rows = [{"idea_id": id, "voter": who, "kind": kind, "at": now()} for id, who, kind in own]
    inserted = {(by_id[row.idea_id], row.voter) for row in add_many(session, Vote, rows)}
    counted = {idea: [who for who in voters if (idea, who) in inserted] for idea, voters in ballots.items()}
    _count(session, {idea: Counter(ballots[idea][who] for who in voters) for idea, voters in counted.items() if voters})
    for idea, voters in counted.items():
        for who in voters:
            record(session, VoteCast(idea=idea.ref, voter=who))
        if voters and answers.is_owed(session, idea):
            answers.set_clock(session, session.get_one(Idea, idea.id))
    return len(inserted)


_WITHDRAW = Prepared(
    delete(Vote).where(Vote.idea_id == sa.bindparam("of"), Vote.voter == sa.bindparam("who")).returning(Vote.kind)
)


def withdraw(session: Session, idea: Idea | Ballot, voter: str) -> Kind | None:
    """Step: take a vote back, and return of what kind it was; None where none counted. The idea's row must be locked.

    One that is held is taken back as well.
    """
    taken = _WITHDRAW(session, {"of": idea.id, "who": voter})
    if not taken:
        bursts.withdraw(session, idea, voter)
        return None
    kind = Kind(taken[0].kind)
    _count(session, {idea: {kind: -1}})
    record(session, VoteWithdrawn(idea=idea.ref, voter=voter))
    return kind


def move_all(session: Session, idea: Idea, into: Idea) -> None:
    """Step: every vote goes to another idea, each person's once; its authors', and what was refused there, do not.

    Both rows must be locked.
    """
    authors = {authorship.person_id for authorship in into.authorships}
    theirs = set(session.scalars(select(VoterKey.key).where(VoterKey.person_id.in_(authors)))) | bursts.refused(session, into)
    for voter in session.scalars(select(Vote.voter).where(Vote.idea_id == idea.id).order_by(Vote.voter)).all():
        kind = withdraw(session, idea, voter)
        if kind is not None and voter not in theirs:
            bursts.withdraw(session, into, voter)
            cast(session, into, voter, kind)
    for held in bursts.held(session, idea):
        if held.voter in theirs or session.get(Vote, (into.id, held.voter)) is not None:
            bursts.withdraw(session, idea, held.voter)
        else:
            bursts.move(session, held, idea, into)


def release(session: Session, idea: Idea, held: Sequence[HeldVote]) -> None:
    """Step: votes that were held count, each on the day on which it was cast. The idea's row must be locked."""
    was_held = sum(vote.fate is Fate.HELD for vote in held)
    idea.votes_held, idea.votes_refused = idea.votes_held - was_held, idea.votes_refused - (len(held) - was_held)
    add_many(session, Vote, [{"idea_id": idea.id, "voter": vote.voter, "kind": vote.kind, "at": vote.at} for vote in held])
    days: dict[date, Counter[Kind]] = defaultdict(Counter)
    for vote in held:
        vote.fate = Fate.RELEASED
        days[vote.at.date()][vote.kind] += 1
        record(session, VoteReleased(idea=idea.ref, voter=vote.voter))
    for day, change in sorted(days.items()):
        _count(session, {idea: change}, day)
    answers.set_clock(session, idea)


def refuse(session: Session, idea: Idea, held: Sequence[HeldVote], counted: Sequence[HeldVote] = ()) -> None:
    """Step: votes that are held do not count, and neither do those that were `counted`. The idea's row must be locked."""
    idea.votes_held -= len(held)
    idea.votes_refused += len(held) + len(counted)
    if counted:
        session.execute(delete(Vote).where(Vote.idea_id == idea.id, Vote.voter.in_([vote.voter for vote in counted])))
        session.add_all(counted)
        _count(session, {idea: {kind: -number for kind, number in Counter(vote.kind for vote in counted).items()}})
    for vote in (*held, *counted):
        vote.fate = Fate.REFUSED
        record(session, VoteRefused(idea=idea.ref, voter=vote.voter))
    touch(idea)


_WRITE = Prepared(
    sa.update(Idea).where(Idea.id == sa.bindparam("of")).values({name: sa.bindparam(f"new_{name}") for name in TALLIES})
)


def _count(session: Session, changes: Mapping[Any, Mapping[Kind, int]], day: date | None = None) -> None:
    days = []
    for idea, change in changes.items():
        residents, staff = change.get(Kind.RESIDENT, 0), change.get(Kind.STAFF, 0)
        idea.votes += residents + staff
        idea.votes_residents += residents
        idea.votes_staff += staff
        idea.hot = hot_score(idea.votes + idea.carried_over, idea.posted_at)
        touch(idea, times=abs(residents) + abs(staff))
        if isinstance(idea, Ballot):
            written = {f"new_{name}": value for name, value in idea.tallies().items()}
            _WRITE(session, written | {"of": idea.id})
        days.append({"idea_id": idea.id, "day": day or today(), "residents": residents, "staff": staff})
    if days:
        add_up(session, VoteDay, days)


def _tally(idea: Ballot, *, voted: bool, held: bool = False) -> Tally:
    return Tally(idea.ref, idea.votes, idea.votes_residents, idea.votes_staff, voted, held)


# Queries


def voted_among(session: Session, actor: Actor, ideas: Iterable[int]) -> set[int]:
    """Those of the ideas, by id, that the actor has voted for."""
    if actor.person_id is None:
        return set()
    voter = select(VoterKey.key).where(VoterKey.person_id == actor.person_id).scalar_subquery()
    return set(session.scalars(select(Vote.idea_id).where(Vote.idea_id.in_(list(ideas)), Vote.voter == voter)))


def held_among(session: Session, actor: Actor, ideas: Iterable[Idea]) -> dict[int, Fate]:
    """Of those of the ideas, by id, for which the actor's vote is held or was refused: which of the two."""
    ids = [idea.id for idea in ideas if idea.votes_held or idea.votes_refused]
    if actor.person_id is None or not ids:
        return {}
    voter = select(VoterKey.key).where(VoterKey.person_id == actor.person_id).scalar_subquery()
    own = select(HeldVote.idea_id, HeldVote.fate).where(HeldVote.idea_id.in_(ids), HeldVote.voter == voter)
    return {row.idea_id: row.fate for row in session.execute(own.where(HeldVote.fate.in_((Fate.HELD, Fate.REFUSED))))}
