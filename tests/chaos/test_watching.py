"""Watching while others commit: between what is told in the answer and what is told after it nothing is lost or told twice."""

import json
import threading
import time

import pytest

from events.catalogue import IdeaRevised, View, idea_topic
from ideas_hub.db import record, transaction
from tests import make
from tests.support.histories import at_last
from tests.support.listener import LOST, NAMESPACE, Listener

A_SECOND = 200  # events
IDEAS = 4


class Restless(Listener):
    """Somebody who watches, looks away and watches again from where they were, so many times, and then stays."""

    def __init__(self, url, *topics, times):
        self.left, self.ended = times, threading.Event()
        super().__init__(url, *topics)

    def _run(self):
        try:
            self._connect()
            self._watch()
            while self.left:
                self._unwatch()
                self._watch()
                self.left -= 1
            self.ended.set()
            while not self.stopped.is_set():
                self._hear(self._packet())
        except LOST:
            assert self.stopped.is_set()
        finally:
            self.socket.shutdown()

    def _unwatch(self):
        self.socket.send(f"42{NAMESPACE},8" + json.dumps(["unwatch", {"topics": self.topics}]))
        while not (packet := self._packet()).startswith(f"43{NAMESPACE},8["):
            self._hear(packet)


class Committing:
    """So many events a second on those ideas, until the block ends."""

    def __init__(self, ideas):
        self.ideas, self.done, self.ended = ideas, 0, threading.Event()
        self.thread = threading.Thread(target=self._work)

    def __enter__(self):
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.rate = self.done / (time.monotonic() - self.began)

    def _work(self):
        while not self.ended.is_set():
            with transaction() as session:
                record(session, IdeaRevised(idea=self.ideas[self.done % len(self.ideas)], audience=View.PUBLIC))
            self.done += 1
            self.ended.wait(max(0.0, self.began + self.done / A_SECOND - time.monotonic()))


@pytest.mark.promise("Watching and committing do not race", bar="5,000 watches, 200 events/s: no hole, no double")
def test_who_watches_while_others_commit_hears_each_event_once(hub, server, size, figure):
    one, ideas = server(), [make.idea() for _ in range(IDEAS)]
    watches, people = size(200, 5_000), size(8, 20)
    with Committing(ideas) as committing:
        watchers = [Restless(one.url, idea_topic(ideas[n % IDEAS]), times=watches // people) for n in range(people)]
        for watcher in watchers:
            assert watcher.ended.wait(size(60, 900)), f"{watcher.left} watches were not answered"
    wrong = at_last((watcher, View.PUBLIC) for watcher in watchers)
    for watcher in watchers:
        watcher.stop()
    heard = sum(len(watcher.heard) for watcher in watchers)
    figure(f"{watches:,} watches at {committing.rate:.0f} events/s, {heard:,} heard: {len(wrong)} wrong")
    assert not wrong
    assert heard
    assert not [watcher.resets for watcher in watchers if watcher.resets]
