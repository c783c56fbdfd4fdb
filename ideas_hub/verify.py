"""Whether all that is kept twice agrees: columns with rows, rows with the fold of the log, and the log with its head.

Queries only. All is read in one transaction, which sees one moment: beside a busy server nothing is reported that is not so.
The log and the votes are streamed, so memory grows with the most voted idea and not with the hub. What is said here is for
who keeps the hub running, and like a log line it is not translated; things are named by position or reference.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from events import log
from events.catalogue import (
    AUDIT,
    VIEWS,
    HubImported,
    IdeaMerged,
    IdeaTookIn,
)
from ideas_hub.addresses import mailbox_of
from ideas_hub.db import reading
from ideas_hub.ideas import CourseCount, Idea, StageCount, month_of
from ideas_hub.imports import Origin, Thing
from ideas_hub.people import Person
from ideas_hub.story import OF_IDEAS, ROWS, merges, stories, stream

IDEAS = 50  # that are looked at together
MOST_NAMED = 5  # offenders of a check

Advance = Callable[[int, int], None]
"""Told how much is done, and of how much."""


@dataclass(slots=True)
class Check:
    """What is held against what; how much of it was seen; how many offenders there are, and the first of them."""

    name: str
    of: str
    seen: int = 0
    wrong: int = 0
    first: list[str] = field(default_factory=list)

    def complain(self, about: object, complaints: Iterable[str]) -> None:
        """Whatever is said about one thing makes it one offender."""
        if said := "; ".join(complaints):
            self.wrong += 1
            if len(self.first) < MOST_NAMED:
                self.first.append(f"{about}: {said}")


# All of it


def verify(advance: Advance = lambda done, whole: None) -> list[Check]:
    """Hold everything against everything, and return what each check found."""
    with reading() as session:
        return verify_in(session, advance)


def verify_in(session: Session, advance: Advance = lambda done, whole: None) -> list[Check]:
    """The same, as that session sees the hub."""
    head = session.execute(select(log.head_table)).first()
    whole = 2 * head.position if head else 0  # each fact is read twice: in the order of the log, and idea by idea
    found = list(_numbering(session, head, lambda done: advance(done, whole)))
    found += _ideas(session, lambda done: advance(min(whole // 2 + done, whole), whole))
    found.append(_imports(session))
    found.append(_mailboxes(session))
    advance(whole, whole)
    return found


def _numbering(session: Session, head: Row[Any] | None, advance: Callable[[int], None]) -> Iterator[Check]:
    """Positions and numbers, in one walk through the log."""
    event, names = log.event_table.c, [view.word for view in VIEWS]
    positions = Check("positions: from 1 to the head's, without a hole", "facts")
    views = {view: Check(f"numbers of the {view.word} view: dense, rising, of what it may see", "facts") for view in VIEWS}
    last, numbers = 0, dict.fromkeys(VIEWS, 0)
    columns = [event.position, *(event[name] for name in names), event.audience]
    for row in stream(session, select(*columns).order_by(event.position)):
        position, audience, given = row.position, row.audience, [getattr(row, name) for name in names]
        positions.seen += 1
        if position != last + 1:
            positions.complain(f"position {position}", [f"it follows {last}"])
        last = position
        for view, number in zip(VIEWS, given, strict=True):
            if (number is not None) != (audience is not None and audience <= view):
                views[view].complain(f"position {position}", ["has a number" if number is not None else "has no number"])
            if number is not None:
                views[view].seen += 1
                if number != numbers[view] + 1:
                    views[view].complain(f"position {position}", [f"number {number} follows {numbers[view]}"])
                numbers[view] = number
        if position % ROWS == 0:
            advance(positions.seen)
    if head is None:
        positions.complain("the head", ["its row is missing"])
    else:
        if head.position != last:
            positions.complain("the head", [f"it says {head.position}, and the log ends at {last}"])
        for view in VIEWS:
            if getattr(head, view.word) != numbers[view]:
                views[view].complain("the head", [f"it says {getattr(head, view.word)}, and the log ends at {numbers[view]}"])
    yield positions
    yield from views.values()


def _ideas(session: Session, advance: Callable[[int], None]) -> Iterator[Check]:
    """What is true of each idea, and of all of them together."""
    checks = {rule: Check(name, "ideas") for rule, name in OF_IDEAS.items()}
    merged: dict[tuple[str, str], int] = defaultdict(int)
    counted: Counter[tuple[Any, ...]] = Counter()
    done = 0
    ids = session.scalars(select(Idea.id).order_by(Idea.id)).all()
    for start in range(0, len(ids), IDEAS):
        for story in stories(session, ids[start : start + IDEAS]):
            idea = story.idea
            for rule, check in checks.items():
                check.seen += 1
                check.complain(idea.ref, rule(story))
            for into in story.told(IdeaMerged, "into"):
                merged[idea.ref, into] += 1
            for taken in story.told(IdeaTookIn, "merged"):
                merged[taken, idea.ref] -= 1
            if not (idea.hidden or idea.held or idea.withdrawn_at):
                tried = (idea.explored_at is not None, idea.tried_at is not None)
                counted[month_of(idea.posted_at), idea.effective_audience, idea.stage, *tried] += 1
            done += len(story.facts) + story.ledger.seen
        advance(done)
    for (ref, into), times in merged.items():
        checks[merges].complain(ref, [f"merged into {into}, and only one of the two says so"] if times else [])
    yield from checks.values()
    yield _counts(session, counted)
    yield _strangers(session)


def _counts(session: Session, counted: Counter[tuple[Any, ...]]) -> Check:
    """How many ideas stand in each stage, which nobody counts when the board is shown."""
    check = Check("counts of the board: by stage and by month = ideas", "counts")
    fields = (CourseCount.month, CourseCount.audience, CourseCount.stage, CourseCount.explored, CourseCount.tried)
    by_month = _counted(session, *fields, CourseCount.count)
    by_stage = _counted(session, StageCount.stage, StageCount.audience, StageCount.count)
    standing: Counter[tuple[Any, ...]] = Counter()
    for (_month, audience, stage, *_tried), number in counted.items():
        standing[stage, audience] += number
    for kept, real in ((by_stage, standing), (by_month, counted)):
        check.seen += len(kept)
        for key in sorted(kept.keys() | real.keys(), key=str):
            if kept.get(key, 0) != real[key]:
                named = ", ".join(str(part) for part in key)
                check.complain(named, [f"it says {kept.get(key, 0)}, and there are {real[key]}"])
    return check


def _counted(session: Session, *columns: Any) -> dict[tuple[Any, ...], int]:
    return {tuple(key): count for *key, count in session.execute(select(*columns))}


def _strangers(session: Session) -> Check:
    """Facts of the log that are about nothing."""
    check, event = Check("facts: each of an idea that is there", "facts"), log.event_table.c
    of_ideas = (event.subject.is_not(None), event.subject != AUDIT)
    check.seen = session.scalar(select(sa.func.count()).where(*of_ideas)) or 0
    lost = select(event.position, event.subject).outerjoin(Idea, Idea.ref == sa.func.substr(event.subject, len("ideas/") + 1))
    for row in stream(session, lost.where(*of_ideas, Idea.id.is_(None)).order_by(event.position)):
        check.complain(f"position {row.position}", [f"there is no {row.subject}"])
    return check


def _imports(session: Session) -> Check:
    """What came in from elsewhere was told as a number."""
    check, event = Check("imports: told = brought in", "ideas and comments"), log.event_table.c
    told: Counter[Thing] = Counter()
    for data in session.scalars(select(event.data).where(event.type == HubImported.type)):
        told.update({Thing.IDEA: data["ideas"], Thing.COMMENT: data["comments"]})
    brought = select(Origin.thing, sa.func.count()).where(Origin.told, Origin.thing != Thing.PERSON).group_by(Origin.thing)
    came = {row[0]: row[1] for row in session.execute(brought)}
    for thing in (Thing.IDEA, Thing.COMMENT):
        check.seen += came.get(thing, 0)
        if told[thing] != came.get(thing, 0):
            check.complain(f"{thing}s", [f"{told[thing]} were told, and {came.get(thing, 0)} are marked as told"])
    return check


def _mailboxes(session: Session) -> Check:
    """Whom a mail reaches. Of two who had one mailbox before that was asked, one has none."""
    check = Check("mailboxes: of the address", "people")
    people = select(Person.ref, Person.email, Person.mailbox).where(Person.mailbox.is_not(None)).order_by(Person.id)
    for row in session.execute(people, execution_options={"yield_per": ROWS}):
        check.seen += 1
        right = mailbox_of(row.email) if row.email else None
        if row.mailbox != right:
            check.complain(row.ref, ["the mailbox is another one"])
    return check
