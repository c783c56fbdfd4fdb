"""The JSON API, `/api/v1`: one file per concept, schemas beside the routes."""

from typing import Any, cast

import flask_smorest
from flask import Flask, Response
from flask.json.provider import DefaultJSONProvider

from web.api import answers, asking, audiences, board, comments, events, ideas, moves, people, sponsors, votes
from web.api.replying import reply

CONCEPTS = (ideas, audiences, votes, comments, sponsors, moves, answers, events, board, people)


class Api(flask_smorest.Api):
    ERROR_SCHEMA = asking.Problem

    def _register_error_handlers(self) -> None:
        """Refusals are answered in `web/errors.py`, for pages and the API alike."""

    def _register_responses(self) -> None:
        """What the document says of refusals, for all routes at once."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = "application/problem+json"
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE


def init_app(app: Flask) -> None:
    app.config.update(API_TITLE="Ideas Hub", API_VERSION="1", OPENAPI_VERSION="3.1.0")
    cast(DefaultJSONProvider, app.json).sort_keys = False  # an idea begins with its id
    api = Api(app)
    document = asking.Blueprint("document")

    @document.get("/openapi.json")
    @document.arguments(asking.NoQuery, location="query")
    def openapi(query: dict[str, Any]) -> Response:
        """This document."""
        return reply(api.spec.to_dict())

    for concept in CONCEPTS:
        api.register_blueprint(concept.blueprint)
    api.register_blueprint(document)
