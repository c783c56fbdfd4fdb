"""The live stream over plain HTTP, and the timelines of ideas."""

from typing import Any

import marshmallow as ma
from flask import Response

from events.catalogue import BOARD
from ideas_hub.errors import Invalid, _
from ideas_hub.live import timeline
from web.api.asking import Blueprint, Number, Piece, Query, Text
from web.api.replying import listing, reply
from web.pages import stream
from web.paging import decode_cursor, encode_cursor
from web.session import actor

MOST_TOPICS = 200

blueprint = Blueprint("events")


class Event(ma.Schema):
    """A CloudEvents 1.0 object."""

    specversion = ma.fields.String(required=True)
    id = ma.fields.String(required=True)
    source = ma.fields.String(required=True)
    type = ma.fields.String(required=True)
    subject = ma.fields.String()
    time = ma.fields.AwareDateTime(required=True)
    sequence = ma.fields.String(required=True)
    cursor = ma.fields.String(required=True, metadata={"description": "Resume after this event"})
    datacontenttype = ma.fields.String(required=True)
    data = ma.fields.Dict(required=True)


class Events(ma.Schema):
    events = ma.fields.List(ma.fields.Nested(Event), required=True)
    cursor = ma.fields.String(required=True)
    mode = ma.fields.String(required=True, validate=ma.validate.OneOf(["start", "resume", "reset"]))
    why = ma.fields.String()
    refused = ma.fields.List(ma.fields.String(), required=True)


class Timeline(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Event), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class EventsQuery(Query):
    after = Text()
    topics = ma.fields.List(Text(), load_default=(), metadata={"maxItems": MOST_TOPICS})
    limit = Number(1, 100, load_default=100)


@blueprint.get("/events")
@blueprint.gives(200, Events)
@blueprint.arguments(EventsQuery, location="query")
def events(query: dict[str, Any]) -> Response:
    """What was told on these topics (`board` unless told) after a cursor, and where to go on; without one, only that."""
    topics = set(query["topics"]) or {BOARD}
    if len(topics) > MOST_TOPICS:
        raise Invalid.field("topics", _("Name at most %(most)d topics."), most=MOST_TOPICS)
    head = stream().head()
    allowed = stream().source.allowed(actor(), topics)
    told = stream().replay(actor().view, allowed, query.get("after"), head, limit=query["limit"])
    return reply({**told.message(), "refused": sorted(topics - allowed)})


@blueprint.get("/ideas/<idea>/timeline")
@blueprint.gives(200, Timeline)
@blueprint.arguments(Piece, location="query")
def of_idea(query: dict[str, Any], idea: str) -> Response:
    """What happened to an idea, as events, oldest first by their time."""
    scope = f"timeline {actor().view.word} {idea}"  # numbers of one view mean nothing in another
    after = decode_cursor(scope, query["cursor"]) if "cursor" in query else None
    told, following = timeline(stream(), actor(), idea, after=after, limit=query["limit"])
    return listing(told, following and encode_cursor(scope, *following))
