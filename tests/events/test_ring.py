"""What stands ready answers as the database would, whatever happened, whoever asks, and wherever they stopped."""

import threading
import time

import pytest

from events import ring as rings
from events import stream as streams
from events.catalogue import BOARD, IDEAS, VIEWS, CommentPosted, View, idea_topic
from events.log import Entry
from events.ring import Ring
from events.stream import Cursor
from ideas_hub.clock import now
from tests import make
from tests.support.told import stream
from tests.support.witness import entries

pytestmark = pytest.mark.sqlite_only


@pytest.mark.parametrize("view", VIEWS)
def test_each_border_of_the_ring_resumes_or_says_why_not(hub, monkeypatch, view):
    monkeypatch.setattr(rings, "MOST_FACTS", 4)
    monkeypatch.setattr(streams, "LATELY", 9)
    actor = {View.PUBLIC: make.resident, View.STAFF: make.staff, View.LEADERSHIP: make.leader}[view]()
    inside = make.idea(audience="staff")
    for _ in range(9):
        make.idea()
        make.comment(inside)
    told = stream()
    head = told.head()
    last = head.number(view)
    numbers = [entry.numbers[view] for entry in entries() if entry.numbers[view] is not None and BOARD in entry.event.topics()]
    assert last - 4 <= told.rings[view].since < last
    for number in range(last + 1):
        watch = told.watch(actor, {BOARD}, str(Cursor(view, head.epoch, number)))
        assert (watch.reply.mode, [Cursor.parse(event["cursor"]).number for event in watch.reply.events]) == (
            "resume",
            [each for each in numbers if each > number],
        )
    other = View.STAFF if view is View.PUBLIC else View.PUBLIC
    for cursor, why in (
        (Cursor(view, head.epoch, last + 1), "ahead"),
        (Cursor(view, "another", last), "epoch"),
        (Cursor(view, "another", last + 7), "epoch"),
        (Cursor(other, head.epoch, last), "rights"),
        (Cursor(other, head.epoch, 0), "rights"),
        ("made up", "unknown"),
    ):
        watch = told.watch(actor, {BOARD}, str(cursor))
        assert (watch.reply.mode, watch.reply.why, watch.reply.events) == ("reset", why, [])


def entry(number: int) -> Entry:
    event = CommentPosted(idea="x", comment=str(number), audience=View.PUBLIC)
    return Entry(event, number, (number, number, number), now())


def test_what_comes_while_somebody_is_answered_makes_their_answer_no_shorter():
    """Of 1,000 that were missed, none is left out because three more were told meanwhile."""
    ring = Ring(View.PUBLIC, 0)
    for number in range(1, 14):
        ring.add(entry(number))
    assert [told.number for told in ring.after(0, ["idea:x"], 10, upto=10)] == list(range(1, 11))
    assert len(ring.after(0, ["idea:x"], 10, upto=11)) > 10


def test_a_text_that_comes_after_its_fact_was_dropped_takes_no_room(monkeypatch):
    monkeypatch.setattr(rings, "MOST_FACTS", 1)
    ring = Ring(View.PUBLIC, 0)
    late = ring.add(entry(1))
    ring.add(entry(2))
    ring.put(late, "too late")
    assert ring.characters == 0


def test_many_who_ask_at_once_have_a_text_made_once():
    ring, made = Ring(View.PUBLIC, 0), []
    told = [ring.add(entry(number)) for number in range(1, 4)]

    def make_slowly(entries):
        made.append(len(entries))
        time.sleep(0.05)
        return ["text"] * len(entries)

    threads = [threading.Thread(target=ring.make, args=(told, make_slowly)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [3]


def test_a_server_that_begins_has_what_was_told_lately_in_memory(hub, monkeypatch):
    monkeypatch.setattr(streams, "LATELY", 3)
    refs = [make.idea() for _ in range(5)]
    make.idea(audience="staff")
    told = stream()
    head = told.head()
    assert head.number(View.PUBLIC) - told.rings[View.PUBLIC].since < 3
    monkeypatch.setattr(told, "replay", None)
    reply = told._missed(View.PUBLIC, [IDEAS], str(Cursor(View.PUBLIC, head.epoch, head.number(View.PUBLIC) - 1)), head)
    assert [event["data"]["idea"] for event in reply.events] == refs[-1:]


def test_an_answer_is_measured_in_the_bytes_that_it_takes(hub, monkeypatch):
    """A reader who is sent more than may wait for them would be cut, come back, and be cut again."""
    monkeypatch.setattr(streams, "REPLAY_BYTES", 4000)
    ref = make.idea()
    for _ in range(2):
        make.comment(ref, body="☃" * 500)
    told = stream()
    at = str(Cursor(View.PUBLIC, told.head().epoch, 0))
    assert told.replay(View.PUBLIC, [idea_topic(ref)], at, told.head()).why == "too_far"
