"""Who writes an idea together: inviting, accepting, declining, leaving."""

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from ideas_hub.authors import (
    accept_invitation,
    colleagues,
    decline_invitation,
    invite_author,
    invited,
    leave_authors,
    take_back_invitation,
)
from ideas_hub.errors import Invalid
from ideas_hub.whole import whole_idea
from web.forms import Form, done, sent, wants_json
from web.session import actor, somebody

blueprint = Blueprint("authors", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/ideas/<ref:ref>/authors")
def page(ref: str) -> ResponseReturnValue:
    somebody()
    return _page(ref, Form("invite", request.args))


@blueprint.post("/ideas/<ref:ref>/invitations")
def invite(ref: str) -> ResponseReturnValue:
    """By `person` or, without one, by `email`."""
    form = sent("invite")
    try:
        invite_author(actor(), ref, person=form.text("person") or None, email=form.text("email"))
    except Invalid as refusal:
        if wants_json():
            raise
        return _page(ref, form.refused(refusal)), 422
    return done(f"/ideas/{ref}/authors#invited")


@blueprint.post("/ideas/<ref:ref>/invitations/<ref:invitation>/take-back")
def take_back(ref: str, invitation: str) -> ResponseReturnValue:
    take_back_invitation(actor(), ref, invitation)
    return done(f"/ideas/{ref}/authors#invited")


@blueprint.post("/ideas/<ref:ref>/authors/leave")
def leave(ref: str) -> ResponseReturnValue:
    leave_authors(actor(), ref)
    return done(f"/ideas/{ref}")


@blueprint.post("/me/invitations/<ref:invitation>/accept")
def accept(invitation: str) -> ResponseReturnValue:
    return done(f"/ideas/{accept_invitation(actor(), invitation)}")


@blueprint.post("/me/invitations/<ref:invitation>/decline")
def decline(invitation: str) -> ResponseReturnValue:
    decline_invitation(actor(), invitation)
    return done("/me")


def _page(ref: str, form: Form) -> str:
    asked = invited(actor(), ref)
    return render_template(
        "authors/page.html",
        idea=whole_idea(actor(), ref).card,
        invited=asked,
        form=form,
        found=colleagues(actor(), ref, form.value("name")),
    )
