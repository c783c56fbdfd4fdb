"""The JSON API, `/api/v1`: one file per concept, schemas beside the routes."""

import re
from collections.abc import Callable
from functools import cache
from threading import Lock
from typing import Any, cast

import flask_smorest
from flask import Flask
from flask.json.provider import DefaultJSONProvider

from web.api import (
    admin,
    answers,
    asking,
    audiences,
    authors,
    board,
    comments,
    document,
    drafts,
    events,
    ideas,
    moderation,
    moves,
    people,
    sponsors,
    votes,
)
from web.api.papers import complete

CONCEPTS = (
    ideas,
    audiences,
    authors,
    votes,
    moderation,
    comments,
    sponsors,
    moves,
    answers,
    events,
    board,
    people,
    drafts,
    admin,
    document,
)


class Api(flask_smorest.Api):
    ERROR_SCHEMA = asking.Problem

    def _register_error_handlers(self) -> None:
        """Refusals are answered in `web/errors.py`, for pages and the API alike."""

    def _register_responses(self) -> None:
        """What the document says of refusals, for all routes at once."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = "application/problem+json"
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def register_blueprint(self, blp: flask_smorest.Blueprint, **options: Any) -> None:
        """Its routes answer. What the document says of them is made with the document: it takes longer than all the rest."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)

    def describe(self, blp: flask_smorest.Blueprint) -> None:
        blp.register_views_in_doc(self, self._app, self.spec, name=blp.name, parameters=None)


def init_app(app: Flask) -> None:
    app.config.update(API_TITLE="Ideas Hub", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    cast(DefaultJSONProvider, app.json).sort_keys = False  # an idea begins with its id
    api = Api(app)
    app.extensions["papers"] = _made_once(lambda: _openapi(app, api))
    for concept in CONCEPTS:
        api.register_blueprint(concept.blueprint)


def _made_once(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """What is made when it is first asked for; by one thread, for it is made in place."""
    making, made = Lock(), cache(make)

    def get() -> dict[str, Any]:
        with making:
            return made()

    return get


def _openapi(app: Flask, api: Api) -> dict[str, Any]:
    """The OpenAPI document of all routes."""
    for concept in CONCEPTS:
        api.describe(concept.blueprint)
    names = {
        (method.lower(), re.sub(r"<(\w+)>", r"{\1}", rule.rule)): str(rule.endpoint).removeprefix("api_").replace(".", "_")
        for rule in app.url_map.iter_rules()
        if str(rule.endpoint).startswith("api_")
        for method in rule.methods or ()
    }
    url, cookie = app.extensions["ideas_hub"].config.base_url, app.config["SESSION_COOKIE_NAME"]
    return complete(api.spec.to_dict(), url, cookie, names)
