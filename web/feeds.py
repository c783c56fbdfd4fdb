"""Atom feeds (RFC 4287). A feed reader signs in nowhere: whoever asks, a feed holds what everybody may see, and nothing else."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, Response, render_template, request, url_for

from events.catalogue import View
from ideas_hub.cards import AnswerCard, IdeaCard
from ideas_hub.clock import now
from ideas_hub.errors import Sentence, _
from ideas_hub.finding import list_ideas
from ideas_hub.lists import Sort
from ideas_hub.live import Line, last_told, latest
from ideas_hub.people import NOBODY
from ideas_hub.settings import themes
from ideas_hub.stages import STAGE_LABELS
from ideas_hub.whole import latest_answers, whole_idea
from web.api.replying import address
from web.listing import listing
from web.pages import stream
from web.paging import decode_cursor, encode_cursor
from web.text import render, translate

PIECE = 20
UNTOLD = ("comment.hidden", "comment.restored", "comment.withdrawn")  # a reader could make nothing of them
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # when a feed without entries changed
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SETTLED = timedelta(seconds=2)  # HTTP tells whole seconds: within this one, what was sent may change again

blueprint = Blueprint("feeds", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` is its own for ever, within this hub. `html` is what people wrote, made harmless."""

    name: str
    title: str
    path: str
    published: datetime
    updated: datetime
    html: str
    lang: str
    people: Sequence[str] = ()
    categories: Sequence[tuple[str, str, str]] = ()  # the list it is from, its name there, and for people


@blueprint.get("/ideas.atom")
def ideas() -> Response:
    """Ideas, newest first, with the filters of the list."""
    asked = replace(listing(request.args, frozenset(theme.slug for theme in themes())), sort=Sort.NEW, audience=None)
    page = list_ideas(NOBODY, asked.wanted, after=_after("ideas"), limit=PIECE)
    query = asked.query("sort")
    title = Sentence(_("New ideas that fit what was chosen")) if query else Sentence(_("New ideas"))
    return _feed("ideas", title, url_for("ideas.index"), [_of_idea(card) for card in page.items], page.next, query)


@blueprint.get("/ideas/<ref:ref>.atom")
def idea(ref: str) -> Response:
    """What happens to one idea: answers, stages, comments, newest first."""
    card = whole_idea(NOBODY, ref).card
    lines, following = latest(stream(), NOBODY, ref, without=UNTOLD, before=_after(f"ideas/{ref}"), limit=PIECE)
    title = Sentence(_("What happens to “%(title)s”"), {"title": card.title})
    entries = [_of_line(line, card) for line in lines if line.data.get("body", "") is not None]
    return _feed(f"ideas/{ref}", title, url_for("ideas.page", ref=ref), entries, following)


@blueprint.get("/answers.atom")
def answers() -> Response:
    """Answers to ideas, newest first."""
    page = latest_answers(NOBODY, after=_after("answers"), limit=PIECE)
    return _feed("answers", Sentence(_("Answers")), url_for("ideas.index"), [_of_answer(*pair) for pair in page.items], page.next)


# Entries


def _of_idea(card: IdeaCard) -> Entry:
    answered = card.answer.at if card.answer else card.posted_at
    return Entry(
        name=f"ideas/{card.ref}",
        title=card.title,
        path=url_for("ideas.page", ref=card.ref),
        published=card.posted_at,
        updated=max(card.posted_at, card.stage_since, card.revised_at or card.posted_at, answered),
        html=render(card.excerpt),
        lang=card.lang,
        people=[author.name for author in card.authors],
        categories=[
            ("stages", card.stage.value, translate(STAGE_LABELS[card.stage])),
            *(("themes", theme.slug, theme.name) for theme in card.themes),
        ],
    )


def _of_line(line: Line, card: IdeaCard) -> Entry:
    data, comment = line.data, line.data.get("comment")
    who = data.get("author") or data.get("by")
    words = data.get("body") or data.get("text") or line.reason or ""
    return Entry(
        name=f"events/{line.id}",
        title=translate(line.sentence),
        path=url_for("ideas.page", ref=card.ref) + (f"#comment-{comment}" if comment else ""),
        published=line.at,
        updated=line.at,
        html=render(words),
        lang=card.lang if words else "",
        people=[who["name"]] if who else [],
        categories=[("events", line.type, line.type)],
    )


def _of_answer(answer: AnswerCard, card: IdeaCard) -> Entry:
    return Entry(
        name=f"answers/{answer.ref}",
        title=card.title,
        path=url_for("ideas.page", ref=card.ref) + "#answer",
        published=answer.at,
        updated=answer.at,
        html=render(answer.text),
        lang=card.lang,
        people=[answer.by.name],
        categories=[("stages", card.stage.value, translate(STAGE_LABELS[card.stage]))],
    )


# The feed


def _after(scope: str) -> tuple[Any, Any] | None:
    """Where the piece begins that this request asks for."""
    cursor = request.args.get("cursor")
    return decode_cursor(f"feed of {scope}", cursor) if cursor else None


def _feed(
    name: str,
    title: Sentence,
    path: str,
    entries: Sequence[Entry],
    following: tuple[datetime, str | int] | None,
    query: Sequence[tuple[str, str]] = (),
) -> Response:
    """A piece of a feed, for everybody to keep, but to ask each time whether it still stands: hidden things vanish at once."""

    def at(path: str, *more: tuple[str, str]) -> str:
        pairs = [*query, *more]
        return address(path) + (f"?{urlencode(pairs)}" if pairs else "")

    cursor = request.args.get("cursor")
    chosen = f"?{urlencode(query)}" if query else ""
    text = render_template(
        "feeds/feed.xml",
        tag=f"tag:{urlsplit(address('')).hostname},2026:",
        name=name + chosen,
        title=translate(title),
        entries=entries,
        updated=max((entry.updated for entry in entries), default=NEVER),
        page=at(path),
        this=at(request.path, *([("cursor", cursor)] if cursor else [])),
        first=at(request.path),
        next=at(request.path, ("cursor", encode_cursor(f"feed of {name}", *following))) if following else None,
        address=address,
    )
    response = Response(NOT_IN_XML.sub("", text), mimetype="application/atom+xml")
    response.headers["Cache-Control"] = "public, no-cache"
    response.set_etag(sha256(response.get_data()).hexdigest()[:20])
    told = last_told(View.PUBLIC)
    if told is not None and told < now() - SETTLED:
        response.last_modified = told
    response.make_conditional(request)
    return response
