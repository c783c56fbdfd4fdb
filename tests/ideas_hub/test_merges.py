"""Merges: an idea becomes part of another, and no vote is lost or doubled."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from events.catalogue import IdeaMerged, IdeaTookIn, View, VoteCast, VoteWithdrawn
from ideas_hub.answers import AnswerClock
from ideas_hub.audiences import change_idea, hide_idea
from ideas_hub.errors import Invalid, Missing, RuleBroken
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Stage
from ideas_hub.lists import Wanted
from ideas_hub.moves import move_idea
from ideas_hub.people import NOBODY
from ideas_hub.settings import change_settings
from ideas_hub.votes import Vote, VoterKey, cast_vote
from ideas_hub.whole import idea_page, whole_idea
from tests import make
from tests.support.told import story
from tests.support.witness import news, refused, rows

rule = pytest.mark.sqlite_only


def merge(ref, into, by=None):
    move_idea(by or make.regular("admin"), ref, to=Stage.MERGED, reason="Alike.", into=into)


def voters(ref):
    people = {row.key: row.person_id for row in rows(VoterKey)}
    return {people[row.voter] for row in rows(Vote, Vote.idea_id == make.row(ref).id)}


def test_votes_go_with_it_each_persons_once_and_not_those_of_the_other_ideas_authors(hub):
    ann, bob, both, cat, dan = make.resident(), make.staff(), make.resident(), make.resident(), make.staff()
    ref, into = make.idea(), make.idea(ann, co_authors=[bob])
    for who in (ann, bob, both, cat):
        cast_vote(who, ref)
    for who in (both, dan):
        cast_vote(who, into)
    with news() as facts:
        merge(ref, into)
    assert voters(into) == {both.person_id, cat.person_id, dan.person_id}
    assert voters(ref) == set()
    card = whole_idea(NOBODY, into).card
    assert (card.votes, card.votes_residents, card.votes_staff) == (3, 2, 1)
    assert whole_idea(NOBODY, ref).card.votes == 0
    keys = {row.person_id: row.key for row in rows(VoterKey)}
    taken = sorted(fact.voter for fact in facts if isinstance(fact, VoteWithdrawn) and fact.idea == ref)
    given = [fact.voter for fact in facts if isinstance(fact, VoteCast) and fact.idea == into]
    assert taken == sorted(keys[who.person_id] for who in (ann, bob, both, cat))
    assert given == [keys[cat.person_id]]
    admin = make.regular("admin").ref
    assert facts[-2:] == [
        IdeaMerged(idea=ref, into=into, by=admin, audience=View.PUBLIC),
        IdeaTookIn(idea=into, merged=ref, by=admin, audience=View.PUBLIC),
    ]


@rule
@pytest.mark.parametrize("stage", ["exploring", "parked", "trial", "adopted", "learned", "declined"])
def test_no_vote_is_lost_wherever_the_other_idea_stands(hub, stage):
    ref, into = make.idea(votes=2), make.idea(stage=stage)
    merge(ref, into)
    assert (whole_idea(NOBODY, ref).card.votes, whole_idea(NOBODY, into).card.votes) == (0, 2)


@rule
def test_votes_that_came_by_a_merge_oblige_an_answer(hub):
    change_settings(answer_votes={"public": 3, "staff": 3, "leadership": 3})
    ref, into = make.idea(votes=2), make.idea(votes=1)
    merge(ref, into)
    assert [row.idea_id for row in rows(AnswerClock)] == [make.row(into).id]


@rule
def test_a_merged_idea_is_found_by_its_address_and_in_no_list(hub):
    ref, into = make.idea(), make.idea()
    merge(ref, into)
    assert [card.ref for card in list_ideas(NOBODY, Wanted()).items] == [into]
    assert [card.ref for card in list_ideas(NOBODY, Wanted(stages=frozenset({Stage.MERGED}))).items] == [ref]
    assert (idea_page(NOBODY, ref).steps[-1].stage, idea_page(NOBODY, ref).steps[-1].note) == ("merged", into)


@rule
def test_where_it_went_is_not_told_to_those_who_may_no_longer_see_that(hub):
    ref, into = make.idea(), make.idea()
    merge(ref, into)
    change_idea(make.admin(), into, audience=View.STAFF)
    assert idea_page(NOBODY, ref).steps[-1].note == ""
    assert idea_page(make.staff(), ref).steps[-1].note == into


@rule
def test_the_idea_that_took_votes_in_tells_from_where_to_those_who_can_see_that(hub):
    ref, into = make.idea(title="Benches", audience="staff"), make.idea()
    merge(ref, into)
    (told,) = [data for kind, data in story(into, View.STAFF) if kind == "idea.took_in"]
    assert (told["merged"], told["title"]) == (ref, "Benches")
    assert "idea.took_in" not in dict(story(into, View.PUBLIC))
    hide_idea(make.moderator(), ref, reason="A name.")
    assert "idea.took_in" not in dict(story(into, View.STAFF))


@rule
def test_an_idea_is_merged_into_one_that_everybody_who_sees_it_can_see(hub):
    admin, ref = make.person(kind="staff", roles=["admin", "moderator"]), make.idea()
    for into in (ref, "nowhere", make.idea(audience="staff"), make.idea(hidden=True)):
        with refused(Invalid) as refusal:
            merge(ref, into, admin)
        assert set(refusal.value.errors) == {"into"}
    inside = make.idea(audience="staff")
    merge(inside, ref, admin)
    assert make.row(inside).stage is Stage.MERGED


@rule
def test_an_idea_is_not_merged_into_one_that_was_merged_itself(hub):
    ref, into = make.idea(), make.idea(stage="merged")
    admin = make.admin()
    with refused(RuleBroken):
        merge(ref, into, admin)


@rule
def test_who_cannot_see_an_idea_cannot_merge_it_wherever(hub):
    moderator, inside, into = make.moderator(), make.idea(audience="leadership"), make.idea()
    for ref, target in ((inside, into), ("nowhere", into), (inside, "nowhere")):
        with refused(Missing):
            merge(ref, target, moderator)


@pytest.mark.postgresql_only
def test_merges_and_votes_at_once_neither_wait_for_ever_nor_lose_a_vote(hub):
    people = [make.resident() for _ in range(8)]
    refs = [make.idea() for _ in range(6)]
    for who in people[:4]:
        for ref in refs[1:]:
            cast_vote(who, ref)

    def work(number):
        if number < 5:
            merge(refs[number + 1], refs[0], make.regular("admin"))
        else:
            cast_vote(people[number % 4 + 4], refs[0])

    make.regular("admin")
    with ThreadPoolExecutor(9) as crowd:
        list(crowd.map(work, range(9)))
    assert voters(refs[0]) == {who.person_id for who in people}
    assert make.row(refs[0]).votes == make.row(refs[0]).votes_residents == 8
