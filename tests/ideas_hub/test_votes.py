"""Votes: one a person, counted once, for ever after taken back as it was cast."""

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
import sqlalchemy as sa

from events.catalogue import View, VoteCast, VoteWithdrawn
from ideas_hub.answers import AnswerClock
from ideas_hub.bursts import come_from
from ideas_hub.db import reading, transaction
from ideas_hub.errors import Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.ideas import Authorship, Idea, Stage
from ideas_hub.people import NOBODY
from ideas_hub.settings import change_settings
from ideas_hub.verify import verify
from ideas_hub.votes import _TOGETHER, Tally, Vote, VoteDay, VoterKey, cast_vote, cast_votes, withdraw_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.support.processes import wait_until
from tests.support.witness import entries, news, nothing_written, refused, rows

rule = pytest.mark.sqlite_only


@rule
def test_a_vote_is_counted_by_who_cast_it(hub):
    ann, bob, ref = make.resident(), make.staff(), make.idea()
    assert cast_vote(ann, ref) == Tally(ref, votes=1, votes_residents=1, votes_staff=0, voted=True)
    assert cast_vote(bob, ref) == Tally(ref, votes=2, votes_residents=1, votes_staff=1, voted=True)
    assert withdraw_vote(ann, ref) == Tally(ref, votes=1, votes_residents=0, votes_staff=1, voted=False)
    assert whole_idea(bob, ref).card.voted
    assert not whole_idea(ann, ref).card.voted


@rule
def test_votes_stand_in_the_ledger_under_a_key_and_no_view_is_told(hub):
    ann, ref = make.resident(), make.idea()
    with news() as facts:
        cast_vote(ann, ref)
        withdraw_vote(ann, ref)
        cast_vote(ann, ref)
        cast_vote(ann, make.idea())
    votes = [fact for fact in facts if isinstance(fact, VoteCast | VoteWithdrawn)]
    assert [type(fact) for fact in votes] == [VoteCast, VoteWithdrawn, VoteCast, VoteCast]
    (key,) = {fact.voter for fact in votes}
    assert [(row.person_id, row.key) for row in rows(VoterKey)] == [(ann.person_id, key)]
    assert ann.ref not in key
    assert all(set(entry.numbers) == {None} for entry in entries() if entry.event in votes)


def test_twice_is_harmless(hub):
    ann, ref = make.resident(), make.idea()
    tally = cast_vote(ann, ref)
    with nothing_written():
        assert cast_vote(ann, ref) == tally
    tally = withdraw_vote(ann, ref)
    with nothing_written():
        assert withdraw_vote(ann, ref) == tally


@rule
def test_nobody_and_authors_do_not_vote(hub):
    ann, bob = make.resident(), make.staff()
    ref, inside = make.idea(ann, co_authors=[bob]), make.idea(audience="staff")
    for act in (cast_vote, withdraw_vote):
        with refused(SignInNeeded):
            act(NOBODY, ref)
        with refused(Missing):
            act(ann, "nowhere")
        with refused(Missing):
            act(ann, inside)
        for author in (ann, bob):
            with refused(NotAllowed):
                act(author, ref)


@pytest.mark.postgresql_only
def test_who_becomes_an_author_while_their_vote_waits_for_that_has_no_vote(hub):
    ann, ref = make.resident(), make.idea()
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")

    def waits() -> bool:
        with reading() as session:
            return bool(session.scalar(waiting))

    with ThreadPoolExecutor(1) as crowd:
        with transaction() as session:
            idea = session.execute(sa.select(Idea.id).where(Idea.ref == ref).with_for_update()).scalar_one()
            vote = crowd.submit(cast_vote, ann, ref)
            wait_until(waits)
            session.add(Authorship(idea_id=idea, person_id=ann.person_id, place=1))
        with pytest.raises(NotAllowed):
            vote.result()
    assert make.row(ref).votes == 0


@rule
def test_votes_are_open_where_the_contract_says_so(hub):
    ann = make.resident()
    for stage in Stage:
        ref = make.idea(stage=stage)
        if stage in ("new", "exploring", "trial", "parked"):
            assert cast_vote(ann, ref).votes == 1
            assert withdraw_vote(ann, ref).votes == 0
        else:
            for act in (cast_vote, withdraw_vote):
                with refused(RuleBroken):
                    act(ann, ref)


@rule
def test_a_vote_is_taken_back_as_it_was_cast_whatever_became_of_the_voter(hub):
    bob, ref = make.staff(), make.idea()
    cast_vote(bob, ref)
    bob = make.changed(bob, kind="resident")
    assert withdraw_vote(bob, ref) == Tally(ref, votes=0, votes_residents=0, votes_staff=0, voted=False)


def test_each_day_keeps_how_its_votes_changed(hub, clock):
    ann, ref = make.resident(), make.idea()
    cast_vote(ann, ref)
    make.cast(ref, residents=1, staff=1)
    clock.goes_to(date(2026, 7, 2))
    withdraw_vote(ann, ref)
    make.cast(ref, staff=2)
    days = [(row.day, row.residents, row.staff) for row in rows(VoteDay)]
    assert days == [(date(2026, 7, 1), 2, 1), (date(2026, 7, 2), -1, 2)]


@rule
def test_more_votes_and_later_posting_make_an_idea_hotter(hub, clock):
    ref = make.idea()
    cold = make.row(ref).hot
    make.cast(ref, residents=2)
    assert make.row(ref).hot > cold
    clock.goes_on(hours=14 * 24)
    assert make.row(make.idea()).hot > make.row(ref).hot


def test_two_hundred_votes_of_one_person_at_once_are_one_vote(hub):
    ann, ref = make.resident(), make.idea()
    with news() as facts, ThreadPoolExecutor(20) as crowd:
        tallies = list(crowd.map(lambda _: cast_vote(ann, ref), range(200)))
    assert set(tallies) == {Tally(ref, votes=1, votes_residents=1, votes_staff=0, voted=True)}
    assert [fact.type for fact in facts] == ["vote.cast"]
    assert len(rows(Vote)) == len(rows(VoterKey)) == 1
    assert [(row.residents, row.staff) for row in rows(VoteDay)] == [(1, 0)]


def test_many_people_voting_and_thinking_again_at_once_leave_the_right_tally(hub):
    people = [make.person(kind=kind) for kind in ("resident", "staff") for _ in range(6)]
    refs = [make.idea(), make.idea()]

    def think(who):
        for ref in refs if who.kind == "staff" else reversed(refs):
            cast_vote(who, ref)
            if who.kind == "staff":
                withdraw_vote(who, ref)

    with ThreadPoolExecutor(12) as crowd:
        list(crowd.map(think, people))
    assert len(rows(VoterKey)) == len(people)
    for ref in refs:
        idea = make.row(ref)
        stood = Counter(row.kind for row in rows(Vote, Vote.idea_id == idea.id))
        assert (idea.votes, idea.votes_residents, idea.votes_staff) == (6, stood["resident"], stood["staff"]) == (6, 6, 0)


# Many at once


def test_votes_brought_together_count_as_those_that_come_one_by_one(hub, clock):
    change_settings(answer_votes={"public": 4, "staff": 3, "leadership": 1})
    crowd = [make.resident(), make.staff(), make.resident(), make.leader(), make.resident()]
    together, single = ((make.idea(), make.idea(audience="staff")) for _ in range(2))
    votes = [[*crowd, crowd[0]], [crowd[1], crowd[3]]]
    for ref, voters in zip(together, votes, strict=True):
        cast_vote(voters[1], ref)  # who voted before is not counted again
    cast_votes(dict(zip(together, votes, strict=True)))
    for ref, voters in zip(single, votes, strict=True):
        for voter in (voters[1], *voters):
            cast_vote(voter, ref)
    for ref, other in zip(together, single, strict=True):
        assert _all_about(ref) == _all_about(other)
    with nothing_written():
        assert cast_votes(dict(zip(together, votes, strict=True))) == 0


def _all_about(ref: str) -> tuple:
    """The tallies, the votes, their days, the answer clock and the facts of an idea."""
    (idea,) = (row for row in rows(Idea) if row.ref == ref)
    of_it = {model: [row for row in rows(model) if row.idea_id == idea.id] for model in (Vote, VoteDay, AnswerClock)}
    told = [fact.data() | {"idea": ""} for fact in (entry.event for entry in entries()) if fact.subject == f"ideas/{ref}"]
    return (
        (idea.votes, idea.votes_residents, idea.votes_staff, idea.hot, idea.answer_due, idea.version_in(View.LEADERSHIP)),
        {(vote.voter, vote.kind) for vote in of_it[Vote]},
        [(day.day, day.residents, day.staff) for day in of_it[VoteDay]],
        [(face.started_at, face.due) for face in of_it[AnswerClock]],
        sorted(map(str, told)),
    )


@rule
def test_of_votes_brought_together_all_count_or_none(hub):
    ann, bob = make.resident(), make.resident()
    ref, inside, over = make.idea(bob), make.idea(audience="staff"), make.idea(stage=Stage.DECLINED)
    for ballots, error in (
        ({ref: [ann, bob]}, NotAllowed),
        ({ref: [ann], inside: [ann]}, Missing),
        ({ref: [ann], over: [ann]}, RuleBroken),
        ({ref: [NOBODY]}, SignInNeeded),
        ({ref: [ann], "nowhere": [ann]}, Missing),
    ):
        with refused(error):
            cast_votes(ballots)


@rule
def test_no_statement_of_a_vote_is_prepared_anew(hub):
    """SQLite does so, without a word, for a statement in which a value says how many rows there are at most."""
    idea = make.idea()
    come_from(lambda ref: f"home {ref}"[:22])
    voters = [make.resident() for _ in range(4)]
    prepared = []
    try:
        cast_vote(voters[0], idea)
        connection = hub.writer.raw_connection().dbapi_connection
        connection.set_authorizer(lambda *what: prepared.append(what) or 0)
        cast_vote(voters[1], idea)
        del prepared[:]  # what was prepared for the first time
        cast_vote(voters[2], idea)
        cast_vote(voters[3], idea)
    finally:
        come_from(None)
    assert [what for what in prepared if what[0] != sqlite3.SQLITE_TRANSACTION] == []


@rule
def test_votes_that_come_at_the_same_time_are_cast_together_and_each_is_told_the_truth_about_itself(hub):
    author, ann, bob, kim = make.resident(), make.resident(), make.staff(), make.resident()
    idea = make.idea(author)
    cast_vote(kim, idea)
    voters = [ann, author, NOBODY, bob, ann, kim, *(make.resident() for _ in range(10))]
    before = len(entries())
    with ThreadPoolExecutor(len(voters)) as crowd:
        come = []
        with hub.turn:
            for voter in voters:
                come.append(crowd.submit(cast_vote, voter, idea))
                wait_until(lambda: len(_TOGETHER.waiting.get(idea, ())) == len(come), within=10, what="a vote")
        told = [one.exception(10) or one.result() for one in come]
    everybody = Tally(idea, votes=13, votes_residents=12, votes_staff=1, voted=True)
    assert [type(one) for one in told[1:3]] == [NotAllowed, SignInNeeded]
    assert told[:1] + told[3:] == [everybody] * (len(voters) - 2)
    facts = [entry.event for entry in entries()[before:]]
    assert [type(fact) for fact in facts] == [VoteCast] * 12
    assert len({fact.voter for fact in facts}) == 12
    assert len(rows(Vote)) == 13
    assert [check.name for check in verify() if check.wrong] == []
