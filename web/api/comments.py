"""Comments under ideas."""

from typing import Any

import marshmallow as ma
from flask import Response

from ideas_hub.comments import CommentCard, CommentKind, comment, comments, post_comment, withdraw_comment
from ideas_hub.live import person_json
from web.api.asking import COMMENT, VIEW_WORDS, Blueprint, Body, NoBody, Piece, Text, Word, words_of
from web.api.people import Person
from web.api.replying import listing, nothing, reply, time_json
from web.paging import decode_cursor, encode_cursor
from web.session import actor
from web.text import render

blueprint = Blueprint("comments")


class Comment(ma.Schema):
    """Words under an idea; null, as is who wrote them, when they were withdrawn."""

    id = ma.fields.String(required=True)
    idea = ma.fields.String(required=True)
    body = ma.fields.String(required=True, allow_none=True)
    html = ma.fields.String(required=True, allow_none=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(words_of(CommentKind)))
    parent = ma.fields.String(required=True, allow_none=True)
    author = ma.fields.Nested(Person, required=True, allow_none=True)
    audience = ma.fields.String(required=True, validate=ma.validate.OneOf([*VIEW_WORDS]))
    posted_at = ma.fields.AwareDateTime(required=True)
    withdrawn = ma.fields.Boolean(required=True)


class Comments(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Comment), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class NewComment(Body):
    body = Text(required=True, size=COMMENT)
    kind = Word(words_of(CommentKind))
    parent = Text(allow_none=True)
    audience = Word(VIEW_WORDS)


@blueprint.get("/ideas/<idea>/comments")
@blueprint.gives(200, Comments)
@blueprint.arguments(Piece, location="query")
def of_idea(query: dict[str, Any], idea: str) -> Response:
    """The comments of an idea, replies among them, oldest first."""
    scope, limit = f"comments {idea}", query["limit"]
    after = decode_cursor(scope, query["cursor"]) if "cursor" in query else None
    found = comments(actor(), idea, after=after, limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    return listing([comment_json(card) for card in found[:limit]], last and encode_cursor(scope, last.posted_at, last.ref))


@blueprint.post("/ideas/<idea>/comments")
@blueprint.gives(201, Comment)
@blueprint.arguments(NewComment)
def post(body: dict[str, Any], idea: str) -> Response:
    """Post a comment, or with `parent` a reply; of the kind `build` and for the audience of what it stands under unless told."""
    ref = post_comment(actor(), idea, **body)
    return reply(comment_json(comment(actor(), idea, ref)), 201)


@blueprint.delete("/ideas/<idea>/comments/<comment>")
@blueprint.gives(204)
@blueprint.arguments(NoBody, required=False)
def withdraw(body: dict[str, Any], idea: str, comment: str) -> Response:
    """Take back the words of a comment of one's own; its place stays. Twice is harmless."""
    withdraw_comment(actor(), idea, comment)
    return nothing()


def comment_json(card: CommentCard) -> dict[str, Any]:
    return {
        "id": card.ref,
        "idea": card.idea,
        "body": card.body,
        "html": None if card.body is None else render(card.body),
        "kind": card.kind.value,
        "parent": card.parent,
        "author": person_json(card.author),
        "audience": card.audience.word,
        "posted_at": time_json(card.posted_at),
        "withdrawn": card.withdrawn,
    }
