"""Conflation: the first change at once, then at most so often; the last value wins; nothing where nothing may be seen."""

import json
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from events.catalogue import (
    BOARD,
    IDEAS,
    VIEWS,
    CommentPosted,
    HubImported,
    IdeaPosted,
    IdeaRestricted,
    IdeaRevised,
    RightsChanged,
    View,
    VoteCast,
    idea_topic,
)
from events.facts import Facts
from events.log import Entry, sees

ONE, TWO = idea_topic("1"), idea_topic("2")
P, S, L = View
AT = datetime(2026, 7, 1, tzinfo=UTC)


class Hub:
    """What the facts ask of the hub: tallies that the test sets, of ideas that each view may see."""

    def __init__(self):
        self.values = {ONE: 0, TWO: 0}
        self.seen = {view: {ONE, TWO, BOARD} for view in VIEWS}
        self.rooms = {(view, topic) for view in VIEWS for topic in (ONE, TWO, IDEAS, BOARD)}
        self.sent = []
        self.reaches_all = True  # or is somebody there who is being answered?
        self.tell = Facts(self, self)

    def watched(self, view, topic):
        return (view, topic) in self.rooms

    def facts(self, topics, view):
        return {topic: {"votes": self.values.get(topic)} for topic in topics if topic in self.seen[view]}

    def send(self, message, content, rooms, *, about):
        self.sent.append((message, json.loads(content), rooms))
        return self.reaches_all

    def note(self, *events):
        numbers = [tuple(1 if sees(view, event) else None for view in VIEWS) for event in events]
        self.tell.note(Entry(event, 1, number, AT) for event, number in zip(events, numbers, strict=True))

    def frames(self, now, view=P, topic=ONE):
        """What one room is sent at a time of day, in seconds."""
        self.sent.clear()
        self.tell.flush(now)
        assert all(message == "facts" and len(rooms) == 1 for message, _, rooms in self.sent)
        return [content for _, content, rooms in self.sent if rooms == [(view, topic)]]


@pytest.fixture
def hub():
    return Hub()


def vote(idea="1"):
    return VoteCast(idea=idea, voter="v")


def test_the_first_change_is_told_at_once(hub):
    hub.note(vote())
    assert hub.frames(100.0) == [{ONE: {"votes": 0}}]
    assert hub.frames(100.0) == []


def test_an_idea_is_told_at_most_ten_times_a_second_and_the_last_value_wins(hub):
    told = []
    for tick in range(1001):  # a vote a millisecond
        hub.values[ONE] = tick
        hub.note(vote())
        told += [(tick, frame[ONE]["votes"]) for frame in hub.frames(100 + tick / 1000)]
    assert told[0] == (0, 0)
    assert all(tick == votes for tick, votes in told)
    assert len(told) <= 11
    assert all(later[0] - earlier[0] >= 100 for earlier, later in pairwise(told))
    hub.values[ONE] = 5000
    hub.note(vote())
    assert hub.frames(101.2) == [{ONE: {"votes": 5000}}]


@pytest.mark.parametrize("feed", [IDEAS, BOARD])
def test_many_ideas_are_told_together_at_most_twice_a_second(hub, feed):
    hub.note(vote("1"))
    assert hub.frames(100, P, feed) == [{ONE: {"votes": 0}}]
    hub.values |= {ONE: 1, TWO: 2}
    hub.note(vote("1"), vote("2"))
    assert hub.frames(100.499, P, feed) == []
    assert hub.frames(100.501, P, feed) == [{ONE: {"votes": 1}, TWO: {"votes": 2}}]


def test_one_is_told_when_more_will_be_due(hub):
    assert hub.tell.flush(100) is None
    hub.note(vote())
    assert hub.tell.flush(100) is None
    hub.note(vote())
    assert hub.tell.flush(100.05) == pytest.approx(100.1)
    assert hub.tell.flush(100.2) == pytest.approx(100.5)  # the feeds wait still
    assert hub.tell.flush(100.6) is None


def test_each_view_that_may_see_a_vote_is_told_and_no_other(hub):
    hub.seen[P].discard(ONE)
    hub.note(vote())
    assert hub.frames(100, P, ONE) == []
    hub.note(vote())
    hub.tell.flush(101)
    assert {where[0][0] for _, _, where in hub.sent if where[0][1] == ONE} == {S, L}


def test_what_one_may_not_see_does_not_even_delay_what_one_may(hub):
    hub.seen[P].discard(TWO)
    hub.note(vote("2"))
    assert hub.frames(100, P, IDEAS) == []
    hub.note(vote("1"))
    assert hub.frames(100.001, P, IDEAS) == [{ONE: {"votes": 0}}]


@pytest.mark.parametrize("audience", VIEWS)
def test_a_comment_moves_the_numbers_of_those_it_is_for(hub, audience):
    hub.note(CommentPosted(idea="1", comment="c", audience=audience))
    told = [view for view in VIEWS if (view, ONE) in hub.tell.waiting]
    assert told == [view for view in VIEWS if view >= audience]
    assert {topic for _, topic in hub.tell.waiting} == {ONE, IDEAS, BOARD}


def test_the_boards_own_counts_come_with_what_moves_an_idea_and_not_with_a_vote(hub):
    hub.note(vote(), CommentPosted(idea="1", comment="c", audience=P))
    assert [set(frame) for frame in hub.frames(100, P, BOARD)] == [{ONE}]
    hub.note(IdeaPosted(idea="2", audience=P))
    assert [set(frame) for frame in hub.frames(101, P, BOARD)] == [{TWO, BOARD}]
    hub.note(HubImported(ideas=9, comments=9, audience=P))
    assert [set(frame) for frame in hub.frames(102, P, BOARD)] == [{BOARD}]
    assert hub.frames(103, P, IDEAS) == []


def test_who_loses_an_idea_is_told_new_counts_and_nothing_of_the_idea(hub):
    hub.seen[P].discard(ONE)
    hub.note(IdeaRestricted(idea="1", to="staff", audience=P))
    assert [set(frame) for frame in hub.frames(100, P, BOARD)] == [{BOARD}]
    hub.note(IdeaRestricted(idea="1", to="staff", audience=P))
    assert [set(frame) for frame in hub.frames(101, S, BOARD)] == [{ONE, BOARD}]


def test_what_moves_no_number_and_what_nobody_watches_is_not_remembered(hub):
    hub.note(IdeaRevised(idea="1", audience=P), RightsChanged(person="p"))
    assert not hub.tell.waiting
    hub.rooms = {(P, ONE)}
    hub.note(vote("1"), vote("2"))
    assert set(hub.tell.waiting) == {(P, ONE)}


def test_when_the_numbers_cannot_be_read_nothing_is_forgotten(hub):
    hub.note(vote())
    read, hub.tell.source = hub.tell.source, None
    with pytest.raises(AttributeError):
        hub.tell.flush(100)
    hub.tell.source = read
    assert hub.frames(100) == [{ONE: {"votes": 0}}]


def test_for_whom_a_tally_was_left_out_it_is_told_again_as_it_is_then(hub):
    hub.values[ONE] = 85
    hub.note(VoteCast(idea="1", voter="a"))
    hub.reaches_all = False
    assert hub.frames(0) == [{ONE: {"votes": 85}}]
    hub.values[ONE], hub.reaches_all = 86, True
    assert hub.frames(0.05) == []  # ten a second, also for them
    assert hub.frames(0.1) == [{ONE: {"votes": 86}}]
    assert hub.frames(10) == []
