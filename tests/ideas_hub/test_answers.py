"""Answers, and the clock that obliges somebody to give one."""

import threading
from datetime import date

import pytest
import sqlalchemy as sa

from events.catalogue import IdeaAnswerDue, IdeaAnswered, IdeaAnswerOverdue, View
from ideas_hub import answers
from ideas_hub.answers import Answer, AnswerClock, tell_overdue
from ideas_hub.audiences import change_idea
from ideas_hub.chores import CHORES, run
from ideas_hub.db import transaction
from ideas_hub.desk import desk
from ideas_hub.errors import Invalid, Missing, NotAllowed, SignInNeeded
from ideas_hub.ideas import Idea, withdraw_idea
from ideas_hub.moves import answer_idea
from ideas_hub.people import NOBODY
from ideas_hub.settings import change_settings
from ideas_hub.sponsors import end_sponsorship, name_sponsor, take_on
from ideas_hub.votes import withdraw_vote
from ideas_hub.whole import answers_of, idea_page, whole_idea
from tests import make
from tests.support.witness import news, nothing_written, refused, rows

rule = pytest.mark.sqlite_only


@pytest.fixture
def eager(hub, clock):
    """A hub in which few votes oblige an answer: two of everybody, one more for each narrower audience."""
    change_settings(answer_votes={"public": 2, "staff": 3, "leadership": 4}, answer_days=5)


def named(ref):
    return make.row(ref).answer_by_ref


# The clock starts


@rule
@pytest.mark.parametrize(("audience", "enough"), [("public", 2), ("staff", 3), ("leadership", 4)])
def test_enough_votes_for_its_audience_start_the_clock_once(eager, clock, audience, enough):
    ref, voters = make.idea(audience=audience), [make.leader() for _ in range(enough + 1)]
    with news() as facts:
        for voter in voters[: enough - 1]:
            make.cast_vote(voter, ref)
    assert make.row(ref).answer_due is None
    assert {fact.type for fact in facts} == {"vote.cast"}
    with news() as facts:
        for voter in voters[enough - 1 :]:
            make.cast_vote(voter, ref)
    due = date(2026, 7, 8)
    assert make.row(ref).answer_due == due
    assert [fact for fact in facts if fact.type != "vote.cast"] == [
        IdeaAnswerDue(idea=ref, due="2026-07-08", audience=View.named(audience))
    ]
    assert [(row.started_at, row.due, row.stopped_at) for row in rows(AnswerClock)] == [(clock(), due, None)]


@rule
def test_the_clock_does_not_start_again_when_votes_come_and_go(eager):
    ref = make.idea()
    voters = make.cast(ref, residents=2)
    with news() as facts:
        withdraw_vote(voters[0], ref)
        make.cast_vote(voters[0], ref)
    assert {fact.type for fact in facts} == {"vote.cast", "vote.withdrawn"}
    assert len(rows(AnswerClock)) == 1


@rule
def test_bank_holidays_do_not_count(eager, clock):
    clock.goes_to(date(2026, 12, 23))
    ref = make.idea(votes=2)
    assert make.row(ref).answer_due == date(2027, 1, 4)  # 24, 29, 30, 31 December, 4 January


@rule
def test_an_idea_that_was_answered_already_owes_nothing(eager):
    ref = make.idea(votes=1)
    make.answer(ref)
    make.cast(ref, residents=3)
    assert make.row(ref).answer_due is None
    assert rows(AnswerClock) == []


# Whom it names


@rule
def test_the_clock_names_the_sponsor_and_follows_them(eager):
    lead, sponsor, other, admin = make.lead("Streets"), make.sponsor(), make.sponsor(), make.admin()
    ref = make.idea(votes=2)
    assert named(ref) == lead.ref
    take_on(sponsor, ref)
    assert named(ref) == sponsor.ref
    name_sponsor(admin, ref, person=other.ref, reason="Holidays.")
    assert named(ref) == other.ref
    end_sponsorship(other, ref, reason="Moved on.")
    assert named(ref) == lead.ref
    assert idea_page(NOBODY, ref).clock.who.ref == lead.ref
    assert [card.ref for card in desk(lead).to_answer] == [ref]


@rule
def test_the_lead_is_of_the_theme_else_of_the_first_author_else_any(eager):
    arts, parks, streets = (make.lead(name) for name in ("Arts", "Parks", "Streets"))
    in_parks, in_streets = make.staff(team="Mowing", directorate="Parks"), make.staff(team="Potholes", directorate="Streets")
    theme = make.theme("lamps", directorate="Streets")
    by_theme = make.idea(in_parks, votes=2, themes=[theme])
    by_author, by_first_author = make.idea(in_parks, votes=2), make.idea(in_streets, co_authors=[in_parks], votes=2)
    by_nothing = make.idea(votes=2)
    assert [named(ref) for ref in (by_theme, by_author, by_first_author, by_nothing)] == [
        streets.ref,
        parks.ref,
        streets.ref,
        arts.ref,
    ]


@rule
def test_without_any_lead_the_clock_runs_and_names_nobody(eager):
    ref = make.idea(votes=2)
    assert (make.row(ref).answer_due, named(ref)) == (date(2026, 7, 8), None)
    make.answer(ref)
    assert make.row(ref).answer_due is None


@rule
def test_the_clock_names_nobody_who_cannot_see_the_idea(eager):
    make.lead("Arts")
    able = make.lead("Parks", roles=["leader"])
    inside = make.idea(audience="leadership")
    for _ in range(4):
        make.cast_vote(make.leader(), inside)
    assert named(inside) == able.ref


@rule
def test_restricting_an_idea_takes_the_clock_to_somebody_who_still_sees_it(eager):
    plain, able = make.lead("Arts"), make.lead("Parks", roles=["leader"])
    ref = make.idea(votes=2)
    assert named(ref) == plain.ref
    change_idea(make.admin(), ref, audience=View.LEADERSHIP)
    assert named(ref) == able.ref
    change_idea(make.admin(), ref, audience=View.PUBLIC)
    assert named(ref) == plain.ref


# Answering


def test_an_answer_is_given_announced_and_stops_the_clock(eager, clock):
    lead = make.lead("Streets", "Lena")
    ref = make.idea(votes=2)
    clock.goes_on(days=2)
    with news() as facts:
        answer = answer_idea(lead, ref, text=" Yes, in May. ")
    assert facts == [IdeaAnswered(idea=ref, answer=answer, audience=View.PUBLIC)]
    (card,) = answers_of(NOBODY, ref)
    assert (card.ref, card.text, card.by.name, card.at) == (answer, "Yes, in May.", "Lena", clock())
    assert whole_idea(NOBODY, ref).card.answer == card
    row = make.row(ref)
    assert (row.answered_at, row.answer_due, row.answer_by_ref) == (clock(), None, None)
    assert [row.stopped_at for row in rows(AnswerClock)] == [clock()]


@rule
def test_a_second_answer_stands_beside_the_first(eager):
    sponsor = make.sponsor()
    ref = make.idea(sponsor=sponsor)
    answer_idea(sponsor, ref, text="Not yet.")
    answer_idea(sponsor, ref, text="Now.")
    assert [card.text for card in answers_of(NOBODY, ref)] == ["Now.", "Not yet."]
    assert whole_idea(NOBODY, ref).card.answer.text == "Now."


@rule
def test_an_answer_has_one_to_ten_thousand_characters_trimmed(eager):
    sponsor = make.sponsor()
    ref = make.idea(sponsor=sponsor)
    for wrong in ("", " \n", "x" * 10_001):
        with refused(Invalid) as refusal:
            answer_idea(sponsor, ref, text=wrong)
        assert set(refusal.value.errors) == {"text"}
    answer_idea(sponsor, ref, text=f"\n{'x' * 10_000} ")
    assert len(rows(Answer)[0].text) == 10_000


@rule
def test_the_sponsor_and_whom_the_clock_names_answer_and_nobody_else(eager):
    ann, lead, sponsor = make.resident(), make.lead("Streets"), make.sponsor()
    ref, later = make.idea(ann, votes=2), make.idea(sponsor=sponsor)
    for other in (ann, make.resident(), make.staff(), sponsor, make.moderator(), make.leader(), make.admin()):
        with refused(NotAllowed):
            answer_idea(other, ref, text="Yes.")
    with refused(NotAllowed):  # leads answer only where the clock names them
        answer_idea(lead, later, text="Yes.")
    with refused(SignInNeeded):
        answer_idea(NOBODY, ref, text="Yes.")
    inside = make.idea(audience="staff")
    for nowhere in (inside, "nowhere"):
        with refused(Missing):
            answer_idea(ann, nowhere, text="Yes.")
    answer_idea(lead, ref, text="Yes.")


# Overdue


def test_a_clock_that_ran_out_is_told_once(eager, clock):
    ref, in_time, soon = make.idea(votes=2), make.idea(votes=2), make.idea()
    make.answer(in_time)
    clock.goes_to(date(2026, 7, 8))
    make.cast(soon, residents=2)
    with nothing_written():
        assert tell_overdue() == 0  # the day itself is still in time
    clock.goes_to(date(2026, 7, 9))
    with news() as facts:
        assert tell_overdue() == 1
    assert facts == [IdeaAnswerOverdue(idea=ref, due="2026-07-08", audience=View.PUBLIC)]
    with nothing_written():
        assert tell_overdue() == 0
    make.answer(ref)
    assert make.row(ref).answer_due is None


@rule
def test_all_that_is_overdue_is_told_in_batches(eager, clock):
    refs = [make.idea(votes=2) for _ in range(3)]
    clock.goes_to(date(2026, 7, 9))
    with news() as facts:
        assert tell_overdue(2) == 2
        assert run(CHORES[0]) == 1
    assert sorted(fact.idea for fact in facts) == sorted(refs)


@rule
def test_of_an_idea_that_was_withdrawn_nothing_more_is_told(eager, clock):
    ann = make.resident()
    ref = make.idea(ann)
    for voter in make.cast(ref, residents=2):
        withdraw_vote(voter, ref)
    withdraw_idea(ann, ref)
    clock.goes_to(date(2026, 7, 9))
    with news() as facts:
        tell_overdue()
    assert facts == []


@pytest.mark.postgresql_only
def test_two_processes_that_look_at_once_tell_of_an_overdue_answer_once(eager, clock, hub, monkeypatch):
    """The second one's question begins before the first has finished, and reaches the row afterwards."""
    make.idea(votes=2)
    clock.goes_to(date(2026, 7, 9))
    with transaction() as session:
        session.execute(
            sa.text(
                "CREATE FUNCTION slow_today() RETURNS date LANGUAGE plpgsql VOLATILE AS "
                "$$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN date '2026-07-09'; END $$"
            )
        )
    gate, told = hub.engine.connect(), []
    gate.execute(sa.text("SELECT pg_advisory_lock(7)"))
    with monkeypatch.context() as patch:
        patch.setattr(answers, "today", lambda: sa.func.slow_today(type_=sa.Date))
        slow = threading.Thread(target=lambda: told.append(tell_overdue()))
        slow.start()
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        while not gate.scalar(waiting):
            assert slow.is_alive()
    told.append(tell_overdue())
    gate.execute(sa.text("SELECT pg_advisory_unlock(7)"))
    slow.join()
    gate.close()
    assert sorted(told) == [0, 1]


@rule
def test_an_idea_that_was_merged_owes_no_answer_of_its_own(eager, clock):
    ref = make.idea(votes=2)
    make.moved(ref, "merged")
    clock.goes_to(date(2026, 7, 9))
    assert make.row(ref).answer_due is None
    with news() as facts:
        tell_overdue()
    assert IdeaAnswerOverdue not in map(type, facts) or [fact.idea for fact in facts] != [ref]


def test_every_idea_row_agrees_with_its_clock(eager):
    make.answer(make.idea(votes=2))
    make.idea(votes=2)
    running = {row.idea_id: row.due for row in rows(AnswerClock) if row.stopped_at is None}
    assert {row.id: row.answer_due for row in rows(Idea, Idea.answer_due.is_not(None))} == running


@rule
def test_an_idea_that_is_restricted_owes_an_answer_at_once_where_fewer_votes_oblige(hub, clock):
    change_settings(answer_votes={"public": 9, "staff": 2, "leadership": 2})
    ref, leader = make.idea(staff_votes=2), make.leader()
    with news() as facts:
        change_idea(leader, ref, audience=View.STAFF)
    assert [fact.type for fact in facts] == ["idea.restricted", "idea.answer_due"]
    assert make.row(ref).answer_due is not None
