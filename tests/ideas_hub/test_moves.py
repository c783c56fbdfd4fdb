"""Moves: every cell of the contract's table, and what each stage needs."""

from datetime import timedelta

import pytest

from events.catalogue import IdeaAnswered, IdeaMerged, IdeaStageChanged, IdeaTookIn, View
from ideas_hub.clock import now, today
from ideas_hub.errors import Invalid, Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.ideas import Stage
from ideas_hub.moves import answer_idea, move_idea
from ideas_hub.people import NOBODY
from ideas_hub.stages import MOVES, StageChange, onward
from ideas_hub.trials import Trial
from ideas_hub.whole import answers_of, idea_page, whole_idea
from tests import make
from tests.support.witness import news, refused, rows

pytestmark = pytest.mark.sqlite_only

# As the contract has it: to, from.
TABLE = """
exploring   new parked declined
trial       exploring
adopted     exploring trial
learned     trial adopted
parked      new exploring trial
declined    new exploring trial parked
merged      new exploring parked
"""
ALLOWED = {(was, to) for to, *origins in map(str.split, TABLE.strip().splitlines()) for was in origins}


@pytest.mark.parametrize("was", Stage)
def test_an_idea_moves_where_the_table_lets_it_and_nowhere_else(hub, clock, was):
    admin, ref = make.admin(), make.idea(stage=was)
    if was is not Stage.MERGED:
        make.sponsored(ref)
    for to in Stage:
        assert (to in onward(was)) is ((was, to) in ALLOWED) is (was in MOVES.get(to, ()))
        needs = make.needs(to)
        if (was, to) in ALLOWED:
            other = make.idea(stage=was, sponsor=make.regular("sponsor"))
            clock.goes_on(hours=1)
            check_moved(admin, other, was, to, needs)
        else:
            with refused(RuleBroken):
                move_idea(admin, ref, to=to, reason="Because.", **needs)


def check_moved(admin, ref, was, to, needs):
    """It changes, and it announces."""
    with news() as facts:
        move_idea(admin, ref, to=to, reason=" Because. ", **needs)
    card = whole_idea(NOBODY, ref).card
    assert (card.stage, card.stage_since) == (to, now())
    change = rows(StageChange, StageChange.idea_id == make.row(ref).id)[-1]
    assert (change.was, change.stage, change.reason, change.by_id, change.at) == (was, to, "Because.", admin.person_id, now())
    if to is Stage.MERGED:
        assert facts[0] == IdeaMerged(idea=ref, into=needs["into"], by=admin.ref, audience=View.PUBLIC)
        assert [type(fact) for fact in facts[1:]] == [IdeaTookIn]
    else:
        assert facts == [IdeaStageChanged(idea=ref, change=change.id, was=was, to=to, by=admin.ref, audience=View.PUBLIC)]


def test_exploring_needs_a_sponsor(hub):
    admin = make.admin()
    for was in ("new", "parked", "declined"):
        ref = make.idea(stage=was)
        with refused(RuleBroken):
            move_idea(admin, ref, to=Stage.EXPLORING, reason="Go.")


ORIGIN = dict.fromkeys(("exploring", "parked", "declined", "merged"), "new")
ORIGIN |= {"trial": "exploring", "adopted": "exploring", "learned": "trial"}


def test_every_move_needs_a_reason_of_one_to_two_thousand_characters(hub):
    admin = make.admin()
    for to, was in ORIGIN.items():
        ref, needs = make.idea(stage=was, sponsor=make.regular("sponsor")), make.needs(to)
        for wrong in ("", " \n", "r" * 2001):
            with refused(Invalid) as refusal:
                move_idea(admin, ref, to=Stage(to), reason=wrong, **needs)
            assert set(refusal.value.errors) == {"reason"}
        move_idea(admin, ref, to=Stage(to), reason=f" {'r' * 2000} ", **needs)


def test_what_a_stage_needs_is_asked_for_by_name(hub):
    admin = make.admin()
    for to, was in ORIGIN.items():
        ref, needs = make.idea(stage=was, sponsor=make.regular("sponsor")), make.needs(to)
        for given, wrong in (
            ({}, set(needs)),
            (dict.fromkeys(needs, ""), set(needs)),
            (dict.fromkeys(needs), set(needs)),
            (needs | {"somewhere": "else"}, {"somewhere"}),
        ):
            if wrong:
                with refused(Invalid) as refusal:
                    move_idea(admin, ref, to=Stage(to), reason="Go.", **given)
                assert set(refusal.value.errors) == wrong, to
        move_idea(admin, ref, to=Stage(to), reason="Go.", **needs)


def test_the_texts_of_a_stage_have_their_sizes(hub):
    admin = make.admin()
    sizes = [("trial", "hypothesis", 2000), ("trial", "test", 2000), ("trial", "measure", 2000), ("learned", "lesson", 10_000)]
    for to, name, most in sizes:
        ref, needs = make.idea(stage=ORIGIN[to]), make.needs(to)
        for wrong in (" \n ", "x" * (most + 1)):
            with refused(Invalid) as refusal:
                move_idea(admin, ref, to=Stage(to), reason="Go.", **needs | {name: wrong})
            assert set(refusal.value.errors) == {name}
        move_idea(admin, ref, to=Stage(to), reason="Go.", **needs | {name: f" {'x' * most} "})


def test_a_day_that_a_stage_needs_lies_ahead(hub, clock):
    admin = make.admin()
    for to, name in (("trial", "ends"), ("parked", "review_on")):
        ref, needs = make.idea(stage=ORIGIN[to]), make.needs(to)
        for days in (0, -1):
            with refused(Invalid) as refusal:
                move_idea(admin, ref, to=Stage(to), reason="Go.", **needs | {name: today() + timedelta(days=days)})
            assert set(refusal.value.errors) == {name}
        move_idea(admin, ref, to=Stage(to), reason="Go.", **needs | {name: today() + timedelta(days=1)})


def test_a_move_that_the_table_forbids_is_no_matter_of_what_is_missing(hub):
    ref, admin = make.idea(), make.admin()
    with refused(RuleBroken):
        move_idea(admin, ref, to=Stage.TRIAL, reason="")


def test_a_page_shows_the_plan_the_lesson_and_the_steps(hub, clock):
    ann, ref = make.resident("Ann"), make.idea(stage="trial")
    assert idea_page(ann, ref).trial.hypothesis == "It helps."
    make.moved(ref, "learned", lesson="Ask first.")
    page = idea_page(ann, ref)
    assert page.lesson.text == "Ask first."
    assert [step.stage for step in page.steps] == ["new", "exploring", "trial", "learned"]
    assert len(rows(Trial)) == 1


# Who moves


def test_sponsors_leaders_and_admins_move_and_nobody_else(hub):
    sponsor = make.sponsor()
    ref = make.idea(sponsor=sponsor, author=(ann := make.resident()))
    others = [ann, make.resident(), make.staff(), make.sponsor(), make.moderator(), make.safeguarding()]
    for other in others:
        with refused(NotAllowed):
            move_idea(other, ref, to=Stage.EXPLORING, reason="Go.")
    with refused(SignInNeeded):
        move_idea(NOBODY, ref, to=Stage.EXPLORING, reason="Go.")
    inside = make.idea(audience="leadership", sponsor=make.leader())
    for nowhere in (inside, "nowhere"):
        with refused(Missing):
            move_idea(sponsor, nowhere, to=Stage.EXPLORING, reason="Go.")
    move_idea(sponsor, ref, to=Stage.EXPLORING, reason="Go.")
    move_idea(make.leader(), ref, to=Stage.PARKED, reason="Not now.", **make.needs("parked"))
    move_idea(make.admin(), ref, to=Stage.EXPLORING, reason="Now.")


def test_moderators_and_admins_merge_and_nobody_else(hub):
    sponsor, into = make.sponsor(), make.idea()
    ref = make.idea(sponsor=sponsor)
    for other in (sponsor, make.leader(), make.staff(), make.resident()):
        with refused(NotAllowed):
            move_idea(other, ref, to=Stage.MERGED, reason="Alike.", into=into)
    with refused(SignInNeeded):
        move_idea(NOBODY, ref, to=Stage.MERGED, reason="Alike.", into=into)
    move_idea(make.moderator(), ref, to=Stage.MERGED, reason="Alike.", into=into)


# Answer, reason and move in one


def test_an_answer_moves_the_idea_in_the_same_breath(hub):
    sponsor = make.sponsor()
    ref = make.idea(sponsor=sponsor)
    with news() as facts:
        answer = answer_idea(sponsor, ref, text=" Not this year. ", to=Stage.DECLINED)
    change = rows(StageChange)[-1]
    assert change.reason == "Not this year."
    assert facts == [
        IdeaStageChanged(idea=ref, change=change.id, was="new", to="declined", by=sponsor.ref, audience=View.PUBLIC),
        IdeaAnswered(idea=ref, answer=answer, audience=View.PUBLIC),
    ]
    assert [card.text for card in answers_of(NOBODY, ref)] == ["Not this year."]


def test_a_long_answer_is_shortened_where_it_is_the_reason(hub):
    sponsor = make.sponsor()
    ref = make.idea(sponsor=sponsor)
    answer_idea(sponsor, ref, text="word " * 1900, to=Stage.EXPLORING)
    assert len(rows(StageChange)[-1].reason) <= 2000
    assert rows(StageChange)[-1].reason.endswith("word…")
    answer_idea(sponsor, ref, text="Short.", to=Stage.PARKED, reason="Another.", **make.needs("parked"))
    assert rows(StageChange)[-1].reason == "Another."


def test_an_answer_whose_move_is_refused_is_not_given(hub):
    sponsor, lead = make.sponsor(), make.leader()
    ref = make.idea(sponsor=sponsor)
    into = make.idea()
    for refusal, asked in (
        (RuleBroken, {"to": Stage.TRIAL} | make.needs("trial")),
        (Invalid, {"to": Stage.PARKED}),
        (Invalid, {"to": Stage.DECLINED, "review_on": today()}),
        (Invalid, {"review_on": today()}),
        (Invalid, {"to": Stage.DECLINED, "reason": "r" * 2001}),
        (NotAllowed, {"to": Stage.MERGED, "into": into}),
    ):
        with refused(refusal):
            answer_idea(sponsor, ref, text="So it is.", **asked)
    with refused(NotAllowed):  # may move it, but not answer it
        answer_idea(lead, ref, text="So it is.", to=Stage.DECLINED)
