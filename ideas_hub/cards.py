"""Queries only: an idea as lists, its page and the API show it. Finished, frozen values, of what the asker may see."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from events import log
from events.catalogue import View
from ideas_hub import lists, search
from ideas_hub.answers import Answer, AnswerClock
from ideas_hub.clock import now
from ideas_hub.comments import Comment
from ideas_hub.db import reading
from ideas_hub.drafts import DraftCard, own_drafts
from ideas_hub.errors import Missing
from ideas_hub.ideas import OPEN_TO_VOTES, Idea, Revision, Stage, stage_counts
from ideas_hub.lessons import Lesson, LessonCard, lesson_of
from ideas_hub.lists import Counts, Sort, Wanted
from ideas_hub.people import Actor, Person, PersonCard
from ideas_hub.permissions import find, may, visible_to
from ideas_hub.search import Fit, Hit, Marked, Said
from ideas_hub.settings import ThemeCard, settings
from ideas_hub.stages import StageChange
from ideas_hub.trials import Trial, TrialPlan, latest_trial
from ideas_hub.votes import voted_among

SIMILAR = 5
WORDS_FOR_LIKENESS = 16  # of a text that ideas are compared with
COMMON = 500  # ideas with a word, from which on it tells nothing by itself
TITLES_FOR_SPELLING = 2000
MOST_WAYS = 5  # words of a question that are left out in turn
SPELLED = 4  # letters from which on a word can be misspelled


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


@dataclass(frozen=True, slots=True)
class Passage:
    """Where the words of a question were found: its sentence, with what was found marked."""

    title: Marked
    words: Marked
    of: Said | None  # None: of the idea's own texts
    comment: str | None  # its reference, where it is one


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a list; `next` is where the one after it begins (None: this was the last).

    Where words were looked for, `passages` says by each idea's reference where they were found.
    """

    items: tuple[Any, ...]
    next: tuple[Any, str] | None
    passages: Mapping[str, Passage] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Likeness:
    """An idea that looks like a text, what was learned from it, and why it was declined or parked."""

    idea: IdeaCard
    lesson: LessonCard | None
    reason: str | None
    since: datetime  # it is in its stage


@dataclass(frozen=True, slots=True)
class WayOut:
    """What somebody who finds nothing could leave out, and how many ideas there are without it."""

    name: str  # of a filter, or `question`
    count: int
    question: str = ""  # what would be left of it


@dataclass(frozen=True, slots=True)
class Shelf:
    """A piece of the list of ideas, with the counts beside its filters; and what could be done where nothing was found."""

    page: Page
    counts: Counts
    is_cut: bool  # more ideas have the words than are looked at
    ways_out: tuple[WayOut, ...] = ()
    meant: str | None = None  # the question in words that are found


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
        found = search.find_ideas(session, actor.view, wanted.question) if wanted.question else None
        return _list(session, actor, wanted, found, after, limit)


def shelf(actor: Actor, wanted: Wanted, *, after: tuple[Any, str] | None = None, limit: int = 20) -> Shelf:
    """A piece of the list of ideas, with all that stands around it on its page."""
    with reading() as session:
        found = search.find_ideas(session, actor.view, wanted.question) if wanted.question else None
        page = _list(session, actor, wanted, found, after, limit)
        numbers = lists.counts(session, actor, wanted, found)
        is_cut = found is not None and len(found) >= search.MOST_FOUND
        if page.items or after is not None:
            return Shelf(page, numbers, is_cut)
        return Shelf(page, numbers, is_cut, _ways_out(session, actor, wanted, found), _meant(session, actor, wanted, found))


def _list(
    session: Session, actor: Actor, wanted: Wanted, found: Mapping[int, Hit] | None, after: tuple[Any, str] | None, limit: int
) -> Page:
    query = select(Idea).where(*lists.conditions(actor, wanted, found))
    if found is not None and wanted.sort is None:
        keys, ideas = _best_first(session, query, found, after, limit)
    else:
        key, down = _KEYS[wanted.sort or Sort.NEW]
        rows = session.execute(_piece(query.add_columns(key.label("key")), key, down, after, limit)).all()
        keys, ideas = [row.key for row in rows], [row[0] for row in rows]
    cards = idea_cards(session, actor, ideas[:limit])
    more = (keys[limit - 1], ideas[limit - 1].ref) if len(ideas) > limit else None
    return Page(tuple(cards), more, _passages(session, actor, wanted.question, ideas[:limit], found or {}))


def _piece(query: Select[Any], key: ColumnElement[Any], down: bool, after: tuple[Any, str] | None, limit: int) -> Select[Any]:
    """One row more than the piece, by keyset, so that one sees whether there is another piece."""
    if after is not None:
        here, last = sa.tuple_(key, Idea.ref), sa.tuple_(*(sa.literal(value) for value in after))
        query = query.where(here < last if down else here > last)
    order = (key.desc(), Idea.ref.desc()) if down else (key, Idea.ref)
    return query.order_by(*order).limit(limit + 1)


def _best_first(
    session: Session, query: Select[Any], found: Mapping[int, Hit], after: tuple[Any, str] | None, limit: int
) -> tuple[list[Any], list[Idea]]:
    """One idea more than the piece, with its key: by where the words stand, and of those that fit alike what trends first."""
    rows = session.execute(query.with_only_columns(Idea.id, Idea.ref, Idea.hot)).all()
    ordered = sorted(((int(found[row.id].fit), -row.hot), row.ref, row.id) for row in rows)
    if after is not None:
        last = (tuple(after[0]), after[1])
        ordered = [place for place in ordered if place[:2] > last]
    piece = ordered[: limit + 1]
    ideas = {idea.id: idea for idea in session.scalars(select(Idea).where(Idea.id.in_([id for *_, id in piece])))}
    return [key for key, *_ in piece], [ideas[id] for *_, id in piece]


# Where the words were found


def passage(actor: Actor, ref: str, question: str) -> Passage | None:
    """Where the words of a question stand in one idea; None where they do not. Raises Missing."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        hit = search.said_in(session, actor.view, idea.id, question)
        own = {idea.id: Hit(Fit.TEXT)}
        return _passages(session, actor, question, [idea], {idea.id: hit} if hit and not _is_in_texts(idea, question) else own)[
            ref
        ]


def _is_in_texts(idea: Idea, question: str) -> bool:
    words = {word for text in (idea.title, *_texts_of(idea)) for word in search.words_in(text)}
    return all(any(search.is_meant(word, asked) for word in words) for asked in search.words_of(question))


def _texts_of(idea: Idea) -> tuple[str, ...]:
    return idea.problem, idea.proposal, idea.gain, idea.cost_of_inaction, idea.place


def _passages(
    session: Session, actor: Actor, question: str, ideas: Sequence[Idea], found: Mapping[int, Hit]
) -> dict[str, Passage]:
    asked = search.words_of(question)
    said = _said(session, actor, [found[idea.id] for idea in ideas if idea.id in found])
    passages = {}
    for idea in ideas:
        hit = found.get(idea.id)
        if hit is None:
            continue
        texts, comment = said.get((hit.kind, hit.source_id), ((), None)) if hit.kind else (_texts_of(idea), None)
        sentence = search.best_sentence(texts, asked) or first_sentence(idea.problem)
        passages[idea.ref] = Passage(search.marked(idea.title, asked), search.marked(sentence, asked), hit.kind, comment)
    return passages


_SAID: dict[Said, tuple[Any, tuple[Any, ...]]] = {
    Said.ANSWER: (Answer, (Answer.text,)),
    Said.REASON: (StageChange, (StageChange.reason,)),
    Said.TRIAL: (Trial, (Trial.hypothesis, Trial.test, Trial.measure)),
    Said.LESSON: (Lesson, (Lesson.text,)),
}


def _said(
    session: Session, actor: Actor, hits: Sequence[Hit]
) -> dict[tuple[Said | None, int | None], tuple[tuple[str, ...], str | None]]:
    """The texts in which words were found, with the reference of a comment, by kind and row."""
    texts: dict[tuple[Said | None, int | None], tuple[tuple[str, ...], str | None]] = {}
    wanted = {kind: [hit.source_id for hit in hits if hit.kind is kind] for kind in Said}
    for kind, (model, columns) in _SAID.items():
        if wanted[kind]:
            for row in session.execute(select(model.id, *columns).where(model.id.in_(wanted[kind]))):
                texts[kind, row.id] = tuple(row[1:]), None
    if wanted[Said.COMMENT]:
        seen = select(Comment.id, Comment.body, Comment.ref).where(visible_to(actor, Comment))
        for row in session.execute(seen.where(Comment.id.in_(wanted[Said.COMMENT]))):
            texts[Said.COMMENT, row.id] = (row.body,), row.ref
    return texts


# Where nothing was found


def _ways_out(session: Session, actor: Actor, wanted: Wanted, found: Mapping[int, Hit] | None) -> tuple[WayOut, ...]:
    """Each filter, each word and all words, that could be left out; only what would help."""
    chosen = [name for name in lists.FILTERS if getattr(wanted, name) != getattr(Wanted(), name)]
    ways = [WayOut(name, lists.count(session, actor, wanted.without(name), found), wanted.question) for name in chosen]
    words = search.words_of(wanted.question)
    for left_out in words[:MOST_WAYS] if len(words) > 1 else ():
        rest = " ".join(word for word in words if word != left_out)
        ways.append(WayOut("word", lists.count(session, actor, wanted, search.find_ideas(session, actor.view, rest)), rest))
    if wanted.question and chosen:
        ways.append(WayOut("question", lists.count(session, actor, wanted.without("question"))))
    return tuple(way for way in ways if way.count)


def _meant(session: Session, actor: Actor, wanted: Wanted, found: Mapping[int, Hit] | None) -> str | None:
    """The question in words of the newest titles that are spelled nearly alike; None where words are not what is wrong."""
    if found or not wanted.question:
        return None
    newest = select(Idea.title).where(visible_to(actor, Idea)).order_by(Idea.posted_at.desc(), Idea.ref.desc())
    titles = session.scalars(newest.limit(TITLES_FOR_SPELLING))
    known = dict.fromkeys(word for title in titles for word in search.telling(title) if len(word) >= SPELLED)
    near: dict[str, str] = {}
    for word in search.words_of(wanted.question):
        if len(word) >= SPELLED and not search.find_ideas(session, actor.view, word):
            for meant in get_close_matches(word, known, n=1, cutoff=0.75):
                near[word] = meant
    if not near:
        return None
    meant = " ".join(near.get(word, word) for word in search.words_in(wanted.question))
    return meant if search.find_ideas(session, actor.view, meant) else None


# What looks alike


def similar_ideas(actor: Actor, text: str) -> list[Likeness]:
    """Up to five ideas that look like that text, the best first, each with what became of it."""
    with reading() as session:
        ids = _alike(session, actor.view, text)
        query = select(Idea).where(visible_to(actor, Idea), Idea.id.in_(ids))
        ideas = sorted(session.scalars(query), key=lambda idea: ids.index(idea.id))[:SIMILAR]
        cards = idea_cards(session, actor, ideas)
        lessons = set(session.scalars(select(Lesson.idea_id).where(Lesson.idea_id.in_([idea.id for idea in ideas]))))
        reasons = _last_reasons(session, [idea.id for idea in ideas if idea.stage in (Stage.DECLINED, Stage.PARKED)])
        return [
            Likeness(card, lesson_of(session, idea) if idea.id in lessons else None, reasons.get(idea.id), idea.stage_since)
            for card, idea in zip(cards, ideas, strict=True)
        ]


def _alike(session: Session, view: View, text: str) -> list[int]:
    """The ids of ideas that share words with a text, the best first: the rarer the words, and in the title twice.

    What is rare is counted among the ideas that the view may see. A word of so many ideas that `COMMON` are not all of them
    tells nothing by itself. One word alone makes two texts alike where it stands in the title.
    """
    held = search.each_word(session, view, text, most_words=WORDS_FOR_LIKENESS, most=COMMON)
    seen = sum(stage_counts(session, view).values())
    scores: defaultdict[int, float] = defaultdict(float)
    shared: Counter[int] = Counter()
    for ids in chain(*held.values()):
        if len(ids) < COMMON:
            rarity = math.log(1 + seen / max(len(ids), 1))
            for id in ids:
                scores[id] += rarity
                shared[id] += 1
    alike = [id for id in scores if shared[id] >= min(2, len(held))]
    if not alike and len(held) > 1:  # common words alone: together they may tell something
        return [id for id, hit in search.find_ideas(session, view, " ".join(held)).items() if hit.fit < Fit.SAID][:SIMILAR]
    return sorted(alike, key=lambda id: (-scores[id], -id))[: 4 * SIMILAR]


def _last_reasons(session: Session, ideas: Collection[int]) -> dict[int, str]:
    last = select(func.max(StageChange.id)).where(StageChange.idea_id.in_(ideas)).group_by(StageChange.idea_id)
    rows = session.execute(select(StageChange.idea_id, StageChange.reason).where(StageChange.id.in_(last)))
    return {row.idea_id: row.reason for row in rows}


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
