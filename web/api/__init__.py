"""The JSON API, `/api/v1`: one file per concept, schemas beside the routes."""

from flask import Flask


def init_app(app: Flask) -> None:
    pass
