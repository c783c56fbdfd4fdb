"""Drafts: kept for who typed them, and for nobody else; gone with what they became."""

import pytest

from events.catalogue import View
from ideas_hub import live
from ideas_hub.audiences import change_idea
from ideas_hub.comments import post_comment
from ideas_hub.desk import desk
from ideas_hub.drafts import (
    MOST_DRAFTS,
    MOST_LETTERS,
    Draft,
    discard_draft,
    draft,
    drafts,
    forget_drafts,
    keep_draft,
    restore_draft,
)
from ideas_hub.errors import Changed, Invalid, Missing, RuleBroken, SignInNeeded
from ideas_hub.ideas import post_idea
from ideas_hub.people import NOBODY
from tests import make
from tests.support import leaks
from tests.support.witness import entries, everything, news, nothing_written, refused, rows


def kept(who, form="post", **values):
    return keep_draft(who, form, values={name: [text] for name, text in values.items()})


def lines(who):
    return [(line.draft.form, line.title, line.draft.gone_at is None) for line in desk(who).drafts]


def test_a_draft_is_there_again_wherever_its_writer_looks(hub, clock):
    ann = make.resident()
    with news() as facts:
        card = keep_draft(ann, "post", values={"title": ["Benches"], "theme": ["parks", "roads"]}, seen=0)
    assert facts == []
    assert (card.version, card.at) == (1, clock())
    assert draft(ann, "post") == card
    assert card.values == {"title": ("Benches",), "theme": ("parks", "roads")}
    clock.goes_on(minutes=1)
    later = keep_draft(ann, "post", values={"title": ["Two benches"]}, seen=1)
    assert (later.version, later.at, draft(ann, "post").values) == (2, clock(), {"title": ("Two benches",)})
    with nothing_written():
        assert keep_draft(ann, "post", values={"title": ["Two benches"]}, seen=1) == later


@pytest.mark.sqlite_only
def test_the_newer_tab_does_not_write_over_the_older_one(hub):
    ann = make.resident()
    keep_draft(ann, "post", values={"title": ["From the phone"]}, seen=0)
    with refused(Changed):
        keep_draft(ann, "post", values={"title": ["From the desk"]}, seen=0)
    assert keep_draft(ann, "post", values={"title": ["From the desk"]}).version == 2  # as was asked for


@pytest.mark.sqlite_only
def test_nobody_keeps_nothing_and_nobody_finds_anothers(hub):
    ann, bob = make.resident(), make.overseer()
    kept(ann, title="Mine")
    for act in (lambda: kept(NOBODY, title="x"), lambda: discard_draft(NOBODY, "post"), lambda: restore_draft(NOBODY, "post")):
        with refused(SignInNeeded):
            act()
    for act in (lambda: draft(bob, "post"), lambda: discard_draft(bob, "post"), lambda: restore_draft(bob, "post")):
        with refused(Missing):
            act()
    assert drafts(bob) == drafts(NOBODY) == {}
    kept(bob, title="His")
    assert draft(ann, "post").values == {"title": ("Mine",)}


@pytest.mark.sqlite_only
def test_what_is_no_form_of_ours_or_too_much_is_not_kept(hub):
    ann = make.resident()
    for form in ("vote", "post-x", "comment", "reply-a", "comment-A", "edit-" + "x" * 17, "post\n"):
        with refused(Missing):
            kept(ann, form, body="x")
    for form, values in (("post", {"body": "x"}), ("comment-a", {"title": "x"}), ("post", {"title": "x" * (MOST_LETTERS + 1)})):
        with refused(Invalid):
            kept(ann, form, **values)
    with refused(Invalid):
        keep_draft(ann, "post", values={"theme": ["x"] * 51})
    kept(ann, title="x" * MOST_LETTERS)


@pytest.mark.sqlite_only
def test_there_are_so_many_drafts_and_no_more(hub):
    ann = make.resident()
    for number in range(MOST_DRAFTS):
        kept(ann, f"comment-{number}", body="x")
    with refused(RuleBroken):
        kept(ann, title="One more")
    kept(ann, "comment-0", body="changed")
    discard_draft(ann, "comment-1")
    kept(ann, title="One more")


@pytest.mark.sqlite_only
def test_an_empty_draft_goes_by_itself(hub):
    ann = make.resident()
    kept(ann, "comment-a", body="Hm", kind="concern")
    kept(ann, "comment-a", body=" \u200b", kind="concern")
    assert lines(ann) == []


@pytest.mark.sqlite_only
def test_a_discarded_draft_can_be_had_back_for_a_day(hub, clock):
    ann = make.resident()
    kept(ann, title="Benches")
    with news() as facts:
        discard_draft(ann, "post")
    assert facts == []
    with nothing_written():
        discard_draft(ann, "post")
    with refused(Missing):
        draft(ann, "post")
    assert lines(ann) == [("post", None, False)]
    restore_draft(ann, "post")
    with nothing_written():
        restore_draft(ann, "post")
    assert draft(ann, "post").values == {"title": ("Benches",)}
    discard_draft(ann, "post")
    clock.goes_on(hours=25)
    assert (forget_drafts(), forget_drafts()) == (1, 0)
    with refused(Missing):
        restore_draft(ann, "post")


def test_a_draft_that_nobody_touches_is_forgotten_after_half_a_year(hub, clock):
    ann = make.resident()
    kept(ann, title="Benches")
    clock.goes_on(days=179)
    assert forget_drafts() == 0
    clock.goes_on(days=2)
    assert forget_drafts() == 1
    assert drafts(ann) == {}


def test_what_was_posted_is_no_draft_any_more_and_a_late_tab_is_told(hub):
    ann = make.resident()
    ref = make.idea()
    kept(ann, title="Benches")
    kept(ann, f"comment-{ref}", body="Yes")
    kept(ann, f"comment-{ref}x", body="No")
    mine = post_idea(ann, draft="post", **make.texts())
    post_comment(ann, ref, body="Yes", draft=f"comment-{ref}")
    kept(ann, f"edit-{mine}", title="Benches, two")
    change_idea(ann, mine, texts={"title": "Benches, two"}, draft=f"edit-{mine}")
    assert [form for form, card in drafts(ann).items() if card.gone_at is None] == [f"comment-{ref}x"]
    assert lines(ann) == [(f"comment-{ref}x", None, True)]
    assert not [row for row in rows(Draft) if row.gone_at and row.content]
    with refused(Changed):
        keep_draft(ann, "post", values={"title": ["Benches"]}, seen=1)
    with refused(Missing):
        restore_draft(ann, "post")


@pytest.mark.sqlite_only
def test_an_idea_that_is_refused_leaves_its_draft(hub):
    ann = make.resident()
    kept(ann, title="Benches")
    with refused(Invalid):
        post_idea(ann, draft="post", title="Benches", problem="", proposal="")
    assert draft(ann, "post").version == 1
    post_idea(ann, **make.texts())  # by a script, from no draft
    assert draft(ann, "post").version == 1


@pytest.mark.sqlite_only
def test_the_title_of_an_idea_that_was_closed_to_them_is_told_no_more(hub):
    ann, ref = make.resident(), make.idea(title="Benches")
    kept(ann, f"comment-{ref}", body="Yes")
    assert lines(ann) == [(f"comment-{ref}", "Benches", True)]
    change_idea(make.leader(), ref, audience=View.STAFF)
    assert lines(ann) == [(f"comment-{ref}", None, True)]


def test_a_draft_comes_out_at_no_door_for_anybody_else_and_stands_in_no_log(hub):
    """The whole database is searched: the words are in the table of drafts and nowhere else."""
    ref = make.idea(title="Nothing secret here")
    ann = make.staff()
    kept(ann, title="zebradraft", problem="zebradraft")
    kept(ann, f"comment-{ref}", body="zebradraft")
    discard_draft(ann, f"comment-{ref}")
    planted = leaks.Planted(words={"zebradraft": frozenset()}, refs={"zebradraft": ref})
    leaks.check(planted, leaks.everybody(), leaks.domain_doors(planted))
    assert "zebradraft" in repr(desk(ann))
    assert not [entry for entry in entries() if "zebradraft" in repr(entry)]
    assert [table for table, found in everything().items() if "zebradraft" in repr(found)] == ["draft"]
    assert "draft" not in " ".join(live.SENTENCES)


@pytest.mark.sqlite_only
def test_half_a_year_is_longer_than_a_day(hub, clock):
    ann = make.resident()
    kept(ann, title="Benches")
    clock.goes_on(days=2)
    kept(ann, "comment-a", body="x")
    discard_draft(ann, "comment-a")
    clock.goes_on(hours=23)
    assert forget_drafts() == 0
    clock.goes_on(hours=2)
    assert forget_drafts() == 1
    assert list(drafts(ann)) == ["post"]
