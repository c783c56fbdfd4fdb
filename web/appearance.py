"""Light, dark, or as the device has it: what a person chose, kept in a cookie of their browser."""

from flask import Blueprint, Flask, current_app
from flask.typing import ResponseReturnValue
from flask.wrappers import Response

from ideas_hub.errors import Invalid
from web.forms import FROM_LIST, done, sent
from web.pages import FOREVER, THEMES

blueprint = Blueprint("appearance", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.post("/appearance")
def choose() -> ResponseReturnValue:
    theme = sent("appearance").value("theme")
    if theme not in THEMES:
        raise Invalid.field("theme", FROM_LIST)
    response: Response = current_app.make_response(done("/"))
    secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
    response.set_cookie(
        current_app.config["THEME_COOKIE_NAME"], theme, max_age=FOREVER, samesite="Lax", httponly=True, secure=secure
    )
    return response
