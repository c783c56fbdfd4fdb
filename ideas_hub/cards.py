"""Queries only: an idea as lists, the board and the API show it. Finished, frozen values, of what the asker may see."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from events.catalogue import View
from ideas_hub.answers import Answer
from ideas_hub.bursts import Fate
from ideas_hub.clock import now
from ideas_hub.db import reading
from ideas_hub.ideas import OPEN_TO_VOTES, Idea, Stage, stage_counts
from ideas_hub.people import Actor, PersonCard
from ideas_hub.search import Marked, Said
from ideas_hub.settings import ThemeCard, settings
from ideas_hub.votes import held_among, voted_among


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
    votes_held: int
    votes_refused: int
    votes_that_oblige: int
    carried_over: int
    carried_from: str
    voted: bool
    own_vote: Fate | None  # that of who asks, where it is held or was refused
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


# From rows to values


def idea_cards(session: Session, actor: Actor, ideas: Sequence[Idea]) -> list[IdeaCard]:
    """The cards of those ideas, in their order."""
    ids = [idea.id for idea in ideas]
    voted, held, latest, current, moment = (
        voted_among(session, actor, ids),
        held_among(session, actor, ideas),
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
            answer=answer_card(latest[idea.id], idea) if idea.id in latest else None,
            answer_due=idea.answer_due,
            answer_by=idea.answer_by.card() if idea.answer_by else None,
            place=idea.place,
            themes=tuple(ThemeCard(theme.slug, theme.name) for theme in idea.themes),
            lang=idea.lang,
            votes=idea.votes,
            votes_residents=idea.votes_residents,
            votes_staff=idea.votes_staff,
            votes_held=idea.votes_held,
            votes_refused=idea.votes_refused,
            votes_that_oblige=current.votes_that_oblige(idea.effective_audience),
            carried_over=idea.carried_over,
            carried_from=idea.carried_from,
            voted=idea.id in voted,
            own_vote=held.get(idea.id),
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


def answer_card(answer: Answer, idea: Idea) -> AnswerCard:
    return AnswerCard(answer.ref, idea.ref, answer.text, answer.by.card(), answer.at)


def _latest_answers(session: Session, ideas: Collection[int]) -> dict[int, Answer]:
    newest = select(func.max(Answer.id)).where(Answer.idea_id.in_(ideas)).group_by(Answer.idea_id)
    return {answer.idea_id: answer for answer in session.scalars(select(Answer).where(Answer.id.in_(newest)))}


def counts(actor: Actor) -> dict[Stage, int]:
    """How many ideas the actor may see in each stage."""
    with reading() as session:
        return stage_counts(session, actor.view)
