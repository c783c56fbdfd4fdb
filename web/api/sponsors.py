"""Sponsors: taken on, named, and ended."""

from typing import Any

from flask import Response

from ideas_hub.sponsors import end_sponsorship, name_sponsor, take_on
from web.api.asking import REASON, Blueprint, Body, Text
from web.api.audiences import Reason
from web.api.ideas import Idea, idea_reply
from web.session import actor

blueprint = Blueprint("sponsors")


class NewSponsor(Body):
    person = Text()
    reason = Text(load_default="", size=REASON)


@blueprint.put("/ideas/<idea>/sponsor")
@blueprint.gives(200, Idea)
@blueprint.arguments(NewSponsor, required=False)
def sponsor(body: dict[str, Any], idea: str) -> Response:
    """Take the idea on oneself, or, as a leader, name the person who does, with a reason."""
    if "person" in body:
        name_sponsor(actor(), idea, **body)
    else:
        take_on(actor(), idea, **body)
    return idea_reply(idea)


@blueprint.delete("/ideas/<idea>/sponsor")
@blueprint.gives(200, Idea)
@blueprint.arguments(Reason)
def end(body: dict[str, Any], idea: str) -> Response:
    """Nobody sponsors the idea any more. Without a sponsor it is harmless."""
    end_sponsorship(actor(), idea, **body)
    return idea_reply(idea)
