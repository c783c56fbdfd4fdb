"""Queries only: the list of ideas, where the words somebody looks for stand, what to do where none are, and what looks alike."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from events.catalogue import View
from ideas_hub import lists, search
from ideas_hub.answers import Answer
from ideas_hub.cards import IdeaCard, Page, Passage, first_sentence, idea_cards
from ideas_hub.comments import Comment
from ideas_hub.db import reading
from ideas_hub.ideas import Idea, Stage, stage_counts
from ideas_hub.lessons import Lesson, LessonCard, lesson_of
from ideas_hub.lists import Counts, Sort, Wanted
from ideas_hub.people import Actor
from ideas_hub.permissions import find, visible_to
from ideas_hub.search import Fit, Hit, Said
from ideas_hub.stages import StageChange
from ideas_hub.trials import Trial

SIMILAR = 5
WORDS_FOR_LIKENESS = 16  # of a text that ideas are compared with
COMMON = 500  # ideas with a word, from which on it tells nothing by itself
TITLES_FOR_SPELLING = 2000
MOST_WAYS = 5  # words of a question that are left out in turn
SPELLED = 4  # letters from which on a word can be misspelled


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
    withheld = lists.in_order(session, actor, wanted) if found is None else frozenset()
    query = select(Idea).where(*lists.conditions(actor, wanted, found, withheld=withheld))
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
