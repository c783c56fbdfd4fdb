"""The relay: from the log to the rooms, each fact once, in order, to whom it is for, while their rights last."""

import json

import pytest
from sqlalchemy.exc import OperationalError

from events import log
from events.catalogue import BOARD, IDEAS, VIEWS, CommentPosted, HubImported, IdeaPosted, RightsChanged, View, idea_topic
from events.relay import Relay
from events.stream import Cursor
from ideas_hub.audiences import change_idea, hide_idea
from ideas_hub.clock import now
from ideas_hub.db import record, record_imported, transaction
from ideas_hub.people import Kind, add_person
from ideas_hub.votes import cast_vote
from tests import make
from tests.support.told import cursor, replay, stream

pytestmark = pytest.mark.sqlite_only


class Rooms:
    """A relay whose sockets are a list: what was sent, to which rooms, and what else was asked for, in order."""

    def __init__(self):
        self.stream, self.log = stream(), []
        self.relay = Relay(self.stream, self)

    def watched(self, view, topic):
        return True

    def send(self, message, content, rooms, *, about=()):
        self.log.append((message, json.loads(content), rooms))

    def flush(self):
        """Everything goes out as it comes."""

    def forget(self, subject=None):
        self.log.append(("forget", subject, []))

    def recheck(self, person):
        self.log.append(("rights", person, []))

    def expire(self):
        self.log.append(("expire", None, []))

    def step(self):
        self.log.clear()
        self.relay.step()
        return list(self.log)

    def heard(self, view, topic):
        """The events that a room was sent in a step."""
        return [content for message, content, rooms in self.log if message == "event" and (view, topic) in rooms]


@pytest.fixture
def rooms(hub):
    made = Rooms()
    made.step()
    return made


def test_what_is_committed_is_told_once_and_as_a_replay_tells_it(rooms):
    before = {view: Cursor.parse(cursor(view)).number for view in VIEWS}
    ref, inside = make.idea(stage="exploring"), make.idea(audience="staff")
    make.comment(ref, audience="staff")
    rooms.step()
    for view in VIEWS:
        for topic in (BOARD, IDEAS, idea_topic(ref), idea_topic(inside)):
            assert rooms.heard(view, topic) == replay(view, [topic], before[view]).events
    rooms.step()
    assert not rooms.heard(View.LEADERSHIP, BOARD)


def test_nothing_is_ever_sent_without_a_room(rooms):
    ref = make.idea()
    cast_vote(make.staff(), ref)
    assert all(where for message, _, where in rooms.step() if message in ("event", "facts", "head", "reset"))


def test_no_view_is_told_more_than_it_may_see(rooms):
    make.comment(make.idea(audience="leadership", title="Zebra"), body="Zebra")
    ref = make.idea(audience="staff", title="Zebra")
    make.comment(ref, body="Zebra")
    cast_vote(make.staff(), ref)
    rooms.step()
    for _, content, where in rooms.log:
        if any(view is View.PUBLIC for view, _ in where):
            assert "Zebra" not in repr(content)
            assert ref not in repr(content)


def test_what_was_hidden_before_it_was_told_is_told_as_a_tombstone_alone(rooms):
    ref, mod = make.idea(title="Zebra"), make.moderator()
    hide_idea(mod, ref, reason="Zebra")
    rooms.step()
    assert [(event["type"], event["data"]) for event in rooms.heard(View.LEADERSHIP, BOARD)] == [("idea.hidden", {"idea": ref})]


def test_words_go_from_where_they_lie_ready_before_anything_is_told(rooms):
    """Not between two facts that are told together: who is about to be sent the first would be cut off for the second."""
    ref = make.idea()
    make.comment(ref)
    hide_idea(make.moderator(), ref, reason="Spam.")
    kinds = [message for message, content, _ in rooms.step() if message == "event" or content == f"ideas/{ref}"]
    assert kinds.count("forget") == 1
    assert kinds[0] == "forget"
    assert "event" in kinds


def test_what_was_restricted_before_it_was_told_is_told_to_those_who_still_see_it(rooms):
    ref = make.idea(title="Zebra")
    change_idea(make.admin(), ref, audience=View.STAFF)
    rooms.step()
    assert [(event["type"], event["data"]) for event in rooms.heard(View.PUBLIC, BOARD)] == [("idea.restricted", {"idea": ref})]
    assert [event["type"] for event in rooms.heard(View.STAFF, BOARD)] == ["idea.posted", "idea.restricted"]


def test_a_right_taken_away_is_noticed_before_what_came_after_it_is_told(rooms):
    bob = make.staff()
    make.idea(audience="staff")
    make.changed(bob, kind="resident")
    make.idea(audience="staff")
    rooms.step()
    staff = [each for each in rooms.log if (View.STAFF, BOARD) in each[2] or each[1] == bob.ref]
    order = [message for message, _, _ in staff if message in ("event", "rights")]
    assert order == ["rights", "event", "rights", "event"]


def test_facts_of_the_ledger_are_told_to_nobody(rooms):
    ref = make.idea()
    rooms.step()
    cast_vote(make.staff(), ref)
    add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)
    assert not [message for message, _, _ in rooms.step() if message == "event"]
    assert rooms.stream.delivered == rooms.stream.head()


def test_a_log_of_another_epoch_resets_everybody(rooms):
    make.idea()
    with transaction() as session:
        log.begin(session, "another")
    sent = rooms.step()
    assert ("reset", {"why": "epoch"}, [(view, "") for view in VIEWS]) in sent
    assert not rooms.heard(View.PUBLIC, BOARD)
    make.idea()
    rooms.step()
    assert len(rooms.heard(View.PUBLIC, BOARD)) == 1


def test_a_heartbeat_says_how_far_everybody_has_been_told(rooms):
    ref = make.idea(audience="staff")
    rooms.relay.next_heartbeat = 0
    sent = rooms.step()
    heads = {where[0][0]: content["cursor"] for message, content, where in sent if message == "head"}
    assert heads == {view: cursor(view) for view in VIEWS}
    assert sent.index(("expire", None, [])) < [message for message, _, _ in sent].index("head")
    assert ref not in repr(heads)
    assert not [message for message, _, _ in rooms.step() if message == "head"]


def test_a_long_absence_is_told_in_batches_without_a_gap(rooms, monkeypatch):
    monkeypatch.setattr("events.relay.BATCH", 3)
    for _ in range(4):
        make.idea()
    with transaction() as session:
        for _ in range(7):
            session.info.setdefault("recorded", []).append(RightsChanged(person="p"))
    make.idea()
    rooms.step()
    assert len(rooms.heard(View.PUBLIC, BOARD)) == 5
    assert rooms.stream.delivered == rooms.stream.head()


def test_what_was_imported_is_told_to_nobody_and_moves_the_boards_counts(rooms):
    ref = make.idea()
    rooms.step()
    with transaction() as session:
        record_imported(session, IdeaPosted(idea="zzzz", audience=View.PUBLIC), now())
        record_imported(session, CommentPosted(idea=ref, comment="yyyy", audience=View.PUBLIC), now())
        record(session, HubImported(ideas=1, comments=1, audience=View.PUBLIC))
    rooms.relay.facts.earliest.clear()
    rooms.step()
    for topic in (BOARD, IDEAS):
        assert [event["type"] for event in rooms.heard(View.PUBLIC, topic)] == ["hub.imported"]
    told = {topic for message, content, _rooms in rooms.log if message == "facts" for topic in content}
    assert told == {BOARD, idea_topic(ref)}


def test_a_batch_is_told_whole_or_not_at_all(rooms, monkeypatch):
    """The database goes away while somebody comes in of a view that nobody was in."""
    make.idea()
    before, asked = rooms.stream.delivered, []

    def watched(view, topic):
        asked.append(view)
        return len(asked) > len(VIEWS)  # nobody, and then everybody

    def away(entries, view):
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(rooms, "watched", watched)
    with monkeypatch.context() as broken:
        broken.setattr(rooms.stream, "texts", away)
        with pytest.raises(OperationalError):
            rooms.step()
    assert (rooms.stream.delivered, rooms.log) == (before, [])
    rooms.step()
    assert len(rooms.heard(View.PUBLIC, BOARD)) == 1
    assert [told.number for told in rooms.stream.rings[View.PUBLIC].told] == [before.number(View.PUBLIC) + 1]


def test_names_that_may_have_changed_are_taken_back_before_anything_is_told(rooms):
    who, ref = make.resident(), make.idea()
    rooms.step()
    make.comment(ref, who)
    make.changed(who, kind="resident")
    order = [
        message
        for message, content, _ in rooms.step()
        if message == "event" or (message, content) == ("forget", f"people/{who.ref}")
    ]
    assert order == ["forget"] + ["event"] * len(VIEWS)
