"""The checkers can fail: with the lock taken out, a fact dropped, a vote doubled, a record altered, each says so."""

import pytest
import sqlalchemy as sa

from events import log
from events.catalogue import View, idea_topic
from events.stream import Cursor
from ideas_hub import votes
from ideas_hub.comments import post_comment
from ideas_hub.db import transaction
from ideas_hub.votes import Vote
from tests import make
from tests.chaos import by_sequence
from tests.chaos.crowd import Crowd, disagreements, lost_or_doubled
from tests.events.test_log import by_sequences
from tests.support.histories import faults, of_events, of_facts
from tests.support.listener import Listener, listeners
from tests.support.processes import wait_until
from tests.support.told import cursor, replay


@pytest.mark.long_only  # in small: tests/events/test_log.py without servers, and below what each checker says
@pytest.mark.postgresql_only
@pytest.mark.promise("Without the head lock, verify and the watchers' records tell", bar="holes and skipped events are found")
def test_numbers_of_a_sequence_are_caught_by_verify_and_by_every_record(hub, server, size, figure):
    with transaction() as session:
        by_sequence.prepare(session)
    hasty = server(altered="from tests.chaos import by_sequence; by_sequence.take_the_lock_out()")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "append", by_sequences)
        patch.setattr(log, "head", by_sequence.head)
        crowd = Crowd([hasty.url], size(120, 1_000), workers=8, ideas=8)
        topics = [idea_topic(ref) for ref in crowd.ideas]
        watchers = listeners(2, lambda _: Listener(hasty.url, *topics))
        with crowd:
            crowd.finish()
        assert not lost_or_doubled(crowd), "the rows are right: only the log is not"
        last = make.comment(crowd.ideas[0])
        with transaction() as session:
            by_sequence.finish(session)
    for watcher in watchers:
        wait_until(lambda watcher=watcher: watcher.heard and watcher.heard[-1]["data"].get("comment") == last, what="the last")
    found = [next((said for said in faults(watcher, View.PUBLIC) if said.startswith("skipped")), "") for watcher in watchers]
    for watcher in watchers:
        watcher.stop()
    holes = [said for said in disagreements() if said.startswith("positions")]
    figure(f"verify: {'holes' if holes else 'nothing'}; {sum(map(bool, found))} of 2 records: {found[0]}")
    assert holes
    assert all(found)


@pytest.mark.sqlite_only
def test_a_fact_that_was_dropped_and_a_vote_that_was_doubled_are_caught_by_verify(hub, monkeypatch):
    ref, voter = make.idea(votes=1), make.person()
    assert not disagreements()
    real = log.append

    def drop_the_first(session, events, at, *, imported=()):
        if events[1:]:
            real(session, events[1:], at, imported=imported)

    with monkeypatch.context() as patch:
        patch.setattr(log, "append", drop_the_first)
        votes.cast_vote(voter, ref)
    assert [said for said in disagreements() if "1 votes that the ledger does not know" in said]
    votes.withdraw_vote(voter, ref)
    assert [said for said in disagreements() if "withdrawn that was not there" in said]


@pytest.mark.sqlite_only
def test_a_vote_counted_twice_is_caught_by_verify(hub, monkeypatch):
    ref, voter, insert = make.idea(), make.person(), votes.add_many

    def as_if_inserted(session, model, rows):
        inserted = insert(session, model, rows)
        return inserted or session.execute(sa.select(Vote.idea_id, Vote.voter)).all() if model is Vote else inserted

    monkeypatch.setattr(votes, "add_many", as_if_inserted)
    for _ in range(2):
        votes.cast_vote(voter, ref)
    said = " ".join(disagreements())
    assert "the tally is 2 (2, 0), and the rows are 1 (1, 0)" in said
    assert "the ledger has a vote cast twice" in said


ALTERED = {
    "skipped 1, the first 3": lambda heard: heard[:1] + heard[2:],
    "doubled 1, the first 3": lambda heard: [*heard[:2], heard[1], *heard[2:]],
    "out of order 1, the first 3": lambda heard: [heard[0], heard[2], heard[1], *heard[3:]],
    "not what the log has 1, the first 3": lambda heard: [heard[0], heard[1] | {"type": "idea.revised"}, *heard[2:]],
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("said", ALTERED)
def test_a_record_that_is_not_the_log_is_caught(hub, said):
    ref, who = make.idea(), make.person()
    for number in range(4):
        post_comment(who, ref, body=f"Comment {number}")
    topics, start = [idea_topic(ref)], Cursor.parse(cursor(View.PUBLIC, 1))
    heard = replay(View.PUBLIC, topics, 1).events
    assert not list(of_events(heard, View.PUBLIC, topics, start))
    assert list(of_events(ALTERED[said](heard), View.PUBLIC, topics, start)) == [said]


@pytest.mark.sqlite_only
def test_last_facts_that_are_not_what_the_database_has_are_caught(hub):
    ref = make.idea(votes=2)
    version = make.row(ref).version_in(View.PUBLIC)
    right = {"votes": 2, "votes_residents": 2, "votes_staff": 0, "votes_held": 0, "comments": 0, "version": version}
    assert not of_facts({idea_topic(ref): right}, View.PUBLIC)
    assert of_facts({idea_topic(ref): right | {"votes": 1}}, View.PUBLIC)


@pytest.mark.sqlite_only
def test_an_acknowledged_change_that_is_lost_or_doubled_is_caught(hub):
    crowd = Crowd([], 10, ideas=1)
    (ref,) = crowd.ideas
    assert not lost_or_doubled(crowd)
    crowd.votes[ref] += 1
    crowd.comments.append("Said")
    assert len(lost_or_doubled(crowd)) == 2
    make.cast(ref, residents=1)
    make.comment(ref, body="Said")
    assert not lost_or_doubled(crowd)
    make.comment(ref, body="Said")
    assert len(lost_or_doubled(crowd)) == 1
