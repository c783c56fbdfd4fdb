"""Tails the log and hands what is new to this process's sockets. One relay a process; no broker between them.

It looks when it is nudged (a commit in this process), and every `POLL` seconds besides (a commit in another one).
"""

import logging
import threading
import time
from collections.abc import Callable

from events import log
from events.catalogue import LEDGER, VIEWS, RightsChanged, SessionEnded, View
from events.facts import Facts, Send, Watched
from events.stream import Stream

POLL, HEARTBEAT, BATCH = 0.2, 5.0, 500  # seconds, seconds, facts

logger = logging.getLogger(__name__)


class Relay:
    """From log to sockets. `send(message, content, rooms)` reaches each socket in any of the rooms once, without waiting;
    `rights(person)` has that person's connections asked again who they are; `expire()` does so for those whose time is up."""

    def __init__(
        self,
        stream: Stream,
        *,
        watched: Watched,
        send: Send,
        rights: Callable[[str], None],
        expire: Callable[[], None],
    ) -> None:
        stream.delivered, stream.catch_up = stream.head(), self.catch_up
        self.advancing = threading.Lock()
        self.stream, self.send, self.rights, self.expire = stream, send, rights, expire
        self.facts = Facts(stream.source, watched, send)
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
                pause = min(POLL, max(0.0, self.step() - time.monotonic()))
            except Exception:  # whatever it was: a relay that ends takes all live news of this server with it
                logger.exception("the relay could not tell what is new; trying again")
                pause = 1.0

    def step(self) -> float:
        """Tell all that is new, and return when to look again at the latest, in monotonic seconds."""
        self.catch_up()
        with self.stream.telling:
            due = self.facts.flush(time.monotonic())
        if time.monotonic() >= self.next_heartbeat:
            self._beat()
        return self.next_heartbeat if due is None else min(due, self.next_heartbeat)

    def catch_up(self) -> None:
        """Tell all that was committed before now."""
        with self.advancing:
            self._advance(self.stream.head())

    def _advance(self, head: log.Head) -> None:
        if head.epoch != self.stream.delivered.epoch or head.position < self.stream.delivered.position:
            self._restart(head)
        while self.stream.delivered.position < head.position and self._tell(head.epoch):
            pass

    def _restart(self, head: log.Head) -> None:
        """Another log stands in the place of ours (a restored backup): nothing that was seen counts any more."""
        logger.warning("the log has another epoch or went back: all watchers are reset")
        with self.stream.telling:
            self.stream.delivered = head
            self.send("reset", {"why": "epoch"}, [(view, "") for view in VIEWS])

    def _tell(self, epoch: str) -> bool:
        """Hand over one batch, and say whether there was one. Texts are joined before the lock is taken."""
        with self.stream.reading() as session:
            entries = log.after(session, self.stream.delivered.position, BATCH)
        if not entries:
            return False
        frames = {view: self._frames(entries, view, epoch) for view in VIEWS}
        with self.stream.telling:
            numbers = list(self.stream.delivered.numbers)
            for entry in entries:
                if isinstance(entry.event, RightsChanged | SessionEnded):  # in its turn: what follows is for who they are now
                    self.rights(entry.event.person)
                for view in VIEWS:
                    if entry.numbers[view] is None:
                        continue
                    numbers[view] = entry.number(view)
                    if entry.imported:
                        continue
                    if (frame := frames[view][entry.position]) is not None:
                        self.send("event", frame, [(view, topic) for topic in entry.event.topics()])
            self.stream.delivered = log.Head(epoch, entries[-1].position, tuple(numbers))
            self.facts.note(entries)
        return True

    def _frames(self, entries: list[log.Entry], view: View, epoch: str) -> dict[int, dict[str, object] | None]:
        seen = [entry for entry in entries if _is_told(entry, view)]
        told = self.stream.envelopes(seen, view, epoch) if seen else []
        return {entry.position: frame for entry, frame in zip(seen, told, strict=True)}

    def _beat(self) -> None:
        """Everybody has been sent everything up to here; who hears nothing for ten seconds is not live."""
        with self.stream.telling:
            self.expire()
            for view in VIEWS:
                self.send("head", {"cursor": self.stream.cursor(view, self.stream.delivered)}, [(view, "")])
        self.next_heartbeat = time.monotonic() + HEARTBEAT


def _is_told(entry: log.Entry, view: View) -> bool:
    return entry.numbers[view] is not None and not entry.imported and not isinstance(entry.event, LEDGER)
