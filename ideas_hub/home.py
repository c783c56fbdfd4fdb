"""Queries only: what the first page tells beside lists: the year's ideas, who waits longest, and what became of ideas."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.orm import Session

from ideas_hub.answers import AnswerClock
from ideas_hub.cards import IdeaCard, first_words, idea_cards
from ideas_hub.clock import now, today, working_days_between
from ideas_hub.db import reading
from ideas_hub.ideas import CourseCount, Idea, Stage, month_of
from ideas_hub.lessons import lesson_of
from ideas_hub.people import Actor, PersonCard
from ideas_hub.permissions import visible_in
from ideas_hub.stages import StageChange

MOST_COURSES = 250  # more lines than these nobody can tell apart: then one stands for several
FROM_A_MONTH = 25  # ideas that are looked at of each month, where there are too many to look at all
ENDINGS = (Stage.ADOPTED, Stage.LEARNED, Stage.DECLINED)

# The year


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """Where an idea stands, and whether it was explored and tried on its way there."""

    stage: Stage
    explored: bool
    tried: bool


@dataclass(frozen=True, slots=True)
class Course:
    """The way of an idea. `days`: how long it has been, or was before it left, where it is or was last in the pipeline."""

    way: Way
    days: int


@dataclass(frozen=True, slots=True)
class Year:
    """What became of the ideas that were posted since a day, of those that a view may see. A course stands for `each` ideas."""

    since: date
    counts: tuple[tuple[Way, int], ...]
    each: int
    courses: tuple[Course, ...]

    @property
    def posted(self) -> int:
        return sum(count for _, count in self.counts)

    @property
    def explored(self) -> int:
        return sum(count for way, count in self.counts if way.explored)

    @property
    def tried(self) -> int:
        return sum(count for way, count in self.counts if way.tried)

    def standing(self, *stages: Stage) -> int:
        """How many of them stand in those stages now."""
        return sum(count for way, count in self.counts if way.stage in stages)


def year(actor: Actor) -> Year:
    """The ideas posted since the first of this month a year ago. What it costs does not depend on how many there are."""
    since = today().replace(day=1)
    since = since.replace(year=since.year - 1)
    with reading() as session:
        key = (CourseCount.stage, CourseCount.explored, CourseCount.tried)
        seen = select(*key, sa.func.sum(CourseCount.count)).where(CourseCount.month >= since, CourseCount.audience <= actor.view)
        rows = session.execute(seen.group_by(*key)).all()
        counts = tuple(sorted((Way(row[0], row[1], row[2]), int(row[3])) for row in rows if row[3]))
        total = sum(count for _, count in counts)
        each = max(1, -(-total // MOST_COURSES))
        looked_at = _courses(session, actor, since, each)
        return Year(since, counts, each, looked_at if each == 1 else _standing_for(counts, each, looked_at))


def _courses(session: Session, actor: Actor, since: date, each: int) -> tuple[Course, ...]:
    """The courses of the ideas as they were posted: of all; where one stands for several, of the first of each month."""
    this = month_of(now())
    months = [date(since.year + (since.month - 1 + n) // 12, (since.month - 1 + n) % 12 + 1, 1) for n in range(13)]
    first = [_of_time(month, FROM_A_MONTH) for month in months if month <= this] if each > 1 else [_of_time(since, MOST_COURSES)]
    found: list[Course] = []
    for query in first:
        for row in session.execute(query.where(visible_in(actor.view, Idea))):
            begun = row.tried_at or row.explored_at or row.posted_at
            in_it = row.stage in (Stage.NEW, Stage.EXPLORING, Stage.TRIAL)
            time = now() - row.stage_since if in_it else row.stage_since - begun
            found.append(Course(Way(row.stage, row.explored_at is not None, row.tried_at is not None), max(time.days, 0)))
    return tuple(found)


def _of_time(since: date, most: int) -> sa.Select[Stage, datetime, datetime, datetime | None, datetime | None]:
    begin = datetime.combine(since, datetime.min.time(), now().tzinfo)
    columns = (Idea.stage, Idea.posted_at, Idea.stage_since, Idea.explored_at, Idea.tried_at)
    return select(*columns).where(Idea.posted_at >= begin).order_by(Idea.posted_at, Idea.ref).limit(most)


def _standing_for(counts: Sequence[tuple[Way, int]], each: int, looked_at: Iterable[Course]) -> tuple[Course, ...]:
    """One course for so many ideas of a way, and at least one for each way that there is; how long, from those looked at."""
    days: dict[Way, list[int]] = defaultdict(list)
    for course in looked_at:
        days[course.way].append(course.days)
    chosen = []
    for way, count in counts:
        lines, known = max(1, round(count / each)), sorted(days[way]) or [30]
        chosen += [Course(way, known[n * len(known) // lines]) for n in range(lines)]
    return tuple(chosen)


# Who waits longest


@dataclass(frozen=True, slots=True)
class Waiting:
    """An idea that is owed an answer, and for how many working days."""

    idea: IdeaCard
    days: int


def owed_longest(actor: Actor, *, most: int = 3) -> tuple[Waiting, ...]:
    """The ideas whose answer clock runs, the most urgent first."""
    with reading() as session:
        query = select(Idea, AnswerClock.started_at).join(AnswerClock, AnswerClock.idea_id == Idea.id)
        # Any day, as a range: asked whether there is one, SQLite would look at every idea.
        running = query.where(Idea.answer_due >= date.min, visible_in(actor.view, Idea))
        rows = session.execute(running.order_by(Idea.answer_due, Idea.votes.desc(), Idea.ref).limit(most)).all()
        cards = idea_cards(session, actor, [row[0] for row in rows])
        days = [working_days_between(row.started_at.date(), today()) for row in rows]
        return tuple(Waiting(card, waited) for card, waited in zip(cards, days, strict=True))


# What became of ideas


@dataclass(frozen=True, slots=True)
class Ending:
    """How an idea came to its end: what was said of it then, by whom, and after how many days, `tried` of them in its trial."""

    idea: IdeaCard
    said: str
    by: PersonCard | None
    days: int
    tried: int | None


def endings(actor: Actor, *, most: int = 3) -> tuple[Ending, ...]:
    """The ideas that were adopted, learned from or declined last: the newest of each, then whichever came last."""
    with reading() as session:
        found = [_entered_last(session, actor, stage, most) for stage in ENDINGS]
        firsts = [ideas[0] for ideas in found if ideas]
        others = sorted((idea for ideas in found for idea in ideas[1:]), key=_newest_first)
        chosen = sorted([*firsts, *others[: most - len(firsts)]], key=_newest_first)
        return tuple(_ending(session, idea, card) for idea, card in zip(chosen, idea_cards(session, actor, chosen), strict=True))


def _entered_last(session: Session, actor: Actor, stage: Stage, most: int) -> Sequence[Idea]:
    query = select(Idea).where(Idea.stage == stage, visible_in(actor.view, Idea))
    return session.scalars(query.order_by(Idea.stage_since.desc(), Idea.ref.desc()).limit(most)).all()


def _newest_first(idea: Idea) -> tuple[float, str]:
    return -idea.stage_since.timestamp(), idea.ref


def _ending(session: Session, idea: Idea, card: IdeaCard) -> Ending:
    said, by = _last_words(session, idea, card)
    tried = (idea.stage_since - idea.tried_at).days if idea.tried_at else None
    return Ending(card, first_words(said), by, (idea.stage_since - idea.posted_at).days, tried)


def _last_words(session: Session, idea: Idea, card: IdeaCard) -> tuple[str, PersonCard | None]:
    """What was learned from it, else the answer that it got, else why it was moved."""
    if idea.stage is Stage.LEARNED and (lesson := lesson_of(session, idea)):
        return lesson.text, lesson.by
    if card.answer:
        return card.answer.text, card.answer.by
    moved = select(StageChange.reason).where(StageChange.idea_id == idea.id).order_by(StageChange.id.desc()).limit(1)
    return session.scalar(moved) or "", card.sponsor
