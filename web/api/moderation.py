"""Votes that are held: what waits for moderators, their decision, and a recount."""

from typing import Any

import marshmallow as ma
from flask import Response

from ideas_hub.bursts import Fate
from ideas_hub.live import person_json
from ideas_hub.moderation import BurstCard, burst_card, bursts, refuse_votes, release_votes
from ideas_hub.recount import recount
from web.api.asking import REASON, Blueprint, Body, NoQuery, Text, Word, words_of
from web.api.people import Person
from web.api.replying import listing, reply, time_json
from web.session import actor

blueprint = Blueprint("moderation")

FATES = [Fate.HELD.value, Fate.RELEASED.value, Fate.REFUSED.value]


def _said(description: str) -> dict[str, str]:
    return {"description": description}


class Burst(ma.Schema):
    """Votes for one idea that came from one network and were held, or in a rush and count; whose they are is told to nobody."""

    id = ma.fields.String(required=True)
    idea = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    fate = ma.fields.String(required=True, validate=ma.validate.OneOf(FATES))
    rush = ma.fields.Boolean(required=True, metadata=_said("Did they come from wherever, and count unless they are refused?"))
    began_at = ma.fields.AwareDateTime(required=True)
    last_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    votes = ma.fields.Integer(required=True, metadata=_said("Held, or decided about"))
    counted = ma.fields.Integer(required=True, metadata=_said("That came before from the same network, and count"))
    known_for_hours = ma.fields.Float(
        required=True, allow_none=True, metadata=_said("For how long half of those who cast them had been here at most")
    )
    networks = ma.fields.Integer(required=True, metadata=_said("From how many a rush came"))
    domains = ma.fields.Integer(required=True, metadata=_said("At how many domains they have their addresses"))
    largest = ma.fields.Integer(required=True, metadata=_said("How many have theirs at the same one"))
    reason = ma.fields.String(required=True)
    by = ma.fields.Nested(Person, required=True, allow_none=True)
    at = ma.fields.AwareDateTime(required=True, allow_none=True)


class Bursts(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Burst), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class NewDecision(Body):
    to = Word({word: fate for word, fate in words_of(Fate).items() if word in FATES[1:]}, required=True)
    reason = Text(required=True, size=REASON)
    with_first = ma.fields.Boolean(
        load_default=False, truthy={True}, falsy={False}, metadata=_said("Refuse those as well that came before, and count")
    )


class Counted(ma.Schema):
    votes = ma.fields.Integer(required=True)
    held = ma.fields.Integer(required=True)
    refused = ma.fields.Integer(required=True)


class Recount(ma.Schema):
    """The votes of an idea as they are shown, by their rows, and by the ledger."""

    idea = ma.fields.String(required=True)
    shown = ma.fields.Nested(Counted, required=True)
    rows = ma.fields.Nested(Counted, required=True)
    ledger = ma.fields.Nested(Counted, required=True)
    facts = ma.fields.Integer(required=True, metadata=_said("How many the ledger has about them"))
    complaints = ma.fields.List(ma.fields.String(), required=True, metadata=_said("What does not agree: nothing, if all is well"))
    at = ma.fields.AwareDateTime(required=True)


@blueprint.get("/moderation/votes")
@blueprint.gives(200, Bursts)
@blueprint.arguments(NoQuery, location="query")
def held(query: dict[str, Any]) -> Response:
    """The bursts of votes that wait for a moderator, the oldest first, then those decided last."""
    desk = bursts(actor())
    return listing([_json(card) for card in (*desk.waiting, *desk.decided)], None)


@blueprint.put("/moderation/votes/<burst>/decision")
@blueprint.gives(200, Burst)
@blueprint.arguments(NewDecision)
def decide(body: dict[str, Any], burst: str) -> Response:
    """Release the votes of a burst, so that each counts since it was cast, or refuse them, for a reason that they are told."""
    if body["to"] is Fate.RELEASED:
        release_votes(actor(), burst, reason=body["reason"])
    else:
        refuse_votes(actor(), burst, reason=body["reason"], with_first=body["with_first"])
    return reply(_json(burst_card(actor(), burst)))


@blueprint.get("/ideas/<idea>/recount")
@blueprint.gives(200, Recount)
@blueprint.arguments(NoQuery, location="query")
def counted(query: dict[str, Any], idea: str) -> Response:
    """Count the votes of an idea anew, for moderators and admins."""
    found = recount(actor(), idea)
    names = ("votes", "held", "refused")
    counts = {name: dict(zip(names, getattr(found, name), strict=True)) for name in ("shown", "rows", "ledger")}
    said = {"facts": found.facts, "complaints": list(found.complaints), "at": time_json(found.at)}
    return reply({"idea": found.idea, **counts, **said}, passing=["at"])


def _json(card: BurstCard) -> dict[str, Any]:
    return {
        "id": card.ref,
        "idea": card.idea,
        "title": card.title,
        "fate": card.fate.value,
        "rush": card.rush,
        "began_at": time_json(card.began_at),
        "last_at": card.last_at and time_json(card.last_at),
        "votes": card.votes,
        "counted": card.counted,
        "known_for_hours": None if card.known_for is None else round(card.known_for.total_seconds() / 3600, 2),
        "networks": card.networks,
        "domains": card.domains,
        "largest": card.largest,
        "reason": card.reason,
        "by": person_json(card.by),
        "at": card.at and time_json(card.at),
    }
