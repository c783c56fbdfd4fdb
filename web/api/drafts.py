"""One's own drafts: what was typed into a form and is not sent yet. Nobody else sees them."""

from typing import Any

import marshmallow as ma
from flask import Response

from ideas_hub.drafts import DraftCard, discard_draft, draft, drafts, keep_draft
from web.api.asking import Blueprint, Body, NoBody, NoQuery, Number, Text
from web.api.replying import listing, nothing, reply, time_json
from web.session import actor, somebody

blueprint = Blueprint("drafts")


class Draft(ma.Schema):
    form = ma.fields.String(
        required=True, metadata={"description": "`post`, `edit-<idea>`, `comment-<idea>` or `reply-<idea>-<comment>`"}
    )
    values = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.List(ma.fields.String()), required=True)
    version = ma.fields.Integer(required=True)
    at = ma.fields.AwareDateTime(required=True)


class Drafts(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Draft), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class NewDraft(Body):
    values = ma.fields.Dict(keys=Text(most=40), values=ma.fields.List(Text()), required=True)
    version = Number(0, 999_999_999)


@blueprint.get("/me/drafts")
@blueprint.gives(200, Drafts)
@blueprint.arguments(NoQuery, location="query")
def own(query: dict[str, Any]) -> Response:
    """One's drafts, the newest first."""
    return listing([_json(card) for card in drafts(somebody()).values() if card.gone_at is None], None)


@blueprint.get("/me/drafts/<draft>")
@blueprint.gives(200, Draft)
@blueprint.arguments(NoQuery, location="query")
def one(query: dict[str, Any], draft: str) -> Response:
    """One's draft of that form."""
    return reply(_json(_draft(draft)))


@blueprint.put("/me/drafts/<draft>")
@blueprint.gives(200, Draft)
@blueprint.arguments(NewDraft)
def keep(body: dict[str, Any], draft: str) -> Response:
    """Have these values kept. `version`: the one that one knows, 0 for none; where another stands now, the answer is 412."""
    return reply(_json(keep_draft(actor(), draft, values=body["values"], seen=body.get("version"))))


@blueprint.delete("/me/drafts/<draft>")
@blueprint.gives(204)
@blueprint.arguments(NoBody, required=False)
def discard(body: dict[str, Any], draft: str) -> Response:
    """Have no draft of that form."""
    discard_draft(actor(), draft)
    return nothing()


def _draft(form: str) -> DraftCard:
    return draft(somebody(), form)


def _json(card: DraftCard) -> dict[str, Any]:
    return {"form": card.form, "values": card.values, "version": card.version, "at": time_json(card.at)}
