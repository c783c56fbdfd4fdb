"""Conflation of what changes fast: the first change is told at once, what follows at most so often, and the last value wins.

A hundred votes in a second are a hundred rows in the ledger, but a page can show ten numbers a second at the most.
"""

from collections import defaultdict
from collections.abc import Iterable

from events.catalogue import BOARD, IDEAS, VIEWS, CommentEvent, IdeaEvent, View, idea_topic
from events.log import Entry
from events.rooms import Rooms
from events.stream import Source, text

PAUSE_TOPIC, PAUSE_FEED = 0.1, 0.5  # seconds between two frames: ten a second for one idea, two where many are gathered


class Facts:
    """Remembers which tallies changed, and sends each topic's to those who watch it when their time has come."""

    def __init__(self, source: Source, rooms: Rooms) -> None:
        self.source, self.rooms = source, rooms
        self.waiting: dict[tuple[View, str], set[str]] = defaultdict(set)  # what changed, by who is to be told
        self.earliest: dict[tuple[View, str], float] = {}

    def note(self, entries: Iterable[Entry]) -> None:
        """Mark what the facts have changed, only in the views that were told of them: silence must not be readable.

        A fact of the ledger has no audience; it is marked everywhere, and a view that may not see its idea reads nothing.
        Of an idea that was imported nobody shows a tally yet: only the board's counts move. Comments may come to any idea.
        """
        for entry in entries:
            if not entry.event.moves_facts:
                continue
            told = [view for view in VIEWS if entry.event.audience is None or entry.numbers[view] is not None]
            changed = {BOARD} if BOARD in entry.event.feeds else set()
            own: tuple[str, ...] = ()
            if isinstance(entry.event, IdeaEvent) and (not entry.imported or isinstance(entry.event, CommentEvent)):
                own = (idea_topic(entry.event.idea),)
                changed.update(own)
            for view in told:
                for topic in (*own, IDEAS, BOARD):
                    if self.rooms.watched(view, topic):
                        self.waiting[view, topic] |= changed if topic == BOARD else changed.intersection(own)

    def flush(self, now: float) -> float | None:
        """Send what is due, and return the time at which more will be; None when nothing waits. Times are monotonic seconds."""
        due = [place for place in self.waiting if self.earliest.get(place, 0) <= now]
        for view in VIEWS:
            places = [place for place in due if place[0] is view]
            if not places:
                continue
            facts = self.source.facts(set().union(*(self.waiting[place] for place in places)), view)
            for place in places:
                frame = {topic: facts[topic] for topic in sorted(self.waiting.pop(place)) if topic in facts}
                if frame:
                    about = [f"ideas/{topic.removeprefix('idea:')}" for topic in frame]
                    if not self.rooms.send("facts", text(frame), [place], about=about):
                        self.waiting[place] = set(frame)  # for whom it was left out
                    self.earliest[place] = now + (PAUSE_FEED if place[1] in (IDEAS, BOARD) else PAUSE_TOPIC)
        self.earliest = {place: time for place, time in self.earliest.items() if time > now}
        return min((self.earliest.get(place, now) for place in self.waiting), default=None)
