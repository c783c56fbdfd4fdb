"""One's own page: for staff a desk with what waits for them, for residents their ideas."""

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from events.catalogue import ME
from ideas_hub.authors import invitations_to
from ideas_hub.desk import desk
from ideas_hub.errors import Invalid
from web.forms import Form, wants_json
from web.pages import stream, watched
from web.session import somebody

blueprint = Blueprint("me", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/me")
def page() -> ResponseReturnValue:
    return _page(None)


def me_again(form: Form, refusal: Invalid) -> ResponseReturnValue:
    """One's own page with an answer as it was sent, and what is wrong in it."""
    if wants_json():
        raise refusal
    return _page(form.refused(refusal)), 422


def _page(refused: Form | None) -> str:
    me, head = somebody(), stream().head()
    mine = desk(me)
    ideas = (card.ref for card in (*mine.to_answer, *mine.sponsored, *mine.written))
    return render_template(
        "me/page.html", desk=mine, invitations=invitations_to(me), refused=refused, watched=watched(head, ME, ideas=ideas)
    )
