"""Two people who are one: votes count once, texts and roles go to the one who stays, and nothing refers to the other any more."""

from itertools import product

import pytest
import sqlalchemy as sa

from ideas_hub import joining
from ideas_hub.administration import person_file, suspend
from ideas_hub.audit import audit
from ideas_hub.bursts import come_from
from ideas_hub.comments import comments
from ideas_hub.db import Base, reading
from ideas_hub.errors import Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.moderation import bursts, refuse_votes, release_votes
from ideas_hub.people import NOBODY, Actor, Person, Role, everybody
from ideas_hub.privacy import leave
from ideas_hub.receipts import receipts
from ideas_hub.sessions import Means, identify, make_token, start_session
from ideas_hub.settings import change_settings
from ideas_hub.verify import verify
from ideas_hub.votes import VoteDay, cast_vote, withdraw_vote
from ideas_hub.whole import idea_page, whole_idea
from tests import make
from tests.support.witness import refused


@pytest.fixture
def boss(hub) -> Actor:
    return make.admin("Boss")


def join(boss: Actor, person: Actor, into: Actor) -> None:
    joining.join_people(boss, person.ref, into=into.ref, reason="They told us so.")


def all_agrees() -> None:
    assert [(check.name, check.first) for check in verify() if check.wrong] == []


def votes(ref: str) -> int:
    return whole_idea(NOBODY, ref).card.votes


def test_votes_of_both_count_once_and_those_of_either_stay(boss):
    one, other = make.resident(), make.resident()
    both, mine, theirs = make.idea(), make.idea(), make.idea()
    for who, idea in ((one, both), (other, both), (one, mine), (other, theirs)):
        cast_vote(who, idea)
    closed = make.moved(mine, "declined")
    join(boss, other, one)
    assert [votes(idea) for idea in (both, mine, theirs)] == [1, 1, 1]
    assert {own.idea for own in receipts(one)[0]} == {both, closed, theirs}
    all_agrees()


def test_texts_roles_and_terms_go_to_the_one_who_stays(boss):
    one, other = make.staff("Ann"), make.sponsor("Ann again")
    idea, sponsored = make.idea(other, title="Benches"), make.idea(sponsor=other)
    comment = make.comment(sponsored, other, body="My words")
    answer = make.answer(sponsored)
    join(boss, other, one)
    assert [author.name for author in whole_idea(NOBODY, idea).card.authors] == ["Ann"]
    page = idea_page(NOBODY, sponsored)
    assert (page.idea.card.sponsor.name, [each.by.name for each in page.answers]) == ("Ann", ["Ann"])
    assert [each.author.name for each in comments(NOBODY, sponsored)] == ["Ann"]
    assert make.actor(one.ref).holds(Role.SPONSOR)
    assert comment
    assert answer
    all_agrees()


@pytest.mark.sqlite_only
def test_nothing_refers_to_who_is_gone_but_the_fact_that_they_are(boss):
    one, other = make.staff(), make.person(kind="staff", roles=["sponsor", "moderator"])
    idea = make.idea(other, sponsor=make.sponsor())
    make.comment(idea, other)
    cast_vote(other, make.idea())
    start_session(other.ref)
    join(boss, other, one)
    with reading() as session:
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if any(key.column is Person.__table__.c.id for key in column.foreign_keys):
                    left = session.scalar(sa.select(sa.func.count()).select_from(table).where(column == other.person_id))
                    assert left == 0, f"{table.name}.{column.name}"


@pytest.mark.sqlite_only
def test_sessions_of_the_other_end_and_either_address_leads_to_the_one(boss):
    one, other = make.resident("Ann"), make.resident("Annie")
    session, address = start_session(other.ref), make.address(other)
    join(boss, other, one)
    assert identify(session, Means.SESSION).actor is NOBODY
    assert identify(start_session(other.ref), Means.SESSION).actor.ref == one.ref
    assert identify(make_token(address, 1), Means.TOKEN).actor.ref == one.ref
    assert other.ref not in {actor.ref for actor in everybody()}
    third = make.resident("Third")
    join(boss, one, third)
    assert identify(start_session(other.ref), Means.SESSION).actor.ref == third.ref


@pytest.mark.sqlite_only
def test_who_is_now_an_author_has_no_vote_and_sponsors_nothing_of_their_own(boss):
    one, other = make.sponsor("Ann"), make.staff("Annie")
    idea = make.idea(other, sponsor=one)
    voted = make.idea(other)
    cast_vote(one, voted)
    join(boss, other, one)
    card = whole_idea(NOBODY, idea).card
    assert (card.sponsor, [author.name for author in card.authors], votes(voted)) == (None, ["Ann"], 0)
    all_agrees()


@pytest.mark.sqlite_only
def test_two_authors_of_one_idea_become_one(boss):
    one, other = make.resident(), make.resident()
    idea = make.idea(one, co_authors=[other])
    join(boss, other, one)
    assert [author.ref for author in whole_idea(NOBODY, idea).card.authors] == [one.ref]
    all_agrees()


@pytest.mark.sqlite_only
def test_a_vote_that_is_held_is_held_for_the_one_who_stays(boss):
    change_settings(burst_votes=5)
    idea, one, other = make.idea(), make.resident(), make.resident()
    come_from(lambda ref: f"farm {ref}")
    for _ in range(5):
        cast_vote(make.resident(), idea)
    cast_vote(other, idea)
    come_from(None)
    join(boss, other, one)
    assert (votes(idea), whole_idea(one, idea).card.own_vote, whole_idea(one, idea).card.votes_held) == (5, "held", 1)
    all_agrees()


def burst(idea: str, *who: Actor) -> str:
    """Those people's votes are held; the burst they are in."""
    change_settings(burst_votes=5)
    come_from(lambda ref: f"farm {ref}")
    for voter in [*(make.resident() for _ in range(5)), *who]:
        cast_vote(voter, idea)
    come_from(None)
    return bursts(make.regular("moderator")).waiting[0].ref


def own_vote(idea: str, who: Actor) -> str | None:
    return whole_idea(who, idea).card.own_vote


def test_a_vote_that_was_refused_is_refused_for_the_one_who_stays(boss):
    """Else whoever was refused could vote anew by their other address."""
    idea, one, other = make.idea(), make.resident(), make.resident()
    refuse_votes(make.regular("moderator"), burst(idea, other), reason="A program.")
    join(boss, other, one)
    card = whole_idea(one, idea).card
    assert (card.votes, card.votes_refused, card.own_vote) == (5, 1, "refused")
    with refused(RuleBroken):
        cast_vote(one, idea)
    all_agrees()


@pytest.mark.sqlite_only
def test_a_held_vote_that_was_taken_back_stays_so(boss):
    idea, one, other = make.idea(), make.resident(), make.resident()
    burst(idea, other)
    withdraw_vote(other, idea)
    join(boss, other, one)
    assert (own_vote(idea, one), whole_idea(one, idea).card.votes_held) == (None, 0)
    all_agrees()


@pytest.mark.sqlite_only
def test_whichever_of_the_two_stays_the_vote_that_counts_is_the_one_that_is_left(boss):
    for first_stays, is_refused in product((True, False), repeat=2):
        idea, counts, held = make.idea(), make.resident(), make.resident()
        cast_vote(counts, idea)
        of = burst(idea, held)
        if is_refused:
            refuse_votes(make.regular("moderator"), of, reason="A program.")
        stays, goes = (held, counts) if first_stays else (counts, held)
        join(boss, goes, stays)
        card = whole_idea(stays, idea).card
        assert (card.votes, card.votes_held, card.votes_refused, card.voted, card.own_vote) == (6, 0, 0, True, None)
        all_agrees()


@pytest.mark.sqlite_only
def test_a_held_vote_counts_from_its_own_day_also_when_its_person_became_another(clock, boss):
    idea, one, other = make.idea(), make.resident(), make.resident()
    of = burst(idea, other)
    cast_on = clock().date()
    clock.goes_on(days=3)
    join(boss, other, one)
    release_votes(make.regular("moderator"), of, reason="A school.")
    with reading() as session:
        assert {row.day: row.residents for row in session.scalars(sa.select(VoteDay))} == {cast_on: 6}
    assert [own.at.date() for own in receipts(one)[0]] == [cast_on]
    all_agrees()


@pytest.mark.sqlite_only
def test_foolish_joins_are_refused_with_the_reason(boss):
    ann, staff = make.resident(), make.staff()
    other = make.admin()
    away = make.resident()
    suspend(boss, away.ref, reason="Away.")
    for person, into, said in (
        (ann, ann, "one person already"),
        (boss, other, "signed in as the one who would go"),
        (away, ann, "suspended"),
        (ann, away, "suspended"),
        (staff, ann, "other way round"),
    ):
        assert said in (joining.proposed_join(boss, person.ref, into.ref).refusal or "")
        with refused(RuleBroken) as caught:
            join(boss, person, into)
        assert said in str(caught.value)
    with refused(Missing):
        joining.join_people(boss, ann.ref, into="nowhere", reason="x")
    leader, bob = make.leader(), make.resident()
    for who, refusal in ((NOBODY, SignInNeeded), (leader, NotAllowed)):
        with refused(refusal):
            join(who, ann, bob)


@pytest.mark.sqlite_only
def test_the_log_says_that_it_was_done_and_the_page_why(boss):
    one, other = make.resident("Ann"), make.resident("Annie")
    cast_vote(other, make.idea())
    told = joining.proposed_join(boss, other.ref, one.ref)
    assert (told.votes, told.both, told.ideas, told.refusal) == (1, 0, 0, None)
    join(boss, other, one)
    line = audit(boss)[0][0]
    assert (str(line.sentence), line.reason) == ("Annie became Ann: they are one person.", "They told us so.")
    assert person_file(boss, other.ref).joined.ref == one.ref


@pytest.mark.sqlite_only
def test_who_leaves_takes_the_address_along_by_which_they_were_somebody_else(boss):
    one, other = make.resident("Ann"), make.resident("Annie")
    join(boss, other, one)
    leave(make.actor(one.ref), key="of this hub")
    with reading() as session:
        both = Person.id.in_((one.person_id, other.person_id))
        left = session.execute(sa.select(Person.email, Person.mailbox, Person.name).where(both))
        assert set(left.all()) == {(None, None, "Somebody who left")}
