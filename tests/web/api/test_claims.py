"""`Idempotency-Key`: what a script sends again after a lost answer is done once, and answered as the first time."""

import pytest

from events.catalogue import View
from ideas_hub import audiences
from ideas_hub.comments import Comment
from ideas_hub.errors import AtWork
from tests import make
from tests.support.witness import nothing_written, rows
from tests.web.api.conftest import Api
from tests.web.api.routes import ACTS, ROUTES, Route

pytestmark = pytest.mark.sqlite_only

POSTS = [route for route in ROUTES if route.method == "POST"]
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest.mark.parametrize("route", POSTS, ids=str)
def test_what_is_posted_again_with_its_key_is_done_once(api: Api, route: Route) -> None:
    """A command behind a POST of the API is marked `@once` (`ideas_hub/claims.py`)."""
    who = make.regular("leader", "moderator", "sponsor")
    idea = make.idea()
    make.sponsored(idea, by=who)
    first = api.by(who).post(route.address(idea=idea), route.body, headers=KEY)
    assert first.status_code == 201
    with nothing_written():
        again = api.by(who).post(route.address(idea=idea), route.body, headers=KEY)
        assert (again.status_code, again.json) == (201, first.json)
        assert again.headers.get("Location") == first.headers.get("Location")
        other = api.by(who).post(route.address(idea=idea), (route.body or {}) | {"themes": []}, headers=KEY)
        assert other.status_code == 422
    assert api.by(who).post(route.address(idea=idea), route.body).status_code in (201, 409)


def test_with_a_key_of_somebody_else_one_posts_something_of_ones_own(api: Api) -> None:
    ann, bob, idea = make.resident(), make.resident(), make.idea()
    made = [api.by(who).post(f"/ideas/{idea}/comments", {"body": "Same."}, headers=KEY).json["id"] for who in (ann, bob)]
    assert len(set(made)) == 2


def test_who_may_no_longer_see_it_is_not_told_it_again(api: Api) -> None:
    ann, idea = make.resident(), make.idea()
    path = f"/ideas/{idea}/comments"
    assert api.by(ann).post(path, {"body": "Secret by now."}, headers=KEY).status_code == 201
    audiences.change_idea(make.leader(), idea, audience=View.STAFF)
    again = api.by(ann).post(path, {"body": "Secret by now."}, headers=KEY)
    assert (again.status_code, again.data) == (404, api.by(ann).get("/ideas/zzzzzzzz").data)


def test_a_key_for_something_else_is_refused_by_name(api: Api) -> None:
    caller, idea, other = api.by(make.resident()), make.idea(), make.idea()
    assert caller.post(f"/ideas/{idea}/comments", {"body": "One."}, headers=KEY).status_code == 201
    with nothing_written():
        for place, words in ((idea, "Two."), (other, "One.")):
            answer = caller.post(f"/ideas/{place}/comments", {"body": words}, headers=KEY)
            assert (answer.status_code, list(answer.json["errors"])) == (422, ["Idempotency-Key"])


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "tab\there"])
def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    caller, idea = api.by(make.resident()), make.idea()
    with nothing_written():
        answer = caller.post(f"/ideas/{idea}/comments", {"body": "One."}, headers={"Idempotency-Key": key})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["Idempotency-Key"])


def test_a_refusal_is_not_kept(api: Api) -> None:
    caller, idea = api.by(make.resident()), make.idea()
    assert caller.post(f"/ideas/{idea}/comments", {"body": ""}, headers=KEY).status_code == 422
    assert caller.post(f"/ideas/{idea}/comments", {"body": "Now with words."}, headers=KEY).status_code == 201


def test_while_it_is_being_done_who_asks_again_is_told_when_to(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, idea = make.resident(), make.idea()

    def busy(self: object, name: str) -> None:
        raise AtWork

    monkeypatch.setattr("ideas_hub.db.SQLite.writing_alone", busy)
    answer = api.by(ann).post(f"/ideas/{idea}/comments", {"body": "One."}, headers=KEY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")


@pytest.mark.parametrize("route", [route for route in ACTS if route.method != "POST"], ids=str)
def test_other_methods_may_be_repeated_as_they_are_and_ignore_the_key(api: Api, route: Route) -> None:
    who, idea = make.overseer(), make.idea()
    for key in ("x", ""):
        answer = api.by(who).ask(route.method, route.address(idea=idea), route.body, headers={"Idempotency-Key": key})
        assert "Idempotency-Key" not in ((answer.json or {}).get("errors", {}) if answer.data else {})
    assert rows(Comment) == []
