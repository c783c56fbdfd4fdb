"""One table from refusal to HTTP status, and the two shapes of a refusal: a page, or problem+json (RFC 9457)."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, json, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, TimeoutError
from werkzeug.exceptions import HTTPException

from ideas_hub.db import disk_is_full
from ideas_hub.errors import (
    AtWork,
    Busy,
    Changed,
    Clash,
    Invalid,
    Missing,
    NotAllowed,
    Refusal,
    RuleBroken,
    Sentence,
    SignInNeeded,
    _,
)
from ideas_hub.people import NOBODY
from ideas_hub.sessions import Identity
from ideas_hub.settings import Settings
from web.text import translate

STATUS: Mapping[type[Refusal], int] = {
    SignInNeeded: 401,
    NotAllowed: 403,
    Missing: 404,
    RuleBroken: 409,
    Clash: 409,
    AtWork: 409,
    Changed: 412,
    Invalid: 422,
    Busy: 503,
}
RETRY_AFTER = {429: "10", 503: "2"}  # seconds

SAID: Mapping[int, str] = {
    400: _("We could not read what was sent."),
    401: _("Sign in first: we need to know who you are to do this."),
    403: _("You are not allowed to do this."),
    404: _("We could not find that page, or it is not open to you."),
    405: _("This cannot be done here."),
    413: _("What was sent is too large."),
    414: _("This address is too long."),
    415: _("Send JSON, and say so in Content-Type."),
    422: _("Something in what you sent needs mending."),
    429: _("You were quicker than we can follow. Wait a moment, then try again."),
    500: _("Something went wrong on our side. We have noted it."),
    503: _("The hub is busy. Nothing was lost; try again in a moment."),
    507: _("The hub has no room left to write. Nothing was changed; tell the people who run it."),
}

STALE_FORM = _("This form was open for too long, or came from another page. Open it again; what you typed is still in it.")

logger = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(CSRFError, lambda error: respond(400, Sentence(STALE_FORM)))
    app.register_error_handler(HTTPException, _http)
    for away in (OperationalError, InterfaceError, TimeoutError):
        app.register_error_handler(away, _database)
    app.register_error_handler(500, _unexpected)


def status_of(refusal: Refusal) -> int:
    return STATUS[type(refusal)]


def respond(status: int, sentence: Sentence, errors: Mapping[str, Any] | None = None) -> Response:
    """The refusal as the one who asked can read it."""
    if request.path.startswith("/api/") or request.accept_mimetypes.best == "application/json":
        response = problem(status, sentence, errors)
    else:
        response = Response(_page(status, sentence, errors), status, mimetype="text/html")
    if status in RETRY_AFTER:
        response.headers["Retry-After"] = RETRY_AFTER[status]
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _page(status: int, sentence: Sentence, errors: Mapping[str, Any] | None) -> str:
    """The refusal as a page. Where the database is away, one that asks it for nothing: neither who reads it, nor our name."""
    said = {"status": status, "sentence": sentence, "errors": errors, "form": _form(status)}
    try:
        return render_template("errors/page.html", **said)
    except SQLAlchemyError:
        g.identity, g.council = Identity(NOBODY), Settings()
        return render_template("errors/page.html", **said)


def _form(status: int) -> Mapping[str, str]:
    """What was typed, for who would lose it. None of it where it cannot be read either, or is not to be."""
    if request.method != "POST" or status in (413, 500, 507):
        return {}
    try:
        return request.form
    except HTTPException:
        return {}


def problem(status: int, sentence: Sentence, errors: Mapping[str, Any] | None = None) -> Response:
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body["detail"] = translate(sentence)
    if errors:
        body["errors"] = errors
    return Response(json.dumps(body), status, mimetype="application/problem+json")


def _refused(refusal: Refusal) -> Response:
    named = refusal.errors if isinstance(refusal, Invalid) else {}
    response = respond(status_of(refusal), refusal.sentence, {name: [translate(said)] for name, said in named.items()})
    if isinstance(refusal, AtWork):
        response.headers["Retry-After"] = "1"
    return response


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    answer = respond(status, Sentence(SAID.get(status, SAID[500])))
    if status == 405 and getattr(error, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # type: ignore[attr-defined]
    return answer


def _database(error: SQLAlchemyError) -> Response:
    logger.error("the database refused: %s", error)
    status = 507 if isinstance(error, OperationalError) and disk_is_full(error) else 503
    return respond(status, Sentence(SAID[status]))


def _unexpected(error: Exception) -> Response:
    return respond(500, Sentence(SAID[500]))
