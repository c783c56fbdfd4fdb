"""Who answers for an idea: taking it on, being named, ending."""

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue

from ideas_hub.errors import Invalid
from ideas_hub.sponsors import end_sponsorship, name_sponsor, take_on
from web.forms import done, sent
from web.ideas import idea_again
from web.session import actor

blueprint = Blueprint("sponsors", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.post("/ideas/<ref:ref>/sponsor")
def sponsor(ref: str) -> ResponseReturnValue:
    """Take the idea on; with a `person`, name them."""
    if "person" not in request.form:
        take_on(actor(), ref)
        return done(f"/ideas/{ref}#sponsor")
    form = sent("sponsor")
    try:
        name_sponsor(actor(), ref, **form.texts("person", "reason"))
    except Invalid as refusal:
        return idea_again(ref, form, refusal)
    return done(f"/ideas/{ref}#sponsor")


@blueprint.post("/ideas/<ref:ref>/sponsor/end")
def end(ref: str) -> ResponseReturnValue:
    form = sent("end-sponsor")
    try:
        end_sponsorship(actor(), ref, reason=form.text("reason"))
    except Invalid as refusal:
        return idea_again(ref, form, refusal)
    return done(f"/ideas/{ref}#sponsor")
