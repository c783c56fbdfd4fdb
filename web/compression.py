"""Answers are sent packed (gzip), where that is of use and gives nothing away.

A packed page is the shorter the more often something stands in it. Who can have words put into a page of somebody else, and
see how long it becomes, can guess what else stands there, such as the token of its forms (the BREACH attack). So what is for
somebody who is signed in is packed only where nothing in its address could come from others.
"""

import gzip
from functools import lru_cache

from flask import Flask, Response, request
from rjsmin import jsmin

from web.session import actor

TEXTS = frozenset({"text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"})
LEAST = 1000  # bytes; what is shorter fits into one packet anyway
QUICK, SMALL = 5, 9  # a page is packed each time, a file once


def init_app(app: Flask) -> None:
    app.after_request(_pack)


def _pack(response: Response) -> Response:
    is_file = request.endpoint == "static"
    if request.method != "GET" or response.status_code != 200 or response.mimetype not in TEXTS:
        return response
    tag, _ = response.get_etag()
    if tag and not is_file:
        return response  # the tag stands for these very bytes: who changes a text sends it back
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"] <= 0 or not (is_file or _gives_nothing_away()):
        return response
    response.direct_passthrough = False
    content = response.get_data()
    if len(content) >= LEAST:
        is_script = response.mimetype == "text/javascript"
        response.set_data(_packed_file(content, is_script) if is_file else pack(content))
        response.headers["Content-Encoding"] = "gzip"
        if tag:
            response.set_etag(tag, weak=True)
    return response


def pack(content: bytes) -> bytes:
    return gzip.compress(content, QUICK, mtime=0)


def _gives_nothing_away() -> bool:
    return not request.query_string or not actor().is_somebody


@lru_cache(maxsize=128)
def _packed_file(content: bytes, is_script: bool) -> bytes:
    """A file as it is sent; scripts without their comments."""
    return gzip.compress(jsmin(content) if is_script else content, SMALL, mtime=0)
