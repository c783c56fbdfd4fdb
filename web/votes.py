"""Casting a vote and taking it back, and the part of a page that shows an idea's votes."""

from dataclasses import asdict

from flask import Blueprint, Flask, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from ideas_hub.votes import Tally, cast_vote, withdraw_vote
from ideas_hub.whole import whole_idea
from web.forms import done, is_visited, wants_json
from web.session import actor

blueprint = Blueprint("votes", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/ideas/<ref:ref>/vote")
def part(ref: str) -> ResponseReturnValue:
    """The votes of an idea as its page shows them, or as its card does."""
    if is_visited():
        return redirect(f"/ideas/{ref}#vote", 303)
    part = "_card.html" if request.args.get("on") == "card" else "_vote.html"
    return render_template(f"votes/{part}", idea=whole_idea(actor(), ref).card)


@blueprint.post("/ideas/<ref:ref>/vote")
def cast(ref: str) -> ResponseReturnValue:
    return _told(cast_vote(actor(), ref))


@blueprint.post("/ideas/<ref:ref>/vote/withdraw")
def withdraw(ref: str) -> ResponseReturnValue:
    return _told(withdraw_vote(actor(), ref))


def _told(tally: Tally) -> ResponseReturnValue:
    return jsonify(asdict(tally)) if wants_json() else done(f"/ideas/{tally.idea}#vote")
