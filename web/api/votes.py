"""Votes: cast and withdrawn."""

from dataclasses import asdict
from typing import Any

import marshmallow as ma
from flask import Response

from ideas_hub.votes import cast_vote, withdraw_vote
from web.api.asking import Blueprint, NoBody
from web.api.replying import reply
from web.session import actor

blueprint = Blueprint("votes")


class Tally(ma.Schema):
    idea = ma.fields.String(required=True)
    votes = ma.fields.Integer(required=True)
    votes_residents = ma.fields.Integer(required=True)
    votes_staff = ma.fields.Integer(required=True)
    voted = ma.fields.Boolean(required=True)


@blueprint.put("/ideas/<idea>/vote")
@blueprint.gives(200, Tally)
@blueprint.arguments(NoBody, required=False)
def cast(body: dict[str, Any], idea: str) -> Response:
    """Have a vote for the idea. Twice is harmless."""
    return reply(asdict(cast_vote(actor(), idea)))


@blueprint.delete("/ideas/<idea>/vote")
@blueprint.gives(200, Tally)
@blueprint.arguments(NoBody, required=False)
def withdraw(body: dict[str, Any], idea: str) -> Response:
    """Have no vote for the idea. Twice is harmless."""
    return reply(asdict(withdraw_vote(actor(), idea)))
