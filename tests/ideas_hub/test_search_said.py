"""What is said under an idea is found by those who may see it, for as long as it stands, and shown with the words marked."""

from events.catalogue import View
from ideas_hub.audiences import change_idea, hide_comment, hide_idea, restore_comment, restore_idea
from ideas_hub.comments import withdraw_comment
from ideas_hub.finding import list_ideas, passage
from ideas_hub.ideas import Stage, withdraw_idea
from ideas_hub.lists import Wanted
from ideas_hub.people import NOBODY
from ideas_hub.search import best_sentence, marked
from tests import make


def search(question, actor=NOBODY):
    return list_ideas(actor, Wanted(question=question))


def found(question, actor=NOBODY):
    return [card.ref for card in search(question, actor).items]


def marks(pieces):
    return [piece for piece, is_found in pieces if is_found]


def test_an_idea_is_found_by_all_that_is_said_under_it_and_only_once(hub):
    ref = make.idea(stage="exploring", title="Benches")
    make.moved(ref, "trial", hypothesis="Kestrels", test="Wrens", measure="Larks a day.", reason="Because of the heron.")
    make.moved(ref, "learned", lesson="Mind the magpie.")
    make.answer(ref, text="The osprey says yes.")
    for number in range(3):
        make.comment(ref, body=f"A robin sat there {number} times.")
    make.idea(title="Something else")
    words = {"kestrel": "trial", "wrens lark": "trial", "heron": "reason", "magpie": "lesson", "osprey": "answer"}
    for question, kind in {**words, "robins": "comment", "benches": None}.items():
        assert found(question) == [ref], question
        assert search(question).passages[ref].of == kind
    assert found("robin heron") == []  # in one text all of them must stand


def test_forms_of_a_word_find_each_other_and_a_spanish_word_itself(hub):
    english = [make.idea(title=f"Stop {word} here") for word in ("parking", "parked", "parks")]
    for question in ("parking", "PARKED", "parks", "park"):
        assert sorted(found(question)) == sorted(english), question
    spanish = make.idea(title="Peatonalización de Chamberí", problem="Aparcamientos y niños en la calle Ñandú")
    for question in ("peatonalizacion", "PEATONALIZACIÓN", "chamberí", "aparcamientos", "ninos", "niños", "ñandu"):
        assert found(question) == [spanish], question
    said = make.comment(make.idea(), body="Los niños cruzan aquí.")
    assert said in {each.comment for each in search("cruzan").passages.values()}


def test_words_of_every_text_are_not_looked_for(hub):
    ref = make.idea(title="The bench and the crossing")
    assert found("the") == found("of the and") == []
    assert found("a bench for the crossing") == [ref]


def test_a_comment_is_found_by_those_alone_who_may_see_it(hub):
    ref = make.idea()
    for audience in ("staff", "leadership"):
        make.comment(ref, audience=audience, body=f"Zebra {audience}")
    people = {
        View.PUBLIC: (NOBODY, make.resident()),
        View.STAFF: (make.staff(), make.moderator()),
        View.LEADERSHIP: (make.admin(),),
    }
    for view, several in people.items():
        for actor in several:
            assert bool(found("zebra", actor)) == (view > View.PUBLIC)
            assert bool(found("zebra leadership", actor)) == (view is View.LEADERSHIP)
            if view is View.STAFF:
                assert marks(search("zebra", actor).passages[ref].words) == ["Zebra"]
                assert "leadership" not in repr(search("zebra", actor).passages)


def test_a_comment_that_is_hidden_or_withdrawn_is_found_by_nobody_and_restored_again(hub):
    ann, mod, ref = make.resident(), make.moderator(), make.idea()
    comment = make.comment(ref, ann, body="Zebra")
    assert found("zebra") == [ref]
    hide_comment(mod, ref, comment, reason="A name.")
    assert found("zebra") == found("zebra", ann) == found("zebra", mod) == []
    restore_comment(mod, ref, comment)
    assert found("zebra") == [ref]
    withdraw_comment(ann, ref, comment)
    assert found("zebra") == []


def test_what_is_said_follows_its_idea_into_hiding_and_back(hub):
    mod, ref = make.overseer(), make.idea(stage="exploring")
    make.answer(ref, text="An osprey")
    make.comment(ref, body="Zebra")
    make.comment(ref, audience="staff", body="Zebra giraffe")
    hidden = make.comment(ref, body="Okapi", hidden=True)
    hide_idea(mod, ref, reason="A name.")
    for question in ("zebra", "giraffe", "okapi", "osprey"):
        assert found(question) == found(question, mod) == [], question
    make.comment(ref, mod, body="Lemur", audience="public")  # by somebody who sees it still
    assert found("lemur", mod) == []
    restore_idea(mod, ref)
    assert found("zebra") == found("osprey") == found("lemur") == [ref]
    assert (found("giraffe"), found("giraffe", make.staff())) == ([], [ref])
    assert found("okapi", mod) == []
    restore_comment(mod, ref, hidden)
    assert found("okapi") == [ref]


def test_what_is_said_follows_its_idea_when_it_is_restricted_and_opened(hub):
    admin, staff = make.admin(), make.staff()
    ref = make.idea(stage="exploring")
    make.answer(ref, text="An osprey")
    make.comment(ref, body="Zebra")
    make.comment(ref, audience="leadership", body="Giraffe")
    change_idea(admin, ref, audience=View.STAFF)
    for question in ("zebra", "osprey"):
        assert (found(question), found(question, staff)) == ([], [ref])
    change_idea(admin, ref, audience=View.LEADERSHIP)
    assert found("zebra", staff) == found("osprey", staff) == []
    change_idea(admin, ref, audience=View.PUBLIC)
    assert found("zebra") == found("osprey") == [ref]
    assert found("giraffe", staff) == []  # a comment keeps the audience it was posted for


def test_opening_an_idea_does_not_open_what_was_said_inside(hub):
    ref = make.idea(audience="staff", stage="exploring")
    make.comment(ref, body="Zebra")
    make.answer(ref, text="An osprey")
    change_idea(make.admin(), ref, audience=View.PUBLIC)
    assert (found("osprey"), found("zebra"), found("zebra", make.staff())) == ([ref], [], [ref])


def test_nothing_is_found_of_what_was_withdrawn(hub):
    ann = make.staff()
    ref = make.idea(ann, title="Zebra")
    make.comment(ref, audience="leadership", body="Giraffe")  # which the author does not see
    withdraw_idea(ann, ref)
    assert found("zebra", make.admin()) == found("giraffe", make.admin()) == []


def test_what_was_said_under_an_idea_that_was_merged_is_found_among_the_merged(hub):
    into = make.idea()
    ref = make.idea()
    make.comment(ref, body="Zebra")
    make.moved(ref, "merged", into=into)
    assert found("zebra") == []
    assert [card.ref for card in list_ideas(NOBODY, Wanted(question="zebra", stages=frozenset({Stage.MERGED}))).items] == [ref]


def test_titles_stand_before_texts_and_texts_before_what_is_said(hub):
    said = make.idea()
    make.comment(said, body="Zebra")
    text, title = make.idea(problem="Zebra"), make.idea(title="Zebra")
    assert found("zebra") == [title, text, said]


def test_the_words_found_are_marked_in_their_sentence(hub):
    ref = make.idea(
        title="Parking for carers",
        problem="Nurses walk far. Two wardens <b>parked</b> on the café's lawn & left! Nobody minds.",
        proposal="Let carers park in the yard.",
    )
    shown = search("PARK wardens cafes").passages[ref]
    assert marks(shown.title) == ["Parking"]
    assert marks(shown.words) == ["wardens", "parked", "café"]
    assert "".join(piece for piece, _ in shown.words) == "Two wardens <b>parked</b> on the café's lawn & left!"
    assert passage(NOBODY, ref, "PARK wardens cafes") == shown
    comment = make.comment(ref, body="Where is the zebra?")
    assert passage(NOBODY, ref, "zebra").comment == comment


def test_a_long_sentence_is_shown_around_its_first_word(hub):
    sentence = " ".join(["before"] * 80 + ["zebra"] + ["after"] * 80)
    shown = best_sentence([sentence], ["zebra"])
    assert len(shown) < 250
    assert (shown[0], shown[-1]) == ("…", "…")
    assert marks(marked(shown, ["zebra"])) == ["zebra"]
