"""Two people who are the same human, known by two addresses: they become one, and their votes count once.

What belonged to the one belongs to the other: texts, roles, terms, answers. Whoever signs in with either address is the one who
stays. It cannot be undone, for nobody could say any more what was whose.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Table, Text, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import PeopleJoined, RightsChanged
from events.moment import Moment
from ideas_hub import bursts, votes
from ideas_hub.administration import PersonFile, person_file
from ideas_hub.answers import name_who_answers
from ideas_hub.bursts import Fate, HeldVote
from ideas_hub.claims import Claim
from ideas_hub.clock import now
from ideas_hub.db import Base, reading, record, transaction
from ideas_hub.errors import Missing, RuleBroken, _
from ideas_hub.ideas import Authorship, Idea
from ideas_hub.people import Actor, Kind, Person
from ideas_hub.permissions import require
from ideas_hub.sessions import Credential, end_all
from ideas_hub.sponsors import end_term
from ideas_hub.stages import checked_reason
from ideas_hub.votes import Vote, VoterKey

# Model


class Joining(Base):
    """Two people were found to be one: who decided so, and why."""

    __tablename__ = "joining"

    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime] = mapped_column(Moment)


@dataclass(frozen=True, slots=True)
class Proposed:
    """What would happen if a person became another: what moves, and how many of their votes are for the same ideas."""

    person: PersonFile
    into: PersonFile
    votes: int
    both: int
    ideas: int
    refusal: str | None


# Rules


def check_join(actor: Actor, person: Person, into: Person) -> None:
    """Raises RuleBroken where the two cannot become one."""
    if person.id == into.id:
        raise RuleBroken(_("These are one person already. Choose another one."))
    if person.joined_id or into.joined_id:
        raise RuleBroken(_("One of the two became another person already."))
    if actor.ref == person.ref:
        raise RuleBroken(_("You are signed in as the one who would go. Choose yourself as the one who stays."))
    if person.suspended or into.suspended:
        raise RuleBroken(_("One of the two is suspended. Lift that first, or suspend both: it shall not go by this."))
    if person.kind is Kind.STAFF and into.kind is Kind.RESIDENT:
        raise RuleBroken(_("A member of staff stays, and the resident becomes them. Choose it the other way round."))
    if person.email is None or into.email is None:
        raise RuleBroken(_("Somebody who came with an import has no address, so nobody can say that they are the same."))


# Commands


def join_people(actor: Actor, ref: str, *, into: str, reason: str) -> None:
    """The person becomes `into`: texts, roles and all else, and of two votes for an idea one goes. Their sessions end.

    Raises SignInNeeded, NotAllowed, Missing, Invalid (no reason) and RuleBroken (the two cannot become one).
    """
    require(actor, "join_people", None)
    with transaction() as session:
        person, stays = _both(session, ref, into)
        reason = checked_reason(reason)
        check_join(actor, person, stays)
        row = Joining(reason=reason, by_id=actor.person_id, at=now())
        session.add(row)
        ideas = _ideas(session, person, stays)
        _join_authors(session, person, stays)
        session.flush()
        for idea in ideas:
            session.refresh(idea, ["authorships"])
        _join_votes(session, person, stays, ideas)
        end_all(session, Credential.person_id == person.id)
        _join_the_rest(session, person, stays)
        person.joined_id = stays.id
        session.flush()
        session.expire_all()
        for idea in ideas:
            _set_right(session, actor, idea, reason)
        record(session, PeopleJoined(person=person.ref, into=stays.ref, joining=row.id, by=actor.ref or ""))
        for each in (person, stays):
            record(session, RightsChanged(person=each.ref))


# Steps


def _both(session: Session, ref: str, into: str) -> tuple[Person, Person]:
    """Step: the two, locked in one order. Raises Missing."""
    query = select(Person).where(Person.ref.in_({ref, into})).order_by(Person.ref)
    found = {person.ref: person for person in session.scalars(query.with_for_update(of=Person))}
    if not {ref, into} <= set(found):
        raise Missing
    return found[ref], found[into]


def _ideas(session: Session, person: Person, stays: Person) -> list[Idea]:
    """Step: the ideas of which something changes, locked in one order: voted for, written, sponsored or to be answered."""
    key = select(VoterKey.key).where(VoterKey.person_id == person.id).scalar_subquery()
    concerned = sa.or_(
        Idea.id.in_(select(Vote.idea_id).where(Vote.voter == key)),
        Idea.id.in_(select(HeldVote.idea_id).where(HeldVote.voter == key)),
        *(Idea.written_by(each.id) for each in (person, stays)),
        *(column.in_((person.id, stays.id)) for column in (Idea.sponsor_id, Idea.answer_by_id)),
    )
    return list(session.scalars(select(Idea).where(concerned).order_by(Idea.ref).with_for_update(of=Idea)).unique())


def _join_authors(session: Session, person: Person, stays: Person) -> None:
    both = select(Authorship.idea_id).where(Authorship.person_id == stays.id)
    session.execute(sa.delete(Authorship).where(Authorship.person_id == person.id, Authorship.idea_id.in_(both)))
    session.execute(sa.update(Authorship).where(Authorship.person_id == person.id).values(person_id=stays.id))


def _join_votes(session: Session, person: Person, stays: Person, ideas: Iterable[Idea]) -> None:
    """Step: each vote becomes that of the one who stays, once for an idea, and none for an idea of their own."""
    key = session.scalar(select(VoterKey.key).where(VoterKey.person_id == person.id))
    theirs = votes.voter_key(session, stays.actor())
    for idea in ideas:
        is_author = stays.ref in idea.author_refs
        if is_author:
            votes.withdraw(session, idea, theirs)
        if key is not None:
            _move_vote(session, idea, key, theirs, is_author=is_author)
    session.execute(sa.delete(VoterKey).where(VoterKey.person_id == person.id))


def _move_vote(session: Session, idea: Idea, key: str, theirs: str, *, is_author: bool) -> None:
    """Step: a vote under one key is that of another, since the same moment, unless they have one.

    What counts goes before what is held or was refused: each human has one vote. What was refused to the one is refused to the
    other, who could vote anew else.
    """
    own, other = session.get(HeldVote, (idea.id, key)), session.get(HeldVote, (idea.id, theirs))
    was, has = (vote.fate if vote is not None else None for vote in (own, other))
    at = session.scalar(select(Vote.at).where(Vote.idea_id == idea.id, Vote.voter == key))
    kind = votes.withdraw(session, idea, key)
    if own is not None and was is Fate.REFUSED:
        bursts.drop_refused(session, idea, own)
    if is_author or session.get(Vote, (idea.id, theirs)) is not None:
        return
    if kind is not None:
        if other is not None and has is Fate.REFUSED:
            bursts.drop_refused(session, idea, other)
        bursts.withdraw(session, idea, theirs)
        votes.cast(session, idea, theirs, kind)
        session.execute(sa.update(Vote).where(Vote.idea_id == idea.id, Vote.voter == theirs).values(at=at))
    elif own is not None and was in (Fate.HELD, Fate.REFUSED) and has not in (Fate.HELD, Fate.REFUSED):
        held = bursts.hold_as(session, idea, own, theirs)
        if was is Fate.REFUSED:
            votes.refuse(session, idea, [held])


def _join_the_rest(session: Session, person: Person, stays: Person) -> None:
    """Step: whatever refers to the one refers to the other, in every table there is. What both have of a kind, one has."""
    session.execute(sa.delete(Claim).where(Claim.person_id == person.id))
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if any(key.column is Person.__table__.c.id for key in column.foreign_keys) and table is not Authorship.__table__:
                _repoint(session, table, column, person.id, stays.id)


def _repoint(session: Session, table: Table, column: Column[int], old: int, new: int) -> None:
    for unique in _unique_with(table, column):
        others = [other for other in unique if other is not column]
        mine = table.alias()
        same = sa.and_(mine.c[column.name] == new, *(mine.c[other.name] == other for other in others))
        session.execute(table.delete().where(column == old, sa.exists().where(same)))
    session.execute(table.update().where(column == old).values({column.name: new}))


def _unique_with(table: Table, column: Column[int]) -> list[list[Column[object]]]:
    """The sets of columns of which this is one, and no two rows of the table may agree in all."""
    sets = [list(table.primary_key.columns)]
    sets += [list(constraint.columns) for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    sets += [list(index.columns) for index in table.indexes if index.unique]
    return [columns for columns in sets if column in columns]


def _set_right(session: Session, actor: Actor, idea: Idea, reason: str) -> None:
    """Step: nobody sponsors their own idea, and the clock names who may answer it."""
    if idea.sponsor is not None and idea.sponsor.ref in idea.author_refs:
        end_term(session, actor, idea, reason)
    name_who_answers(session, idea)


# Queries


def proposed_join(actor: Actor, ref: str, into: str) -> Proposed:
    """What joining the two would do, for a page that asks. Raises SignInNeeded, NotAllowed and Missing."""
    require(actor, "join_people", None)
    person, stays = person_file(actor, ref), person_file(actor, into)
    with reading() as session:
        rows = {each.ref: each for each in session.scalars(select(Person).where(Person.ref.in_({ref, into})))}
        keys = {each: session.scalar(select(VoterKey.key).where(VoterKey.person_id == row.id)) for each, row in rows.items()}
        own = select(Vote.idea_id).where(Vote.voter == keys[ref])
        both = select(func.count()).select_from(Vote).where(Vote.voter == keys[into], Vote.idea_id.in_(own))
        try:
            check_join(actor, rows[ref], rows[into])
            refusal = None
        except RuleBroken as broken:
            refusal = str(broken)
        return Proposed(
            person=person,
            into=stays,
            votes=session.scalar(select(func.count()).select_from(own.subquery())) or 0,
            both=session.scalar(both) or 0,
            ideas=session.scalar(select(func.count()).where(Authorship.person_id == rows[ref].id)) or 0,
            refusal=refusal,
        )
