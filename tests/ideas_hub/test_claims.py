"""What is asked for twice with one key is done once."""

import threading
from contextlib import ExitStack
from datetime import timedelta

import pytest
import sqlalchemy as sa

from ideas_hub import clock, db
from ideas_hub.chores import CHORES, run
from ideas_hub.claims import Asked, Claim, claim, forget_claims
from ideas_hub.comments import Comment, post_comment
from ideas_hub.errors import AtWork, Invalid, RuleBroken
from ideas_hub.ideas import Stage
from ideas_hub.moves import move_idea
from ideas_hub.people import Actor
from ideas_hub.votes import cast_vote
from tests import make
from tests.support.witness import news, nothing_written, refused, rows


@pytest.fixture(autouse=True)
def no_claim_is_left():
    yield
    claim(None)


def asks(who: Actor, key: str = "k", what: str = "this") -> None:
    claim(Asked(who.person_id or 0, key, what))


def test_a_comment_that_is_sent_twice_is_posted_once_and_the_second_time_leads_to_the_first(hub):
    ann, idea = make.resident(), make.idea()
    asks(ann)
    with news() as told:
        first = post_comment(ann, idea, body="Once.")
    assert len(told) == 1
    with nothing_written():
        assert post_comment(ann, idea, body="Once.") == first
    assert [comment.ref for comment in rows(Comment)] == [first]


def test_another_key_another_person_and_no_key_each_make_something_new(hub):
    ann, bob, idea = make.resident(), make.resident(), make.idea()
    asks(ann)
    made = {post_comment(ann, idea, body="Same words.")}
    asks(ann, key="other")
    made.add(post_comment(ann, idea, body="Same words."))
    asks(bob)
    made.add(post_comment(bob, idea, body="Same words."))
    claim(None)
    made.add(post_comment(ann, idea, body="Same words."))
    assert len(made) == 4


def test_a_key_that_was_used_for_something_else_is_refused(hub):
    ann, idea = make.resident(), make.idea()
    asks(ann)
    post_comment(ann, idea, body="Once.")
    asks(ann, what="that")
    with refused(Invalid) as refusal:
        post_comment(ann, idea, body="Other.")
    assert list(refusal.value.errors) == ["Idempotency-Key"]


def test_what_was_refused_is_not_kept(hub):
    ann, idea = make.leader(), make.idea()
    asks(ann)
    with refused(RuleBroken):
        move_idea(ann, idea, to=Stage.EXPLORING, reason="Let us look.")
    make.sponsored(idea)
    asks(ann)
    move_idea(ann, idea, to=Stage.EXPLORING, reason="Let us look.")
    with nothing_written():  # though the idea is there already, which would be refused
        assert move_idea(ann, idea, to=Stage.EXPLORING, reason="Let us look.") is None


def test_after_a_crash_before_the_end_nothing_is_kept_and_after_it_all_is(hub, monkeypatch):
    ann, idea = make.resident(), make.idea()
    asks(ann)

    def crash(session: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(db.Database, "finish", staticmethod(crash))
        with nothing_written(), pytest.raises(KeyboardInterrupt):
            post_comment(ann, idea, body="Once.")
    with monkeypatch.context() as patch:
        patch.setattr(hub, "committed", lambda: crash(None))
        with pytest.raises(KeyboardInterrupt):
            post_comment(ann, idea, body="Once.")
    (comment,) = rows(Comment)
    assert post_comment(ann, idea, body="Once.") == comment.ref


def test_after_a_day_a_key_is_new_and_the_old_claim_is_forgotten(hub):
    ann, idea = make.resident(), make.idea()
    asks(ann)
    first = post_comment(ann, idea, body="Once.")
    asks(ann, key="other")
    post_comment(ann, idea, body="Another.")
    later = clock.now() + timedelta(hours=24)
    clock.replace_now(lambda: later)
    try:
        asks(ann, what="that")
        assert post_comment(ann, idea, body="A day later.") != first
        assert run(next(chore for chore in CHORES if chore.work is forget_claims)) == 1
    finally:
        clock.replace_now(None)
    assert [(kept.key, kept.asked) for kept in rows(Claim)] == [("k", "that")]


def test_commands_that_may_be_done_twice_need_no_claim(hub):
    ann, idea = make.resident(), make.idea()
    asks(ann)
    cast_vote(ann, idea)
    cast_vote(ann, idea)
    assert rows(Claim) == []


def test_of_two_who_send_the_same_at_once_one_is_told_to_wait(hub, database_url):
    """From two processes, too: each has a database of its own open."""
    ann, idea = make.resident(), make.idea()
    here = db.database()
    other = type(here)(sa.make_url(database_url)) if here.engine.dialect.name == "postgresql" else here
    with ExitStack() as at_the_end:
        at_the_end.callback(other.close)
        with other.writing_alone(f"claim {ann.person_id} k"), nothing_written():
            asks(ann)
            with pytest.raises(AtWork):
                post_comment(ann, idea, body="Once.")
    db.connect(database_url)
    post_comment(ann, idea, body="Once.")
    assert len(rows(Comment)) == 1


def test_many_who_send_the_same_at_once_post_it_once(hub):
    ann, idea = make.resident(), make.idea()
    outcomes: list[str] = []

    def send() -> None:
        asks(ann)
        try:
            outcomes.append(post_comment(ann, idea, body="Once."))
        except AtWork:
            outcomes.append("wait")

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (comment,) = rows(Comment)
    assert len(outcomes) == 8
    assert set(outcomes) <= {comment.ref, "wait"}
    assert comment.ref in outcomes
