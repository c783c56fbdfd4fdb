"""Votes that come in a burst: who is held and who never is, what becomes of them, and that nothing is lost or counted twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from events import log
from events.catalogue import View
from ideas_hub.audiences import change_idea
from ideas_hub.authors import accept_invitation, invite_author
from ideas_hub.bursts import Arrival, Burst, Fate, HeldVote, come_from, forget_networks
from ideas_hub.cards import IdeaCard
from ideas_hub.db import reading
from ideas_hub.errors import Clash, Invalid, Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.moderation import burst_card, bursts, bursts_waiting, notice_rushes, refuse_votes, release_votes
from ideas_hub.people import NOBODY, Actor
from ideas_hub.receipts import receipts
from ideas_hub.settings import change_settings
from ideas_hub.verify import verify
from ideas_hub.votes import Tally, Vote, VoteDay, cast_vote, withdraw_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.support.told import story
from tests.support.witness import news, nothing_written


@pytest.fixture(autouse=True)
def elsewhere() -> Iterator[None]:
    """Where votes come from ends with the test."""
    yield
    come_from(None)


def at(place: str) -> None:
    """From now on votes come from that network."""
    come_from(lambda idea: f"{place} {idea}"[:22])


def newcomers(ref: str, number: int) -> list[Tally]:
    """So many residents who are new vote for the idea, one after the other."""
    return [cast_vote(make.resident(), ref) for _ in range(number)]


def card(ref: str, who: Actor = NOBODY) -> IdeaCard:
    return whole_idea(who, ref).card


def the_burst(moderator: Actor) -> str:
    return bursts(moderator).waiting[0].ref


def all_agrees() -> None:
    assert [(check.name, check.first) for check in verify() if check.wrong] == []


@pytest.fixture
def rule(hub) -> None:
    change_settings(burst_votes=5, burst_minutes=60, newcomer_days=14)


pytestmark = pytest.mark.usefixtures("rule")


# Who is held


def test_the_first_newcomers_from_a_network_count_and_those_who_follow_are_held():
    ref = make.idea()
    at("library")
    told = newcomers(ref, 8)
    assert [tally.voted for tally in told] == [True] * 5 + [False] * 3
    assert [tally.held for tally in told] == [False] * 5 + [True] * 3
    assert (told[-1].votes, card(ref).votes, card(ref).votes_held) == (5, 5, 3)
    all_agrees()


@pytest.mark.sqlite_only
def test_staff_and_residents_who_have_been_here_for_a_while_are_never_held(clock):
    ref, known = make.idea(), [make.resident() for _ in range(10)]
    clock.goes_on(days=15)
    at("town hall")
    newcomers(ref, 5)
    assert all(cast_vote(who, ref).voted for who in [*known, *(make.staff() for _ in range(10))])
    assert newcomers(ref, 1)[0].held


@pytest.mark.sqlite_only
def test_one_network_is_not_another_and_one_idea_is_not_another():
    ref, other = make.idea(), make.idea()
    for place in ("a", "b", "c"):
        at(place)
        assert all(tally.voted for tally in newcomers(ref, 5))
    assert all(tally.voted for tally in newcomers(other, 5))
    assert newcomers(ref, 1)[0].held


@pytest.mark.sqlite_only
def test_where_nobody_knows_from_where_votes_come_none_is_held():
    ref = make.idea()
    assert all(tally.voted for tally in newcomers(ref, 12))
    come_from(lambda idea: None)
    assert all(tally.voted for tally in newcomers(ref, 12))


@pytest.mark.sqlite_only
def test_when_the_burst_is_over_newcomers_count_again(clock):
    ref = make.idea()
    at("library")
    assert newcomers(ref, 6)[-1].held
    clock.goes_on(minutes=61)
    assert all(tally.voted for tally in newcomers(ref, 5))


@pytest.mark.sqlite_only
def test_the_rule_is_the_admins_to_change():
    change_settings(newcomer_days=0)
    ref = make.idea()
    at("library")
    assert all(tally.voted for tally in newcomers(ref, 8))


@pytest.mark.sqlite_only
def test_who_is_not_new_and_votes_where_nothing_is_held_costs_no_question_more(hub, clock):
    ref, known, new = make.idea(), make.resident(), make.resident()
    clock.goes_on(days=100)
    for who in (known, new):  # they have keys
        cast_vote(who, make.idea())
    come_from(None)
    asked = statements(hub, lambda: cast_vote(new, ref))
    at("home")
    assert statements(hub, lambda: cast_vote(known, ref)) == asked


def statements(hub, work) -> list[str]:
    heard: list[str] = []
    sa.event.listen(hub.writer, "before_cursor_execute", note := lambda *what: heard.append(what[2]))
    work()
    sa.event.remove(hub.writer, "before_cursor_execute", note)
    return heard


# What the voter can do


@pytest.mark.sqlite_only
def test_voting_again_while_it_is_held_is_harmless_and_so_is_taking_it_back_twice():
    ref, ann = make.idea(), make.resident()
    at("library")
    newcomers(ref, 5)
    first = cast_vote(ann, ref)
    with nothing_written():
        assert cast_vote(ann, ref) == first
    assert (first.held, card(ref, ann).own_vote) == (True, Fate.HELD)
    withdraw_vote(ann, ref)
    with nothing_written():
        withdraw_vote(ann, ref)
    assert (card(ref, ann).votes_held, card(ref, ann).own_vote) == (0, None)
    all_agrees()


@pytest.mark.sqlite_only
def test_who_takes_a_held_vote_back_and_casts_it_later_does_not_slip_through(clock):
    ref, ann = make.idea(), make.resident()
    at("library")
    newcomers(ref, 5)
    cast_vote(ann, ref)
    withdraw_vote(ann, ref)
    clock.goes_on(hours=3)
    assert cast_vote(ann, ref).held
    assert card(ref).votes_held == 1
    all_agrees()


@pytest.mark.sqlite_only
def test_who_counted_before_the_burst_may_think_again():
    ref, ann = make.idea(), make.resident()
    at("library")
    cast_vote(ann, ref)
    newcomers(ref, 6)
    withdraw_vote(ann, ref)
    assert cast_vote(ann, ref).voted
    all_agrees()


@pytest.mark.sqlite_only
def test_a_vote_that_counts_is_not_held_by_being_cast_again_in_a_burst():
    ref, ann = make.idea(), make.resident()
    cast_vote(ann, ref)
    at("library")
    newcomers(ref, 6)
    assert cast_vote(ann, ref).voted
    assert (card(ref).votes, card(ref).votes_held) == (6, 1)
    all_agrees()


@pytest.mark.sqlite_only
def test_who_becomes_an_author_has_no_vote_that_is_held():
    ref, ann = make.idea(), make.resident()
    at("library")
    newcomers(ref, 5)
    cast_vote(ann, ref)
    from_hand_to_hand(ref, ann)
    assert card(ref).votes_held == 0
    all_agrees()


def from_hand_to_hand(ref: str, joins: Actor) -> None:
    accept_invitation(joins, invite_author(make.actor(next(iter(card(ref).author_refs))), ref, email=make.address(joins)))


# What a moderator decides


def test_released_votes_count_at_their_own_time_and_the_recount_agrees(clock):
    ref, moderator = make.idea(), make.moderator()
    at("library")
    newcomers(ref, 8)
    cast_on = clock().date()
    clock.goes_on(days=2)
    release_votes(moderator, the_burst(moderator), reason="The library had a stall.")
    assert (card(ref).votes, card(ref).votes_held) == (8, 0)
    with reading() as session:
        assert {row.day: row.residents for row in session.scalars(sa.select(VoteDay))} == {cast_on: 8}
        assert {moment.date() for moment in session.scalars(sa.select(Vote.at))} == {cast_on}
    all_agrees()


def test_refused_votes_do_not_count_and_their_voters_are_told_why():
    ref, moderator, ann = make.idea(), make.moderator(), make.resident()
    at("farm")
    newcomers(ref, 5)
    cast_vote(ann, ref)
    refuse_votes(moderator, the_burst(moderator), reason="All of them were made by one program.")
    assert (card(ref).votes, card(ref).votes_held, card(ref).votes_refused) == (5, 0, 1)
    assert card(ref, ann).own_vote is Fate.REFUSED
    with nothing_written(), pytest.raises(RuleBroken, match="made by one program"):
        cast_vote(ann, ref)
    (own,), _ = receipts(ann)
    assert (own.counts, own.fate, own.reason) == (False, Fate.REFUSED, "All of them were made by one program.")
    all_agrees()


@pytest.mark.sqlite_only
def test_what_is_refused_can_take_those_along_that_came_before_it(clock):
    ref, moderator = make.idea(votes=2), make.moderator()
    at("farm")
    newcomers(ref, 8)
    clock.goes_on(days=1)
    refuse_votes(moderator, the_burst(moderator), reason="A program.", with_first=True)
    assert (card(ref).votes, card(ref).votes_refused) == (2, 8)
    all_agrees()
    release_votes(moderator, bursts(moderator).decided[0].ref, reason="It was a school after all.")
    assert (card(ref).votes, card(ref).votes_refused) == (10, 0)
    all_agrees()


@pytest.mark.sqlite_only
def test_after_a_release_those_who_follow_from_there_count_and_after_a_refusal_they_are_held_anew():
    moderator = make.moderator()
    for decide, follow_as_held in ((release_votes, False), (refuse_votes, True)):
        ref = make.idea()
        at("library")
        newcomers(ref, 6)
        decide(moderator, the_burst(moderator), reason="We looked.")
        assert newcomers(ref, 1)[0].held is follow_as_held
    assert bursts_waiting(moderator) == 1
    all_agrees()


@pytest.mark.sqlite_only
def test_what_was_decided_is_not_decided_twice_and_what_counts_is_not_taken_away():
    ref, moderator = make.idea(), make.moderator()
    at("library")
    newcomers(ref, 6)
    burst = the_burst(moderator)
    release_votes(moderator, burst, reason="We looked.")
    with nothing_written():
        with pytest.raises(Clash):
            release_votes(moderator, burst, reason="We looked.")
        with pytest.raises(RuleBroken):
            refuse_votes(moderator, burst, reason="We looked again.")
    assert card(ref).votes == 6


@pytest.mark.sqlite_only
def test_nobody_but_a_moderator_looks_or_decides_and_a_reason_is_needed():
    ref, moderator = make.idea(), make.moderator()
    at("library")
    newcomers(ref, 6)
    burst = the_burst(moderator)
    for who, refusal in ((NOBODY, SignInNeeded), (make.resident(), NotAllowed), (make.admin(), NotAllowed)):
        for act in (
            lambda who=who: release_votes(who, burst, reason="x"),
            lambda who=who: refuse_votes(who, burst, reason="x"),
            lambda who=who: bursts(who),
            lambda who=who: burst_card(who, burst),
        ):
            with nothing_written(), pytest.raises(refusal):
                act()
    for decide in (release_votes, refuse_votes):
        with nothing_written(), pytest.raises(Invalid):
            decide(moderator, burst, reason=" ")
        with nothing_written(), pytest.raises(Missing):
            decide(moderator, "nowhere", reason="We looked.")


@pytest.mark.sqlite_only
def test_a_moderator_is_shown_numbers_and_nobody():
    ref, moderator = make.idea(), make.moderator()
    at("library")
    newcomers(ref, 8)
    desk = bursts(moderator)
    shown = desk.waiting[0]
    assert (shown.idea, shown.votes, shown.counted, shown.domains, shown.largest) == (ref, 3, 5, 1, 3)
    assert shown.known_for is not None
    assert shown.known_for < timedelta(minutes=1)
    assert "Person" not in repr(desk.waiting)
    assert "example.org" not in repr(desk.waiting)


# A rush: many newcomers from many networks


@pytest.fixture
def rush(clock) -> str:
    """An idea for which some known people voted, and then ten newcomers from ten networks."""
    change_settings(rush_votes=10)
    ref, known = make.idea(), [make.resident() for _ in range(3)]
    clock.goes_on(days=20)
    for number, who in enumerate([*known, *(make.resident() for _ in range(10))]):
        at(f"network {number}")
        assert cast_vote(who, ref).voted
        clock.goes_on(minutes=1)
    return ref


@pytest.mark.sqlite_only
def test_moderators_are_told_of_a_rush_once_and_its_votes_count(rush):
    moderator = make.moderator()
    with news() as facts:
        assert notice_rushes() == 1
    assert [(fact.type, fact.audience) for fact in facts] == [("idea.votes_rushed", View.PUBLIC)]
    with nothing_written():
        assert notice_rushes() == 0
    (shown,) = bursts(moderator).waiting
    assert (shown.idea, shown.rush, shown.votes, shown.networks, shown.counted) == (rush, True, 10, 10, 0)
    assert (card(rush).votes, card(rush).votes_held, bursts_waiting(moderator)) == (13, 0, 1)
    all_agrees()


@pytest.mark.sqlite_only
def test_fewer_newcomers_and_those_who_come_slowly_are_no_rush(clock):
    change_settings(rush_votes=10)
    quick, slow = make.idea(), make.idea()
    for number in range(12):
        at(f"network {number}")
        cast_vote(make.resident(), slow)
        if number < 9:
            cast_vote(make.resident(), quick)
        clock.goes_on(minutes=7)
    assert notice_rushes() == 0


@pytest.mark.sqlite_only
def test_a_rush_that_is_refused_counts_no_more_and_those_who_were_known_do(rush, clock):
    moderator = make.moderator()
    notice_rushes()
    of = the_burst(moderator)
    refuse_votes(moderator, of, reason="Ten addresses of one shop that sells votes.")
    assert (card(rush).votes, card(rush).votes_refused) == (3, 10)
    assert [shown.votes for shown in bursts(moderator).decided] == [10]
    all_agrees()
    release_votes(moderator, of, reason="A newsletter named it.")
    assert (card(rush).votes, card(rush).votes_refused) == (13, 0)
    assert [shown.votes for shown in bursts(moderator).decided] == [10]
    all_agrees()


@pytest.mark.sqlite_only
def test_a_rush_that_was_looked_at_is_told_again_only_where_as_many_come_after(rush, clock):
    moderator = make.moderator()
    notice_rushes()
    release_votes(moderator, the_burst(moderator), reason="A newsletter named it.")
    assert (card(rush).votes, [shown.votes for shown in bursts(moderator).decided]) == (13, [10])
    clock.goes_on(minutes=1)
    for number in range(10):
        at(f"later {number}")
        cast_vote(make.resident(), rush)
        assert notice_rushes() == (number == 9)
    assert [shown.votes for shown in bursts(moderator).waiting] == [10]
    all_agrees()


@pytest.mark.sqlite_only
def test_votes_that_a_moderator_released_are_in_no_rush(clock):
    change_settings(rush_votes=10)
    ref, moderator = make.idea(), make.moderator()
    at("library")
    newcomers(ref, 14)
    release_votes(moderator, the_burst(moderator), reason="The library had a stall.")
    assert notice_rushes() == 0


def test_a_rush_that_many_servers_notice_at_once_is_told_once(hub):
    change_settings(rush_votes=10)
    ref, moderator = make.idea(), make.moderator()
    for number in range(10):
        at(f"network {number}")
        cast_vote(make.resident(), ref)
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: notice_rushes(), range(4))) == 1
    refuse_votes(moderator, the_burst(moderator), reason="A program.")
    assert (card(ref).votes, card(ref).votes_refused) == (0, 10)
    all_agrees()


# What everybody is told


@pytest.mark.sqlite_only
def test_everybody_is_told_that_votes_are_held_and_what_became_of_them_and_not_whose():
    ref, moderator = make.idea(), make.moderator()
    at("library")
    newcomers(ref, 8)
    release_votes(moderator, the_burst(moderator), reason="We looked.")
    assert story(ref, View.PUBLIC)[1:] == [("idea.votes_held", {"idea": ref}), ("idea.votes_released", {"idea": ref, "votes": 3})]
    with reading() as session:
        ledger = session.execute(sa.select(log.event_table.c.type).where(log.event_table.c.audience.is_(None))).scalars().all()
    assert ledger.count("vote.held") == ledger.count("vote.released") == 3


@pytest.mark.sqlite_only
def test_held_votes_oblige_nobody_to_answer_until_they_are_released():
    change_settings(answer_votes={"public": 6, "staff": 6, "leadership": 6}, burst_votes=5)
    ref, moderator = make.idea(), make.moderator()
    at("library")
    newcomers(ref, 7)
    assert card(ref).answer_due is None
    release_votes(moderator, the_burst(moderator), reason="We looked.")
    assert card(ref).answer_due is not None


@pytest.mark.sqlite_only
def test_a_merge_takes_held_votes_along_each_persons_once():
    ref, into, both = make.idea(), make.idea(), make.resident()
    cast_vote(both, into)
    at("library")
    newcomers(ref, 5)
    newcomers(ref, 2)
    cast_vote(both, ref)
    make.moved(ref, "merged", into=into)
    assert (card(into).votes, card(into).votes_held) == (6, 2)
    all_agrees()
    moderator = make.moderator()
    release_votes(moderator, the_burst(moderator), reason="We looked.")
    assert (card(into).votes, card(into).votes_held) == (8, 0)
    all_agrees()


# What is forgotten


@pytest.mark.sqlite_only
def test_from_where_votes_came_is_forgotten_after_a_month(clock):
    ref = make.idea()
    at("library")
    newcomers(ref, 7)
    clock.goes_on(days=29)
    assert forget_networks() == 0
    clock.goes_on(days=2)
    assert forget_networks() == 7
    with reading() as session:
        assert session.scalars(sa.select(Arrival)).all() == []
        assert session.scalars(sa.select(Burst.network)).all() == [None]
        assert len(session.scalars(sa.select(HeldVote)).all()) == 2
    all_agrees()


# One's own receipt


@pytest.mark.sqlite_only
def test_a_receipt_says_what_one_voted_for_when_and_whether_it_counts(clock):
    ann, first, second = make.resident(), make.idea(title="Benches"), make.idea(title="Trees")
    cast_vote(ann, first)
    voted_at = clock()
    clock.goes_on(hours=1)
    at("library")
    newcomers(second, 5)
    cast_vote(ann, second)
    mine, following = receipts(ann)
    assert [(own.title, own.counts, own.fate) for own in mine] == [("Trees", False, Fate.HELD), ("Benches", True, None)]
    assert (mine[1].at, following) == (voted_at, None)
    some, following = receipts(ann, limit=1)
    rest, end = receipts(ann, limit=1, after=following)
    assert (some + rest, end) == (mine, None)
    withdraw_vote(ann, first)
    assert [own.title for own in receipts(ann)[0]] == ["Trees"]


@pytest.mark.sqlite_only
def test_a_receipt_names_no_idea_that_one_may_no_longer_see():
    ann, ref = make.resident(), make.idea(title="Benches")
    cast_vote(ann, ref)
    change_idea(make.regular("admin"), ref, audience=View.STAFF)
    ((own,), _) = receipts(ann)
    assert (own.idea, own.title, own.counts) == (None, None, True)
    with pytest.raises(SignInNeeded):
        receipts(NOBODY)
