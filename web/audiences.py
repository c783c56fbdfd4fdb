"""Who may see an idea: opening and restricting it, hiding and restoring it."""

from flask import Blueprint, Flask
from flask.typing import ResponseReturnValue

from ideas_hub.audiences import change_idea, hide_idea, restore_idea
from ideas_hub.errors import Invalid, _
from web.forms import done, sent
from web.ideas import idea_again
from web.session import actor

blueprint = Blueprint("audiences", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.post("/ideas/<ref:ref>/audience")
def set_audience(ref: str) -> ResponseReturnValue:
    form = sent("audience")
    try:
        audience = form.audience()
        if audience is None:
            raise Invalid.field("audience", _("Choose who may see this idea."))
        change_idea(actor(), ref, audience=audience)
    except Invalid as refusal:
        return idea_again(ref, form, refusal)
    return done(f"/ideas/{ref}")


@blueprint.post("/ideas/<ref:ref>/hide")
def hide(ref: str) -> ResponseReturnValue:
    form = sent("hide")
    try:
        hide_idea(actor(), ref, reason=form.text("reason"))
    except Invalid as refusal:
        return idea_again(ref, form, refusal)
    return done(f"/ideas/{ref}")


@blueprint.post("/ideas/<ref:ref>/restore")
def restore(ref: str) -> ResponseReturnValue:
    restore_idea(actor(), ref)
    return done(f"/ideas/{ref}")
