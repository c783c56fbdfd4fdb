"""Tails the log and hands what is new to this process's sockets. One relay a process; no broker between them.

It looks when it is nudged (a commit in this process), and every `POLL` seconds besides (a commit in another one).
"""

import logging
import threading
import time

from events import log
from events.catalogue import PEOPLE, VIEWS, Event, RightsChanged, SessionEnded, View
from events.facts import Facts
from events.rooms import Rooms
from events.stream import Stream, is_told, text

POLL, HEARTBEAT, BATCH = 0.2, 5.0, 500  # seconds, seconds, facts
MANY = 20  # people at once of whom something changed
BREATH = 0.02  # seconds between two looks: what is committed meanwhile goes to each socket in one piece

logger = logging.getLogger(__name__)


class Relay:
    """From the log to the rooms in which watchers are."""

    def __init__(self, stream: Stream, rooms: Rooms) -> None:
        stream.begin(stream.head())
        stream.catch_up = self.catch_up
        self.advancing, self.looked = threading.Lock(), time.monotonic()
        self.stream, self.rooms = stream, rooms
        self.facts = Facts(stream.source, rooms)
        self.woken = threading.Event()
        self.stopped = False
        self.next_heartbeat = time.monotonic()

    def nudge(self) -> None:
        """Look now: something was committed. Never waits."""
        self.woken.set()

    def stop(self) -> None:
        self.stopped = True
        self.nudge()

    def run(self) -> None:
        """Tail until stopped. While the database is away nothing goes out, not even the heartbeat, so that pages say so."""
        pause = POLL
        while not self.stopped:
            self.woken.wait(pause)
            self.woken.clear()
            try:
                pause = min(POLL, max(0.0, self.step() - time.monotonic() - BREATH))
                time.sleep(BREATH)
            except Exception:  # whatever it was: a relay that ends takes all live news of this server with it
                logger.exception("the relay could not tell what is new; trying again")
                pause = 1.0

    def step(self) -> float:
        """Tell all that is new, and return when to look again at the latest, in monotonic seconds."""
        self.catch_up(time.monotonic())
        with self.stream.telling:
            due = self.facts.flush(time.monotonic())
            self.rooms.flush()
        if time.monotonic() >= self.next_heartbeat:
            self._beat()
        return self.next_heartbeat if due is None else min(due, self.next_heartbeat)

    def catch_up(self, moment: float) -> None:
        """Tell all that was committed before that moment, in monotonic seconds; many who ask at once wait for one look."""
        with self.advancing:
            if self.looked <= moment:
                began = time.monotonic()
                self._advance(self.stream.head())
                self.looked = began

    def _advance(self, head: log.Head) -> None:
        if head.epoch != self.stream.delivered.epoch or head.position < self.stream.delivered.position:
            self._restart(head)
        while self.stream.delivered.position < head.position and self._tell(head.epoch):
            pass

    def _restart(self, head: log.Head) -> None:
        """Another log stands in the place of ours (a restored backup): nothing that was seen counts any more."""
        logger.warning("the log has another epoch or went back: all watchers are reset")
        with self.stream.telling:
            self.stream.begin(head)
            self.rooms.send("reset", text({"why": "epoch"}), [(view, "") for view in VIEWS])
            self.rooms.flush()

    def _tell(self, epoch: str) -> bool:
        """Hand over one batch, and say whether there was one. Texts are joined before the lock is taken."""
        entries = log.after(self.stream.glance, self.stream.delivered.position, BATCH)
        if not entries:
            return False
        made = {view: self._made(entries, view) for view in VIEWS if self.rooms.watched(view, "")}
        with self.stream.telling:
            # Whose first watcher has come while we read. After this nothing is read: told half, it would be told twice.
            made |= {view: self._made(entries, view) for view in VIEWS if view not in made and self.rooms.watched(view, "")}
            self._make_way([entry.event for entry in entries])
            numbers = list(self.stream.delivered.numbers)
            for entry in entries:
                if isinstance(entry.event, RightsChanged | SessionEnded):
                    self.rooms.flush()  # what was told before, to whom they were then
                    self.rooms.recheck(entry.event.person)
                for view in VIEWS:
                    if entry.numbers[view] is not None:
                        numbers[view] = entry.number(view)
                    if is_told(entry, view):
                        self._say(entry, view, made.get(view))
            self.stream.move_on(log.Head(epoch, entries[-1].position, tuple(numbers)))
            self.facts.note(entries)
            self.rooms.flush()
        return True

    def _made(self, entries: list[log.Entry], view: View) -> dict[int, str | None]:
        seen = [entry for entry in entries if is_told(entry, view)]
        return {entry.position: made for entry, made in zip(seen, self.stream.texts(seen, view), strict=True)}

    def _make_way(self, events: list[Event]) -> None:
        """Before any of these facts is told, what they leave untrue, or may not be told any more, goes from where it lies ready.

        Their own texts were read after all of them were committed.
        """
        untrue = {subject for event in events if not event.keeps_words for subject in event.about()}
        taken = {subject for event in events if event.takes_away for subject in event.about()}
        if sum(subject.startswith(PEOPLE) for subject in untrue) > MANY:  # they are looked for in every text
            self.stream.forget()
            return self.rooms.forget()
        for subject in untrue:
            self.stream.forget(subject)
        for subject in taken:
            self.rooms.forget(subject)

    def _say(self, entry: log.Entry, view: View, made: dict[int, str | None] | None) -> None:
        """To the rooms, and into the ring; there without its words where nobody in that view listens."""
        ring = self.stream.rings[view]
        told = ring.add(entry)
        if made is not None:
            ring.put(told, made[entry.position])
        if told.text is not None:
            self.rooms.send("event", told.text, [(view, topic) for topic in entry.event.topics()], about=entry.event.about())

    def _beat(self) -> None:
        """Everybody has been sent everything up to here; who hears nothing for ten seconds is not live."""
        with self.stream.telling:
            self.rooms.expire()
            for view in VIEWS:
                self.rooms.send("head", text({"cursor": self.stream.cursor(view, self.stream.delivered)}), [(view, "")])
            self.rooms.flush()
        self.next_heartbeat = time.monotonic() + HEARTBEAT
