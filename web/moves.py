"""Moving an idea to another stage, from its page or from the board."""

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue

from ideas_hub.errors import Invalid, _
from ideas_hub.ideas import Stage
from ideas_hub.moves import NEEDS, move_idea
from web.board import board_again
from web.forms import Form, done, sent
from web.ideas import idea_again
from web.session import actor

DAYS = frozenset({"ends", "review_on"})

blueprint = Blueprint("moves", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.post("/ideas/<ref:ref>/moves")
def move(ref: str) -> ResponseReturnValue:
    form = sent(f"move-{ref}")
    try:
        to = form.word("to", Stage)
        if to is None:
            raise Invalid.field("to", _("Choose where this idea goes."))
        move_idea(actor(), ref, to=to, reason=form.text("reason"), **needs_of(form, to))
    except Invalid as refusal:
        from_board = request.form.get("back", "").startswith("/board")
        return board_again(form, refusal) if from_board else idea_again(ref, form, refusal)
    return done(f"/ideas/{ref}")


def needs_of(form: Form, to: Stage) -> dict[str, Any]:
    """What that stage needs; what was typed for another one is left alone. Raises Invalid."""
    names = NEEDS.get(to, ())
    days = {name: form.day(name) for name in names if name in DAYS}
    words = form.texts(*(name for name in names if name not in DAYS))
    if "into" in words:  # its address will do as well
        words["into"] = urlsplit(words["into"].strip()).path.rstrip("/").rpartition("/")[2]
    return words | days
