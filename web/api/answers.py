"""Answers: what the sponsor, or whom the answer clock names, says to an idea."""

from typing import Any

import marshmallow as ma
from flask import Response

from ideas_hub.errors import Invalid, Missing, _
from ideas_hub.ideas import Stage
from ideas_hub.moves import answer_idea
from ideas_hub.whole import answers_of
from web.api.asking import ANSWER, REASON, Blueprint, Piece, Text, Word, words_of
from web.api.ideas import Answer, answer_json
from web.api.moves import Needs
from web.api.replying import listing, reply
from web.paging import decode_cursor, encode_cursor
from web.session import actor

blueprint = Blueprint("answers")


class Answers(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Answer), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class NewAnswer(Needs):
    text = Text(required=True, size=ANSWER)
    to = Word(words_of(Stage))
    reason = Text(size=REASON)


@blueprint.get("/ideas/<idea>/answers")
@blueprint.gives(200, Answers)
@blueprint.arguments(Piece, location="query")
def of_idea(query: dict[str, Any], idea: str) -> Response:
    """The answers to an idea, newest first."""
    scope, limit, found = f"answers {idea}", query["limit"], answers_of(actor(), idea)
    if "cursor" in query:
        _at, seen = decode_cursor(scope, query["cursor"])
        found = found[1 + [answer.ref for answer in found].index(seen) :]
    last = found[limit - 1] if len(found) > limit else None
    return listing([answer_json(card) for card in found[:limit]], last and encode_cursor(scope, last.at, last.ref))


@blueprint.post("/ideas/<idea>/answers")
@blueprint.gives(201, Answer)
@blueprint.arguments(NewAnswer)
def give(body: dict[str, Any], idea: str) -> Response:
    """Answer an idea. With `to` it moves as well, for the reason that is given, or else that of the answer."""
    if "reason" in body and "to" not in body:
        raise Invalid.field("reason", _("This belongs to a move. Say where to."))
    ref = answer_idea(actor(), idea, **body)
    given = next((card for card in answers_of(actor(), idea) if card.ref == ref), None)
    if given is None:
        raise Missing
    return reply(answer_json(given), 201)
