"""Ideas: what is proposed, by one or more authors."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, ForeignKey, Index, String, Text, func, select
from sqlalchemy.ext.hybrid import hybrid_method
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from events.catalogue import IdeaPosted, IdeaWithdrawn, View
from events.moment import Moment
from ideas_hub import drafts, search
from ideas_hub.claims import once
from ideas_hub.clock import now
from ideas_hub.db import Base, add_once, record, transaction
from ideas_hub.errors import Invalid, RuleBroken, _
from ideas_hub.people import Actor, Person, Words
from ideas_hub.permissions import Guarded, Ladder, find, require
from ideas_hub.settings import Theme
from ideas_hub.texts import measured

MOST_THEMES = 5
SIZES = {"title": 120, "short_title": 60, "problem": 4000, "proposal": 10000, "gain": 2000, "cost_of_inaction": 2000}
SIZES |= {"place": 120}

# Model


class Stage(StrEnum):
    """A place in the pipeline, in the order of the board."""

    NEW = "new"
    EXPLORING = "exploring"
    TRIAL = "trial"
    ADOPTED = "adopted"
    LEARNED = "learned"
    PARKED = "parked"
    DECLINED = "declined"
    MERGED = "merged"


TEN_TIMES_THE_VOTES = timedelta(weeks=2).total_seconds()
OPEN_TO_VOTES = frozenset({Stage.NEW, Stage.EXPLORING, Stage.TRIAL, Stage.PARKED})


class Authorship(Base):
    __tablename__ = "authorship"

    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True, index=True)
    place: Mapped[int] = mapped_column(default=0)  # the first author stands first
    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class IdeaTheme(Base):
    __tablename__ = "idea_theme"

    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), primary_key=True)
    theme_id: Mapped[int] = mapped_column(ForeignKey(Theme.id), primary_key=True, index=True)


class Revision(Base):
    """The texts of an idea as they stood from a moment on."""

    __tablename__ = "revision"

    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    problem: Mapped[str] = mapped_column(Text)
    proposal: Mapped[str] = mapped_column(Text)
    gain: Mapped[str] = mapped_column(Text)
    cost_of_inaction: Mapped[str] = mapped_column(Text)
    by_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime] = mapped_column(Moment)


class StageCount(Base):
    """How many ideas of an audience stand in a stage. Written with every change, so that the board never counts."""

    __tablename__ = "stage_count"

    stage: Mapped[Stage] = mapped_column(Words(Stage), primary_key=True)
    audience: Mapped[View] = mapped_column(Ladder, primary_key=True)
    count: Mapped[int] = mapped_column(default=0)


class CourseCount(Base):
    """How many ideas of an audience that were posted in a month stand in a stage, and had been explored and tried before.

    Written with every change, like `StageCount`, so that what became of a year's ideas is never counted when it is asked for.
    """

    __tablename__ = "course_count"

    month: Mapped[date] = mapped_column(primary_key=True)  # its first day
    audience: Mapped[View] = mapped_column(Ladder, primary_key=True)
    stage: Mapped[Stage] = mapped_column(Words(Stage), primary_key=True)
    explored: Mapped[bool] = mapped_column(primary_key=True)
    tried: Mapped[bool] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)


class Idea(Guarded, Base):
    __tablename__ = "idea"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(120))
    short_title: Mapped[str] = mapped_column(String(60), default="")
    problem: Mapped[str] = mapped_column(Text)
    proposal: Mapped[str] = mapped_column(Text)
    gain: Mapped[str] = mapped_column(Text, default="")
    cost_of_inaction: Mapped[str] = mapped_column(Text, default="")
    place: Mapped[str] = mapped_column(String(120), default="")
    place_key: Mapped[str] = mapped_column(
        String(120), default="", server_default=""
    )  # its words: "Mill Rd" and "mill rd" are one
    lang: Mapped[str] = mapped_column(String(8), default="en")
    revision: Mapped[int] = mapped_column(default=1)
    posted_at: Mapped[datetime] = mapped_column(Moment)
    revised_at: Mapped[datetime | None] = mapped_column(Moment)

    stage: Mapped[Stage] = mapped_column(Words(Stage), default=Stage.NEW)
    stage_since: Mapped[datetime] = mapped_column(Moment)
    explored_at: Mapped[datetime | None] = mapped_column(Moment)  # when it was first explored, and first tried
    tried_at: Mapped[datetime | None] = mapped_column(Moment)
    sponsor_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    answer_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)  # whom the clock names
    answer_due: Mapped[date | None]  # while the answer clock runs
    answered_at: Mapped[datetime | None] = mapped_column(Moment)

    # Tallies, written with each change. Those of comments and changes are kept apart by audience: a view adds up its own.
    votes: Mapped[int] = mapped_column(default=0)
    votes_residents: Mapped[int] = mapped_column(default=0)
    votes_staff: Mapped[int] = mapped_column(default=0)
    votes_held: Mapped[int] = mapped_column(default=0, server_default="0")  # they came in a burst, and do not count (yet)
    votes_refused: Mapped[int] = mapped_column(default=0, server_default="0")
    carried_over: Mapped[int] = mapped_column(default=0)  # supports from elsewhere: shown, and in the hot score; no votes
    carried_from: Mapped[str] = mapped_column(String(80), default="")  # what it was imported from
    hot: Mapped[float] = mapped_column(default=0.0)
    comments_public: Mapped[int] = mapped_column(default=0)
    comments_staff: Mapped[int] = mapped_column(default=0)
    comments_leadership: Mapped[int] = mapped_column(default=0)
    changes_public: Mapped[int] = mapped_column(default=0)
    changes_staff: Mapped[int] = mapped_column(default=0)
    changes_leadership: Mapped[int] = mapped_column(default=0)

    authorships: Mapped[list[Authorship]] = relationship(lazy="selectin", order_by=Authorship.place, cascade="all, delete-orphan")
    themes: Mapped[list[Theme]] = relationship(secondary=IdeaTheme.__table__, lazy="selectin", order_by=Theme.name)
    sponsor: Mapped[Person | None] = relationship(lazy="selectin", foreign_keys=[sponsor_id])
    answer_by: Mapped[Person | None] = relationship(lazy="selectin", foreign_keys=[answer_by_id])

    __table_args__ = (
        Index("ix_idea_posted", "posted_at", "ref"),
        Index("ix_idea_votes", "votes", "ref"),
        Index("ix_idea_hot", "hot", "ref"),
        Index("ix_idea_stage_votes", "stage", "votes", "ref"),
        Index("ix_idea_stage_since", "stage", "stage_since", "ref"),
        Index("ix_idea_answer_due", "answer_due"),
        Index("ix_idea_stage_due", "stage", "answer_due"),
        Index("ix_idea_place", "place_key", "posted_at"),
    )

    @classmethod
    def written_by(cls, person_id: Any) -> ColumnElement[bool]:
        return cls.id.in_(select(Authorship.idea_id).where(Authorship.person_id == person_id))

    @property
    def author_refs(self) -> frozenset[str]:
        return frozenset(authorship.person.ref for authorship in self.authorships)

    @property
    def sponsor_ref(self) -> str | None:
        return self.sponsor.ref if self.sponsor else None

    @property
    def answer_by_ref(self) -> str | None:
        return self.answer_by.ref if self.answer_by else None

    @hybrid_method
    def comments_in(self, view: View) -> int:
        """How many comments that view may see."""
        return sum((self.comments_public, self.comments_staff, self.comments_leadership)[: view + 1])

    @hybrid_method
    def version_in(self, view: View) -> int:
        """How often something that this view may see has changed."""
        return sum((self.changes_public, self.changes_staff, self.changes_leadership)[: view + 1])


@dataclass(frozen=True, slots=True)
class Texts:
    """What an author writes, trimmed and measured."""

    title: str
    problem: str
    proposal: str
    gain: str = ""
    cost_of_inaction: str = ""
    place: str = ""


# Rules


NEEDED = {
    "title": _("Say your idea in one line."),
    "problem": _("Say what is wrong today, in a sentence or two."),
    "proposal": _("Say what we should do about it."),
}


def checked(texts: Mapping[str, str]) -> dict[str, str]:
    """The texts, trimmed. Raises Invalid, naming every field that is empty or too long."""
    return measured(texts, SIZES, NEEDED)


def can_be_withdrawn(idea: Any, comments: int) -> bool:
    """Is an idea (its row or its card) new, and has nobody answered to it? `comments`: how many its author can see."""
    return idea.stage is Stage.NEW and not idea.votes and not comments


def place_key(place: str) -> str:
    """What the spellings of a place have in common."""
    return " ".join(search.words_in(place))[:120]


def found_by(idea: Idea) -> View | None:
    """Who may find the idea by its words; None while it is hidden or held, which is nobody."""
    return None if idea.hidden or idea.held or idea.withdrawn_at is not None else idea.effective_audience


def hot_score(votes: int, posted_at: datetime) -> float:
    """Newer ideas stand higher, and ten times the votes make up for two weeks (the shape of Reddit's published formula)."""
    return round(math.log10(max(votes, 1)) + posted_at.timestamp() / TEN_TIMES_THE_VOTES, 7)


# Commands


@once
def post_idea(
    actor: Actor,
    *,
    audience: View = View.PUBLIC,
    themes: Sequence[str] = (),
    co_authors: Sequence[Person] = (),
    draft: str | None = None,
    **texts: str,
) -> str:
    """Post an idea and return its reference; the `draft` it was typed in goes with it. Announces `idea.posted`.

    Raises SignInNeeded, NotAllowed (an audience that is not the actor's to write for) and Invalid (sizes, themes).
    """
    require(actor, "post", audience)
    words = Texts(**checked(texts))
    with transaction() as session:
        at = now()
        idea = Idea(audience=audience, effective_audience=audience, posted_at=at, stage_since=at)
        for name in ("title", "problem", "proposal", "gain", "cost_of_inaction", "place"):
            setattr(idea, name, getattr(words, name))
        idea.place_key = place_key(idea.place)
        idea.themes = find_themes(session, themes)
        people = [actor.person_id, *(person.id for person in co_authors)]
        idea.authorships = [Authorship(person_id=person, place=place) for place, person in enumerate(people)]
        idea.hot = hot_score(0, idea.posted_at)
        session.add(idea)
        session.flush()
        keep_revision(session, actor, idea)
        count(session, idea, +1)
        touch(idea)
        put_in_search(session, idea)
        drafts.use(session, actor, draft)
        record(session, IdeaPosted(idea=idea.ref, audience=idea.effective_audience))
        return idea.ref


def withdraw_idea(actor: Actor, ref: str) -> None:
    """Take back an idea that is new and that nobody has answered to: its words go. Announces `idea.withdrawn`.

    Raises Missing, NotAllowed (not an author) and RuleBroken (no longer new, or with a vote or a comment).
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "withdraw", idea)
        # Only comments that the actor may see stand in the way: a refusal must not tell of others.
        if not can_be_withdrawn(idea, idea.comments_in(actor.view)):
            raise RuleBroken(_("This idea has votes or comments, or has moved on, so it can no longer be withdrawn."))
        with recounted(session, idea):
            idea.withdrawn_at = now()
        for name in ("title", "problem", "proposal", "gain", "cost_of_inaction", "place", "short_title"):
            setattr(idea, name, "")
        session.execute(sa.delete(Revision).where(Revision.idea_id == idea.id))
        idea.place_key = ""
        search.forget_idea(session, idea.id)
        record(session, IdeaWithdrawn(idea=idea.ref, audience=idea.effective_audience))


# Steps


def revise(session: Session, actor: Actor, idea: Idea, texts: Mapping[str, str], themes: Sequence[str] | None) -> bool:
    """Step: change the texts or themes of a new idea, keep the revision, and say whether anything changed."""
    require(actor, "revise", idea)
    if idea.stage is not Stage.NEW:
        raise RuleBroken(_("This idea has moved on, so its words stay as they are."))
    changed = {name: text for name, text in checked(texts).items() if text != getattr(idea, name)}
    about = None if themes is None else find_themes(session, themes)
    if about is not None and {theme.id for theme in about} == {theme.id for theme in idea.themes}:
        about = None
    if not changed and about is None:
        return False
    for name, text in changed.items():
        setattr(idea, name, text)
    idea.place_key = place_key(idea.place)
    if about is not None:
        idea.themes = about
    if changed:
        idea.revision += 1
        idea.revised_at = now()
        keep_revision(session, actor, idea)
        put_in_search(session, idea)
    return True


def keep_revision(session: Session, actor: Actor, idea: Idea) -> None:
    """Step: keep the texts as they stand now."""
    texts = {name: getattr(idea, name) for name in ("title", "problem", "proposal", "gain", "cost_of_inaction")}
    session.add(Revision(idea_id=idea.id, number=idea.revision, by_id=actor.person_id, at=now(), **texts))


def find_themes(session: Session, slugs: Sequence[str]) -> list[Theme]:
    """Step: the themes of those slugs. Raises Invalid for an unknown one, or for more than `MOST_THEMES`."""
    wanted = list(dict.fromkeys(slugs))
    if len(wanted) > MOST_THEMES:
        raise Invalid.field("themes", _("Choose at most %(most)d themes."), most=MOST_THEMES)
    found = list(session.scalars(select(Theme).where(Theme.slug.in_(wanted))))
    if len(found) < len(wanted):
        raise Invalid.field("themes", _("Choose themes from the list."))
    return found


def touch(idea: Idea, audience: View | None = None, *, times: int = 1) -> None:
    """Step: something about the idea changed, for those who may see that audience (the idea's own unless told)."""
    name = f"changes_{max(idea.effective_audience, audience or View.PUBLIC).word}"
    setattr(idea, name, getattr(idea, name) + times)


def put_in_search(session: Session, idea: Idea) -> None:
    """Step: have the idea found by its texts as they are now."""
    body = "\n".join((idea.problem, idea.proposal, idea.gain, idea.cost_of_inaction, idea.place))
    search.put_idea(session, idea.id, found_by(idea), idea.title, body)


def put_said_in_search(session: Session, idea: Idea, kind: search.Said, source: int, text: str) -> None:
    """Step: have the idea found by what was said about it, by those who may see the idea."""
    search.put_said(session, kind, source, idea.id, found_by(idea), text)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """Where an idea stands in the counts."""

    stage: Stage
    audience: View
    month: date
    explored: bool
    tried: bool


@contextmanager
def recounted(session: Session, idea: Idea) -> Iterator[None]:
    """Step: whatever changes in the block about where the idea stands or who may see it, the counts stay right."""
    before = _counted_as(idea)
    yield
    after = _counted_as(idea)
    if before != after:
        # In one order everywhere, so that two transactions cannot wait for each other.
        for place, change in sorted((place, change) for place, change in ((before, -1), (after, +1)) if place):
            _add_to_count(session, place, change)


def count(session: Session, idea: Idea, change: int) -> None:
    """Step: count an idea that was not there before."""
    if place := _counted_as(idea):
        _add_to_count(session, place, change)


def count_all(session: Session, ideas: Iterable[Idea]) -> None:
    """Step: count ideas that were not there before; where many come at once, each count is changed once."""
    places = Counter(place for idea in ideas if (place := _counted_as(idea)))
    for place, number in sorted(places.items()):
        _add_to_count(session, place, number)


def month_of(moment: datetime) -> date:
    """The first day of its month, in UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


def _counted_as(idea: Idea) -> _Place | None:
    """Where an idea stands in the counts; None for what no view shows."""
    if idea.hidden or idea.held or idea.withdrawn_at is not None:
        return None
    explored, tried = idea.explored_at is not None, idea.tried_at is not None
    return _Place(idea.stage, idea.effective_audience, month_of(idea.posted_at), explored, tried)


def _add_to_count(session: Session, place: _Place, change: int) -> None:
    stage = (StageCount.stage == place.stage, StageCount.audience == place.audience)
    session.execute(sa.update(StageCount).where(*stage).values(count=StageCount.count + change))
    course = asdict(place)
    add = sa.update(CourseCount).filter_by(**course).values(count=CourseCount.count + change).returning(CourseCount.count)
    if session.execute(add).first() is None:
        add_once(session, CourseCount(**course, count=0))
        session.execute(add)


# Queries


def stage_counts(session: Session, view: View) -> dict[Stage, int]:
    """How many ideas that view may see in each stage."""
    rows = session.execute(
        select(StageCount.stage, func.sum(StageCount.count)).where(StageCount.audience <= view).group_by(StageCount.stage)
    )
    found = {row[0]: int(row[1]) for row in rows}
    return {stage: found.get(stage, 0) for stage in Stage}
