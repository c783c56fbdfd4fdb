"""One's own page: for staff a desk with what waits for them, for residents their ideas."""

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from events.catalogue import BOARD, ME
from ideas_hub.authors import invitations_to
from ideas_hub.desk import desk
from ideas_hub.errors import Invalid
from ideas_hub.moderation import bursts_waiting
from ideas_hub.permissions import may
from ideas_hub.receipts import receipts
from web.forms import Form, wants_json
from web.pages import stream, watched
from web.paging import decode_cursor, encode_cursor
from web.session import somebody

blueprint = Blueprint("me", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/me")
def page() -> ResponseReturnValue:
    return _page(None)


@blueprint.get("/me/votes")
def votes() -> ResponseReturnValue:
    """What one has voted for, when, and whether it counts."""
    me = somebody()
    after = decode_cursor("own votes", request.args["cursor"]) if "cursor" in request.args else None
    own, following = receipts(me, after=after)
    return render_template("me/votes.html", receipts=own, following=following and encode_cursor("own votes", *following))


def me_again(form: Form, refusal: Invalid) -> ResponseReturnValue:
    """One's own page with an answer as it was sent, and what is wrong in it."""
    if wants_json():
        raise refusal
    return _page(form.refused(refusal)), 422


def _page(refused: Form | None) -> str:
    me, head = somebody(), stream().head()
    mine = desk(me)
    ideas = (card.ref for card in (*mine.to_answer, *mine.sponsored, *mine.written))
    moderates = may(me, "decide_votes", None)
    return render_template(
        "me/page.html",
        desk=mine,
        invitations=invitations_to(me),
        held=bursts_waiting(me) if moderates else None,
        refused=refused,
        watched=watched(head, ME, *([BOARD] if moderates else []), ideas=ideas),
    )
