"""Imports: ideas and comments that come in from elsewhere, with their own times and under their authors' pseudonyms.

Each row comes in once, however often it is brought: its origin (the source, and its key there) is written with it. So an import
that was stopped goes on where it ended, and one that ran to its end changes nothing when it runs again.

What comes in keeps the rules of the hub but for two: an idea may be without a problem and without a proposal, because the source
may have had neither. Its supports are no votes: nobody here cast them, so they stand beside the votes (`carried_over`), count
towards the hot score, and oblige nobody to answer. In the log what came in stands as facts of their own times that are told to
nobody (`db.record_imported`); one `hub.imported` at the end says how much it was. So tallies, rows and log agree as they do
for what was posted here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Mapped, Session, lazyload, mapped_column

from events.catalogue import CommentPosted, Event, HubImported, IdeaPosted, IdeaStageChanged, View
from ideas_hub.clock import now
from ideas_hub.comments import Comment, CommentKind, add_to_count
from ideas_hub.comments import put_in_search as put_comment_in_search
from ideas_hub.db import Base, record, record_imported, transaction
from ideas_hub.errors import Invalid, Refusal, RuleBroken, Sentence, _
from ideas_hub.ideas import (
    SIZES,
    Authorship,
    Idea,
    Revision,
    Stage,
    count_all,
    hot_score,
    put_in_search,
    put_said_in_search,
    touch,
)
from ideas_hub.people import Kind, Person, Words
from ideas_hub.search import Said
from ideas_hub.stages import StageChange
from ideas_hub.texts import CONTROL, TOO_LONG, TOO_LONG_BY_ONE, measured

MOST_SUPPORTS = 2_000_000_000

# Model


class Thing(StrEnum):
    PERSON = "person"
    IDEA = "idea"
    COMMENT = "comment"


class Origin(Base):
    """Where something came from that was imported. `told`: has `hub.imported` counted it?"""

    __tablename__ = "origin"

    source: Mapped[str] = mapped_column(String(40), primary_key=True)
    thing: Mapped[Thing] = mapped_column(Words(Thing), primary_key=True)
    key: Mapped[str] = mapped_column(String(120), primary_key=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="SET NULL"))
    idea_id: Mapped[int | None] = mapped_column(ForeignKey(Idea.id, ondelete="SET NULL"))
    comment_id: Mapped[int | None] = mapped_column(ForeignKey(Comment.id, ondelete="SET NULL"))
    told: Mapped[bool] = mapped_column(default=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Where rows come from. `slug` names it in the hub's tables for ever, `name` to people."""

    slug: str
    name: str
    lang: str


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """Who wrote something elsewhere: a key that the source knows them by, and the name that stands here."""

    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaRow:
    """An idea as its source has it. `supports`: how many backed it there.

    An idea that is closed there is `parked` here, since `parked_at` (where the source does not say: since it was posted), for
    that `reason`.
    """

    key: str
    author: Pseudonym
    title: str
    problem: str = ""
    proposal: str = ""
    posted_at: datetime
    supports: int = 0
    parked: bool = False
    parked_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRow:
    """A comment as its source has it: under the idea of key `idea`, as a reply to the comment `parent`, if to any."""

    key: str
    idea: str
    parent: str = ""
    author: Pseudonym
    body: str
    posted_at: datetime


Row = IdeaRow | CommentRow


class Fate(StrEnum):
    """What became of a row."""

    CAME_IN = "came in"
    HERE_BEFORE = "here before"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row; why it was left out; and how it differs here from what it was (`notes`)."""

    fate: Fate
    why: Sentence | None = None
    notes: tuple[Sentence, ...] = ()


# Rules

LONGER = Sentence(_("A text of it is longer than this hub holds."))
MENDED = Sentence(_("Invisible control characters became spaces."))
SHORTENED = Sentence(_("Its title was longer than 120 characters. It was shortened, and stands whole above the problem."))
JOINED = Sentence(_("A reply to a reply: it joined the comment at the top of its thread."))
ORPHANED = Sentence(_("The comment it replied to is not here: it became a comment on the idea."))


def is_key(key: str) -> bool:
    """Can that name a row for ever? Databases refuse to look for some other texts."""
    return 0 < len(key) <= 120 and key.isprintable()


def check_key(key: str) -> None:
    """Raises Invalid."""
    if not is_key(key):
        raise Invalid.field("key", _("It has no key that could name it."))


def mended(text: str, notes: list[Sentence]) -> str:
    """A text without what could do harm; notes that something was in it."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    if CONTROL.search(plain):
        plain = CONTROL.sub(" ", plain)
        if MENDED not in notes:
            notes.append(MENDED)
    return plain


def _mended_idea(row: IdeaRow, notes: list[Sentence]) -> IdeaRow:
    """The idea as it can stand here. Raises Invalid where it cannot."""
    given = {name: mended(getattr(row, name), notes) for name in ("title", "problem", "proposal")}
    title = " ".join(given["title"].split())
    if len(title) > SIZES["title"]:
        given["title"] = title[: SIZES["title"] - 1].rsplit(" ", 1)[0] + "…"
        given["problem"] = f"{title}\n\n{given['problem']}"
        notes.append(SHORTENED)
    else:
        given["title"] = title
    if not 0 <= row.supports <= MOST_SUPPORTS:
        raise Invalid.field("supports", _("Its number of supports cannot be."))
    _check_moment(row.posted_at)
    _check_moment(row.parked_at or row.posted_at)
    words = _measured(given, SIZES, {"title": _("It has no title.")})
    return replace(row, title=words["title"], problem=words["problem"], proposal=words["proposal"])


def _mended_body(row: CommentRow, notes: list[Sentence]) -> str:
    """The words of a comment as they can stand here. Raises Invalid where they cannot."""
    _check_moment(row.posted_at)
    return _measured({"body": mended(row.body, notes)}, {"body": 4000}, {"body": _("It has no words.")})["body"]


def _measured(texts: Mapping[str, str], sizes: Mapping[str, int], needed: Mapping[str, str]) -> dict[str, str]:
    """As `measured`, in words for a report: nobody typed this, nothing is kept, and one reason stands for all of a kind."""
    try:
        return measured(texts, sizes, needed)
    except Invalid as wrong:
        found = ((name, said.text in (TOO_LONG, TOO_LONG_BY_ONE), said) for name, said in wrong.errors.items())
        raise Invalid({name: LONGER if is_long else said for name, is_long, said in found}) from wrong


def _check_moment(at: datetime) -> None:
    if at > now():
        raise Invalid.field("posted_at", _("Its time has not come yet."))


# Commands


def bring_in(source: Source, rows: Sequence[Row]) -> list[Outcome]:
    """Have these rows of a source in the hub, each once, and say what became of each, in their order.

    A row that cannot be is left out, and costs no other. Few at a time: until they are in, nobody else can write. Announces
    nothing: `tell_imported` does, at the end.
    """
    with transaction() as session:
        batch = _Batch(session, source, rows)
        outcomes = [batch.bring(row) for row in rows]
        batch.finish()
        return outcomes


def tell_imported() -> tuple[int, int]:
    """Count the ideas and comments that came in since this was last told, and tell it. Announces `hub.imported`, if any did.

    What an import brought that was stopped before its end is counted with the next one.
    """
    with transaction() as session:
        new = sa.update(Origin).where(Origin.told.is_(False)).values(told=True).returning(Origin.thing)
        brought = Counter(session.scalars(new))
        ideas, comments = brought[Thing.IDEA], brought[Thing.COMMENT]
        if ideas or comments:
            record(session, HubImported(ideas=ideas, comments=comments, audience=View.PUBLIC))
        return ideas, comments


# Steps


class _Batch:
    """Some rows on their way in, and all that they may belong to, read at once.

    What many rows change (counts) is changed once, at the end, in one order: two transactions cannot wait for each other.
    """

    def __init__(self, session: Session, source: Source, rows: Sequence[Row]) -> None:
        self.session, self.source = session, source
        self.known = self._origins(rows)
        comments = [origin.comment_id for origin in self.known.values() if origin.comment_id]
        found = select(Comment.id, Comment.parent_id).where(Comment.id.in_(comments))
        self.above = {row.id: row.parent_id for row in session.execute(found)}
        self.ideas = self._locked_ideas({row.idea for row in rows if isinstance(row, CommentRow)})
        self.new_ideas: list[Idea] = []
        self.new_comments: Counter[int] = Counter()

    def _origins(self, rows: Iterable[Row]) -> dict[tuple[Thing, str], Origin]:
        wanted: dict[Thing, set[str]] = {thing: set() for thing in Thing}
        for row in rows:
            wanted[Thing.PERSON].add(row.author.key)
            if isinstance(row, CommentRow):
                wanted[Thing.IDEA].add(row.idea)
                wanted[Thing.COMMENT] |= {row.key, row.parent}
            else:
                wanted[Thing.IDEA].add(row.key)
        ours = sa.or_(*(sa.and_(Origin.thing == thing, Origin.key.in_(filter(is_key, keys))) for thing, keys in wanted.items()))
        found = self.session.scalars(select(Origin).where(Origin.source == self.source.slug, ours))
        return {(origin.thing, origin.key): origin for origin in found}

    def _locked_ideas(self, keys: Iterable[str]) -> dict[int, Idea]:
        ids = [origin.idea_id for key in keys if (origin := self.known.get((Thing.IDEA, key))) and origin.idea_id]
        query = select(Idea).where(Idea.id.in_(ids)).order_by(Idea.ref).options(lazyload("*"))
        return {idea.id: idea for idea in self.session.scalars(query.with_for_update(of=Idea))}

    def bring(self, row: Row) -> Outcome:
        thing = Thing.IDEA if isinstance(row, IdeaRow) else Thing.COMMENT
        if (thing, row.key) in self.known:
            return Outcome(Fate.HERE_BEFORE)
        notes: list[Sentence] = []
        try:
            check_key(row.key)
            if isinstance(row, IdeaRow):
                self._bring_idea(_mended_idea(row, notes))
            else:
                self._bring_comment(row, _mended_body(row, notes), notes)
        except Invalid as wrong:
            return Outcome(Fate.LEFT_OUT, next(iter(wrong.errors.values())))
        except Refusal as wrong:
            return Outcome(Fate.LEFT_OUT, wrong.sentence)
        except (DataError, IntegrityError):
            return Outcome(Fate.LEFT_OUT, Sentence(_("The database does not take it.")))
        return Outcome(Fate.CAME_IN, notes=tuple(notes))

    def _bring_idea(self, row: IdeaRow) -> None:
        session = self.session
        facts: list[tuple[Event, datetime]] = []
        with session.begin_nested():
            author, known = self._author(row.author)
            idea = Idea(audience=View.PUBLIC, effective_audience=View.PUBLIC, posted_at=row.posted_at, changes_public=0)
            idea.stage = Stage.PARKED if row.parked else Stage.NEW
            idea.stage_since = (row.parked_at if row.parked else None) or row.posted_at
            idea.title, idea.problem, idea.proposal = row.title, row.problem, row.proposal
            idea.lang, idea.carried_over, idea.carried_from = self.source.lang, row.supports, self.source.name
            idea.hot = hot_score(row.supports, row.posted_at)
            idea.authorships = [Authorship(person_id=author)]
            touch(idea)
            session.add(idea)
            session.flush()
            facts.append((IdeaPosted(idea=idea.ref, audience=View.PUBLIC), row.posted_at))
            texts = {name: getattr(idea, name) for name in ("title", "problem", "proposal", "gain", "cost_of_inaction")}
            session.add(Revision(idea_id=idea.id, number=1, by_id=author, at=row.posted_at, **texts))
            if row.parked:
                facts.append(self._parked(idea, row.reason))
            put_in_search(session, idea)
            known[Thing.IDEA, row.key] = self._came(Thing.IDEA, row.key, idea_id=idea.id)
        self._keep(known, facts)
        self.new_ideas.append(idea)
        self.ideas[idea.id] = idea

    def _parked(self, idea: Idea, reason: str) -> tuple[Event, datetime]:
        """Step: the row that says why it is parked, and the fact."""
        was, to, at = Stage.NEW, Stage.PARKED, idea.stage_since
        change = StageChange(idea_id=idea.id, was=was, stage=to, reason=reason, at=at)
        self.session.add(change)
        self.session.flush()
        put_said_in_search(self.session, idea, Said.REASON, change.id, change.reason)
        return IdeaStageChanged(idea=idea.ref, change=change.id, was=was, to=to, by="", audience=View.PUBLIC), at

    def _bring_comment(self, row: CommentRow, body: str, notes: list[Sentence]) -> None:
        origin = self.known.get((Thing.IDEA, row.idea))
        idea = self.ideas.get(origin.idea_id or 0) if origin else None
        if idea is None or idea.withdrawn_at is not None:
            raise RuleBroken(_("The idea it stands under is not here."))
        if idea.stage is Stage.MERGED:
            raise RuleBroken(_("The idea it stands under was merged into another."))
        parent = self._thread(row, notes)
        with self.session.begin_nested():
            author, known = self._author(row.author)
            comment = Comment(idea_id=idea.id, parent_id=parent, author_id=author, kind=CommentKind.BUILD, body=body)
            comment.posted_at, comment.hidden = row.posted_at, idea.hidden
            comment.audience = comment.effective_audience = idea.effective_audience
            self.session.add(comment)
            self.session.flush()
            put_comment_in_search(self.session, comment)
            known[Thing.COMMENT, row.key] = self._came(Thing.COMMENT, row.key, comment_id=comment.id)
        fact = CommentPosted(idea=idea.ref, comment=comment.ref, audience=comment.effective_audience)
        self._keep(known, [(fact, row.posted_at)])
        self.above[comment.id] = parent
        self.new_comments[idea.id] += 1

    def _thread(self, row: CommentRow, notes: list[Sentence]) -> int | None:
        """The top-level comment that a reply joins, however deep it stood; None for what is no reply, or has lost its parent."""
        if not row.parent:
            return None
        origin = self.known.get((Thing.COMMENT, row.parent))
        if origin is None or origin.comment_id is None:
            notes.append(ORPHANED)
            return None
        above = self.above[origin.comment_id]
        if above is not None:
            notes.append(JOINED)
        return above or origin.comment_id

    def _author(self, author: Pseudonym) -> tuple[int, dict[tuple[Thing, str], Origin]]:
        """Step: the person behind a pseudonym, and what is known of them that was not before: nobody can sign in as them."""
        origin = self.known.get((Thing.PERSON, author.key))
        if origin is not None:
            if origin.person_id is None:
                raise RuleBroken(_("Its author was erased here."))
            return origin.person_id, {}
        check_key(author.key)
        name = " ".join(mended(author.name, []).split())[:120] or self.source.name
        person = Person(name=name, kind=Kind.RESIDENT)
        self.session.add(person)
        self.session.flush()
        return person.id, {(Thing.PERSON, author.key): self._came(Thing.PERSON, author.key, person_id=person.id)}

    def _came(self, thing: Thing, key: str, **ids: int) -> Origin:
        origin = Origin(source=self.source.slug, thing=thing, key=key, told=thing is Thing.PERSON, **ids)
        self.session.add(origin)
        return origin

    def _keep(self, known: dict[tuple[Thing, str], Origin], facts: list[tuple[Event, datetime]]) -> None:
        """The row is in: what follows may rely on it."""
        self.known |= known
        for event, at in facts:
            record_imported(self.session, event, at)

    def finish(self) -> None:
        count_all(self.session, self.new_ideas)
        for id, number in sorted(self.new_comments.items(), key=lambda item: self.ideas[item[0]].ref):
            idea = self.ideas[id]
            if not idea.hidden:
                add_to_count(idea, idea.effective_audience, number)
