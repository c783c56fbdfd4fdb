"""Is this server well? For load balancers and for whoever waits until it has started."""

from flask import Blueprint, Flask, current_app

from ideas_hub import schema
from ideas_hub.errors import Busy

blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/healthz")
def healthz() -> tuple[str, dict[str, str]]:
    """200 and `ok` where the database answers with all that this code needs and the server is not about to end; else 503."""
    if current_app.extensions["ideas_hub"].leaving.is_set() or schema.is_behind():
        raise Busy
    return "ok\n", {"Content-Type": "text/plain", "Cache-Control": "no-store"}
