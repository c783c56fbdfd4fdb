"""The first page: what the hub is for, and what it holds."""

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from events.catalogue import BOARD, IDEAS
from ideas_hub.cards import Sort, Wanted, counts, list_ideas
from web.pages import stream, watched
from web.session import actor

blueprint = Blueprint("home", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/")
def home() -> ResponseReturnValue:
    head = stream().head()
    trending, waiting, newest = (
        list_ideas(actor(), Wanted(sort=sort), limit=limit).items
        for sort, limit in ((Sort.TRENDING, 3), (Sort.WAITING, 3), (Sort.NEW, 4))
    )
    return render_template(
        "home/page.html",
        counts=counts(actor()),
        trending=trending,
        waiting=waiting,
        newest=newest,
        watched=watched(head, IDEAS, BOARD, ideas=(card.ref for card in (*trending, *waiting, *newest))),
    )
