"""What one view was told last, ready to be told again: who comes back is answered from memory, and not by the database.

A text that may have changed is forgotten, and made anew when somebody asks for it, through the permission of that moment.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime

from events import log
from events.catalogue import PEOPLE, View

MOST_FACTS, MOST_CHARACTERS = 20_000, 32 * 1024 * 1024

Make = Callable[[Sequence[log.Entry]], list[str | None]]
"""Each fact as the view is told it now, as JSON; None where it may not see it."""


class Told:
    """A fact with its number in the view. `text` is None also where the view may not see it any more."""

    __slots__ = ("entry", "is_made", "number", "text")

    def __init__(self, entry: log.Entry, number: int) -> None:
        self.entry, self.number = entry, number
        self.text: str | None = None
        self.is_made = False


class Ring:
    """The last facts of a view. `since` is the number behind which they are all here."""

    def __init__(self, view: View, since: int) -> None:
        self.view, self.since = view, since
        self.told: deque[Told] = deque()
        self.on_topic: dict[str, deque[Told]] = defaultdict(deque)
        self.about: dict[str, deque[Told]] = defaultdict(deque)
        self.characters = self.forgotten = 0
        self.making = threading.Lock()

    @property
    def oldest(self) -> datetime | None:
        """When the first of them was told; None where there is none."""
        return self.told[0].entry.at if self.told else None

    def add(self, entry: log.Entry) -> Told:
        """Put in the next fact that the view is told."""
        told = Told(entry, entry.number(self.view))
        self.told.append(told)
        for index, key in self._places(told):
            index[key].append(told)
        while len(self.told) > MOST_FACTS or (self.characters > MOST_CHARACTERS and len(self.told) > 1):
            self._drop_oldest()
        return told

    def make(self, facts: Collection[Told], make: Make) -> None:
        """Have their texts, of all those that have none; they are made together, and once where many ask at the same time."""
        if all(told.is_made for told in facts):
            return
        with self.making:
            while missing := [told for told in facts if not told.is_made]:
                before = self.forgotten
                texts = make([told.entry for told in missing])
                if before != self.forgotten:
                    continue  # what was read may not be told any more
                for told, text in zip(missing, texts, strict=True):
                    self.put(told, text)

    def put(self, told: Told, text: str | None) -> None:
        if not told.is_made:
            told.text, told.is_made = text, True
            if told.number > self.since:  # else it was dropped while its text was made
                self.characters += len(text or "")

    def after(self, number: int, topics: Collection[str], most: int, *, upto: int) -> list[Told]:
        """What was told on the topics behind that number and up to another, oldest first; where it is more than `most`,
        only that it is."""
        found: dict[int, Told] = {}
        for topic in topics:
            for told in reversed(self.on_topic.get(topic, ())):
                if told.number <= number or len(found) > most:
                    break
                if told.number <= upto:
                    found[told.number] = told
        return [found[number] for number in sorted(found)]

    def forget(self, subject: str | None = None) -> None:
        """Forget the texts about that subject, or all of them."""
        for told in self._about(subject):
            if told.is_made:
                self.characters -= len(told.text or "")
                told.text, told.is_made = None, False
        self.forgotten += 1

    def _about(self, subject: str | None) -> Iterable[Told]:
        if subject is None:
            return self.told
        if subject.startswith(PEOPLE):
            return [told for told in self.told if told.text and subject.removeprefix(PEOPLE) in told.text]
        return self.about.get(subject, ())

    def _drop_oldest(self) -> None:
        oldest = self.told.popleft()
        self.since = oldest.number
        self.characters -= len(oldest.text or "")
        for index, key in self._places(oldest):
            index[key].popleft()
            if not index[key]:
                del index[key]

    def _places(self, told: Told) -> Iterator[tuple[dict[str, deque[Told]], str]]:
        event = told.entry.event
        yield from ((self.on_topic, topic) for topic in event.topics())
        yield from ((self.about, subject) for subject in event.about())
