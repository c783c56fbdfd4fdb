"""What came from elsewhere: once, whole or not at all, at its own time, and told to nobody as news."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from events import log
from events.catalogue import BOARD, VIEWS, View, idea_topic
from ideas_hub import db
from ideas_hub.audiences import hide_idea
from ideas_hub.cards import counts
from ideas_hub.comments import Comment, comments
from ideas_hub.errors import Invalid, Missing
from ideas_hub.finding import list_ideas, similar_ideas
from ideas_hub.ideas import Idea, Stage
from ideas_hub.imports import CommentRow, Fate, IdeaRow, Origin, Pseudonym, Source, bring_in, tell_imported
from ideas_hub.lists import Wanted
from ideas_hub.live import timeline
from ideas_hub.people import NOBODY, Person, everybody
from ideas_hub.sessions import start_session
from ideas_hub.votes import cast_vote
from ideas_hub.whole import idea_page, revisions
from tests import make
from tests.ideas_hub.test_any_history import check_comments, check_stages_terms_and_clocks, check_votes
from tests.support.told import replay, stream, types
from tests.support.witness import entries, everything, news, nothing_written, rows

TOWN = Source("town", "Our Town Says", lang="es")
THEN = datetime(2015, 9, 15, 8, 30, tzinfo=UTC)
ANA, LUIS = Pseudonym("1", "Participant 1"), Pseudonym("2", "Participant 2")


def an_idea(key="7", **given):
    words = {"title": "Fuentes en cada plaza", "problem": "No hay dónde beber.", "proposal": "Una fuente por plaza."}
    return IdeaRow(**{"key": key, "author": ANA, "posted_at": THEN, "supports": 12, **words, **given})


def a_comment(key, **given):
    return CommentRow(**{"key": key, "idea": "7", "author": LUIS, "body": "¡Sí! Ñandú 🌳", "posted_at": THEN, **given})


def only(outcomes):
    (outcome,) = outcomes
    return outcome


def the_idea() -> str:
    (idea,) = rows(Idea)
    return idea.ref


def test_an_idea_comes_in_with_its_words_its_time_and_its_supports_which_are_no_votes(hub):
    assert only(bring_in(TOWN, [an_idea()])).fate is Fate.CAME_IN
    page = idea_page(NOBODY, the_idea())
    card = page.idea.card
    assert (card.title, page.idea.problem, page.idea.proposal) == (
        "Fuentes en cada plaza",
        "No hay dónde beber.",
        "Una fuente por plaza.",
    )
    assert (card.votes, card.carried_over, card.carried_from) == (0, 12, "Our Town Says")
    assert (card.posted_at, card.stage, card.lang) == (THEN, Stage.NEW, "es")
    assert [author.name for author in card.authors] == ["Participant 1"]
    assert [revision.at for revision in revisions(NOBODY, card.ref)] == [THEN]


def test_an_archived_idea_is_parked_since_then_and_says_why(hub):
    later = THEN + timedelta(days=183)
    rows = [an_idea("7", parked=True, parked_at=later, reason="Closed there."), an_idea("8", parked=True, reason="Old.")]
    bring_in(TOWN, rows)
    assert counts(NOBODY)[Stage.PARKED] == 2
    cards = list_ideas(NOBODY, Wanted()).items
    assert {card.stage_since for card in cards} == {later, THEN}
    last = [idea_page(NOBODY, card.ref).steps[-1] for card in cards]
    assert {(step.stage, step.reason, step.by) for step in last} == {
        (Stage.PARKED, "Closed there.", None),
        (Stage.PARKED, "Old.", None),
    }


def test_replies_join_the_thread_they_belong_to_however_deep_they_stood(hub):
    rows = [
        an_idea(),
        a_comment("a"),
        a_comment("b", parent="a", posted_at=THEN + timedelta(minutes=1)),
        a_comment("c", parent="b", posted_at=THEN + timedelta(minutes=2)),
        a_comment("d", parent="gone", posted_at=THEN + timedelta(minutes=3)),
    ]
    outcomes = bring_in(TOWN, rows)
    assert {outcome.fate for outcome in outcomes} == {Fate.CAME_IN}
    assert [len(outcome.notes) for outcome in outcomes] == [0, 0, 0, 1, 1]
    top, first, second, orphan = comments(NOBODY, the_idea())
    assert (top.parent, first.parent, second.parent, orphan.parent) == (None, top.ref, top.ref, None)
    assert top.body == "¡Sí! Ñandú 🌳"


def test_the_same_rows_again_change_nothing(hub):
    given = [an_idea(), an_idea("8", parked=True, reason="Old."), a_comment("a"), a_comment("b", parent="a")]
    bring_in(TOWN, given)
    tell_imported()
    with nothing_written():
        assert {outcome.fate for outcome in bring_in(TOWN, given)} == {Fate.HERE_BEFORE}
        assert tell_imported() == (0, 0)


def test_another_source_may_use_the_same_keys(hub):
    bring_in(TOWN, [an_idea()])
    assert only(bring_in(Source("village", "Village", lang="en"), [an_idea()])).fate is Fate.CAME_IN
    assert len(rows(Idea)) == 2


def test_however_an_import_is_cut_into_batches_the_same_comes_of_it(hub):
    given = [an_idea(), an_idea("8"), a_comment("a"), a_comment("b", parent="a"), a_comment("c", parent="b", idea="7")]
    for row in given:
        bring_in(TOWN, [row])
    (first, _second) = rows(Idea)
    assert [comment.parent is None for comment in comments(NOBODY, first.ref)].count(False) == 2
    assert first.comments_public == 3
    assert [person.name for person in rows(Person)] == ["Participant 1", "Participant 2"]


BROKEN = {
    "without a title": an_idea("x", title=" \u2800 "),
    "with a proposal that is too long": an_idea("x", proposal="a" * 10_001),
    "with a key that is none": an_idea(""),
    "with a key that no database takes": an_idea("x\x00"),
    "with supports that cannot be": an_idea("x", supports=-1),
    "from the future": an_idea("x", posted_at=datetime(2999, 1, 1, tzinfo=UTC)),
    "by an author without a key": an_idea("x", author=Pseudonym("", "Nobody")),
    "without words": a_comment("x", body="\u200b \n"),
    "that is too long": a_comment("x", body="a" * 4_001),
    "under an idea that is not here": a_comment("x", idea="nowhere"),
}


def test_a_row_that_cannot_come_in_says_why_and_costs_no_other(hub):
    outcomes = bring_in(TOWN, [an_idea(), *BROKEN.values(), a_comment("a")])
    for name, outcome in zip(BROKEN, outcomes[1:-1], strict=True):
        assert outcome.fate is Fate.LEFT_OUT, name
        assert str(outcome.why), name
    assert outcomes[0].fate is outcomes[-1].fate is Fate.CAME_IN
    assert (len(rows(Idea)), len(rows(Comment)), len(rows(Person))) == (1, 1, 2)
    check_comments()


def test_what_is_too_long_is_left_out_for_one_reason_that_promises_nothing(hub):
    long = [an_idea(str(n), proposal="a" * (10_000 + n)) for n in (1, 2)]
    outcomes = bring_in(TOWN, [an_idea(), *long, a_comment("x", body="a" * 4_001)])
    assert {str(outcome.why) for outcome in outcomes[1:]} == {"A text of it is longer than this hub holds."}


def test_a_row_that_the_database_refuses_costs_itself_only(hub, monkeypatch):
    references = iter(["person", "same", "same", "other"])
    monkeypatch.setattr(db, "_ref", lambda: next(references))
    fates = [outcome.fate for outcome in bring_in(TOWN, [an_idea("7"), an_idea("8"), an_idea("9")])]
    assert fates == [Fate.CAME_IN, Fate.LEFT_OUT, Fate.CAME_IN]
    check_stages_terms_and_clocks()
    assert counts(NOBODY)[Stage.NEW] == 2


def test_control_characters_are_made_harmless(hub):
    outcome = only(bring_in(TOWN, [an_idea(title="Agua\x00 y\x1b sombra", problem="Uno\r\ndos\x0btres")]))
    assert len(outcome.notes) == 1
    page = idea_page(NOBODY, the_idea())
    assert page.idea.card.title == "Agua y sombra"
    assert page.idea.problem == "Uno\ndos tres"


def test_a_title_that_is_too_long_is_shortened_and_kept_whole_above_the_problem(hub):
    title = "Que todas las plazas " * 10
    outcome = only(bring_in(TOWN, [an_idea(title=title)]))
    assert len(outcome.notes) == 1
    page = idea_page(NOBODY, the_idea())
    assert len(page.idea.card.title) <= 120
    assert page.idea.card.title.endswith("…")
    assert page.idea.problem == f"{title.strip()}\n\nNo hay dónde beber."


def test_nobody_can_sign_in_as_somebody_who_came_with_an_import(hub):
    bring_in(TOWN, [an_idea()])
    (person,) = rows(Person)
    assert person.email is None
    assert everybody() == []
    with pytest.raises(Missing):
        start_session(person.ref)


def test_what_came_in_is_found_and_a_vote_moves_it(hub):
    bring_in(TOWN, [an_idea(), a_comment("a")])
    assert [card.ref for card in list_ideas(NOBODY, Wanted(question="fuentes plaza")).items] == [the_idea()]
    assert [like.idea.ref for like in similar_ideas(NOBODY, "fuentes")] == [the_idea()]
    assert cast_vote(make.resident(), the_idea()).votes == 1
    check_votes()


def test_an_idea_without_words_stands_and_reads_as_empty(hub):
    bring_in(TOWN, [an_idea(problem="", proposal="")])
    page = idea_page(NOBODY, the_idea())
    assert (page.idea.problem, page.idea.proposal, page.idea.card.excerpt) == ("", "", "")


def test_only_an_import_may_leave_an_idea_without_words(hub):
    with pytest.raises(Invalid):
        make.idea(problem="", proposal="")


def test_comments_follow_an_idea_that_was_hidden_meanwhile(hub):
    bring_in(TOWN, [an_idea()])
    hide_idea(make.overseer(), the_idea(), reason="Why.")
    assert only(bring_in(TOWN, [a_comment("a")])).fate is Fate.CAME_IN
    (comment,) = rows(Comment)
    assert comment.hidden
    (idea,) = rows(Idea)
    assert idea.comments_public == 0


def test_no_comment_comes_to_an_idea_that_was_merged_meanwhile(hub):
    bring_in(TOWN, [an_idea()])
    make.moved(the_idea(), "merged")
    assert only(bring_in(TOWN, [a_comment("a")])).fate is Fate.LEFT_OUT


# The log


def test_one_event_says_how_much_came_in_also_of_a_run_that_was_stopped(hub):
    bring_in(TOWN, [an_idea(), a_comment("a")])  # stopped here
    bring_in(TOWN, [an_idea(), a_comment("a"), a_comment("b")])
    with news() as told:
        assert tell_imported() == (1, 2)
    assert [(event.type, event.data()) for event in told] == [("hub.imported", {"ideas": 1, "comments": 2})]
    assert all(origin.told for origin in rows(Origin))


def test_what_came_in_is_in_the_log_at_its_own_time_and_is_streamed_to_nobody(hub):
    given = [an_idea(parked=True, reason="Old."), a_comment("a", posted_at=THEN + timedelta(hours=1))]
    bring_in(TOWN, given)
    tell_imported()
    found = entries()
    assert [(entry.event.type, entry.at) for entry in found if entry.imported] == [
        ("idea.posted", THEN),
        ("idea.stage_changed", THEN),
        ("comment.posted", THEN + timedelta(hours=1)),
    ]
    for view in VIEWS:
        assert types(replay(view, [BOARD, idea_topic(the_idea())])) == ["hub.imported"]


def test_its_timeline_tells_it_at_its_own_time(hub):
    bring_in(TOWN, [an_idea(parked=True, parked_at=THEN + timedelta(days=2)), a_comment("a", posted_at=THEN + timedelta(days=1))])
    told, _ = timeline(stream(), NOBODY, the_idea())
    assert [event["type"] for event in told] == ["idea.posted", "comment.posted", "idea.stage_changed"]
    assert [event["time"][:10] for event in told] == ["2015-09-15", "2015-09-16", "2015-09-17"]
    assert told[0]["data"]["authors"][0]["name"] == "Participant 1"


def test_who_was_away_while_it_came_in_resumes_and_nothing_old_voids_their_cursor(hub):
    make.idea()
    bring_in(TOWN, [an_idea()])
    reply = replay(View.PUBLIC, [BOARD], log_number(hub) - 1)
    assert (reply.mode, reply.events) == ("resume", [])
    tell_imported()
    assert types(replay(View.PUBLIC, [BOARD], log_number(hub) - 2)) == ["hub.imported"]


def log_number(hub) -> int:
    with db.reading() as session:
        return log.head(session).number(View.PUBLIC)


def test_tallies_rows_and_log_agree_after_an_import(hub):
    given = [an_idea(str(n), parked=n % 2 == 0, reason="Old.") for n in range(6)]
    given += [a_comment(f"c{n}", idea=str(n % 6), parent=f"c{n - 6}" if n > 5 else "") for n in range(20)]
    bring_in(TOWN, given)
    ref = rows(Idea)[0].ref
    cast_vote(make.resident(), ref)
    make.comment(ref)
    check_votes()
    check_comments()
    check_stages_terms_and_clocks()
    assert {stage: number for stage, number in counts(NOBODY).items() if number} == {Stage.NEW: 3, Stage.PARKED: 3}
    told = [entry.event.type for entry in entries()]
    with db.reading() as session:
        assert told.count("comment.posted") == session.scalar(sa.select(sa.func.count(Comment.id))) == 21
        assert told.count("idea.posted") == session.scalar(sa.select(sa.func.count(Idea.id))) == 6
    assert everything()["origin"]
