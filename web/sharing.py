"""What other places show of the hub: its cards, its frames, and how they find these (Open Graph, oEmbed).

All of it is of what everybody may see, whoever asks: where it is shown, nobody is signed in.
"""

import re
from hashlib import sha256
from typing import Any

from flask import Blueprint, Flask, Response, abort, jsonify, render_template, request, url_for
from flask.typing import ResponseReturnValue

from events.catalogue import View
from ideas_hub.cards import IdeaCard, counts
from ideas_hub.clock import now
from ideas_hub.errors import Missing, Sentence, _
from ideas_hub.people import NOBODY
from ideas_hub.whole import idea_page, whole_idea
from web import drawing
from web.api.replying import address
from web.headers import policy
from web.pages import council
from web.text import translate

FRAME = (600, 300)  # of an embedded idea, unless less is asked for
LEAST = (240, 160)
TITLE = _("Ideas that get an answer.")

blueprint = Blueprint("sharing", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(address=address, is_public=is_public)


def is_public(card: IdeaCard) -> bool:
    """May everybody see it?"""
    return card.audience is View.PUBLIC and not card.hidden


# Cards


@blueprint.get("/card.png")
def hub_card() -> Response:
    return _picture(drawing.hub_card(translate(TITLE), counts(NOBODY)))


@blueprint.get("/ideas/<ref:ref>/card.png")
def idea_card(ref: str) -> Response:
    return _picture(drawing.idea_card(idea_page(NOBODY, ref)))


def _picture(svg: str) -> Response:
    """The card, for everybody to keep, but to ask each time whether it still stands. Who has it already costs no drawing."""
    response = Response(mimetype="image/png")
    response.headers["Cache-Control"] = "public, no-cache"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.set_etag(sha256(svg.encode()).hexdigest()[:20])
    if not request.if_none_match.contains_weak(response.get_etag()[0] or ""):
        response.set_data(drawing.png(svg))
    response.make_conditional(request)
    return response


# Frames


@blueprint.get("/ideas/<ref:ref>/embed")
def embed(ref: str) -> Response:
    """An idea as a card that stands in other people's pages. Nothing in it acts, so nobody can be led to press it unawares."""
    page = render_template("sharing/embed.html", idea=whole_idea(NOBODY, ref).card, at=now())
    response = Response(page, mimetype="text/html")
    response.headers["Cache-Control"] = "public, no-cache"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Content-Security-Policy"] = policy(
        frame_ancestors="*", script_src="'none'", connect_src="'none'", form_action="'none'"
    )
    return response


@blueprint.get("/oembed")
def oembed() -> ResponseReturnValue:
    """How to show the idea of an address, as https://oembed.com has it. What is not for everybody is not there."""
    if request.args.get("format", "json") != "json":
        abort(501)
    card = whole_idea(NOBODY, _ref(request.args.get("url", ""))).card
    width, height = (_side(name, most, least) for name, most, least in zip(("maxwidth", "maxheight"), FRAME, LEAST, strict=True))
    return _described(card, width, height)


def _described(card: IdeaCard, width: int, height: int) -> Response:
    name = translate(Sentence(_("Ideas Hub, %(council)s"), {"council": council().council}))
    thumbnail: dict[str, Any] = {
        "thumbnail_url": address(url_for("sharing.idea_card", ref=card.ref)),
        "thumbnail_width": drawing.WIDTH,
        "thumbnail_height": drawing.HEIGHT,
    }
    fits = "maxwidth" not in request.args and "maxheight" not in request.args
    response = jsonify(
        version="1.0",
        type="rich",
        title=card.title,
        author_name=", ".join(author.name for author in card.authors),
        provider_name=name,
        provider_url=address("/"),
        html=render_template("sharing/frame.html", idea=card, width=width, height=height),
        width=width,
        height=height,
        **(thumbnail if fits else {}),
    )
    response.headers["Cache-Control"] = "public, no-cache"
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def _ref(url: str) -> str:
    """The idea of an address of this hub. Raises Missing."""
    found = re.fullmatch(re.escape(address("/ideas/")) + r"([0-9a-z]{1,16})/?([?#].*)?", url)
    if found is None:
        raise Missing
    return found[1]


def _side(name: str, most: int, least: int) -> int:
    """So many pixels as are asked for, within what the card needs and uses."""
    asked = request.args.get(name, "")
    return max(least, min(most, int(asked))) if asked.isascii() and asked.isdecimal() and len(asked) < 6 else most
