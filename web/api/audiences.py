"""Ideas and comments taken out of sight by moderators, and shown again."""

from typing import Any

from flask import Response

from ideas_hub.audiences import hide_comment, hide_idea, restore_comment, restore_idea
from web.api.asking import REASON, Blueprint, Body, Text
from web.api.replying import nothing
from web.session import actor

blueprint = Blueprint("audiences")


class Reason(Body):
    reason = Text(required=True, size=REASON)


class MaybeReason(Body):
    reason = Text(size=REASON)


@blueprint.put("/ideas/<idea>/hidden")
@blueprint.gives(204)
@blueprint.arguments(Reason)
def hide(body: dict[str, Any], idea: str) -> Response:
    """Nobody sees the idea but moderators. Twice is harmless."""
    hide_idea(actor(), idea, **body)
    return nothing()


@blueprint.delete("/ideas/<idea>/hidden")
@blueprint.gives(204)
@blueprint.arguments(MaybeReason, required=False)
def restore(body: dict[str, Any], idea: str) -> Response:
    """The idea is seen again by those it is for. Twice is harmless."""
    restore_idea(actor(), idea)
    return nothing()


@blueprint.put("/ideas/<idea>/comments/<comment>/hidden")
@blueprint.gives(204)
@blueprint.arguments(Reason)
def hide_a_comment(body: dict[str, Any], idea: str, comment: str) -> Response:
    """Nobody sees the comment but moderators. Twice is harmless."""
    hide_comment(actor(), idea, comment, **body)
    return nothing()


@blueprint.delete("/ideas/<idea>/comments/<comment>/hidden")
@blueprint.gives(204)
@blueprint.arguments(MaybeReason, required=False)
def restore_a_comment(body: dict[str, Any], idea: str, comment: str) -> Response:
    """The comment is seen again. Twice is harmless."""
    restore_comment(actor(), idea, comment)
    return nothing()
