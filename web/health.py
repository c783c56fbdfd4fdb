"""Is this server well? For load balancers and for whoever waits until it has started."""

from flask import Blueprint, Flask

from ideas_hub import schema
from ideas_hub.errors import Busy

blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/healthz")
def healthz() -> tuple[str, dict[str, str]]:
    """200 and `ok` where the database answers at the schema that this code needs; else 503."""
    if schema.current() != schema.newest():
        raise Busy
    return "ok\n", {"Content-Type": "text/plain", "Cache-Control": "no-store"}
