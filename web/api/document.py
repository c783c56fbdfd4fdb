"""The papers of the API, for machines; `/developers` tells the same to people."""

from typing import Any, cast

import marshmallow as ma
from flask import Response, current_app

from web.api.asking import Blueprint, NoQuery
from web.api.live import asyncapi
from web.api.replying import address, reply

blueprint = Blueprint("document")


class OpenAPI(ma.Schema):
    openapi = ma.fields.String(required=True)
    info = ma.fields.Dict(required=True)
    servers = ma.fields.List(ma.fields.Dict(), required=True)
    tags = ma.fields.List(ma.fields.Dict(), required=True)
    paths = ma.fields.Dict(required=True)
    components = ma.fields.Dict(required=True)


class AsyncAPI(ma.Schema):
    asyncapi = ma.fields.String(required=True)
    info = ma.fields.Dict(required=True)
    servers = ma.fields.Dict(required=True)
    channels = ma.fields.Dict(required=True)
    operations = ma.fields.Dict(required=True)
    components = ma.fields.Dict(required=True)
    defaultContentType = ma.fields.String(required=True)


def openapi() -> dict[str, Any]:
    """The OpenAPI document, made once."""
    return cast(dict[str, Any], current_app.extensions["papers"]())


@blueprint.get("/openapi.json")
@blueprint.gives(200, OpenAPI)
@blueprint.arguments(NoQuery, location="query")
def http(query: dict[str, Any]) -> Response:
    """This API, as OpenAPI 3.1 has it."""
    return reply(openapi())


@blueprint.get("/asyncapi.json")
@blueprint.gives(200, AsyncAPI)
@blueprint.arguments(NoQuery, location="query")
def live(query: dict[str, Any]) -> Response:
    """The live stream, as AsyncAPI 3 has it."""
    return reply(asyncapi(address("")))
