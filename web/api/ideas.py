"""Ideas: their list, one of them, and those that look alike."""

import re
from typing import Any

import marshmallow as ma
from flask import Response, request

from ideas_hub.audiences import change_idea
from ideas_hub.bursts import Fate
from ideas_hub.cards import AnswerCard, IdeaCard, Passage
from ideas_hub.errors import Invalid, _
from ideas_hub.finding import list_ideas, similar_ideas
from ideas_hub.ideas import MOST_THEMES, SIZES, Stage, post_idea, withdraw_idea
from ideas_hub.lessons import LessonCard
from ideas_hub.lists import Owed, Sort, Wanted
from ideas_hub.live import person_json
from ideas_hub.search import Said
from ideas_hub.settings import themes
from ideas_hub.whole import whole_idea
from web.api.asking import VIEW_WORDS, Blueprint, Body, NoBody, NoQuery, NotYet, Piece, Query, Text, Word, words_of
from web.api.people import Person
from web.api.replying import address, listing, nothing, reply, time_json
from web.paging import decode_cursor, encode_cursor
from web.session import actor
from web.text import render

LONGEST_QUESTION, LONGEST_LIKENESS, LONGEST_PLACE = 200, 1000, 120
READ = re.compile(r'"r([0-9]{1,9})-[0-9a-f]+"')  # a mark of `GET /ideas/{id}`

blueprint = Blueprint("ideas")

# What is answered


class AnswerInBrief(ma.Schema):
    id = ma.fields.String(required=True)
    idea = ma.fields.String(required=True)
    by = ma.fields.Nested(Person, required=True)
    at = ma.fields.AwareDateTime(required=True)


class Answer(AnswerInBrief):
    text = ma.fields.String(required=True)
    html = ma.fields.String(required=True)


class IdeaInBrief(ma.Schema):
    id = ma.fields.String(required=True)
    url = ma.fields.Url(required=True, require_tld=False)
    title = ma.fields.String(required=True)
    short_title = ma.fields.String(required=True)
    audience = ma.fields.String(required=True, validate=ma.validate.OneOf([*VIEW_WORDS]))
    stage = ma.fields.String(required=True, validate=ma.validate.OneOf(words_of(Stage)))
    stage_since = ma.fields.AwareDateTime(required=True)
    authors = ma.fields.List(ma.fields.Nested(Person), required=True)
    sponsor = ma.fields.Nested(Person, required=True, allow_none=True)
    answer_due = ma.fields.Date(required=True, allow_none=True)
    challenge = ma.fields.String(required=True, allow_none=True)
    future = ma.fields.String(required=True, allow_none=True)
    place = ma.fields.String(required=True)
    themes = ma.fields.List(ma.fields.String(), required=True)
    lang = ma.fields.String(required=True)
    votes = ma.fields.Integer(required=True)
    votes_residents = ma.fields.Integer(required=True)
    votes_staff = ma.fields.Integer(required=True)
    carried_over = ma.fields.Integer(required=True)
    votes_held = ma.fields.Integer(required=True, metadata={"description": "They came in a burst, and wait for a moderator"})
    votes_refused = ma.fields.Integer(required=True, metadata={"description": "They were held, and do not count"})
    voted = ma.fields.Boolean(required=True)
    own_vote = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf([Fate.HELD.value, Fate.REFUSED.value]),
        metadata={"description": "Your vote, where it does not count: held, or refused"},
    )
    comments = ma.fields.Integer(required=True)
    posted_at = ma.fields.AwareDateTime(required=True)
    revised_at = ma.fields.AwareDateTime(required=True, allow_none=True)


class Card(IdeaInBrief):
    """An idea without its long texts."""

    answer = ma.fields.Nested(AnswerInBrief, required=True, allow_none=True)
    age_days = ma.fields.Integer(required=True, metadata={"description": "For how many days it has been in its stage"})


class Idea(IdeaInBrief):
    answer = ma.fields.Nested(Answer, required=True, allow_none=True)
    problem = ma.fields.String(required=True)
    proposal = ma.fields.String(required=True)
    gain = ma.fields.String(required=True)
    cost_of_inaction = ma.fields.String(required=True)


class Found(ma.Schema):
    """Where the words of `q` stand in an idea."""

    place = ma.fields.String(
        required=True,
        data_key="in",
        validate=ma.validate.OneOf(["idea", *words_of(Said)]),
        metadata={"description": "Its own texts, or what was said under it"},
    )
    text = ma.fields.String(required=True, metadata={"description": "The sentence"})
    words = ma.fields.List(ma.fields.String(), required=True, metadata={"description": "What of the sentence was looked for"})
    comment = ma.fields.String(required=True, allow_none=True, metadata={"description": "Where it is one: its id"})


class FoundCard(Card):
    found = ma.fields.Nested(Found, required=True, allow_none=True, metadata={"description": "null without `q`"})


class Ideas(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(FoundCard), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class Lesson(ma.Schema):
    id = ma.fields.String(required=True)
    text = ma.fields.String(required=True)
    by = ma.fields.Nested(Person, required=True)
    at = ma.fields.AwareDateTime(required=True)


class SimilarCard(Card):
    lesson = ma.fields.Nested(Lesson, required=True, allow_none=True)
    reason = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "Why it was declined or parked; null where it was not"}
    )


class Similar(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(SimilarCard), required=True)


# What is asked


class IdeasQuery(Piece):
    sort = Word(words_of(Sort), blank=True)
    stage = ma.fields.List(Word(words_of(Stage)), load_default=())
    theme = ma.fields.List(Text(), load_default=())
    answer = ma.fields.List(Word(words_of(Owed)), load_default=())
    place = ma.fields.List(Text(most=LONGEST_PLACE), load_default=())
    challenge = NotYet()
    audience = Word(VIEW_WORDS, blank=True)
    q = Text(most=LONGEST_QUESTION, load_default="")


class SimilarQuery(Query):
    text = Text(most=LONGEST_LIKENESS, required=True)


class NewIdea(Body):
    title = Text(required=True, size=SIZES["title"])
    problem = Text(required=True, size=SIZES["problem"])
    proposal = Text(required=True, size=SIZES["proposal"])
    gain = Text(size=SIZES["gain"])
    cost_of_inaction = Text(size=SIZES["cost_of_inaction"])
    place = Text(size=SIZES["place"])
    audience = Word(VIEW_WORDS)
    themes = ma.fields.List(Text(), metadata={"maxItems": MOST_THEMES})
    challenge = NotYet()
    future = NotYet()


class IdeaChange(Body):
    title = Text(size=SIZES["title"])
    short_title = Text(size=SIZES["short_title"])
    problem = Text(size=SIZES["problem"])
    proposal = Text(size=SIZES["proposal"])
    gain = Text(size=SIZES["gain"])
    cost_of_inaction = Text(size=SIZES["cost_of_inaction"])
    place = Text(size=SIZES["place"])
    audience = Word(VIEW_WORDS)
    themes = ma.fields.List(Text(), metadata={"maxItems": MOST_THEMES})


# Routes


@blueprint.get("/ideas")
@blueprint.gives(200, Ideas)
@blueprint.arguments(IdeasQuery, location="query")
def ideas(query: dict[str, Any]) -> Response:
    """Ideas as cards: every stage but `merged` unless told.

    `q` looks in the ideas' own texts and in comments, answers, reasons, trials and lessons. Without `sort`, what fits best stands
    first; where more than 300 ideas have the words, the 300 that fit best are listed. `answer`: `late`, `due` (in
    time), `answered`, `none` (nobody owes one).
    """
    wanted = Wanted(
        sort=query.get("sort"),
        stages=frozenset(query["stage"]),
        themes=_known(query["theme"]),
        answers=frozenset(query["answer"]),
        places=frozenset(filter(None, query["place"])),
        audience=query.get("audience"),
        question=query["q"].strip(),
    )
    scope = _scope(wanted)
    after = decode_cursor(scope, query["cursor"]) if "cursor" in query else None
    page = list_ideas(actor(), wanted, after=after, limit=query["limit"])
    cards = [card_json(card) | {"found": _found_json(page.passages.get(card.ref))} for card in page.items]
    return listing(cards, page.next and encode_cursor(scope, *page.next))


@blueprint.post("/ideas")
@blueprint.gives(201, Idea)
@blueprint.arguments(NewIdea)
def post(body: dict[str, Any]) -> Response:
    """Post an idea, for everybody unless told."""
    given = {name: value for name, value in body.items() if value is not None}
    ref = post_idea(actor(), **given)
    response = idea_reply(ref, 201)
    response.headers["Location"] = address(f"/api/v1/ideas/{ref}")
    return response


@blueprint.get("/ideas/<idea>")
@blueprint.gives(200, Idea)
@blueprint.arguments(NoQuery, location="query")
def idea(query: dict[str, Any], idea: str) -> Response:
    """An idea with its texts. Its `ETag` may be sent as `If-Match` with a change: it fits as long as the texts are the same."""
    return idea_reply(idea)


@blueprint.patch("/ideas/<idea>")
@blueprint.gives(200, Idea)
@blueprint.arguments(IdeaChange)
def change(body: dict[str, Any], idea: str) -> Response:
    """Change what is given and nothing else."""
    change_idea(
        actor(),
        idea,
        texts={name: body[name] for name in SIZES if name in body and name != "short_title"},
        themes=body.get("themes"),
        short_title=body.get("short_title"),
        audience=body.get("audience"),
        revision=_revision_read(),
    )
    return idea_reply(idea)


@blueprint.delete("/ideas/<idea>")
@blueprint.gives(204)
@blueprint.arguments(NoBody, required=False)
def withdraw(body: dict[str, Any], idea: str) -> Response:
    """Take back an idea of one's own that is new and has no vote and no comment."""
    withdraw_idea(actor(), idea)
    return nothing()


@blueprint.get("/ideas/similar")
@blueprint.gives(200, Similar)
@blueprint.arguments(SimilarQuery, location="query")
def similar(query: dict[str, Any]) -> Response:
    """Up to five ideas that look like a text, the best first, each with what was learned, or why it was declined or parked."""
    found = similar_ideas(actor(), query["text"])
    more = [{"lesson": like.lesson and _lesson_json(like.lesson), "reason": like.reason} for like in found]
    return reply({"items": [card_json(like.idea) | told for like, told in zip(found, more, strict=True)]})


# From values to JSON and back


def idea_reply(ref: str, status: int = 200) -> Response:
    """An idea as it is now."""
    whole = whole_idea(actor(), ref)
    data = _common_json(whole.card) | {
        "answer": whole.card.answer and answer_json(whole.card.answer),
        "problem": whole.problem,
        "proposal": whole.proposal,
        "gain": whole.gain,
        "cost_of_inaction": whole.cost_of_inaction,
    }
    return reply(data, status, revision=whole.card.revision)


def card_json(card: IdeaCard) -> dict[str, Any]:
    return _common_json(card) | {"answer": card.answer and _answer_in_brief(card.answer), "age_days": card.age_days}


def _common_json(card: IdeaCard) -> dict[str, Any]:
    return {
        "id": card.ref,
        "url": address(f"/ideas/{card.ref}"),
        "title": card.title,
        "short_title": card.short_title,
        "audience": card.audience.word,
        "stage": card.stage.value,
        "stage_since": time_json(card.stage_since),
        "authors": [person_json(author) for author in card.authors],
        "sponsor": person_json(card.sponsor),
        "answer_due": card.answer_due and card.answer_due.isoformat(),
        "challenge": None,
        "future": None,
        "place": card.place,
        "themes": [theme.slug for theme in card.themes],
        "lang": card.lang,
        "votes": card.votes,
        "votes_residents": card.votes_residents,
        "votes_staff": card.votes_staff,
        "carried_over": card.carried_over,
        "votes_held": card.votes_held,
        "votes_refused": card.votes_refused,
        "voted": card.voted,
        "own_vote": card.own_vote,
        "comments": card.comments,
        "posted_at": time_json(card.posted_at),
        "revised_at": card.revised_at and time_json(card.revised_at),
    }


def answer_json(answer: AnswerCard) -> dict[str, Any]:
    return _answer_in_brief(answer) | {"text": answer.text, "html": render(answer.text)}


def _answer_in_brief(answer: AnswerCard) -> dict[str, Any]:
    return {"id": answer.ref, "idea": answer.idea, "by": person_json(answer.by), "at": time_json(answer.at)}


def _found_json(passage: Passage | None) -> dict[str, Any] | None:
    if passage is None:
        return None
    return {
        "in": passage.of or "idea",
        "text": "".join(piece for piece, _is_found in passage.words),
        "words": list(dict.fromkeys(piece for piece, is_found in passage.words if is_found)),
        "comment": passage.comment,
    }


def _lesson_json(lesson: LessonCard) -> dict[str, Any]:
    return {"id": lesson.ref, "text": lesson.text, "by": person_json(lesson.by), "at": time_json(lesson.at)}


def _known(slugs: list[str]) -> frozenset[str]:
    """Those themes. Raises Invalid where the hub has one of them not."""
    if slugs and not set(slugs) <= {theme.slug for theme in themes()}:
        raise Invalid.field("theme", _("Choose themes from the list."))
    return frozenset(slugs)


def _scope(wanted: Wanted) -> str:
    """The name of a list: a cursor of one fits no other."""
    order = wanted.sort or ("fit" if wanted.question else Sort.NEW)
    kept = [sorted(wanted.stages), sorted(wanted.themes), sorted(wanted.answers), sorted(wanted.places), wanted.audience]
    return f"ideas {order} {kept} {wanted.question}"


def _revision_read() -> int | None:
    """The revision that `If-Match` names; None where everything fits, and 0, which is none, where nothing does."""
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    marks = (READ.fullmatch(mark.strip()) for mark in header.split(","))
    # Revisions only rise: of those that somebody has read, none but the newest can be the one that stands.
    return max((int(mark[1]) for mark in marks if mark), default=0)
