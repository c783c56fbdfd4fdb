"""Who may see an idea that stands: opened, restricted, hidden and restored, and all that hangs on it follows.

The command that changes an idea is here as well: its words and its audience may be changed in one request, whole or not
at all.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import (
    CommentHidden,
    CommentRestored,
    IdeaHidden,
    IdeaOpenedToPublic,
    IdeaRestored,
    IdeaRestricted,
    IdeaRevised,
    View,
)
from events.moment import Moment
from ideas_hub import comments, drafts
from ideas_hub.answers import name_who_answers, set_clock
from ideas_hub.clock import now
from ideas_hub.comments import add_to_count, find_comment, follow_idea
from ideas_hub.db import Base, record, transaction
from ideas_hub.errors import Changed
from ideas_hub.ideas import Idea, checked, put_in_search, recounted, revise, touch
from ideas_hub.people import Actor
from ideas_hub.permissions import find, require
from ideas_hub.stages import checked_reason

# Model


class Hiding(Base):
    """A moderator took an idea or a comment out of sight: who, why, and from when until when."""

    __tablename__ = "hiding"

    id: Mapped[int] = mapped_column(primary_key=True)
    idea_id: Mapped[int] = mapped_column(ForeignKey("idea.id", ondelete="CASCADE"), index=True)
    comment_id: Mapped[int | None] = mapped_column(ForeignKey("comment.id", ondelete="CASCADE"))
    reason: Mapped[str] = mapped_column(Text)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    at: Mapped[datetime] = mapped_column(Moment)


# Commands


def change_idea(
    actor: Actor,
    ref: str,
    *,
    texts: Mapping[str, str] | None = None,
    themes: Sequence[str] | None = None,
    short_title: str | None = None,
    audience: View | None = None,
    revision: int | None = None,
    draft: str | None = None,
) -> None:
    """Change what is given about an idea, all or nothing. Announces what became of it.

    `revision`: the one that the actor has read; `draft`: where it was typed, which goes. Raises Missing,
    NotAllowed, RuleBroken (words of an idea that moved on), Changed (another revision stands now) and Invalid.
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        if revision is not None and revision != idea.revision:
            raise Changed
        drafts.use(session, actor, draft)
        changed = False
        if texts or themes is not None:
            changed = revise(session, actor, idea, texts or {}, themes)
        if short_title is not None:
            require(actor, "shorten", idea)
            changed |= _shorten(idea, checked({"short_title": short_title})["short_title"])
        if changed:
            touch(idea)
            record(session, IdeaRevised(idea=idea.ref, audience=idea.effective_audience))
        if audience is not None:
            _set_audience(session, actor, idea, audience)


def hide_idea(actor: Actor, ref: str, *, reason: str) -> None:
    """Nobody sees the idea but moderators. Announces `idea.hidden`. Twice is harmless. Raises Missing, NotAllowed, Invalid."""
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "hide", idea)
        hiding = Hiding(idea_id=idea.id, reason=checked_reason(reason), by_id=actor.person_id, at=now())
        if idea.hidden:
            return
        session.add(hiding)
        session.flush()
        _show(session, idea, hidden=True)
        by = actor.ref or ""
        record(session, IdeaHidden(idea=idea.ref, hiding=hiding.id, by=by, audience=idea.effective_audience))


def restore_idea(actor: Actor, ref: str) -> None:
    """A hidden idea is seen again by those it is for. Announces `idea.restored`. Twice is harmless.

    Raises Missing and NotAllowed.
    """
    with transaction() as session:
        idea = find(session, actor, Idea, ref, lock=True)
        require(actor, "hide", idea)
        if not idea.hidden:
            return
        _show(session, idea, hidden=False)
        record(session, IdeaRestored(idea=idea.ref, by=actor.ref or "", audience=idea.effective_audience))


def hide_comment(actor: Actor, ref: str, comment: str, *, reason: str) -> None:
    """Nobody sees the comment but moderators. Announces `comment.hidden`. Twice is harmless.

    Raises Missing, NotAllowed and Invalid.
    """
    with transaction() as session:
        idea, found = find_comment(session, actor, ref, comment)
        require(actor, "hide", found)
        hiding = Hiding(idea_id=idea.id, comment_id=found.id, reason=checked_reason(reason), by_id=actor.person_id, at=now())
        if found.hidden_itself:
            return
        session.add(hiding)
        session.flush()
        found.hidden = found.hidden_itself = True
        if found.withdrawn_at is None and not idea.hidden:
            add_to_count(idea, found.effective_audience, -1)
        comments.put_in_search(session, found)
        fact = CommentHidden(
            idea=idea.ref, comment=found.ref, hiding=hiding.id, by=actor.ref or "", audience=found.effective_audience
        )
        record(session, fact)


def restore_comment(actor: Actor, ref: str, comment: str) -> None:
    """A hidden comment is seen again. Announces `comment.restored`. Twice is harmless. Raises Missing, NotAllowed."""
    with transaction() as session:
        idea, found = find_comment(session, actor, ref, comment)
        require(actor, "hide", found)
        if not found.hidden_itself:
            return
        found.hidden_itself, found.hidden = False, idea.hidden
        if found.withdrawn_at is None and not idea.hidden:
            add_to_count(idea, found.effective_audience, +1)
        comments.put_in_search(session, found)
        by = actor.ref or ""
        record(session, CommentRestored(idea=idea.ref, comment=found.ref, by=by, audience=found.effective_audience))


# Steps


def _shorten(idea: Idea, short_title: str) -> bool:
    """Step: give the idea a short title, and say whether it had another."""
    changed, idea.short_title = short_title != idea.short_title, short_title
    return changed


def _set_audience(session: Session, actor: Actor, idea: Idea, audience: View) -> None:
    """Step: open or restrict an idea. Who gains it is told that it opened, who loses it gets a tombstone."""
    require(actor, "set_audience", idea)
    if audience is idea.audience:
        return
    before, opened = idea.audience, audience < idea.audience
    with recounted(session, idea):
        idea.audience = idea.effective_audience = audience
    follow_idea(session, idea)
    put_in_search(session, idea)
    name_who_answers(session, idea)
    # While it is hidden nobody gains or loses it: only those are told who were and are among its audience.
    if opened:
        touch(idea)
        record(session, IdeaOpenedToPublic(idea=idea.ref, audience=before if idea.hidden else audience))
    else:
        touch(idea)
        # Told to those who lose it as well, so it is for the audience that the idea had.
        record(session, IdeaRestricted(idea=idea.ref, to=audience.word, audience=audience if idea.hidden else before))
    set_clock(session, idea)  # a smaller audience obliges with fewer votes


def _show(session: Session, idea: Idea, *, hidden: bool) -> None:
    """Step: the idea and its comments are out of sight, or back in it."""
    with recounted(session, idea):
        idea.hidden = hidden
    follow_idea(session, idea)
    put_in_search(session, idea)
    touch(idea)
