"""What somebody may not see comes out by no door: no query, no count, no search, no rank, no event, no number."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest
import sqlalchemy as sa

from events import log
from events.catalogue import BOARD, IDEAS, View, idea_topic
from ideas_hub import db
from ideas_hub.audiences import change_idea, hide_idea, restore_idea
from ideas_hub.db import reading, replace_new_ref, transaction
from ideas_hub.finding import list_ideas, similar_ideas
from ideas_hub.lists import Wanted
from ideas_hub.people import NOBODY
from ideas_hub.sessions import start_session
from ideas_hub.settings import change_settings
from ideas_hub.votes import cast_vote
from tests import make
from tests.support.leaks import Planted, check, domain_doors, everybody, plant
from tests.support.told import cursor, replay, story, stream


def test_no_secret_comes_out_by_any_door_of_the_domain(hub, database_url):
    planted, people = plant(), everybody()
    if not database_url.startswith("sqlite"):  # there one for each view will do, and one who sees what is hidden
        people = {role: people[role] for role in ("resident", "staff", "moderator", "leader")}
    check(planted, people, domain_doors(planted))
    with reading() as session:
        facts = repr(session.execute(sa.select(log.event_table)).all())
    assert "zebra" not in facts, "the log holds references and no words"
    assert "Person" not in facts


@pytest.mark.sqlite_only
def test_the_check_finds_a_door_that_stands_open(hub):
    planted, people = Planted({"zebra": frozenset({"staff"})}), {"staff": make.staff(), "resident": make.resident()}
    check(planted, people, [("right", lambda actor: "zebra" if actor.view else "")])
    with pytest.raises(AssertionError, match="zebra came out to resident by the door 'open'"):
        check(planted, people, [("open", lambda actor: "zebra")])
    with pytest.raises(AssertionError):
        check(planted, people, [("a wall", lambda actor: "")])


@pytest.mark.sqlite_only
def test_what_nobody_may_see_is_counted_for_nobody(hub):
    ref = make.idea()
    watched = {BOARD, IDEAS, idea_topic(ref)}
    before = {view: (stream().source.facts(watched, view), cursor(view)) for view in View}
    make.comment(ref, audience="leadership")
    inside = make.idea(audience="leadership")
    cast_vote(make.leader(), inside)
    make.comment(inside)
    make.moved(inside, "parked")
    hide_idea(make.overseer(), inside, reason="Why.")
    for view in (View.PUBLIC, View.STAFF):
        watched.add(idea_topic(inside))
        assert (stream().source.facts(watched, view), cursor(view)) == before[view]
    assert stream().source.facts(watched, View.LEADERSHIP) != before[View.LEADERSHIP][0]


# Tombstones


@pytest.mark.sqlite_only
def test_who_loses_an_idea_gets_one_tombstone_and_the_past_is_void(hub):
    ref, mod = make.idea(title="Benches"), make.moderator()
    make.comment(ref)
    change_idea(make.admin(), ref, audience=View.STAFF)
    assert story(ref, View.PUBLIC) == [("idea.restricted", {"idea": ref})]
    assert [kind for kind, _ in story(ref, View.STAFF)] == ["idea.posted", "comment.posted", "idea.restricted"]
    assert story(ref, View.STAFF)[-1][1]["title"] == "Benches"
    make.comment(ref)
    assert len(story(ref, View.PUBLIC)) == 1
    hide_idea(mod, ref, reason="A name.")
    assert story(ref, View.PUBLIC) == [("idea.restricted", {"idea": ref})]
    # The staff's own tombstone; of the restriction they keep what it says of who sees less, which now says no more than that.
    assert [(kind, data) for kind, data in story(ref, View.STAFF) if data != {"idea": ref}] == []
    restore_idea(mod, ref)
    assert "Benches" in repr(story(ref, View.STAFF))
    assert story(ref, View.PUBLIC) == [("idea.restricted", {"idea": ref})]


@pytest.mark.sqlite_only
def test_when_it_is_opened_again_the_public_story_is_told_again_without_what_happened_inside(hub):
    ref, admin = make.idea(title="Benches"), make.admin()
    before = make.comment(ref)
    change_idea(admin, ref, audience=View.STAFF)
    make.moved(ref, "parked")
    make.comment(ref, body="Zebra")
    change_idea(admin, ref, audience=View.PUBLIC)
    told = story(ref, View.PUBLIC)
    assert [kind for kind, _ in told] == ["idea.posted", "comment.posted", "idea.restricted", "idea.opened_to_public"]
    assert (told[1][1]["comment"], told[-1][1]["title"]) == (before, "Benches")
    assert "Zebra" not in repr(told)


@pytest.mark.sqlite_only
def test_an_idea_that_is_opened_begins_its_public_story_then(hub):
    ref = make.idea(audience="staff")
    make.comment(ref)
    make.moved(ref, "parked")
    assert story(ref, View.PUBLIC) == []
    change_idea(make.admin(), ref, audience=View.PUBLIC)
    assert [kind for kind, _ in story(ref, View.PUBLIC)] == ["idea.opened_to_public"]


@pytest.mark.sqlite_only
def test_of_a_comment_for_fewer_people_the_others_hear_nothing_to_its_end(hub):
    ref = make.idea()
    make.comment(ref, audience="staff", hidden=True)
    make.comment(ref, audience="staff", withdrawn=True)
    assert [kind for kind, _ in story(ref, View.PUBLIC)] == ["idea.posted"]
    inside = [kind for kind, _ in story(ref, View.STAFF)]
    assert inside == ["idea.posted", "comment.hidden", "comment.posted", "comment.withdrawn"]


@pytest.mark.sqlite_only
def test_tombstones_of_comments_are_references_and_nothing_else(hub):
    ref = make.idea()
    hidden, taken_back = make.comment(ref, body="Zebra", hidden=True), make.comment(ref, body="Zebra", withdrawn=True)
    for view in View:
        told = story(ref, view)
        assert ("comment.hidden", {"idea": ref, "comment": hidden}) in told
        assert ("comment.withdrawn", {"idea": ref, "comment": taken_back}) in told
        assert "Zebra" not in repr(told)
        place = next(data for kind, data in told if kind == "comment.posted")
        assert (place["comment"], place["body"], place["html"], place["author"]) == (taken_back, None, None, None)


@pytest.mark.sqlite_only
def test_an_idea_that_was_never_public_leaves_no_tombstone_in_public(hub):
    both = make.person(kind="staff", roles=["admin", "moderator"])
    ref = make.idea(audience="staff")
    hide_idea(both, ref, reason="Why.")
    change_idea(both, ref, audience=View.PUBLIC)  # while it is hidden: nobody sees it yet
    change_idea(both, ref, audience=View.STAFF)
    restore_idea(both, ref)
    assert ref not in repr(replay(View.PUBLIC).events)


# Two hubs alike


class Alike:
    """A hub whose references and numbered names come in a fixed order, with another order for what is done secretly."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        self.lines = {prefix: (count(1), count(start)) for prefix, start in (("open", 1), ("inside", 5000))}
        self.take("open")

    def take(self, line):
        refs, numbers = self.lines[line]
        replace_new_ref(lambda: f"{line}{next(refs):04}")
        self.monkeypatch.setattr(make, "numbers", numbers)

    @contextmanager
    def secretly(self) -> Iterator[None]:
        self.take("inside")
        yield
        self.take("open")


@pytest.fixture
def alike(hub, request, monkeypatch, clock):
    """Builds a hub twice, in two databases, and returns what `ask` is answered by each."""
    databases = request.getfixturevalue(f"{request.node.callspec.params['database_url']}_databases")

    def build(world, ask):
        answers = []
        for secrets in (False, True):
            url = databases.make(demo=False)
            db.connect(url)
            clock.goes_to(clock().date().replace(month=7, day=1))
            with transaction() as session:
                log.begin(session, "alike")
            world(Alike(monkeypatch), clock, secrets)
            answers.append(ask())
            db.disconnect()
            databases.drop(url)
        return answers

    yield build
    replace_new_ref(None)


def world(hub, clock, secrets):
    """A public life; and, where there are secrets, a busier one inside, about the same things in the same words."""
    change_settings(answer_votes={"public": 2, "staff": 1, "leadership": 1})
    people = ("admin", "sponsor"), ("moderator", "leader")
    ann, bob = make.resident("Ann"), make.staff("Bob")
    regulars = [make.regular("admin"), make.regular("sponsor"), make.regular("leader"), make.regular(*people[1])]
    make.lead("Streets")
    refs = []
    for number in range(5):
        if secrets:
            with hub.secretly():
                life_inside(refs, bob, number)
        clock.goes_on(minutes=1)
        refs.append(
            make.idea(ann, title=f"Benches number {number}", problem="Zebra crossing " * (number % 3 + 1), votes=number % 3)
        )
        clock.goes_on(minutes=1)
        make.comment(refs[-1], ann, body="A bench by the crossing")
        if number % 2:
            make.sponsored(refs[-1], by=regulars[1])
            make.moved(refs[-1], "exploring")
            make.answer(refs[-1])
        if number == 4:
            make.moved(refs[1], "trial")
            make.moved(refs[0], "merged", into=refs[2])
    if secrets:
        with hub.secretly():
            life_inside(refs, bob, 7)


def life_inside(refs, bob, number):
    make.staff()
    start_session(bob.ref)
    inside = make.idea(bob, audience="staff", title="Zebra zebra benches", problem="Benches and crossing", staff_votes=2)
    top = make.idea(audience="leadership", title="Benches", stage="trial")
    make.comment(top)
    make.moved(inside, "parked")
    make.answer(inside)
    if number % 2:
        hide_idea(make.regular("moderator", "leader"), inside, reason="Why.")
    for ref in refs[-1:]:
        make.comment(ref, bob, audience="staff", body="Benches inside")
        make.comment(ref, audience="leadership", hidden=True)


def public_answers():
    """Everything that somebody in public could ask, over every door of the domain, as text."""
    with reading() as session:
        refs = sorted(session.scalars(sa.text("SELECT ref FROM idea WHERE effective_audience = 0")))
    assert refs
    assert all(ref.startswith("open") for ref in refs)
    asked = domain_doors(Planted(refs={ref: ref for ref in refs}))
    for question in ("benches", "zebra", "crossing", "zebra benches number", "b", "inside"):
        asked += [(f"search {question}", lambda actor, q=question: repr(list_ideas(actor, Wanted(question=q))))]
        asked += [(f"similar {question}", lambda actor, q=question: repr(similar_ideas(actor, q)))]
    asked += [(f"events {number}", lambda actor, number=number: repr(replay(actor.view, after=number))) for number in (0, 3, 20)]
    ann = make.actor("open0001")
    assert ann.name == "Ann"
    return {(name, actor.name): ask(actor) for name, ask in asked for actor in (NOBODY, ann)}


def test_two_hubs_that_differ_only_in_what_was_never_public_answer_alike(alike):
    plain, busy = alike(world, public_answers)
    assert plain.keys() == busy.keys()
    for door, text in plain.items():
        assert busy[door] == text, door
