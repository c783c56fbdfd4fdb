"""The API in this process, and callers of it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from ideas_hub import db
from ideas_hub.people import NOBODY, Actor
from ideas_hub.sessions import make_token, start_session
from tests import make
from tests.support.hub import environment
from tests.support.papers import OpenAPI
from web import create_app
from web.config import from_environment

ROOT = "/api/v1"
PAPERS: dict[object, OpenAPI] = {}


def papers_of(app: Flask) -> OpenAPI:
    """The hub's own document: every answer of these tests is held against it. It is the same for all that have these settings."""
    settings = app.extensions["ideas_hub"].config.base_url, app.config["SESSION_COOKIE_NAME"]
    if settings not in PAPERS:
        PAPERS[settings] = OpenAPI(app.extensions["papers"]())
    return PAPERS[settings]


class Caller:
    """Somebody who asks the API, by their token; nobody without one. Paths begin behind `/api/v1`."""

    def __init__(self, app: Flask, token: str | None = None) -> None:
        self.client, self.app = app.test_client(), app
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(
        self, method: str, path: str, json: Any = None, *, headers: dict[str, str] | None = None, **options: Any
    ) -> TestResponse:
        sent = {} if json is None else {"json": json}
        answer = self.client.open(ROOT + path, method=method, headers=self.headers | (headers or {}), **sent, **options)
        papers_of(self.app).check(method, ROOT + path, answer)
        return answer

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.ask("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.ask("POST", path, json, **options)

    def put(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.ask("PUT", path, json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.ask("PATCH", path, json, **options)

    def delete(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.ask("DELETE", path, json, **options)

    def told(self, after: str, *topics: str) -> list[dict[str, Any]]:
        """What the stream tells this caller since that cursor."""
        return self.get(f"/events?after={after}&topics={','.join(topics) or 'board'}").json["events"]

    def here(self) -> str:
        """The cursor of now."""
        return str(self.get("/events").json["cursor"])


class Browser(Caller):
    """Somebody who is signed in by a session, with or without the token of a form."""

    def __init__(self, app: Flask, who: Actor, *, with_csrf: bool) -> None:
        super().__init__(app)
        with self.client.session_transaction() as session:
            session["hub"], session["csrf_token"] = start_session(who.ref or ""), "of this session"
        if with_csrf:
            signed = URLSafeTimedSerializer(app.secret_key, salt="wtf-csrf-token").dumps("of this session")
            self.headers = {"X-CSRFToken": signed}


class Api:
    def __init__(self, app: Flask) -> None:
        self.app = app
        self.tokens: dict[str, str] = {}

    def by(self, who: Actor = NOBODY) -> Caller:
        if who.ref is None:
            return Caller(self.app)
        if who.ref not in self.tokens:
            self.tokens[who.ref] = make_token(make.address(who), days=1)
        return Caller(self.app, self.tokens[who.ref])

    def browser(self, who: Actor, *, with_csrf: bool = True) -> Browser:
        return Browser(self.app, who, with_csrf=with_csrf)


@pytest.fixture
def hub_with(database_url: str) -> Iterator[Callable[..., Api]]:
    """`hub_with(RATE_LIMITS="on")`: the hub on the test's database, with these settings."""
    yield lambda **settings: Api(create_app(from_environment(environment(database_url, **settings))))
    db.disconnect()


@pytest.fixture
def api(hub_with: Callable[..., Api]) -> Api:
    return hub_with()
