"""What people are told when something stands in the way of everything."""

import pytest
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

from ideas_hub import db

pytestmark = pytest.mark.sqlite_only


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError("", {}, Exception("server closed the connection unexpectedly")), 503),
        (InterfaceError("", {}, Exception("connection already closed")), 503),
        (TimeoutError("QueuePool limit reached"), 503),
        (OperationalError("", {}, Exception("database or disk is full")), 507),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "path", ["/", "/ideas", "/ideas/zzzzzzzz", "/board", "/me", "/api/v1/ideas", "/api/v1/board", "/healthz"]
)
def test_a_database_that_is_away_is_said_in_a_page_that_asks_it_for_nothing(app, visit, monkeypatch, error, status, path):
    def away(self):
        raise error

    monkeypatch.setattr(db.SQLite, "reading", away)
    answer = visit().get(path)
    assert answer.status_code == (401 if path == "/me" else status)  # nobody is told so without a look
    assert "Ideas Hub" in answer.text or path.startswith("/api/")
    assert ("Retry-After" in answer.headers) == (answer.status_code == 503)
    assert ("problem+json" in answer.content_type) == path.startswith("/api/")
