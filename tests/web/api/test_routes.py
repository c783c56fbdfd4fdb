"""What holds for every request of the API alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ideas_hub import db
from tests import make
from tests.support import whole_file
from tests.support.hub import environment
from tests.support.witness import nothing_written
from tests.web.api.conftest import Api
from tests.web.api.routes import ACTS, LISTS, OF_AN_IDEA, OWN, READS, ROUTES, Route
from web import create_app
from web.config import from_environment

pytestmark = pytest.mark.sqlite_only

database_url, hub = whole_file.database_url, whole_file.hub


@pytest.fixture(scope="module")
def api(hub: db.Database, database_url: str) -> Api:
    """One for all: nothing here is done, but by one vote."""
    return Api(create_app(from_environment(environment(database_url))))


def test_the_table_of_these_tests_is_that_of_the_hub(api: Api) -> None:
    rules = [rule for rule in api.app.url_map.iter_rules() if str(rule).startswith("/api/")]
    served = {(method, str(rule)) for rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}}
    assert served == {(route.method, route.rule) for route in ROUTES + OWN}


@pytest.mark.parametrize("route", ACTS, ids=str)
def test_who_is_not_signed_in_is_told_so_before_anything_is_looked_up(api: Api, route: Route) -> None:
    for idea in (make.idea(), make.idea(audience="leadership"), "zzzzzzzz", "%00"):
        for body in (route.body, {"nonsense": 1}, []):
            answer = api.by().ask(route.method, route.address(idea=idea), body)
            assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
            assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_token_that_is_no_good_is_refused_everywhere(api: Api, route: Route) -> None:
    caller = api.by()
    caller.headers = {"Authorization": "Bearer made-up"}
    assert caller.ask(route.method, route.address(idea=make.idea()), route.body).status_code == 401


@pytest.mark.parametrize("route", OF_AN_IDEA, ids=str)
def test_what_somebody_may_not_see_is_answered_like_what_is_not_there(api: Api, route: Route) -> None:
    secret, hidden, public = make.idea(audience="leadership"), make.idea(hidden=True), make.idea()
    on_secret, on_hidden, on_public = make.comment(secret), make.comment(make.idea()), make.comment(public, hidden=True)
    for who in (make.resident(), make.staff(), make.person(kind="staff", roles=["sponsor"])):
        caller = api.by(who)
        with nothing_written():
            missing = caller.ask(route.method, route.address(), route.body)
            assert missing.status_code == 404
            for idea, comment in ((secret, on_secret), (hidden, on_hidden), ("%00", "%00"), ("%F0%9F%8D%8B", "x")):
                answer = caller.ask(route.method, route.address(idea=idea, comment=comment), route.body)
                assert (answer.status_code, answer.data) == (404, missing.data)
            if "{comment}" in route.path:
                answer = caller.ask(route.method, route.address(idea=public, comment=on_public), route.body)
                assert (answer.status_code, answer.data) == (404, missing.data)


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_parameter_that_does_not_exist_is_refused_by_name(api: Api, route: Route) -> None:
    answer = api.by(make.overseer()).ask(route.method, route.address(idea=make.idea(), colour="red"), route.body)
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == ["colour"]


JSON = "application/json"
UNREADABLE: list[tuple[int, dict[str, Any]]] = [
    (422, {"data": b"[]", "content_type": JSON}),
    (422, {"data": b"3", "content_type": JSON}),
    (422, {"data": b"null", "content_type": JSON}),
    (400, {"data": b'{"a":', "content_type": JSON}),
    (400, {"data": b'{"a": NaN}', "content_type": JSON}),
    (400, {"data": b'{"a": 1, "a": 1}', "content_type": JSON}),
    (400, {"data": b'{"a": "\xff"}', "content_type": JSON}),
    (400, {"data": b"[" * 100_000, "content_type": JSON}),
    (400, {"data": b'{"a":' * 30_000, "content_type": JSON}),
    (400, {"data": '{"a": 1}'.encode("utf-16"), "content_type": JSON}),
    (400, {"data": b'{"a": ' + b"9" * 5000 + b"}", "content_type": JSON}),
    (415, {"data": b"title=x", "content_type": "application/x-www-form-urlencoded"}),
    (415, {"data": b"{}", "content_type": "text/plain"}),
    (415, {"data": b"{}"}),
    (415, {"data": b"{}", "content_type": JSON, "headers": {"Content-Encoding": "gzip"}}),
    (413, {"data": b"a" * 1_100_000, "content_type": JSON}),
]


@pytest.mark.parametrize("route", ACTS, ids=str)
def test_a_body_that_cannot_be_read_is_refused(api: Api, route: Route) -> None:
    caller, idea = api.by(make.overseer()), make.idea()
    with nothing_written():
        for status, sent in UNREADABLE:
            answer = caller.ask(route.method, route.address(idea=idea), **sent)
            assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), sent
            assert answer.json["title"]
            assert answer.json["detail"]


def test_a_browser_acts_with_its_session_and_the_token_of_its_form(api: Api) -> None:
    idea, browser = make.idea(), api.browser(make.resident())
    assert browser.put(f"/ideas/{idea}/vote").json["votes"] == 1
    form = {"data": b"a=b", "content_type": "application/x-www-form-urlencoded"}
    assert browser.delete(f"/ideas/{idea}/vote", **form).status_code == 415


@contextmanager
def nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(self: object) -> None:
        raise AssertionError("a GET opened a transaction")

    with monkeypatch.context() as patch:
        patch.setattr(db.SQLite, "writing", refuse)
        yield


@pytest.mark.parametrize("route", READS, ids=str)
def test_reading_writes_nothing_and_is_not_repeated_to_who_has_it(
    api: Api, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    idea = make.idea(votes=2)
    make.comment(idea)
    callers = [api.by(), api.by(make.overseer()), api.browser(make.leader())]
    with nothing_is_written(monkeypatch):
        for caller in callers:
            first = caller.get(route.address(idea=idea))
            assert first.status_code == 200
            assert first.headers["Cache-Control"] == "private, no-cache"
            mark = first.headers["ETag"]
            for known in (mark, f'"other", {mark}', f"W/{mark}", "*"):
                again = caller.get(route.address(idea=idea), headers={"If-None-Match": known})
                assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", mark)
            assert caller.get(route.address(idea=idea), headers={"If-None-Match": '"other"'}).status_code == 200
            head = caller.ask("HEAD", route.address(idea=idea))
            assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", mark)


@pytest.mark.parametrize("route", [route for route in READS if route.path != "/ideas/similar"], ids=str)
def test_a_method_that_is_not_offered_names_those_that_are(api: Api, route: Route) -> None:
    offered = {other.method for other in ROUTES if other.path == route.path}
    for method in {"PUT", "POST", "PATCH", "DELETE"} - offered:
        answer = api.by(make.overseer()).ask(method, route.address(idea=make.idea()))
        assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
        assert offered <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_a_list_is_asked_for_in_pieces_of_1_to_100(api: Api, route: Route) -> None:
    idea = make.idea()
    for limit in ("0", "101", "10000", "-1", "+5", "5.0", "%205", "five", "", "%D9%A3", "9" * 50):
        answer = api.by().get(route.address(idea=idea, limit=limit))
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["limit"]), limit
    assert api.by().get(route.address(idea=idea, limit="100")).status_code == 200


@pytest.mark.parametrize("route", LISTS, ids=str)
def test_a_made_up_cursor_is_refused(api: Api, route: Route) -> None:
    for cursor in ("abc", "", "%00", "WyJhdCIsMSwyXQ.yGj8fKsfmiNpJHYfwiilYJ6Ajj4", "W10=", "a" * 4000, "%F0%9F%8D%8B"):
        answer = api.by().get(route.address(idea=make.idea(), cursor=cursor))
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["cursor"]), cursor


@pytest.mark.parametrize("route", READS, ids=str)
def test_an_address_that_is_not_utf8_is_refused(api: Api, route: Route) -> None:
    idea = make.idea()
    for value in ("%FF", "%C3%28", "%ED%A0%80", "%F5%80%80%80"):
        answer = api.by().get(route.address(idea=idea, q=value))
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["q"]), value


def test_an_address_that_is_too_long_is_refused(api: Api) -> None:
    answer = api.by().get("/ideas?q=" + "a" * 9000)
    assert (answer.status_code, answer.mimetype) == (414, "application/problem+json")


def test_the_hub_describes_itself(api: Api) -> None:
    document = api.by().get("/openapi.json").json
    assert document["openapi"] == "3.1.0"
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods if method != "parameters"
    }
    assert described == {(route.method, "/api/v1" + route.path) for route in ROUTES + OWN}
