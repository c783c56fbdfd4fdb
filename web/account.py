"""What a resident may do with their own account: choose the name that others see, and leave."""

from flask import Blueprint, Flask, current_app, render_template
from flask.typing import ResponseReturnValue

from ideas_hub.errors import Invalid
from ideas_hub.people import change_name
from ideas_hub.privacy import leave
from web import session
from web.forms import Form, done, filled, sent, wants_json
from web.session import actor, somebody

blueprint = Blueprint("account", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.route("/me/name", methods=["GET", "POST"])
def name() -> ResponseReturnValue:
    form = filled("name", {"name": somebody().name}) if session.is_safe() else sent("name")
    if not session.is_safe():
        try:
            change_name(actor(), form.text("name"))
            return done("/me")
        except Invalid as refusal:
            if wants_json():
                raise
            form = form.refused(refusal)
    return render_template("me/name.html", form=form), 422 if form.is_refused else 200


@blueprint.route("/me/leave", methods=["GET", "POST"])
def go() -> ResponseReturnValue:
    if session.is_safe():
        return render_template("me/leave.html", form=Form("leave"), person=somebody())
    leave(actor(), key=str(current_app.secret_key))
    session.sign_out()
    return done("/me/left")


@blueprint.get("/me/left")
def left() -> ResponseReturnValue:
    return render_template("me/left.html")
