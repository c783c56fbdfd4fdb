"""Queries only: an idea as lists, its page and the API show it. Finished, frozen values, of what the asker may see."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from events import log
from events.catalogue import View
from ideas_hub import search
from ideas_hub.answers import Answer, AnswerClock
from ideas_hub.clock import now
from ideas_hub.db import reading
from ideas_hub.drafts import DraftCard, own_drafts
from ideas_hub.errors import Missing
from ideas_hub.ideas import OPEN_TO_VOTES, Idea, IdeaTheme, Revision, Stage, stage_counts
from ideas_hub.lessons import Lesson, LessonCard, lesson_of
from ideas_hub.people import Actor, Person, PersonCard
from ideas_hub.permissions import find, may, visible_to
from ideas_hub.settings import Theme, ThemeCard, settings
from ideas_hub.stages import StageChange
from ideas_hub.trials import TrialPlan, latest_trial
from ideas_hub.votes import voted_among

SIMILAR = 5


@dataclass(frozen=True, slots=True)
class AnswerCard:
    ref: str
    idea: str
    text: str
    by: PersonCard
    at: datetime


@dataclass(frozen=True, slots=True)
class IdeaCard:
    """An idea without its long texts."""

    ref: str
    title: str
    short_title: str
    excerpt: str  # the first sentence of the problem; of the proposal where there is none
    audience: View
    hidden: bool
    stage: Stage
    stage_since: datetime
    authors: tuple[PersonCard, ...]
    sponsor: PersonCard | None
    answer: AnswerCard | None
    answer_due: date | None
    answer_by: PersonCard | None
    place: str
    themes: tuple[ThemeCard, ...]
    lang: str
    votes: int
    votes_residents: int
    votes_staff: int
    votes_that_oblige: int
    carried_over: int
    carried_from: str
    voted: bool
    comments: int
    posted_at: datetime
    revised_at: datetime | None
    revision: int
    version: int
    age_days: int

    @property
    def author_refs(self) -> frozenset[str]:
        return frozenset(author.ref for author in self.authors)

    @property
    def sponsor_ref(self) -> str | None:
        return self.sponsor.ref if self.sponsor else None

    @property
    def answer_by_ref(self) -> str | None:
        return self.answer_by.ref if self.answer_by else None

    @property
    def open_to_votes(self) -> bool:
        return self.stage in OPEN_TO_VOTES

    def is_late(self, today: date) -> bool:
        return self.answer_due is not None and self.answer_due < today


@dataclass(frozen=True, slots=True)
class IdeaWhole:
    """An idea with its texts."""

    card: IdeaCard
    problem: str
    proposal: str
    gain: str
    cost_of_inaction: str


@dataclass(frozen=True, slots=True)
class Step:
    """An idea entered a stage. `note`: a day (trial: its end; parked: when to look again), or the idea it went into."""

    stage: Stage
    reason: str
    note: str
    by: PersonCard | None
    at: datetime


@dataclass(frozen=True, slots=True)
class ClockFace:
    """The answer clock as a page draws it."""

    started: date
    due: date
    who: PersonCard | None


@dataclass(frozen=True, slots=True)
class IdeaPage:
    """All that the page of an idea shows, but for its comments and its timeline."""

    idea: IdeaWhole
    answers: tuple[AnswerCard, ...]
    clock: ClockFace | None
    trial: TrialPlan | None
    lesson: LessonCard | None
    steps: tuple[Step, ...]
    merged_into: IdeaCard | None  # where its votes went, if the asker may see that
    cursor: log.Head


class Sort(StrEnum):
    """`new`: posted, newest first. `top`: votes. `trending`: hot score. `waiting`: without an answer, oldest first."""

    NEW = "new"
    TOP = "top"
    TRENDING = "trending"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a list; `next` is where the one after it begins (None: this was the last)."""

    items: tuple[Any, ...]
    next: tuple[Any, str] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which ideas somebody asks for. Without stages: every one but `merged`. `question`: words that must be in them."""

    sort: Sort | None = None
    stages: frozenset[Stage] = frozenset()
    themes: frozenset[str] = frozenset()
    audience: View | None = None
    question: str = ""


# From rows to values


def idea_cards(session: Session, actor: Actor, ideas: Sequence[Idea]) -> list[IdeaCard]:
    """The cards of those ideas, in their order."""
    ids = [idea.id for idea in ideas]
    voted, latest, current, moment = (
        voted_among(session, actor, ids),
        _latest_answers(session, ids),
        settings(session),
        now(),
    )
    return [
        IdeaCard(
            ref=idea.ref,
            title=idea.title,
            short_title=idea.short_title,
            excerpt=first_sentence(idea.problem or idea.proposal),
            audience=idea.effective_audience,
            hidden=idea.hidden,
            stage=idea.stage,
            stage_since=idea.stage_since,
            authors=tuple(authorship.person.card() for authorship in idea.authorships),
            sponsor=idea.sponsor.card() if idea.sponsor else None,
            answer=_answer_card(latest[idea.id], idea) if idea.id in latest else None,
            answer_due=idea.answer_due,
            answer_by=idea.answer_by.card() if idea.answer_by else None,
            place=idea.place,
            themes=tuple(ThemeCard(theme.slug, theme.name) for theme in idea.themes),
            lang=idea.lang,
            votes=idea.votes,
            votes_residents=idea.votes_residents,
            votes_staff=idea.votes_staff,
            votes_that_oblige=current.votes_that_oblige(idea.effective_audience),
            carried_over=idea.carried_over,
            carried_from=idea.carried_from,
            voted=idea.id in voted,
            comments=idea.comments_in(actor.view),
            posted_at=idea.posted_at,
            revised_at=idea.revised_at,
            revision=idea.revision,
            version=idea.version_in(actor.view),
            age_days=(moment - idea.stage_since).days,
        )
        for idea in ideas
    ]


def first_sentence(text: str, most: int = 180) -> str:
    """The first sentence of a text, or as many words of it as fit."""
    line = " ".join(text.split())
    for end in (". ", "? ", "! "):
        line = line.split(end, 1)[0] + end.strip() if end in line[: most + 1] else line
    return line if len(line) <= most else line[: most - 1].rsplit(" ", 1)[0] + "…"


def first_words(text: str, most: int = 180, least: int = 30) -> str:
    """The first sentence of a text; where that says as good as nothing ("Yes."), the one after it too."""
    line = " ".join(text.split())
    first = first_sentence(line, most)
    after = first_sentence(line[len(first) :], most - len(first)) if len(first) < least else ""
    return f"{first} {after}".strip()


def _answer_card(answer: Answer, idea: Idea) -> AnswerCard:
    return AnswerCard(answer.ref, idea.ref, answer.text, answer.by.card(), answer.at)


def _latest_answers(session: Session, ideas: Collection[int]) -> dict[int, Answer]:
    newest = select(func.max(Answer.id)).where(Answer.idea_id.in_(ideas)).group_by(Answer.idea_id)
    return {answer.idea_id: answer for answer in session.scalars(select(Answer).where(Answer.id.in_(newest)))}


# Lists

_KEYS: dict[Sort, tuple[Any, bool]] = {  # by what a list is sorted, and whether from the greatest down
    Sort.NEW: (Idea.posted_at, True),
    Sort.TOP: (Idea.votes, True),
    Sort.TRENDING: (Idea.hot, True),
    Sort.WAITING: (Idea.posted_at, False),
}


def list_ideas(actor: Actor, wanted: Wanted, *, after: tuple[Any, str] | None = None, limit: int = 20) -> Page:
    """A piece of the list of ideas as cards. With a question and no sort, what fits best stands first."""
    with reading() as session:
        query = select(Idea).where(visible_to(actor, Idea), *_conditions(wanted))
        key, down = _KEYS[wanted.sort or Sort.NEW]
        if wanted.question:
            found = search.matches(session, actor.view, wanted.question)
            if found is None:
                return Page((), None)
            query = query.join(found, found.c.id == Idea.id)
            if wanted.sort is None:
                key, down = found.c.rank, False
        rows = session.execute(_piece(query.add_columns(key.label("key")), key, down, after, limit)).all()
        cards = idea_cards(session, actor, [row[0] for row in rows[:limit]])
        more = (rows[limit - 1].key, rows[limit - 1][0].ref) if len(rows) > limit else None
        return Page(tuple(cards), more)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    stages = set(wanted.stages) or set(Stage) - {Stage.MERGED}
    conditions: list[ColumnElement[bool]] = []
    if wanted.sort is Sort.WAITING:
        stages &= {Stage.NEW, Stage.EXPLORING}
        conditions.append(Idea.answered_at.is_(None))
    # Asked for seven of eight stages, SQLite would look through all of them and sort what it finds.
    rest = set(Stage) - stages
    conditions.append(Idea.stage.not_in(rest) if len(rest) < len(stages) else Idea.stage.in_(stages))
    if wanted.themes:
        about = select(IdeaTheme.idea_id).join(Theme, Theme.id == IdeaTheme.theme_id).where(Theme.slug.in_(wanted.themes))
        conditions.append(Idea.id.in_(about))
    if wanted.audience is not None:
        conditions.append(Idea.effective_audience == wanted.audience)
    return conditions


def _piece(query: Select[Any], key: ColumnElement[Any], down: bool, after: tuple[Any, str] | None, limit: int) -> Select[Any]:
    """One row more than the piece, by keyset, so that one sees whether there is another piece."""
    if after is not None:
        here, last = sa.tuple_(key, Idea.ref), sa.tuple_(*(sa.literal(value) for value in after))
        query = query.where(here < last if down else here > last)
    order = (key.desc(), Idea.ref.desc()) if down else (key, Idea.ref)
    return query.order_by(*order).limit(limit + 1)


def similar_ideas(actor: Actor, text: str) -> list[tuple[IdeaCard, LessonCard | None]]:
    """Up to five ideas that look like that text, the best first, each with what was learned from it."""
    with reading() as session:
        found = search.matches(session, actor.view, text, every_word=False)
        if found is None:
            return []
        query = select(Idea).join(found, found.c.id == Idea.id).where(visible_to(actor, Idea))
        ideas = session.scalars(query.order_by(found.c.rank, Idea.ref).limit(SIMILAR)).all()
        cards = idea_cards(session, actor, ideas)
        lessons = set(session.scalars(select(Lesson.idea_id).where(Lesson.idea_id.in_([idea.id for idea in ideas]))))
        return [(card, lesson_of(session, idea) if idea.id in lessons else None) for card, idea in zip(cards, ideas, strict=True)]


def counts(actor: Actor) -> dict[Stage, int]:
    """How many ideas the actor may see in each stage."""
    with reading() as session:
        return stage_counts(session, actor.view)


# One's own


@dataclass(frozen=True, slots=True)
class Desk:
    """What is somebody's own: the ideas that wait for their answer, that they sponsor, that they wrote, that they voted for."""

    to_answer: tuple[IdeaCard, ...]
    sponsored: tuple[IdeaCard, ...]
    written: tuple[IdeaCard, ...]
    answered_this_year: int
    drafts: tuple["DraftLine", ...]


@dataclass(frozen=True, slots=True)
class DraftLine:
    """One's own draft, with the title of the idea it is about where that may (still) be seen."""

    draft: DraftCard
    title: str | None


def desk(actor: Actor, *, most: int = 50) -> Desk:
    """One's own page, the most urgent first."""
    with reading() as session:
        me = actor.person_id
        year = now().replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
        answered = select(func.count()).select_from(Answer).where(Answer.by_id == me, Answer.at >= year)

        def mine(*conditions: ColumnElement[bool]) -> tuple[IdeaCard, ...]:
            query = select(Idea).where(visible_to(actor, Idea), *conditions)
            order = (Idea.answer_due.is_(None), Idea.answer_due, Idea.stage_since.desc(), Idea.ref)
            return tuple(idea_cards(session, actor, session.scalars(query.order_by(*order).limit(most)).all()))

        return Desk(
            to_answer=mine(Idea.answer_by_id == me, Idea.answer_due.is_not(None)),
            sponsored=mine(Idea.sponsor_id == me, Idea.answer_due.is_(None), Idea.stage != Stage.MERGED),
            written=mine(Idea.written_by(me)),
            answered_this_year=session.scalar(answered) or 0,
            drafts=_draft_lines(session, actor),
        )


def _draft_lines(session: Session, actor: Actor) -> tuple[DraftLine, ...]:
    """The actor's drafts, and those that were discarded and can be had back, the newest first."""
    own = [card for card in own_drafts(session, actor) if card.gone_at is None or card.text]
    about = {card.idea for card in own if card.idea}
    titles = {
        row.ref: row.title
        for row in session.execute(select(Idea.ref, Idea.title).where(Idea.ref.in_(about), visible_to(actor, Idea)))
    }
    return tuple(DraftLine(card, titles.get(card.idea or "")) for card in own)


# One idea


def whole_idea(actor: Actor, ref: str) -> IdeaWhole:
    """An idea with its texts. Raises Missing."""
    with reading() as session:
        return _whole(session, actor, find(session, actor, Idea, ref))


def idea_page(actor: Actor, ref: str) -> IdeaPage:
    """All that the page of an idea shows, with the head of the log from before its rows. Raises Missing."""
    with reading() as session:
        head = log.head(session)
        idea = find(session, actor, Idea, ref)
        answers = session.scalars(select(Answer).where(Answer.idea_id == idea.id).order_by(Answer.id.desc())).all()
        return IdeaPage(
            idea=_whole(session, actor, idea),
            answers=tuple(_answer_card(answer, idea) for answer in answers),
            clock=_clock_face(session, idea),
            trial=latest_trial(session, idea),
            lesson=lesson_of(session, idea),
            steps=_steps(session, actor, idea),
            merged_into=_merged_into(session, actor, idea),
            cursor=head,
        )


def answers_of(actor: Actor, ref: str) -> list[AnswerCard]:
    """The answers to an idea, newest first. Raises Missing."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        found = session.scalars(select(Answer).where(Answer.idea_id == idea.id).order_by(Answer.id.desc())).all()
        return [_answer_card(answer, idea) for answer in found]


def latest_answers(actor: Actor, *, after: tuple[Any, str] | None = None, limit: int = 20) -> Page:
    """Answers to the ideas that the actor may see, newest first, as pairs of an answer and its idea."""
    with reading() as session:
        query = select(Answer, Idea).join(Idea, Idea.id == Answer.idea_id).where(visible_to(actor, Idea))
        if after is not None:
            query = query.where(sa.tuple_(Answer.at, Answer.ref) < sa.tuple_(*(sa.literal(value) for value in after)))
        found = session.execute(query.order_by(Answer.at.desc(), Answer.ref.desc()).limit(limit + 1)).all()
        rows = found[:limit]
        cards = idea_cards(session, actor, [idea for _answer, idea in rows])
        items = tuple((_answer_card(row[0], row[1]), card) for row, card in zip(rows, cards, strict=True))
        return Page(items, (rows[-1][0].at, rows[-1][0].ref) if len(found) > limit else None)


@dataclass(frozen=True, slots=True)
class RevisionCard:
    number: int
    title: str
    problem: str
    proposal: str
    gain: str
    cost_of_inaction: str
    by: PersonCard
    at: datetime

    @property
    def texts(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in ("title", "problem", "proposal", "gain", "cost_of_inaction")}


def revisions(actor: Actor, ref: str, *, until: int | None = None, limit: int = 100) -> list[RevisionCard]:
    """The newest revisions of an idea's texts, or the newest until that one, newest first. Raises Missing."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        query = select(Revision, Person).join(Person, Person.id == Revision.by_id).where(Revision.idea_id == idea.id)
        if until is not None:
            query = query.where(Revision.number <= until)
        return [_revision_card(*row) for row in session.execute(query.order_by(Revision.number.desc()).limit(limit))]


def two_revisions(actor: Actor, ref: str, one: int, other: int) -> tuple[RevisionCard, RevisionCard]:
    """Those two revisions of an idea's texts, the earlier first. Raises Missing where there is none of such a number."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        query = select(Revision, Person).join(Person, Person.id == Revision.by_id).where(Revision.idea_id == idea.id)
        found = [_revision_card(*row) for row in session.execute(query.where(Revision.number.in_((one, other))))]
    by_number = {card.number: card for card in found}
    if not {one, other} <= set(by_number):
        raise Missing
    return by_number[min(one, other)], by_number[max(one, other)]


def _revision_card(r: Revision, by: Person) -> RevisionCard:
    return RevisionCard(r.number, r.title, r.problem, r.proposal, r.gain, r.cost_of_inaction, by.card(), r.at)


def possible_sponsors(actor: Actor, ref: str) -> list[PersonCard]:
    """The people whom the actor could name as the sponsor of an idea, by name. Raises Missing."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        if not may(actor, "name_sponsor", idea):
            return []
        people = session.scalars(select(Person).where(Person.held.any()).order_by(Person.name)).all()
        able = [person for person in people if may(person.actor(), "sponsor", idea)]
        return [person.card() for person in able if person.actor().view >= idea.effective_audience]


def _whole(session: Session, actor: Actor, idea: Idea) -> IdeaWhole:
    card = idea_cards(session, actor, [idea])[0]
    return IdeaWhole(card, idea.problem, idea.proposal, idea.gain, idea.cost_of_inaction)


def _clock_face(session: Session, idea: Idea) -> ClockFace | None:
    if idea.answer_due is None:
        return None
    clock = session.scalars(select(AnswerClock).where(AnswerClock.idea_id == idea.id)).one()
    return ClockFace(clock.started_at.date(), clock.due, idea.answer_by.card() if idea.answer_by else None)


def _steps(session: Session, actor: Actor, idea: Idea) -> tuple[Step, ...]:
    """The stages that an idea has been in, the first at its posting; silent about an idea it went into that is not to be seen."""
    rows = session.execute(
        select(StageChange, Person)
        .outerjoin(Person, Person.id == StageChange.by_id)
        .where(StageChange.idea_id == idea.id)
        .order_by(StageChange.id)
    ).all()
    first = idea.authorships[0].person.card() if idea.authorships else None
    begun = Step(Stage.NEW, "", "", first, idea.posted_at)
    into = {change.note for change, _ in rows if change.stage is Stage.MERGED}
    unseen = into.difference(session.scalars(select(Idea.ref).where(Idea.ref.in_(into), visible_to(actor, Idea))))
    later = [Step(c.stage, c.reason, "" if c.note in unseen else c.note, by.card() if by else None, c.at) for c, by in rows]
    return (begun, *later)


def _merged_into(session: Session, actor: Actor, idea: Idea) -> IdeaCard | None:
    if idea.stage is not Stage.MERGED:
        return None
    last = select(StageChange.note).where(StageChange.idea_id == idea.id).order_by(StageChange.id.desc()).limit(1)
    into = session.scalar(select(Idea).where(Idea.ref == last.scalar_subquery(), visible_to(actor, Idea)))
    return None if into is None else idea_cards(session, actor, [into])[0]
