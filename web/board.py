"""The board: the whole pipeline on one page."""

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from events.catalogue import BOARD
from ideas_hub.board import board
from ideas_hub.errors import Invalid
from web.forms import Form, wants_json
from web.pages import watched
from web.session import actor

CARDS = 4  # of a column; the rest is a link away

blueprint = Blueprint("board", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/board")
def page() -> ResponseReturnValue:
    return _page(None)


@blueprint.get("/board/<any(columns, figures):part>")
def part(part: str) -> ResponseReturnValue:
    return render_template(f"board/_{part}.html", board=board(actor(), cards=CARDS), refused=None)


def board_again(form: Form, refusal: Invalid) -> ResponseReturnValue:
    """The board with a move form as it was sent, and what is wrong in it."""
    if wants_json():
        raise refusal
    return _page(form.refused(refusal)), 422


def _page(refused: Form | None) -> str:
    shown = board(actor(), cards=CARDS)
    ideas = (card.ref for column in shown.columns for card in column.cards)
    return render_template("board/page.html", board=shown, refused=refused, watched=watched(shown.cursor, BOARD, ideas=ideas))
