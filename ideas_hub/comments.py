"""Comments: words under an idea, with replies one level deep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import ColumnElement, ForeignKey, Index, Text, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from events.catalogue import VIEWS, CommentPosted, CommentWithdrawn, View
from events.moment import Moment
from ideas_hub import drafts, search
from ideas_hub.claims import once
from ideas_hub.clock import now
from ideas_hub.db import Base, reading, record, transaction
from ideas_hub.errors import Invalid, Missing, RuleBroken, _
from ideas_hub.ideas import Idea, Stage, found_by, touch
from ideas_hub.people import Actor, Person, PersonCard, Words
from ideas_hub.permissions import Guarded, find, require, visible_to
from ideas_hub.texts import measured

THREADS, REPLIES, IN_THREAD = 30, 10, 50  # of a page: threads, replies of each, replies of a thread alone

# Model


class CommentKind(StrEnum):
    """What a comment does for the idea."""

    BUILD = "build"
    QUESTION = "question"
    CONCERN = "concern"
    THANKS = "thanks"


class Comment(Guarded, Base):
    """`hidden` is true also while its idea is hidden; `hidden_itself` remembers which comments were hidden on their own."""

    __tablename__ = "comment"
    keeps_its_place = True

    id: Mapped[int] = mapped_column(primary_key=True)
    idea_id: Mapped[int] = mapped_column(ForeignKey(Idea.id, ondelete="CASCADE"))
    idea: Mapped[Idea] = relationship(lazy="raise")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("comment.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    author: Mapped[Person] = relationship(lazy="joined", innerjoin=True)
    kind: Mapped[CommentKind] = mapped_column(Words(CommentKind))
    body: Mapped[str] = mapped_column(Text)
    posted_at: Mapped[datetime] = mapped_column(Moment)
    hidden_itself: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (Index("ix_comment_idea", "idea_id", "posted_at", "ref"), Index("ix_comment_parent", "parent_id"))

    @classmethod
    def written_by(cls, person_id: Any) -> ColumnElement[bool]:
        return cls.author_id == person_id

    @property
    def author_refs(self) -> frozenset[str]:
        return frozenset({self.author.ref})


@dataclass(frozen=True, slots=True)
class CommentCard:
    """A comment as one may see it; without its words where they were withdrawn."""

    ref: str
    idea: str
    body: str | None
    kind: CommentKind
    parent: str | None
    author: PersonCard | None
    audience: View
    posted_at: datetime
    withdrawn: bool
    hidden: bool

    @property
    def author_refs(self) -> frozenset[str]:
        return frozenset({self.author.ref}) if self.author else frozenset()


@dataclass(frozen=True, slots=True)
class Thread:
    """A comment and the replies to it, oldest first."""

    comment: CommentCard
    replies: tuple[CommentCard, ...]
    more: int = 0  # replies behind these


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a discussion somebody reads, by references of comments: before one, after one, around one; in one thread alone."""

    before: str | None = None
    after: str | None = None
    comment: str | None = None
    thread: str | None = None


class Threads(NamedTuple):
    """A piece of a discussion. `kinds`: how many threads there are of each kind.

    `earlier` and `later`: how many threads stand before and after it; where it `is_alone`, one thread, how many of its replies.
    `is_lost`: the comment that was asked for is not there, or is not to be seen.
    """

    threads: list[Thread]
    kinds: dict[CommentKind, int]
    earlier: int
    later: int
    is_alone: bool
    is_lost: bool


# Rules


def checked_body(body: str) -> str:
    """The words of a comment, trimmed. Raises Invalid where there are none, or too many."""
    return measured({"body": body}, {"body": 4000}, {"body": _("Write your comment.")})["body"]


def check_open(idea: Idea) -> None:
    """Raises RuleBroken where an idea takes no comments."""
    if idea.stage is Stage.MERGED:
        raise RuleBroken(_("This idea was merged into another. Comment there."))


# Commands


@once
def post_comment(
    actor: Actor,
    ref: str,
    *,
    body: str,
    kind: CommentKind = CommentKind.BUILD,
    parent: str | None = None,
    audience: View | None = None,
    draft: str | None = None,
) -> str:
    """Post a comment under an idea, or a reply to one of its comments, and return its reference; the `draft` it was typed in
    goes with it. Announces `comment.posted`.

    It is for the idea's audience, or a narrower one, and stays so when the idea is opened later; a reply is never for a
    wider audience than what it replies to. Raises SignInNeeded, Missing, NotAllowed, RuleBroken (the idea was merged)
    and Invalid.
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        body = checked_body(body)
        above = _parent(session, actor, idea, parent) if parent is not None else None
        least = idea.effective_audience if above is None else above.effective_audience
        chosen = least if audience is None else audience
        require(actor, "comment", chosen)
        if chosen < least:
            raise Invalid.field("audience", _("A comment cannot be open to more people than what it stands under."))
        check_open(idea)
        comment = Comment(
            idea_id=idea.id,
            parent_id=above.id if above else None,
            author_id=actor.person_id,
            kind=kind,
            body=body,
            posted_at=now(),
            audience=chosen,
            effective_audience=chosen,
            hidden=idea.hidden,
        )
        session.add(comment)
        if not idea.hidden:
            add_to_count(idea, chosen, +1)
        drafts.use(session, actor, draft)
        session.flush()
        put_in_search(session, comment)
        record(session, CommentPosted(idea=idea.ref, comment=comment.ref, audience=chosen))
        return comment.ref


def withdraw_comment(actor: Actor, ref: str, comment: str) -> None:
    """Its author takes back a comment's words; its place stays. Announces `comment.withdrawn`. Twice is harmless.

    Raises Missing and NotAllowed.
    """
    with transaction() as session:
        idea, found = find_comment(session, actor, ref, comment)
        require(actor, "withdraw", found)
        if found.withdrawn_at is not None:
            return
        found.withdrawn_at, found.body = now(), ""
        if not found.hidden:
            add_to_count(idea, found.effective_audience, -1)
        put_in_search(session, found)
        record(session, CommentWithdrawn(idea=idea.ref, comment=found.ref, audience=found.effective_audience))


# Steps


def find_comment(session: Session, actor: Actor, ref: str, comment: str) -> tuple[Idea, Comment]:
    """Step: an idea, locked, and one of its comments. Raises Missing where the actor may not see either."""
    idea = find(session, actor, Idea, ref, lock=True)
    found = find(session, actor, Comment, comment, lock=True)
    if found.idea_id != idea.id:
        raise Missing
    return idea, found


def _parent(session: Session, actor: Actor, idea: Idea, parent: str) -> Comment:
    """The top-level comment that a reply joins. Raises Invalid where the actor cannot see it under this idea."""
    found = session.scalar(select(Comment).where(Comment.ref == parent, Comment.idea_id == idea.id, visible_to(actor, Comment)))
    if found is None:
        raise Invalid.field("parent", _("The comment you reply to is no longer there."))
    if found.parent_id is not None:
        raise Invalid.field("parent", _("Reply to the comment at the top of this thread."))
    return found


def put_in_search(session: Session, comment: Comment) -> None:
    """Step: have its idea found by the comment as it is now, by those who may see the comment; not at all without its words."""
    if comment.withdrawn_at is not None:
        search.forget_said(session, search.Said.COMMENT, comment.id)
    else:
        search.put_said(session, search.Said.COMMENT, comment.id, comment.idea_id, _found_by(comment), comment.body)


def _found_by(comment: Any) -> View | None:
    return None if comment.hidden or comment.held or comment.withdrawn_at is not None else comment.effective_audience


def add_to_count(idea: Idea, audience: View, change: int) -> None:
    """Step: the idea has so many more comments for those who may see that audience."""
    name = f"comments_{audience.word}"
    setattr(idea, name, getattr(idea, name) + change)
    touch(idea, audience)


def follow_idea(session: Session, idea: Idea) -> None:
    """Step: after the idea's audience changed, or it was hidden or restored, its comments follow, are counted anew, and
    found by whom they are for."""
    session.flush()
    session.execute(
        sa.update(Comment)
        .where(Comment.idea_id == idea.id)
        .values(
            effective_audience=sa.case(
                (Comment.audience > idea.effective_audience, Comment.audience), else_=idea.effective_audience
            ),
            hidden=sa.true() if idea.hidden else Comment.hidden_itself,
        )
    )
    counted = select(Comment.effective_audience, func.count()).where(
        Comment.idea_id == idea.id,
        Comment.hidden_itself.is_(False),
        Comment.held.is_(False),
        Comment.withdrawn_at.is_(None),
    )
    found = {row[0]: row[1] for row in session.execute(counted.group_by(Comment.effective_audience))}
    for view in VIEWS:
        setattr(idea, f"comments_{view.word}", found.get(view, 0))
    fields = (Comment.id, Comment.hidden, Comment.held, Comment.withdrawn_at, Comment.effective_audience)
    standing = session.execute(select(*fields).where(Comment.idea_id == idea.id)).all()
    search.follow_idea(session, idea.id, found_by(idea), {comment.id: _found_by(comment) for comment in standing})


# Queries


def comment_cards(session: Session, comments: Sequence[Comment], idea: str) -> list[CommentCard]:
    """The comments of one idea as values; what was withdrawn has neither words nor author."""
    parents = {comment.parent_id for comment in comments if comment.parent_id is not None}
    refs = {row.id: row.ref for row in session.execute(select(Comment.id, Comment.ref).where(Comment.id.in_(parents)))}
    return [
        CommentCard(
            ref=comment.ref,
            idea=idea,
            body=None if comment.withdrawn_at else comment.body,
            kind=comment.kind,
            parent=refs[comment.parent_id] if comment.parent_id else None,
            author=None if comment.withdrawn_at else comment.author.card(),
            audience=comment.effective_audience,
            posted_at=comment.posted_at,
            withdrawn=comment.withdrawn_at is not None,
            hidden=comment.hidden,
        )
        for comment in comments
    ]


def comments(actor: Actor, ref: str, *, after: tuple[datetime, str] | None = None, limit: int = 20) -> list[CommentCard]:
    """The comments of an idea that the actor may see, replies among them, oldest first; `after` is the last one seen.

    Raises Missing.
    """
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        query = select(Comment).where(Comment.idea_id == idea.id, visible_to(actor, Comment))
        if after is not None:
            query = query.where(sa.tuple_(Comment.posted_at, Comment.ref) > sa.tuple_(*map(sa.literal, after)))
        found = session.scalars(query.order_by(Comment.posted_at, Comment.ref).limit(limit)).all()
        return comment_cards(session, found, ref)


def comment(actor: Actor, ref: str, comment: str) -> CommentCard:
    """One comment. Raises Missing."""
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        found = find(session, actor, Comment, comment)
        if found.idea_id != idea.id:
            raise Missing
        return comment_cards(session, [found], ref)[0]


def threads(
    actor: Actor,
    ref: str,
    *,
    kind: CommentKind | None = None,
    place: Place = Place(),
    limit: int = THREADS,
) -> Threads:
    """A piece of an idea's threads, oldest first: those at that place, or else the newest `limit`.

    Each comes with its first replies. `place.thread` asks for one thread alone, with a piece of its replies; a comment that
    stands too deep in its thread to be shown beside others is shown so as well. Raises Missing.
    """
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        seen = (Comment.idea_id == idea.id, visible_to(actor, Comment))
        counted = select(Comment.kind, func.count()).where(*seen, Comment.parent_id.is_(None)).group_by(Comment.kind)
        kinds = {row[0]: row[1] for row in session.execute(counted)}
        wanted = _visible(session, place.comment, *seen)
        head = _visible(session, place.thread, *seen, Comment.parent_id.is_(None))
        if head is None and wanted is not None and wanted.parent_id is not None:
            head = session.scalar(select(Comment).where(*seen, Comment.id == wanted.parent_id))
            before = (Comment.parent_id == wanted.parent_id, *seen, _key() < sa.tuple_(*map(sa.literal, _key_of(wanted))))
            if head is not None and (session.scalar(select(func.count()).where(*before)) or 0) < REPLIES:
                wanted, head = head, None
        if head is not None:
            below = (*seen, Comment.parent_id == head.id)
            piece = _piece(session, below, place, wanted, IN_THREAD, from_the_first=True)
            card, *replies = comment_cards(session, [head, *piece.comments], ref)
            found = [Thread(card, tuple(replies))]
        else:
            top = (*seen, Comment.parent_id.is_(None), *([Comment.kind == kind] if kind else []))
            piece = _piece(session, top, place, wanted, limit)
            found = _with_replies(session, piece.comments, seen, ref)
        is_lost = place.comment is not None and wanted is None
        return Threads(found, kinds, piece.earlier, piece.later, is_alone=head is not None, is_lost=is_lost)


@dataclass(frozen=True, slots=True)
class _Piece:
    comments: Sequence[Comment]
    earlier: int
    later: int


def _key() -> sa.Tuple:
    return sa.tuple_(Comment.posted_at, Comment.ref)


def _key_of(comment: Comment) -> tuple[datetime, str]:
    return comment.posted_at, comment.ref


def _visible(session: Session, ref: str | None, *seen: ColumnElement[bool]) -> Comment | None:
    """The comment of that reference, if it is one of those; None also for what can be none."""
    if ref is None or not (ref.isascii() and ref.isprintable()):
        return None
    return session.scalar(select(Comment).where(Comment.ref == ref, *seen))


def _piece(
    session: Session,
    among: Sequence[ColumnElement[bool]],
    place: Place,
    wanted: Comment | None,
    limit: int,
    *,
    from_the_first: bool = False,
) -> _Piece:
    """At most `limit` of those comments at that place, oldest first, and how many stand before and after them."""

    def upwards(*conditions: ColumnElement[bool], most: int = limit) -> list[Comment]:
        query = select(Comment).where(*among, *conditions).order_by(Comment.posted_at, Comment.ref).limit(most)
        return list(session.scalars(query))

    def downwards(*conditions: ColumnElement[bool]) -> list[Comment]:
        query = select(Comment).where(*among, *conditions).order_by(Comment.posted_at.desc(), Comment.ref.desc()).limit(limit)
        return list(reversed(session.scalars(query).all()))

    def key_of(comment: Comment) -> sa.Tuple:
        return sa.tuple_(*map(sa.literal, _key_of(comment)))

    def how_many(condition: ColumnElement[bool]) -> int:
        return session.scalar(select(func.count()).select_from(Comment).where(*among, condition)) or 0

    before, after = (_visible(session, ref, *among) for ref in (place.before, place.after))
    if after is not None:
        found = upwards(_key() > key_of(after))
    elif before is not None:
        found = downwards(_key() < key_of(before))
    elif wanted is not None:
        following = upwards(_key() > key_of(wanted), most=limit // 4)
        found = downwards(_key() <= key_of(following[-1] if following else wanted))
    else:
        found = upwards() if from_the_first else downwards()
    if not found:
        return _Piece([], 0, 0)
    return _Piece(found, how_many(_key() < key_of(found[0])), how_many(_key() > key_of(found[-1])))


def _with_replies(session: Session, heads: Sequence[Comment], seen: Sequence[ColumnElement[bool]], ref: str) -> list[Thread]:
    """Those comments with the first replies to each."""
    below = (*seen, Comment.parent_id.in_([head.id for head in heads]))
    turn = func.row_number().over(partition_by=Comment.parent_id, order_by=(Comment.posted_at, Comment.ref))
    numbered = select(Comment.id, turn.label("turn")).where(*below).subquery()
    first = select(Comment).join(numbered, numbered.c.id == Comment.id).where(numbered.c.turn <= REPLIES)
    counted = select(Comment.parent_id, func.count()).where(*below).group_by(Comment.parent_id)
    numbers = {row[0]: row[1] for row in session.execute(counted)}
    replies: dict[str | None, list[CommentCard]] = {}
    for card in comment_cards(session, session.scalars(first.order_by(Comment.posted_at, Comment.ref)).all(), ref):
        replies.setdefault(card.parent, []).append(card)
    return [
        Thread(card, shown := tuple(replies.get(card.ref, ())), numbers.get(head.id, 0) - len(shown))
        for head, card in zip(heads, comment_cards(session, heads, ref), strict=True)
    ]
