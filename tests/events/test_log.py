"""The log: dense numbers in the order of commits, for whoever reads it, whatever else happens at the same time."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import fields

import pytest
import sqlalchemy as sa

from events import log
from events.catalogue import BOARD, IDEAS, TYPES, VIEWS, IdeaPosted, IdeaRevised, View, VoteCast, idea_topic
from ideas_hub import db
from ideas_hub.clock import now
from ideas_hub.db import reading, record, transaction
from tests import make
from tests.support.witness import entries

AUDIENCES = (None, *View)


def dense(numbers):
    return list(numbers) == list(range(1, len(numbers) + 1))


def fact(audience, idea="2222"):
    return VoteCast(idea=idea, voter="v") if audience is None else IdeaPosted(idea=idea, audience=audience)


def is_dense(found):
    """Positions have no hole, nor have the numbers of any view, and each view has a number for just what it may see."""
    for view in VIEWS:
        assert dense([entry.numbers[view] for entry in found if entry.numbers[view] is not None])
    assert dense([entry.position for entry in found])
    for entry in found:
        allowed = [entry.event.audience is not None and entry.event.audience <= view for view in VIEWS]
        assert [number is not None for number in entry.numbers] == allowed


def test_each_view_numbers_what_it_may_see_without_a_hole(hub):
    for _ in range(3):
        with transaction() as session:
            for audience in AUDIENCES:
                record(session, fact(audience))
        with transaction() as session:
            record(session, fact(None))
    found = entries()
    is_dense(found)
    assert [entry.numbers for entry in found[:5]] == [
        (None, None, None),
        (1, 1, 1),
        (None, 2, 2),
        (None, None, 3),
        (None, None, None),
    ]
    with reading() as session:
        head = log.head(session)
    assert (head.position, head.numbers) == (15, (3, 6, 9))


def test_what_is_rolled_back_leaves_no_hole_and_no_trace(hub):
    for fails in (False, True, False, True):
        with suppress(ZeroDivisionError), transaction() as session:
            record(session, fact(View.PUBLIC))
            record(session, fact(View.STAFF))
            assert fails is False or 1 / 0
    assert len(entries()) == 4
    is_dense(entries())


def test_a_fact_comes_back_as_it_was_recorded(hub):
    moment = now()
    facts = [fact(audience) for audience in AUDIENCES]
    with transaction() as session:
        log.append(session, facts, moment)
    assert [entry.event for entry in entries()] == facts
    assert {entry.at for entry in entries()} == {moment}


def test_a_new_epoch_keeps_the_facts(hub):
    with transaction() as session:
        record(session, fact(View.PUBLIC))
    with transaction() as session:
        log.begin(session, "another")
    with reading() as session:
        assert (log.head(session).epoch, log.head(session).position) == ("another", 1)


def test_a_reader_is_told_what_the_topics_of_a_fact_say(hub):
    """The condition on rows and the rooms of the relay are one rule, written twice."""
    watched = [idea_topic("2222"), idea_topic("3333"), IDEAS, BOARD]
    with transaction() as session:
        for kind in TYPES.values():
            for idea in ("2222", "4444"):
                values = {field.name: 1 if field.type is int else idea for field in fields(kind)}
                record(session, kind(**values | {"audience": View.PUBLIC}))
    everything = entries()
    for topics in ([topic] for topic in watched):
        with reading() as session:
            told = log.told(session, View.PUBLIC, topics, after=0, upto=len(everything), limit=1000)
        expected = [entry.position for entry in everything if set(topics) & set(entry.event.topics())]
        assert [entry.position for entry in told] == expected
    with reading() as session:
        assert log.told(session, View.PUBLIC, [], after=0, upto=len(everything), limit=1000) == []
        both = log.told(session, View.PUBLIC, watched, after=0, upto=len(everything), limit=1000)
    assert len({entry.position for entry in both}) == len(both)


# Many at once


class Storm:
    """Eight writers, some slow and some rolled back after they were given their numbers, and a reader that tails the log."""

    def __init__(self, *, rounds=40):
        self.rounds, self.seen = rounds, entries()
        self.committed = len(self.seen)
        self.lock, self.done = threading.Lock(), threading.Event()
        self.finish, self.random = db.Database.finish, random.Random()  # noqa: S311

    def run(self, monkeypatch):
        """What went wrong, in words; nothing, if the log is what it promises."""
        reader = threading.Thread(target=self.tail)
        with monkeypatch.context() as patch:
            patch.setattr(db.Database, "finish", self.hesitate)
            reader.start()
            with ThreadPoolExecutor(8) as writers:
                list(writers.map(self.write, range(8)))
        self.done.set()
        reader.join()
        return self.faults()

    def hesitate(self, session):
        """Between the numbering and the commit."""
        self.finish(session)
        time.sleep(self.random.choice((0, 0, 0.0005, 0.002)))
        if self.random.random() < 0.2:
            raise ZeroDivisionError

    def write(self, number):
        for turn in range(self.rounds):
            with suppress(ZeroDivisionError):
                with transaction() as session:
                    for audience in self.random.choices(AUDIENCES, k=1 + turn % 3):
                        record(session, fact(audience, f"{number}x{turn}"))
                with self.lock:
                    self.committed += 1 + turn % 3

    def tail(self):
        while True:
            last = self.done.is_set()
            with reading() as session:
                found = log.after(session, self.seen[-1].position if self.seen else 0, 100)
            self.seen += found
            if last and not found:
                return

    def faults(self):
        there, seen = entries(), [entry.position for entry in self.seen]
        faults = ["a fact is missing or doubled"] if len(there) != self.committed else []
        if seen != sorted(set(seen)):
            faults.append("the reader saw one twice or out of order")
        if missed := {entry.position for entry in there} - set(seen):
            faults.append(f"the reader missed {len(missed)}")
        try:
            is_dense(there)
        except AssertionError:
            faults.append("there is a hole")
        return faults


def test_eight_writers_leave_a_log_without_a_hole_and_a_reader_misses_nothing(hub, monkeypatch):
    assert Storm().run(monkeypatch) == []


def by_sequences(session, events, at, *, imported):
    """Number the facts as an autoincrementing key would: without holding on to the number until the commit."""
    for event in events:
        row = {"type": event.type, "subject": event.subject, "audience": event.audience, "data": event.data(), "at": at}
        row["position"] = session.scalar(sa.text("SELECT nextval('by_position')"))
        for view in VIEWS:
            row[view.word] = session.scalar(sa.text(f"SELECT nextval('by_{view.word}')")) if log.sees(view, event) else None
        session.execute(sa.insert(log.event_table), [row])


@pytest.mark.postgresql_only
def test_without_the_head_row_readers_miss_facts_and_the_test_above_would_tell(hub, monkeypatch):
    with transaction() as session:
        for name in ("position", *(view.word for view in VIEWS)):
            session.execute(sa.text(f"CREATE SEQUENCE by_{name}"))
    monkeypatch.setattr(log, "append", by_sequences)
    faults = set()
    for _ in range(5):
        faults |= {fault.rstrip("0123456789") for fault in Storm(rounds=15).run(monkeypatch)}
        if faults >= {"there is a hole", "the reader missed "}:
            return
    pytest.fail(f"five storms without a lock were noticed only as {faults}")


@pytest.mark.postgresql_only
def test_a_transaction_that_waits_keeps_later_ones_from_being_seen_before_it(hub):
    """The storm in slow motion: the first has its numbers and has not committed; the second must not get past it."""
    numbered, go_on = threading.Event(), threading.Event()

    def slow():
        with transaction() as session:
            log.append(session, [fact(View.PUBLIC, "first")], now())
            numbered.set()
            assert go_on.wait(10)

    def fast():
        assert numbered.wait(10)
        with transaction() as session:
            record(session, fact(View.PUBLIC, "second"))

    threads = [threading.Thread(target=work) for work in (slow, fast)]
    for thread in threads:
        thread.start()
    waiting = sa.text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
    deadline = time.monotonic() + 10
    while True:
        with reading() as session:
            if session.scalar(waiting):
                break
        assert time.monotonic() < deadline
    assert entries() == []
    go_on.set()
    for thread in threads:
        thread.join()
    assert [(entry.position, entry.event.idea) for entry in entries()] == [(1, "first"), (2, "second")]


def test_commands_at_once_number_their_facts_without_a_hole(hub):
    people = [make.staff() for _ in range(4)]
    make.regular("sponsor")

    def work(who):
        for audience in ("public", "staff", "public"):
            ref = make.idea(who, audience=audience)
            make.comment(ref, who)
            with transaction() as session:
                record(session, IdeaRevised(idea=ref, audience=View.named(audience)))

    with ThreadPoolExecutor(4) as crowd:
        list(crowd.map(work, people))
    is_dense(entries())
