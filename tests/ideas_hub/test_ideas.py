"""Ideas: posted, revised, withdrawn; what their texts may be, and what is kept of them."""

import pytest

from events.catalogue import IdeaPosted, IdeaRevised, IdeaWithdrawn, View
from ideas_hub.audiences import change_idea
from ideas_hub.cards import counts
from ideas_hub.errors import Changed, Invalid, Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import SIZES, Revision, post_idea, withdraw_idea
from ideas_hub.lists import Wanted
from ideas_hub.people import NOBODY
from ideas_hub.whole import revisions, whole_idea
from tests import make
from tests.support.witness import news, nothing_written, refused, rows

pytestmark = pytest.mark.sqlite_only

# Posting


def test_a_resident_posts_an_idea_and_everybody_can_read_it(hub, clock):
    ann = make.resident("Ann")
    make.theme("roads")
    ref = post_idea(
        ann, title=" Benches ", problem="No rest.", proposal="Benches.", gain="Rest.", place="Mill Rd", themes=["roads"]
    )
    idea = whole_idea(NOBODY, ref)
    assert (idea.card.title, idea.problem, idea.gain, idea.card.place) == ("Benches", "No rest.", "Rest.", "Mill Rd")
    assert (idea.card.stage, idea.card.audience, idea.card.votes) == ("new", View.PUBLIC, 0)
    assert [author.name for author in idea.card.authors] == ["Ann"]
    assert [theme.slug for theme in idea.card.themes] == ["roads"]
    assert idea.card.posted_at == idea.card.stage_since == clock()


@pytest.mark.parametrize("audience", ["public", "staff", "leadership"])
def test_a_new_idea_is_announced_to_its_audience(hub, audience):
    leader = make.leader()
    with news() as facts:
        ref = post_idea(leader, audience=View.named(audience), **make.texts())
    assert facts == [IdeaPosted(idea=ref, audience=View.named(audience))]


def test_two_ideas_posted_alike_are_two_ideas(hub):
    ann, texts = make.resident(), make.texts()
    assert post_idea(ann, **texts) != post_idea(ann, **texts)
    assert len(list_ideas(NOBODY, Wanted()).items) == 2


def test_nobody_posts_and_residents_post_for_everybody_only(hub):
    ann = make.resident()
    with refused(SignInNeeded):
        post_idea(NOBODY, **make.texts())
    for audience in (View.STAFF, View.LEADERSHIP):
        with refused(NotAllowed):
            post_idea(ann, audience=audience, **make.texts())


def test_staff_do_not_post_where_they_cannot_read(hub):
    bob = make.staff()
    assert post_idea(bob, audience=View.STAFF, **make.texts())
    with refused(NotAllowed):
        post_idea(bob, audience=View.LEADERSHIP, **make.texts())


def test_co_authors_stand_behind_the_first(hub):
    ann, bob = make.resident("Ann"), make.staff("Bob")
    ref = make.idea(bob, co_authors=[ann])
    assert [author.name for author in whole_idea(NOBODY, ref).card.authors] == ["Bob", "Ann"]


# Sizes


@pytest.mark.parametrize(
    ("name", "most"),
    [("title", 120), ("problem", 4000), ("proposal", 10_000), ("gain", 2000), ("cost_of_inaction", 2000)],
)
def test_a_text_may_be_as_long_as_promised_and_not_a_character_longer(hub, name, most):
    ann = make.resident()
    ref = post_idea(ann, **make.texts(**{name: "  " + "ŵ" * most + "\n"}))
    stored = whole_idea(ann, ref)
    assert getattr(stored.card if name == "title" else stored, name) == "ŵ" * most
    with refused(Invalid) as refusal:
        post_idea(ann, **make.texts(**{name: "ŵ" * (most + 1)}))
    assert set(refusal.value.errors) == {name}
    assert "1 character too long" in str(refusal.value.errors[name])


def test_every_text_that_is_missing_is_named_at_once(hub):
    ann = make.resident()
    with refused(Invalid) as refusal:
        post_idea(ann, title=" \n", problem="", proposal="\t")
    assert set(refusal.value.errors) == {"title", "problem", "proposal"}


def test_an_idea_has_at_most_five_themes_from_the_list(hub):
    ann, slugs = make.resident(), [make.theme(f"theme-{number}") for number in range(6)]
    assert len(whole_idea(ann, make.idea(ann, themes=slugs[:5] + slugs[:1])).card.themes) == 5
    for wrong in (slugs, ["nonesuch"], [slugs[0], "nonesuch"]):
        with refused(Invalid) as refusal:
            make.idea(ann, themes=wrong)
        assert set(refusal.value.errors) == {"themes"}


# Revising


def test_an_author_changes_the_words_and_every_revision_is_kept(hub, clock):
    ann, bob = make.resident("Ann"), make.staff("Bob")
    ref = make.idea(ann, co_authors=[bob], title="Bench", problem="One.")
    clock.goes_on(hours=1)
    change_idea(bob, ref, texts={"title": "Benches", "gain": "Rest."})
    found = whole_idea(NOBODY, ref)
    assert (found.card.title, found.problem, found.gain) == ("Benches", "One.", "Rest.")
    assert (found.card.revision, found.card.revised_at) == (2, clock())
    kept = revisions(NOBODY, ref)
    assert [(each.number, each.title, each.gain, each.by.name) for each in kept] == [
        (2, "Benches", "Rest.", "Bob"),
        (1, "Bench", "", "Ann"),
    ]


def test_a_revision_is_announced_and_other_themes_are_one(hub):
    ann = make.resident()
    ref = make.idea(ann)
    for change in ({"texts": {"problem": "Another."}}, {"themes": [make.theme("roads")]}):
        with news() as facts:
            change_idea(ann, ref, **change)
        assert facts == [IdeaRevised(idea=ref, audience=View.PUBLIC)]
    assert len(rows(Revision)) == 2


def test_the_same_words_and_themes_again_are_no_revision(hub):
    ann = make.resident()
    ref = make.idea(ann, title="Benches", themes=[make.theme("roads"), make.theme("parks")])
    with nothing_written():
        change_idea(ann, ref, texts={"title": " Benches "}, themes=["parks", "roads"])
        change_idea(ann, ref)


def test_the_same_short_title_again_changes_nothing(hub):
    ann = make.resident()
    ref = make.idea(ann)
    with news() as facts:
        change_idea(ann, ref, short_title="Benches")
    assert [fact.type for fact in facts] == ["idea.revised"]
    assert whole_idea(NOBODY, ref).card.short_title == "Benches"
    with nothing_written():
        change_idea(ann, ref, short_title=" Benches ")


def test_only_authors_change_words_and_only_while_the_idea_is_new(hub):
    ann, ref = make.resident(), make.idea()
    for other in (ann, make.moderator(), make.leader(), make.admin()):
        with refused(NotAllowed):
            change_idea(other, ref, texts={"title": "Mine"})
    with refused(SignInNeeded):
        change_idea(NOBODY, ref, texts={"title": "Mine"})
    for stage in ("exploring", "parked", "declined", "merged"):
        moved = make.idea(ann, stage=stage)
        with refused(RuleBroken):
            change_idea(ann, moved, texts={"title": "Later"})
        with refused(RuleBroken):
            change_idea(ann, moved, themes=[])


def test_what_cannot_be_changed_whole_is_not_changed_at_all(hub):
    ann = make.resident()
    ref = make.idea(ann)
    with refused(Invalid):
        change_idea(ann, ref, texts={"title": "Better", "problem": ""})
    with refused(Invalid):
        change_idea(ann, ref, texts={"title": "Better"}, themes=["nonesuch"])
    with refused(Invalid):
        change_idea(ann, ref, texts={"title": "Better"}, short_title="s" * (SIZES["short_title"] + 1))
    with refused(NotAllowed):
        change_idea(ann, ref, texts={"title": "Better"}, audience=View.STAFF)


def test_who_read_an_older_revision_is_told_so(hub):
    ann = make.resident()
    ref = make.idea(ann)
    change_idea(ann, ref, texts={"title": "Second"}, revision=1)
    with refused(Changed):
        change_idea(ann, ref, texts={"title": "Lost"}, revision=1)


# Withdrawing


def test_an_author_withdraws_an_idea_and_its_words_are_gone(hub):
    ann = make.resident()
    ref = make.idea(ann, title="Zebra", problem="Zebra", proposal="Zebra", gain="Zebra", place="Zebra")
    with news() as facts:
        withdraw_idea(ann, ref)
    assert facts == [IdeaWithdrawn(idea=ref, audience=View.PUBLIC)]
    for actor in (NOBODY, ann, make.overseer(), make.admin()):
        with pytest.raises(Missing):
            whole_idea(actor, ref)
        assert not list_ideas(actor, Wanted()).items
        assert not any(counts(actor).values())
    left = make.row(ref)
    assert "Zebra" not in repr([left.title, left.problem, left.proposal, left.gain, left.place, *rows(Revision)])
    assert not rows(Revision)


def test_withdrawing_twice_finds_nothing_the_second_time(hub):
    ann = make.resident()
    ref = make.idea(ann)
    withdraw_idea(ann, ref)
    with refused(Missing):
        withdraw_idea(ann, ref)


def test_only_its_author_withdraws_an_idea(hub):
    ref = make.idea()
    for other in (make.resident(), make.moderator(), make.admin()):
        with refused(NotAllowed):
            withdraw_idea(other, ref)
    with refused(SignInNeeded):
        withdraw_idea(NOBODY, ref)


@pytest.mark.parametrize("stage", ["exploring", "trial", "parked", "declined", "merged"])
def test_an_idea_that_moved_on_is_not_withdrawn(hub, stage):
    ann = make.resident()
    ref = make.idea(ann, stage=stage)
    with refused(RuleBroken):
        withdraw_idea(ann, ref)


def test_an_idea_that_somebody_answered_to_is_not_withdrawn(hub):
    ann = make.resident()
    with_vote, with_comment = make.idea(ann, votes=1), make.idea(ann)
    make.comment(with_comment)
    for ref in (with_vote, with_comment):
        with refused(RuleBroken):
            withdraw_idea(ann, ref)


def test_a_refusal_to_withdraw_does_not_tell_of_comments_that_one_cannot_see(hub):
    ann = make.resident()
    ref = make.idea(ann)
    make.comment(ref, audience="staff")
    make.comment(ref, hidden=True)
    withdraw_idea(ann, ref)
    with pytest.raises(Missing):
        whole_idea(make.leader(), ref)


def test_marks_that_force_a_direction_are_taken_out_of_what_people_write(hub):
    ref = make.idea(title="Pay \u202egnp.exe\u202c to \u2066me\u2069", problem="\u202bשלום\u202c")
    assert (make.row(ref).title, make.row(ref).problem) == ("Pay gnp.exe to me", "שלום")
