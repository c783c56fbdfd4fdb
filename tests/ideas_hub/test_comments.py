"""Comments: for the audience of their idea or a narrower one, one level of replies, a place that stays."""

import pytest

from events.catalogue import CommentPosted, CommentWithdrawn, View
from ideas_hub.comments import REPLIES, Comment, CommentKind, Place, comment, comments, post_comment, threads, withdraw_comment
from ideas_hub.errors import Invalid, Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.people import NOBODY
from ideas_hub.whole import whole_idea
from tests import make
from tests.support.witness import news, nothing_written, refused, rows

rule = pytest.mark.sqlite_only


@rule
def test_a_comment_is_read_by_everybody_who_can_read_the_idea(hub, clock):
    ann, ref = make.resident("Ann"), make.idea()
    made = post_comment(ann, ref, body=" Try Mill Road. ", kind=CommentKind.QUESTION)
    card = comment(NOBODY, ref, made)
    assert (card.body, card.kind, card.author.name, card.audience) == ("Try Mill Road.", "question", "Ann", View.PUBLIC)
    assert (card.posted_at, card.parent, card.withdrawn) == (clock(), None, False)
    assert whole_idea(NOBODY, ref).card.comments == 1


@rule
@pytest.mark.parametrize(("idea", "comment"), [("public", "public"), ("public", "staff"), ("staff", "leadership")])
def test_a_comment_is_announced_to_its_own_audience(hub, idea, comment):
    leader, ref = make.leader(), make.idea(audience=idea)
    with news() as facts:
        made = post_comment(leader, ref, body="So be it.", audience=View.named(comment))
    assert facts == [CommentPosted(idea=ref, comment=made, audience=View.named(comment))]


@rule
def test_a_comment_may_be_for_fewer_people_than_its_idea_and_is_counted_for_them_alone(hub):
    ref = make.idea()
    for audience in ("public", "staff", "leadership"):
        make.comment(ref, audience=audience)
    for actor, number in ((NOBODY, 1), (make.resident(), 1), (make.staff(), 2), (make.leader(), 3)):
        assert len(comments(actor, ref)) == whole_idea(actor, ref).card.comments == number


@rule
def test_a_comment_is_never_for_more_people_than_its_idea(hub):
    leader, ref = make.leader(), make.idea(audience="staff")
    with refused(Invalid) as refusal:
        post_comment(leader, ref, body="Hear, hear.", audience=View.PUBLIC)
    assert set(refusal.value.errors) == {"audience"}


@rule
def test_a_reply_joins_its_thread_and_is_for_no_wider_audience(hub):
    ref, bob = make.idea(), make.staff()
    above = make.comment(ref, audience="staff")
    reply = post_comment(bob, ref, body="Indeed.", parent=above)
    assert (comment(bob, ref, reply).parent, comment(bob, ref, reply).audience) == (above, View.STAFF)
    assert comments(NOBODY, ref) == []
    with refused(Invalid) as refusal:
        post_comment(bob, ref, body="Indeed.", parent=above, audience=View.PUBLIC)
    assert set(refusal.value.errors) == {"audience"}


@rule
def test_a_reply_needs_a_comment_at_the_top_of_a_thread_that_one_can_see(hub):
    ann, ref = make.resident(), make.idea()
    above = make.comment(ref)
    parents = [make.comment(ref, parent=above), make.comment(ref, audience="staff"), make.comment(make.idea()), "nowhere"]
    parents.append(make.comment(ref, hidden=True))
    for parent in parents:
        with refused(Invalid) as refusal:
            post_comment(ann, ref, body="Me too.", parent=parent)
        assert set(refusal.value.errors) == {"parent"}


@rule
def test_a_comment_has_one_to_four_thousand_characters_trimmed(hub):
    ann, ref = make.resident(), make.idea()
    assert len(comment(ann, ref, post_comment(ann, ref, body=f" {'ŵ' * 4000} ")).body) == 4000
    for wrong in ("", " \n\t", "ŵ" * 4001):
        with refused(Invalid) as refusal:
            post_comment(ann, ref, body=wrong)
        assert set(refusal.value.errors) == {"body"}


@rule
def test_the_same_comment_twice_is_two_comments(hub):
    ann, ref = make.resident(), make.idea()
    assert post_comment(ann, ref, body="Yes!") != post_comment(ann, ref, body="Yes!")


@rule
def test_who_may_not_comment_leaves_nothing_behind(hub):
    ann, bob, ref = make.resident(), make.staff(), make.idea()
    inside, merged = make.idea(audience="staff"), make.idea(stage="merged")
    with refused(SignInNeeded):
        post_comment(NOBODY, ref, body="Hm.")
    for nowhere in (inside, "nowhere"):
        with refused(Missing):
            post_comment(ann, nowhere, body="Hm.")
    for actor, audience in ((ann, View.STAFF), (ann, View.LEADERSHIP), (bob, View.LEADERSHIP)):
        with refused(NotAllowed):
            post_comment(actor, ref, body="Hm.", audience=audience)
    with refused(RuleBroken):
        post_comment(ann, merged, body="Hm.")


# Withdrawing


@rule
def test_an_author_takes_back_a_comment_and_its_place_stays(hub):
    ann, ref = make.resident(), make.idea()
    made = make.comment(ref, ann, body="Zebra")
    make.comment(ref, parent=made)
    with news() as facts:
        withdraw_comment(ann, ref, made)
    assert facts == [CommentWithdrawn(idea=ref, comment=made, audience=View.PUBLIC)]
    card = comment(NOBODY, ref, made)
    assert (card.withdrawn, card.body, card.author) == (True, None, None)
    assert [row.body for row in rows(Comment, Comment.ref == made)] == [""]
    (thread,) = threads(NOBODY, ref).threads
    assert (thread.comment, len(thread.replies)) == (card, 1)
    assert whole_idea(NOBODY, ref).card.comments == 1
    with nothing_written():
        withdraw_comment(ann, ref, made)


@rule
def test_a_comment_can_be_taken_back_whatever_became_of_the_idea(hub):
    ann = make.resident()
    for stage in ("new", "trial", "declined", "adopted"):
        ref = make.idea()
        made = make.comment(ref, ann)
        if stage != "new":
            make.sponsored(ref)
            for step in make.WAY[stage]:
                make.moved(ref, step)
        withdraw_comment(ann, ref, made)
        assert comment(ann, ref, made).withdrawn


@rule
def test_only_its_author_withdraws_a_comment(hub):
    ann, ref = make.resident(), make.idea()
    made, elsewhere = make.comment(ref), make.idea()
    for other in (ann, make.moderator(), make.admin()):
        with refused(NotAllowed):
            withdraw_comment(other, ref, made)
    with refused(SignInNeeded):
        withdraw_comment(NOBODY, ref, made)
    hidden = make.comment(ref, ann, hidden=True)
    for idea, which in ((elsewhere, made), (ref, "nowhere"), (ref, make.comment(ref, audience="staff")), (ref, hidden)):
        with refused(Missing):
            withdraw_comment(ann, idea, which)


# Reading


def test_comments_come_oldest_first_in_pieces_without_gap_or_double(hub, clock):
    ref = make.idea()
    made = []
    for number in range(7):
        made.append(make.comment(ref))
        make.comment(ref, audience="staff")
        clock.goes_on(seconds=number // 2)  # some at the very same moment
    read, last = [], None
    while piece := comments(NOBODY, ref, after=last, limit=2):
        read += [card.ref for card in piece]
        last = (piece[-1].posted_at, piece[-1].ref)
    assert sorted(read) == sorted(made)
    assert [card.ref for card in comments(NOBODY, ref, limit=100)] == read


def test_threads_are_the_newest_with_their_replies_and_kinds_are_counted(hub, clock):
    ref = make.idea()
    tops = []
    for kind in ("build", "question", "question"):
        tops.append(make.comment(ref, kind=kind))
        clock.goes_on(seconds=1)
    reply = make.comment(ref, parent=tops[1])
    make.comment(ref, parent=tops[1], audience="staff")
    make.comment(ref, kind="concern", audience="staff")
    found, kinds, earlier, later, *_ = threads(NOBODY, ref, limit=2)
    assert (earlier, later) == (1, 0)
    assert [(thread.comment.ref, [card.ref for card in thread.replies]) for thread in found] == [
        (tops[1], [reply]),
        (tops[2], []),
    ]
    assert kinds == {"build": 1, "question": 2}
    assert [thread.comment.ref for thread in threads(NOBODY, ref, kind=CommentKind.BUILD)[0]] == [tops[0]]


def test_a_long_discussion_is_read_piece_by_piece_and_a_comment_is_found_in_it(hub, clock):
    ref, tops = make.idea(), []
    for _ in range(12):
        tops.append(make.comment(ref))
        clock.goes_on(seconds=1)
    hidden = make.comment(ref, audience="staff")

    def shown(**place):
        found = threads(NOBODY, ref, place=Place(**place), limit=4)
        return [tops.index(thread.comment.ref) for thread in found.threads], found.earlier, found.later

    assert shown() == ([8, 9, 10, 11], 8, 0)
    assert shown(before=tops[8]) == ([4, 5, 6, 7], 4, 4)
    assert shown(before=tops[4]) == ([0, 1, 2, 3], 0, 8)
    assert shown(after=tops[3]) == ([4, 5, 6, 7], 4, 4)
    assert shown(after=tops[9]) == ([10, 11], 10, 0)
    assert shown(comment=tops[5]) == ([3, 4, 5, 6], 3, 5)
    assert shown(comment=tops[11]) == shown()
    for lost in (hidden, "zzzzzzzz", "%00\x00"):
        found = threads(NOBODY, ref, place=Place(comment=lost), limit=4)
        assert found.is_lost
        assert shown(before=lost) == shown(after=lost) == shown(thread=lost) == shown()


def test_a_thread_with_many_replies_shows_the_first_and_has_a_page_of_its_own(hub, clock):
    ref = make.idea()
    top, other = make.comment(ref), make.comment(ref)
    replies = []
    for _ in range(REPLIES + 2):
        clock.goes_on(seconds=1)
        replies.append(make.comment(ref, parent=top))
    first, second = sorted(threads(NOBODY, ref).threads, key=lambda thread: thread.comment.ref != top)
    assert ([card.ref for card in first.replies], first.more) == (replies[:REPLIES], 2)
    assert (second.comment.ref, second.replies, second.more) == (other, (), 0)
    beside = threads(NOBODY, ref, place=Place(comment=replies[0]))
    assert (beside.is_alone, len(beside.threads)) == (False, 2)
    for place in (Place(comment=replies[-1]), Place(thread=top), Place(thread=top, comment=replies[-1])):
        alone = threads(NOBODY, ref, place=place)
        assert (alone.is_alone, alone.is_lost, alone.earlier, alone.later) == (True, False, 0, 0)
        assert [card.ref for card in alone.threads[0].replies] == replies
    rest = threads(NOBODY, ref, place=Place(thread=top, after=replies[REPLIES - 1]))
    assert ([card.ref for card in rest.threads[0].replies], rest.earlier) == (replies[REPLIES:], REPLIES)


@rule
def test_a_comment_is_found_under_its_own_idea_only(hub):
    ref, elsewhere = make.idea(), make.idea()
    made = make.comment(ref)
    with pytest.raises(Missing):
        comment(NOBODY, elsewhere, made)
