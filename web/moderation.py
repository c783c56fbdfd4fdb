"""The moderators' desk for votes: what is held, the decision, and a recount; and the page that says to all how votes count."""

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from events.catalogue import BOARD
from ideas_hub.bursts import KEPT_FOR, Fate
from ideas_hub.errors import Invalid, _
from ideas_hub.moderation import bursts, refuse_votes, release_votes
from ideas_hub.recount import recount
from web.forms import Form, done, sent, wants_json
from web.pages import watched
from web.session import actor

blueprint = Blueprint("moderation", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(Fate=Fate)


@blueprint.get("/votes")
def rule() -> ResponseReturnValue:
    """How votes count: the written rule, with the numbers that admins have set."""
    return render_template("moderation/rule.html", kept_for=KEPT_FOR.days)


@blueprint.get("/moderation/votes")
def votes() -> ResponseReturnValue:
    return _page(None)


@blueprint.post("/moderation/votes/<ref:burst>/decide")
def decide(burst: str) -> ResponseReturnValue:
    form = sent(f"burst-{burst}")
    try:
        match form.word("to", Fate):
            case Fate.RELEASED:
                release_votes(actor(), burst, reason=form.text("reason"))
            case Fate.REFUSED:
                refuse_votes(actor(), burst, reason=form.text("reason"), with_first=bool(form.value("with_first")))
            case _other:
                raise Invalid.field("to", _("Choose whether these votes count."))
    except Invalid as refusal:
        if wants_json():
            raise
        return _page(form.refused(refusal)), 422
    return done("/moderation/votes")


@blueprint.get("/moderation/votes/<ref:ref>/recount")
def recounted(ref: str) -> ResponseReturnValue:
    return render_template("moderation/recount.html", count=recount(actor(), ref))


def _page(refused: Form | None) -> str:
    desk = bursts(actor())
    ideas = (card.idea for card in (*desk.waiting, *desk.decided))
    return render_template("moderation/votes.html", desk=desk, refused=refused, watched=watched(desk.cursor, BOARD, ideas=ideas))
