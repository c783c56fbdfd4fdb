"""Votes: cast and withdrawn."""

from typing import Any

import marshmallow as ma
from flask import Response

from ideas_hub import votes
from ideas_hub.bursts import Fate
from ideas_hub.people import Kind
from ideas_hub.receipts import receipts
from ideas_hub.votes import cast_vote, withdraw_vote
from web.api.asking import Blueprint, NoBody, Piece, words_of
from web.api.replying import listing, reply, time_json
from web.paging import decode_cursor, encode_cursor
from web.session import actor

blueprint = Blueprint("votes")


class Tally(ma.Schema):
    idea = ma.fields.String(required=True)
    votes = ma.fields.Integer(required=True)
    votes_residents = ma.fields.Integer(required=True)
    votes_staff = ma.fields.Integer(required=True)
    voted = ma.fields.Boolean(required=True)
    held = ma.fields.Boolean(
        required=True, metadata={"description": "Yours came in a burst, and counts once a moderator says so"}
    )


SHOWN = tuple(Tally().fields)


@blueprint.put("/ideas/<idea>/vote")
@blueprint.gives(200, Tally)
@blueprint.arguments(NoBody, required=False)
def cast(body: dict[str, Any], idea: str) -> Response:
    """Have a vote for the idea. Twice is harmless."""
    return _answer(cast_vote(actor(), idea))


@blueprint.delete("/ideas/<idea>/vote")
@blueprint.gives(200, Tally)
@blueprint.arguments(NoBody, required=False)
def withdraw(body: dict[str, Any], idea: str) -> Response:
    """Have no vote for the idea. Twice is harmless."""
    return _answer(withdraw_vote(actor(), idea))


def _answer(tally: votes.Tally) -> Response:
    return reply({name: getattr(tally, name) for name in SHOWN})


class Receipt(ma.Schema):
    """One's own vote. Idea and title are null where one may no longer see it; `at` of a vote from before times were noted."""

    idea = ma.fields.String(required=True, allow_none=True)
    title = ma.fields.String(required=True, allow_none=True)
    level = ma.fields.String(required=True, validate=ma.validate.OneOf(words_of(Kind)))
    at = ma.fields.AwareDateTime(required=True, allow_none=True)
    counts = ma.fields.Boolean(required=True)
    fate = ma.fields.String(
        required=True,
        allow_none=True,
        validate=ma.validate.OneOf(words_of(Fate)),
        metadata={"description": "null where it counted from the beginning"},
    )
    reason = ma.fields.String(required=True, metadata={"description": "Why a moderator released or refused it"})
    decided_at = ma.fields.AwareDateTime(required=True, allow_none=True)


class Receipts(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Receipt), required=True)
    next = ma.fields.String(required=True, allow_none=True)


@blueprint.get("/me/votes")
@blueprint.gives(200, Receipts)
@blueprint.arguments(Piece, location="query")
def own(query: dict[str, Any]) -> Response:
    """One's own votes, the newest first: for what, when, and whether each counts."""
    after = decode_cursor("own votes", query["cursor"]) if "cursor" in query else None
    found, following = receipts(actor(), after=after, limit=query["limit"])
    items = [
        {
            "idea": one.idea,
            "title": one.title,
            "level": one.level.value,
            "at": one.at and time_json(one.at),
            "counts": one.counts,
            "fate": one.fate,
            "reason": one.reason,
            "decided_at": one.decided_at and time_json(one.decided_at),
        }
        for one in found
    ]
    return listing(items, following and encode_cursor("own votes", *following))
