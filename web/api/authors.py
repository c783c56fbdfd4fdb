"""Authors of an idea, and invitations to join them."""

from typing import Any

import marshmallow as ma
from flask import Response

from ideas_hub.authors import (
    InvitationCard,
    accept_invitation,
    authors_of,
    decline_invitation,
    invitations_to,
    invite_author,
    invited,
    leave_authors,
    take_back_invitation,
)
from ideas_hub.live import person_json
from web.api.asking import Blueprint, Body, NoBody, NoQuery, Text
from web.api.ideas import Idea, idea_reply
from web.api.people import Person
from web.api.replying import listing, nothing, reply, time_json
from web.session import actor, somebody

blueprint = Blueprint("authors")


class Authors(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Person), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class Invitation(ma.Schema):
    """`person` or `email`, as the author gave it; `email` is shown to authors only."""

    id = ma.fields.String(required=True)
    idea = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    person = ma.fields.Nested(Person, required=True, allow_none=True)
    email = ma.fields.String(required=True, allow_none=True)
    by = ma.fields.Nested(Person, required=True)
    at = ma.fields.AwareDateTime(required=True)


class Invitations(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Invitation), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class NewInvitation(Body):
    person = Text()
    email = Text()


@blueprint.get("/ideas/<idea>/authors")
@blueprint.gives(200, Authors)
@blueprint.arguments(NoQuery, location="query")
def authors(query: dict[str, Any], idea: str) -> Response:
    """The authors of an idea, the first first."""
    return listing([person_json(card) or {} for card in authors_of(actor(), idea)], None)


@blueprint.delete("/ideas/<idea>/authors/me")
@blueprint.gives(204)
@blueprint.arguments(NoBody, required=False)
def leave(body: dict[str, Any], idea: str) -> Response:
    """Be no author of the idea any more. The last one stays."""
    leave_authors(actor(), idea)
    return nothing()


@blueprint.get("/ideas/<idea>/invitations")
@blueprint.gives(200, Invitations)
@blueprint.arguments(NoQuery, location="query")
def asked(query: dict[str, Any], idea: str) -> Response:
    """Whom its authors ask to join them; for authors."""
    somebody()
    return listing([_json(card) for card in invited(actor(), idea)], None)


@blueprint.post("/ideas/<idea>/invitations")
@blueprint.gives(201, Invitation)
@blueprint.arguments(NewInvitation)
def invite(body: dict[str, Any], idea: str) -> Response:
    """Ask a colleague, or whoever has an address; whether anybody has it makes no difference. Twice is harmless."""
    ref = invite_author(actor(), idea, **body)
    return reply(next(_json(card) for card in invited(actor(), idea) if card.ref == ref), 201)


@blueprint.delete("/ideas/<idea>/invitations/<invitation>")
@blueprint.gives(204)
@blueprint.arguments(NoBody, required=False)
def take_back(body: dict[str, Any], idea: str, invitation: str) -> Response:
    """Ask no longer."""
    take_back_invitation(actor(), idea, invitation)
    return nothing()


@blueprint.get("/me/invitations")
@blueprint.gives(200, Invitations)
@blueprint.arguments(NoQuery, location="query")
def own(query: dict[str, Any]) -> Response:
    """What one is asked to join."""
    return listing([_json(card) | {"email": None} for card in invitations_to(somebody())], None)


@blueprint.put("/me/invitations/<invitation>")
@blueprint.gives(200, Idea)
@blueprint.arguments(NoBody, required=False)
def accept(body: dict[str, Any], invitation: str) -> Response:
    """Become an author of the idea. One's vote for it goes."""
    return idea_reply(accept_invitation(actor(), invitation))


@blueprint.delete("/me/invitations/<invitation>")
@blueprint.gives(204)
@blueprint.arguments(NoBody, required=False)
def decline(body: dict[str, Any], invitation: str) -> Response:
    """Not be asked about this idea again. Who invited is not told."""
    decline_invitation(actor(), invitation)
    return nothing()


def _json(card: InvitationCard) -> dict[str, Any]:
    return {
        "id": card.ref,
        "idea": card.idea,
        "title": card.title,
        "person": person_json(card.person),
        "email": card.email,
        "by": person_json(card.by),
        "at": time_json(card.at),
    }
