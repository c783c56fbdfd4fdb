"""Who may see an idea that stands: opened, restricted, hidden, shown again, and its comments with it."""

import pytest

from events.catalogue import (
    CommentHidden,
    CommentRestored,
    IdeaHidden,
    IdeaOpenedToPublic,
    IdeaRestored,
    IdeaRestricted,
    IdeaRevised,
    View,
)
from ideas_hub.audiences import Hiding, change_idea, hide_comment, hide_idea, restore_comment, restore_idea
from ideas_hub.cards import counts
from ideas_hub.comments import comment, comments, withdraw_comment
from ideas_hub.errors import Invalid, Missing, NotAllowed, SignInNeeded
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Stage
from ideas_hub.lists import Wanted
from ideas_hub.people import NOBODY
from ideas_hub.votes import cast_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.support.witness import news, nothing_written, refused, rows

rule = pytest.mark.sqlite_only
P, S, L = View


def seen(actor, ref):
    """How many comments the actor sees: the number on the card is that of the list."""
    found = len(comments(actor, ref))
    assert whole_idea(actor, ref).card.comments == found
    return found


# Opening and restricting


@rule
@pytest.mark.parametrize(("was", "to"), [(S, P), (L, S), (L, P)])
def test_opening_an_idea_begins_its_story_for_those_who_gain_it(hub, was, to):
    admin, ref = make.admin(), make.idea(audience=was.word)
    with news() as facts:
        change_idea(admin, ref, audience=to)
    assert facts == [IdeaOpenedToPublic(idea=ref, audience=to)]
    assert whole_idea(make.author_for(to), ref).card.audience is to
    with nothing_written():
        change_idea(admin, ref, audience=to)


@rule
@pytest.mark.parametrize(("was", "to"), [(P, S), (P, L), (S, L)])
def test_restricting_an_idea_is_told_to_those_who_lose_it(hub, was, to):
    admin, ref = make.admin(), make.idea(audience=was.word)
    with news() as facts:
        change_idea(admin, ref, audience=to)
    assert facts == [IdeaRestricted(idea=ref, to=to.word, audience=was)]
    with pytest.raises(Missing):
        whole_idea(make.author_for(was), ref)
    with nothing_written():
        change_idea(admin, ref, audience=to)


@rule
def test_only_leaders_and_admins_open_and_restrict(hub):
    sue = make.sponsor()
    ref = make.idea(ann := make.staff(), sponsor=sue)
    for other in (ann, sue, make.resident(), make.staff(), make.moderator()):
        with refused(NotAllowed):
            change_idea(other, ref, audience=S)
    with refused(SignInNeeded):
        change_idea(NOBODY, ref, audience=S)
    change_idea(make.leader(), ref, audience=S)


@rule
def test_words_and_audience_change_in_one_request(hub):
    lea = make.leader()
    ref = make.idea(lea, audience="staff")
    with news() as facts:
        change_idea(lea, ref, texts={"title": "Open"}, audience=P)
    assert facts == [IdeaRevised(idea=ref, audience=S), IdeaOpenedToPublic(idea=ref, audience=P)]


def test_comments_go_with_a_restricted_idea_and_come_back_with_it(hub):
    admin, ref = make.admin(), make.idea()
    make.comment(ref)
    inside = make.comment(ref, audience="staff")
    change_idea(admin, ref, audience=L)
    assert seen(admin, ref) == 2
    meanwhile = make.comment(ref)  # for leaders, and it stays so
    change_idea(admin, ref, audience=S)
    assert seen(make.staff(), ref) == 2
    change_idea(admin, ref, audience=P)
    assert seen(NOBODY, ref) == 1
    assert seen(make.staff(), ref) == 2
    assert seen(admin, ref) == 3
    for nowhere in (inside, meanwhile):
        with pytest.raises(Missing):
            comment(NOBODY, ref, nowhere)


def test_opening_an_idea_does_not_open_its_comments(hub):
    admin, ref = make.admin(), make.idea(audience="staff")
    make.comment(ref)
    change_idea(admin, ref, audience=P)
    assert seen(NOBODY, ref) == 0
    assert seen(make.staff(), ref) == 1


@rule
def test_the_version_rises_for_those_who_see_a_change_and_for_nobody_else(hub):
    ref, ann, bob, lea = make.idea(), make.resident(), make.staff(), make.leader()

    def versions():
        return [whole_idea(who, ref).card.version for who in (ann, bob, lea)]

    before = versions()
    make.comment(ref, audience="staff")
    assert versions() == [before[0], before[1] + 1, before[2] + 1]
    cast_vote(ann, ref)
    assert versions() == [before[0] + 1, before[1] + 2, before[2] + 2]


# Hiding


def test_a_hidden_idea_is_nowhere_but_for_moderators_and_comes_back_as_it_was(hub):
    mod, ref = make.moderator(), make.idea(title="Benches", stage="parked")
    make.comment(ref)
    make.comment(ref, audience="staff")
    with news() as facts:
        hide_idea(mod, ref, reason=" A name. ")
    (hiding,) = rows(Hiding)
    assert (hiding.reason, hiding.by_id, hiding.comment_id) == ("A name.", mod.person_id, None)
    assert facts == [IdeaHidden(idea=ref, hiding=hiding.id, by=mod.ref, audience=P)]
    for actor in (NOBODY, make.resident(), make.staff(), make.leader(), make.admin()):
        with pytest.raises(Missing):
            whole_idea(actor, ref)
        assert not list_ideas(actor, Wanted()).items
        assert counts(actor)[Stage.PARKED] == 0
    assert whole_idea(mod, ref).card.hidden
    with nothing_written():
        hide_idea(mod, ref, reason="Again.")
    with news() as facts:
        restore_idea(mod, ref)
    assert facts == [IdeaRestored(idea=ref, by=mod.ref, audience=P)]
    assert (seen(NOBODY, ref), seen(make.staff(), ref)) == (1, 2)
    assert counts(NOBODY)[Stage.PARKED] == 1
    with nothing_written():
        restore_idea(mod, ref)


@rule
def test_only_moderators_hide_and_restore(hub):
    ref, hidden = make.idea(ann := make.staff()), make.idea(hidden=True)
    made, gone = make.comment(ref, ann), make.comment(ref, hidden=True)
    for other in (ann, make.sponsor(), make.safeguarding(), make.leader(), make.admin()):
        with refused(NotAllowed):
            hide_idea(other, ref, reason="x")
        with refused(NotAllowed):
            hide_comment(other, ref, made, reason="x")
        with refused(Missing):
            restore_idea(other, hidden)
        with refused(Missing):
            restore_comment(other, ref, gone)
        with refused(NotAllowed):
            restore_idea(other, ref)
    with refused(SignInNeeded):
        hide_idea(NOBODY, ref, reason="x")
    with refused(SignInNeeded):
        restore_idea(NOBODY, hidden)


@rule
def test_hiding_needs_a_reason(hub):
    mod, ref = make.moderator(), make.idea()
    made = make.comment(ref)
    for reason in ("", " \n", "r" * 2001):
        with refused(Invalid):
            hide_idea(mod, ref, reason=reason)
        with refused(Invalid):
            hide_comment(mod, ref, made, reason=reason)


@rule
def test_a_hidden_comment_is_announced_counted_out_and_comes_back(hub):
    mod, ref = make.moderator(), make.idea()
    made, _ = make.comment(ref, audience="staff"), make.comment(ref)
    with news() as facts:
        hide_comment(mod, ref, made, reason="A name.")
    assert facts == [CommentHidden(idea=ref, comment=made, hiding=rows(Hiding)[0].id, by=mod.ref, audience=S)]
    assert (seen(NOBODY, ref), seen(make.staff(), ref)) == (1, 1)
    with nothing_written():
        hide_comment(mod, ref, made, reason="Again.")
    with news() as facts:
        restore_comment(mod, ref, made)
    assert facts == [CommentRestored(idea=ref, comment=made, by=mod.ref, audience=S)]
    assert seen(make.staff(), ref) == 2
    with nothing_written():
        restore_comment(mod, ref, made)


@rule
def test_a_comment_that_was_hidden_itself_stays_hidden_when_its_idea_is_shown_again(hub):
    mod, ref = make.moderator(), make.idea()
    made = make.comment(ref, hidden=True)
    make.comment(ref)
    hide_idea(mod, ref, reason="Both.")
    restore_idea(mod, ref)
    assert seen(NOBODY, ref) == 1
    hide_idea(mod, ref, reason="Both.")
    restore_comment(mod, ref, made)
    restore_idea(mod, ref)
    assert seen(NOBODY, ref) == 2


@rule
def test_a_comment_that_was_taken_back_is_not_counted_again_when_shown_again(hub):
    mod, ann, ref = make.person(kind="staff", roles=["moderator"]), make.moderator(), make.idea()
    made = make.comment(ref, ann)
    hide_comment(mod, ref, made, reason="A name.")
    withdraw_comment(ann, ref, made)  # a moderator's own
    restore_comment(mod, ref, made)
    assert whole_idea(NOBODY, ref).card.comments == 0
    assert comment(NOBODY, ref, made).withdrawn


@rule
def test_a_vote_after_restricting_counts_and_shows_when_the_idea_is_open_again(hub):
    admin, ref = make.admin(), make.idea(votes=1)
    change_idea(admin, ref, audience=S)
    make.cast(ref, staff=1)
    change_idea(admin, ref, audience=P)
    card = whole_idea(NOBODY, ref).card
    assert (card.votes, card.votes_residents, card.votes_staff) == (2, 1, 1)
