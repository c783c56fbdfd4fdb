"""The hub as a Flask application in this process, and people at its pages."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from ideas_hub import db
from ideas_hub.people import Actor
from ideas_hub.sessions import start_session
from tests.support.hub import environment
from web import create_app
from web.config import from_environment
from web.session import KEY


@pytest.fixture
def app(hub: db.Database, database_url: str) -> Flask:
    return create_app(from_environment(environment(database_url, DEMO=1)))


@pytest.fixture
def visit(app: Flask) -> Callable[..., FlaskClient]:
    """`visit(actor)`: a browser in which they are signed in; without one, nobody is. `ours`: its forms carry our token."""

    def client(actor: Actor | None = None, *, ours: bool = False) -> FlaskClient:
        browser = app.test_client()
        if ours:
            with browser.session_transaction() as session:
                session["csrf_token"] = "of this session"
            signed = URLSafeTimedSerializer(app.secret_key, salt="wtf-csrf-token").dumps("of this session")
            browser.environ_base["HTTP_X_CSRFTOKEN"] = signed
        if actor is not None and actor.ref is not None:
            with browser.session_transaction() as session:
                session[KEY] = start_session(actor.ref)
        return browser

    return client
