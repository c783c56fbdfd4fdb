"""Filters combine, and beside each of their values stands how many ideas there are of what one may see."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from events.catalogue import View
from ideas_hub import db, lists
from ideas_hub.audiences import change_idea
from ideas_hub.clock import today
from ideas_hub.finding import list_ideas, shelf, similar_ideas
from ideas_hub.ideas import Stage
from ideas_hub.lists import Owed, Sort, Wanted
from ideas_hub.people import NOBODY
from ideas_hub.settings import change_settings
from tests import make


def found(actor=NOBODY, **wanted):
    return {card.ref for card in list_ideas(actor, Wanted(**wanted), limit=100).items}


@pytest.fixture
def council(hub, clock):
    """Ideas of every state of an answer, by name; two in parks, three in Hebble Bridge."""
    change_settings(answer_votes={"public": 1, "staff": 1, "leadership": 1}, answer_days=5)
    make.lead("Streets")
    make.theme("parks")
    make.theme("roads")
    refs = {"late": make.idea(votes=1, themes=["parks"], place="Hebble Bridge")}
    clock.goes_to(today() + timedelta(days=20))
    refs["due"] = make.idea(votes=1, themes=["roads"], place="hebble  bridge")
    refs["answered"] = make.idea(stage="exploring", place="Hébble Bridge")
    make.answer(refs["answered"])
    refs["none"] = make.idea(themes=["parks", "roads"])
    refs["inside"] = make.idea(audience="staff", themes=["parks"], place="Town hall")
    return refs


def test_ideas_are_found_by_how_it_stands_with_their_answer(council):
    for state in Owed:
        assert council[state] in found(answers=frozenset({state}))
        assert len(found(answers=frozenset({state}))) == 1
    assert found(answers=frozenset({Owed.LATE, Owed.DUE})) == {council["late"], council["due"]}


def test_ideas_are_found_by_their_place_however_it_is_spelled(council):
    three = {council[name] for name in ("late", "due", "answered")}
    for place in ("Hebble Bridge", "HEBBLE BRIDGE", "hebble, bridge"):
        assert found(places=frozenset({place})) == three
    assert found(places=frozenset({"Hebble"})) == set()
    assert found(places=frozenset({"Town hall"})) == set()
    assert found(make.staff(), places=frozenset({"Town hall"})) == {council["inside"]}


def test_filters_and_words_combine(council):
    ref = make.idea(title="Zebra", themes=["parks"], place="Hebble Bridge")
    asked = {"themes": frozenset({"parks"}), "places": frozenset({"Hebble Bridge"}), "answers": frozenset({Owed.NONE})}
    assert found(**asked) == found(question="zebra", **asked) == {ref}
    assert found(question="zebra", stages=frozenset({Stage.TRIAL})) == set()


def test_counts_are_of_what_one_may_see_under_the_other_filters(council):
    everything = shelf(NOBODY, Wanted()).counts
    assert (everything.total, everything.is_whole, everything.cut) == (4, True, frozenset())
    assert everything.stages[Stage.NEW] == 3
    assert everything.answers == {Owed.LATE: 1, Owed.DUE: 1, Owed.ANSWERED: 1, Owed.NONE: 1}
    assert everything.themes == {"parks": 2, "roads": 2}
    assert list(everything.places.values()) == [3]
    assert not everything.audiences
    inside = shelf(make.staff(), Wanted()).counts
    assert inside.themes["parks"] == 3
    assert inside.audiences == {View.PUBLIC: 4, View.STAFF: 1}
    parks = shelf(NOBODY, Wanted(themes=frozenset({"parks"}))).counts
    assert parks.themes == everything.themes  # by its own filter nothing is lost
    assert parks.answers == {Owed.LATE: 1, Owed.DUE: 0, Owed.ANSWERED: 0, Owed.NONE: 1}
    assert parks.stages[Stage.NEW] == 2
    assert shelf(NOBODY, Wanted(stages=frozenset({Stage.EXPLORING}))).counts.themes == {"parks": 0, "roads": 0}
    words = shelf(NOBODY, Wanted(question="hebble")).counts
    assert (words.total, words.stages[Stage.NEW]) == (3, 2)


def test_of_a_long_list_counts_say_how_many_there_are_at_the_least(council, monkeypatch):
    monkeypatch.setattr(lists, "MOST_READ", 1)
    some = shelf(NOBODY, Wanted()).counts
    assert (some.total, some.is_whole) == (2, False)
    assert some.cut == frozenset(lists.FILTERS) - {"stages"}  # which are kept
    assert sum(some.answers.values()) == 2
    late = shelf(NOBODY, Wanted(answers=frozenset({Owed.LATE}))).counts
    assert (late.total, late.is_whole, late.themes) == (1, True, {"parks": 1, "roads": 0})
    assert "themes" not in late.cut
    assert "answers" in late.cut


def test_counts_tell_nothing_of_what_one_may_not_see(council):
    before = shelf(NOBODY, Wanted())
    make.idea(audience="staff", title="Zebra", themes=["parks"], place="Hebble Bridge")
    make.idea(hidden=True, title="Zebra", themes=["parks"], place="Hebble Bridge")
    make.comment(council["none"], audience="staff", body="Zebra")
    assert shelf(NOBODY, Wanted()).counts == before.counts
    assert shelf(NOBODY, Wanted(question="zebra")).counts.total == 0


def test_who_finds_nothing_is_told_what_to_leave_out(council):
    make.idea(title="Zebra crossing", themes=["parks"])
    make.idea(title="A crossing guard")
    nothing = shelf(NOBODY, Wanted(question="zebra guard"))
    assert {(way.name, way.question, way.count) for way in nothing.ways_out} == {("word", "guard", 1), ("word", "zebra", 1)}
    filtered = shelf(NOBODY, Wanted(question="crossing", themes=frozenset({"roads"}), answers=frozenset({Owed.NONE})))
    assert {way.name: way.count for way in filtered.ways_out} == {"themes": 2, "question": 1}
    assert not shelf(NOBODY, Wanted()).ways_out


def test_who_misspells_a_word_is_shown_it_in_words_of_titles_they_may_see(hub):
    make.idea(title="Parking for carers")
    make.idea(title="Minibuses", audience="staff")
    assert shelf(NOBODY, Wanted(question="parkng carers")).meant == "parking carers"
    assert shelf(NOBODY, Wanted(question="minibusses")).meant is None
    assert shelf(make.staff(), Wanted(question="minibusess")).meant == "minibuses"


def test_words_of_every_text_make_nothing_alike_and_rare_words_come_first(hub):
    for number in range(6):
        make.idea(title=f"A bench for the street, number {number}")
    rare = make.idea(title="A bench with a lamp")
    make.idea(title="What is it that the council should do for you")
    assert similar_ideas(NOBODY, "What should the council do for the") != []
    assert similar_ideas(NOBODY, "what should they do with their") == []
    assert similar_ideas(NOBODY, "Benches with lamps")[0].idea.ref == rare
    assert similar_ideas(NOBODY, "lamp")[0].idea.ref == rare


def test_what_looks_alike_says_why_it_was_declined(hub):
    declined = make.idea(title="Benches", votes=1)
    make.moved(declined, "declined", reason="No money this year.")
    (like,) = similar_ideas(NOBODY, "Benches")
    assert (like.idea.ref, like.reason, like.lesson) == (declined, "No money this year.", None)
    change_idea(make.admin(), declined, audience=View.STAFF)
    assert similar_ideas(NOBODY, "Benches") == []


@pytest.mark.parametrize("few", [0, 2000])
def test_wherever_it_is_begun_to_look_the_same_ideas_are_found(council, monkeypatch, few):
    monkeypatch.setattr(lists, "FEW", few)
    cards = {card.ref: card for card in list_ideas(NOBODY, Wanted(stages=frozenset(Stage)), limit=100).items}
    for stages in ((), (Stage.NEW,), (Stage.NEW, Stage.EXPLORING)):
        for themes in ((), ("parks",), ("parks", "roads")):
            for sort in Sort:
                wanted = Wanted(sort, stages=frozenset(stages), themes=frozenset(themes))
                found = [card.ref for card in list_ideas(NOBODY, wanted, limit=100).items]
                if sort is not Sort.WAITING:
                    asked = {ref for ref in cards if not stages or cards[ref].stage in stages}
                    asked = {ref for ref in asked if not themes or {t.slug for t in cards[ref].themes} & set(themes)}
                    assert set(found) == asked, wanted
                assert len(found) == shelf(NOBODY, wanted).counts.total


@pytest.mark.sqlite_only
@pytest.mark.parametrize("sort", [Sort.NEW, Sort.TOP, Sort.TRENDING])
def test_where_many_ideas_pass_the_filters_a_list_is_read_in_its_order(council, monkeypatch, sort):
    """Not the whole of two stages, to be sorted then: that grows with the hub."""
    monkeypatch.setattr(lists, "FEW", 0)
    plans = []

    def explain(connection, cursor, statement, parameters, *_):
        if "ORDER BY" in statement and statement.startswith("SELECT idea."):
            plans.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    engine = db.database().readers
    sa.event.listen(engine, "before_cursor_execute", explain)
    list_ideas(NOBODY, Wanted(sort, stages=frozenset({Stage.NEW, Stage.EXPLORING}), themes=frozenset({"parks"})))
    sa.event.remove(engine, "before_cursor_execute", explain)
    assert any(f"USING INDEX ix_idea_{({'new': 'posted', 'top': 'votes', 'trending': 'hot'})[sort]}" in step for step in plans)
    assert not any("TEMP B-TREE" in step for step in plans)
