"""How the API answers: JSON with a mark of what it says, so that who has it already is not sent it again."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from flask import Response, json, request

import web


def reply(data: dict[str, Any], status: int = 200, *, revision: int | None = None, passing: Sequence[str] = ()) -> Response:
    """That as JSON. `revision` of its texts goes into the mark, for `If-Match`; what is `passing` (a time) does not."""
    text = json.dumps(data)
    response = Response(text, status, mimetype="application/json")
    reads = request.method in ("GET", "HEAD")
    if reads or revision is not None:
        lasting = json.dumps({name: value for name, value in data.items() if name not in passing}) if passing else text
        mark = sha256(lasting.encode()).hexdigest()[:20]
        response.set_etag(mark if revision is None else f"r{revision}-{mark}")
    if reads:
        response.headers["Cache-Control"] = "private, no-cache"
        if request.if_none_match.contains_weak(response.get_etag()[0] or ""):
            response.status_code = 304
            response.set_data(b"")
            del response.headers["Content-Type"], response.headers["Content-Length"]
    return response


def listing(items: list[dict[str, Any]], following: str | None) -> Response:
    """A piece of a list, with the address of the next one."""
    response = reply({"items": items, "next": following})
    if following is not None:
        asked = [pair for pair in request.args.items(multi=True) if pair[0] != "cursor"]
        response.headers["Link"] = f'<{address(request.path)}?{urlencode([*asked, ("cursor", following)])}>; rel="next"'
    return response


def nothing() -> Response:
    """It was done, and there is nothing to say."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def address(path: str) -> str:
    """The whole address of a path of this hub."""
    return web.hub().config.base_url + path


def time_json(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
