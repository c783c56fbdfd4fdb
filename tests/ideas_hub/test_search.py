"""Search: what one may see and nothing else, by words as people write them, on both databases alike."""

from events.catalogue import View
from ideas_hub.audiences import change_idea, hide_idea, restore_idea
from ideas_hub.db import reading
from ideas_hub.finding import list_ideas, similar_ideas
from ideas_hub.ideas import withdraw_idea
from ideas_hub.lists import Wanted
from ideas_hub.people import NOBODY
from ideas_hub.search import find_ideas, fold, words_of
from tests import make


def found(question, actor=NOBODY, **options):
    return [card.ref for card in list_ideas(actor, Wanted(question=question), **options).items]


def alike(text, actor=NOBODY):
    return [like.idea.ref for like in similar_ideas(actor, text)]


def test_an_idea_is_found_by_any_of_its_texts_and_by_the_beginnings_of_words(hub):
    ref = make.idea(
        title="Benches",
        problem="Nowhere to rest",
        proposal="Wooden seats",
        gain="Dignity",
        cost_of_inaction="Falls",
        place="Mill Rd",
    )
    make.idea()
    for question in ("benches", "BENCH", "rest", "wooden seat", "dignity", "falls", "mill rd", "seats benches", "dig", "di"):
        assert found(question) == [ref], question
    for question in ("enches", "benches bus", "d"):
        assert found(question) == [], question


def test_accents_and_case_do_not_matter_on_either_side(hub):
    ref = make.idea(title="Café yn Nhŷ’r Crŵth", problem="STRASSE ΣΊΣΥΦΟΣ", proposal="naïve İstanbul")
    for question in ("cafe", "CAFÉ", "crwth", "Crŵth", "cafe\u0301", "straße", "σίσυφος", "naive", "istanbul"):
        assert found(question) == [ref], question


TEXTS = {
    "Bus/tram shelters": ["tram", "bus", "bus/tram", "shelter"],
    "Re-use the well-being hub": ["re-use", "use", "well-being", "being"],
    "See www.example.org/parks for more": ["parks", "example", "example.org"],
    "Write to help@example.org": ["help", "example"],
    "Open 24/7 at 3.5 miles": ["24/7", "7", "3.5", "5"],
    "It's Ann's own_words C++ #roads @council": ["ann", "own", "words", "own_words", "c++", "#roads", "roads", "@council"],
    "<b>bold</b> &amp; more": ["bold", "more"],
    "-5 degrees": ["5", "-5"],
    "किताब घर": ["किताब"],
    "图书馆": ["图书馆"],
}


def test_words_are_what_stands_between_signs_on_every_database(hub):
    for text, questions in TEXTS.items():
        ref = make.idea(title=text)
        for question in questions:
            assert ref in found(question), question


def test_signs_and_operators_in_a_question_are_harmless(hub):
    ref = make.idea(title="Near and not far or OR AND NEAR", problem="title body", proposal="x")
    questions = ['"', "'", "''", '"near', "near*", "*", "NEAR(near far)", "near AND NOT far", "near -far", "title:near", "^near"]
    questions += ["near:*", "near & far", "near | far", "!near", "<->", "near <2> far", "(", ")", "\\", "\\'", "near\x00far", "%"]
    questions += ["_", "{title body}: near", "near + far", ";DROP TABLE idea", "'; --", ":query", "%(x)s", "near " * 500]
    questions += ["n" * 5000, "ﷺ" * 50]
    for question in questions:
        assert found(question) in ([], [ref]), question
        alike(question)
    for question in ("   ", '"', "!?", "—"):
        assert found(question) == [], question
    for question in ("NEAR(near far)", "near AND NOT far", "near:*", "near -far", "\"near\" 'far'", "(near)"):
        assert found(question) == [ref], question


def test_a_question_is_read_to_its_twelfth_word(hub):
    assert words_of("One two TWO " + " ".join(map(str, range(20)))) == ["one", "two", *map(str, range(10))]
    assert words_of(" ?! ") == []
    assert fold("Crŵth Straße ﬁ") == "crwth strasse fi"


def test_one_finds_only_what_one_may_see(hub):
    refs = {view: make.idea(title="Zebra", audience=view.word) for view in View}
    make.idea(title="Zebra", hidden=True)
    for actor in (NOBODY, make.resident(), make.staff(), make.moderator(), make.admin()):
        theirs = {refs[view] for view in View if view <= actor.view}
        assert set(found("zebra", actor)) == set(alike("zebra", actor)) == theirs


def test_the_index_itself_gives_out_only_what_a_view_may_see(hub):
    ids = {view: make.row(make.idea(title="Zebra", audience=view.word)).id for view in View}
    with reading() as session:
        for view in View:
            assert sorted(find_ideas(session, view, "zebra")) == sorted(ids[each] for each in View if each <= view)


def test_what_is_restricted_hidden_revised_or_withdrawn_is_found_no_more(hub):
    ann, admin, mod = make.resident(), make.admin(), make.moderator()
    ref = make.idea(ann, title="Zebra")
    change_idea(admin, ref, audience=View.STAFF)
    assert (found("zebra"), found("zebra", mod)) == ([], [ref])
    change_idea(admin, ref, audience=View.PUBLIC)
    assert found("zebra") == [ref]
    hide_idea(mod, ref, reason="A name.")
    assert found("zebra") == alike("zebra") == found("zebra", admin) == []
    restore_idea(mod, ref)
    assert found("zebra") == alike("zebra") == [ref]
    change_idea(ann, ref, texts={"title": "Crossing"})
    assert (found("zebra"), found("crossing")) == ([], [ref])
    withdraw_idea(ann, ref)
    assert found("crossing") == alike("crossing") == []


def test_an_idea_that_is_opened_while_hidden_is_not_found_before_it_is_shown(hub):
    both, ref = make.person(kind="staff", roles=["admin", "moderator"]), make.idea(title="Zebra", audience="staff")
    hide_idea(both, ref, reason="A name.")
    change_idea(both, ref, audience=View.PUBLIC)
    assert found("zebra") == []
    restore_idea(both, ref)
    assert found("zebra") == [ref]


def test_a_word_in_the_title_counts_more_and_more_words_count_more(hub):
    in_text = make.idea(title="Somewhere to rest", problem="No benches at all.")
    in_title = make.idea(title="Benches in the park", problem="Nowhere to go.")
    assert found("benches") == [in_title, in_text]
    assert alike("benches park")[0] == in_title


def test_pieces_of_a_search_have_no_gap_and_no_double(hub):
    refs = {make.idea(title="Benches " * (number % 3 + 1)) for number in range(7)}
    read, last = [], None
    while True:
        page = list_ideas(NOBODY, Wanted(question="bench"), after=last, limit=2)
        read += [card.ref for card in page.items]
        if (last := page.next) is None:
            break
    assert len(read) == 7
    assert set(read) == refs
    assert found("bench", limit=100) == read


def test_looking_alike_shows_at_most_five_and_what_was_learned(hub):
    learned = make.idea(title="Benches everywhere", stage="learned")
    for _ in range(6):
        make.idea(title="Something about benches elsewhere")
    shown = similar_ideas(NOBODY, "benches everywhere please")
    assert len(shown) == 5
    assert (shown[0].idea.ref, shown[0].lesson.text) == (learned, "Ask first.")
    assert [like.lesson for like in shown[1:]] == [None] * 4
