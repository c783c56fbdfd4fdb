"""Votes: one person's yes to an idea."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import VoteCast, VoteWithdrawn
from ideas_hub import answers
from ideas_hub.clock import today
from ideas_hub.db import Base, add_once, record, transaction
from ideas_hub.errors import RuleBroken, Sentence, _
from ideas_hub.ideas import OPEN_TO_VOTES, Idea, hot_score, touch
from ideas_hub.people import Actor, Kind, Words
from ideas_hub.permissions import find, require
from ideas_hub.stages import STAGE_LABELS

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
    """An idea's votes, and whether the one who asks has voted."""

    idea: str
    votes: int
    votes_residents: int
    votes_staff: int
    voted: bool


# Rules


def check_open(idea: Idea) -> None:
    """Raises RuleBroken where an idea's stage takes no votes."""
    if idea.stage not in OPEN_TO_VOTES:
        raise RuleBroken(
            _("Votes on this idea are closed since %(day)s: %(stage)s."),
            day=idea.stage_since.date(),
            stage=Sentence(STAGE_LABELS[idea.stage]),
        )


# Commands


def cast_vote(actor: Actor, ref: str) -> Tally:
    """The actor's vote for the idea is counted, once. Enough of them oblige an answer.

    Raises SignInNeeded, Missing, NotAllowed (an author) and RuleBroken (its stage takes no votes).
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "vote", idea)
        check_open(idea)
        cast(session, idea, voter_key(session, actor), actor.kind or Kind.RESIDENT)
        return _tally(idea, voted=True)


def withdraw_vote(actor: Actor, ref: str) -> Tally:
    """The actor has no vote for the idea. Raises as `cast_vote`."""
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "vote", idea)
        check_open(idea)
        withdraw(session, idea, voter_key(session, actor))
        return _tally(idea, voted=False)


# Steps


def voter_key(session: Session, actor: Actor) -> str:
    """Step: the key under which the actor's votes stand; random, made at the first vote."""
    known = select(VoterKey.key).where(VoterKey.person_id == actor.person_id)
    key = session.scalar(known)
    if key is None:
        add_once(session, VoterKey(person_id=actor.person_id, key=secrets.token_urlsafe(16)))
        key = session.scalars(known).one()
    return key


def cast(session: Session, idea: Idea, voter: str, kind: Kind) -> bool:
    """Step: count a vote unless that voter has one, and say whether it was counted. The idea's row must be locked."""
    if not add_once(session, Vote(idea_id=idea.id, voter=voter, kind=kind)):
        return False
    _count(session, idea, kind, +1)
    record(session, VoteCast(idea=idea.ref, voter=voter))
    answers.set_clock(session, idea)
    return True


def withdraw(session: Session, idea: Idea, voter: str) -> Kind | None:
    """Step: take a vote back, and return of what kind it was; None where there was none. The idea's row must be locked."""
    gone = delete(Vote).where(Vote.idea_id == idea.id, Vote.voter == voter).returning(Vote.kind)
    kind = session.execute(gone).scalar()
    if kind is None:
        return None
    _count(session, idea, kind, -1)
    record(session, VoteWithdrawn(idea=idea.ref, voter=voter))
    return Kind(kind)


def move_all(session: Session, idea: Idea, into: Idea) -> None:
    """Step: every vote goes to another idea, each person's once; its authors' do not. Both rows must be locked."""
    authors = {authorship.person_id for authorship in into.authorships}
    theirs = set(session.scalars(select(VoterKey.key).where(VoterKey.person_id.in_(authors))))
    for voter in session.scalars(select(Vote.voter).where(Vote.idea_id == idea.id).order_by(Vote.voter)).all():
        kind = withdraw(session, idea, voter)
        if kind is not None and voter not in theirs:
            cast(session, into, voter, kind)


def _count(session: Session, idea: Idea, kind: Kind, change: int) -> None:
    residents, staff = (change, 0) if kind is Kind.RESIDENT else (0, change)
    idea.votes += change
    idea.votes_residents += residents
    idea.votes_staff += staff
    idea.hot = hot_score(idea.votes + idea.carried_over, idea.posted_at)
    touch(idea)
    day = VoteDay(idea_id=idea.id, day=today(), residents=0, staff=0)
    add_once(session, day)
    session.execute(
        sa.update(VoteDay)
        .where(VoteDay.idea_id == idea.id, VoteDay.day == day.day)
        .values(residents=VoteDay.residents + residents, staff=VoteDay.staff + staff)
    )


def _tally(idea: Idea, *, voted: bool) -> Tally:
    return Tally(idea.ref, idea.votes, idea.votes_residents, idea.votes_staff, voted)


# Queries


def voted_among(session: Session, actor: Actor, ideas: Iterable[int]) -> set[int]:
    """Those of the ideas, by id, that the actor has voted for."""
    if actor.person_id is None:
        return set()
    voter = select(VoterKey.key).where(VoterKey.person_id == actor.person_id).scalar_subquery()
    return set(session.scalars(select(Vote.idea_id).where(Vote.idea_id.in_(list(ideas)), Vote.voter == voter)))
