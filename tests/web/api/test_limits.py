"""Nobody is shut out by others, and nobody can flood the hub."""

import time
from collections.abc import Callable

import pytest
from limits import RateLimitItemPerMinute
from redis.exceptions import ConnectionError

from tests import make
from tests.support.services import Redis
from tests.support.witness import nothing_written
from tests.web.api.conftest import Api
from tests.web.api.routes import TEXTS
from web import limits

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def api(hub_with: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> Api:
    monkeypatch.setattr(limits, "A_MINUTE", {"read": (20, 40), "vote": (4, 5), "write": (3, 5), "act": (6, 5)})
    return hub_with(RATE_LIMITS="on")


def test_who_writes_too_quickly_is_told_when_to_go_on(api: Api) -> None:
    ann, bob = api.by(make.resident()), api.by(make.resident())
    for _ in range(3):
        assert ann.post("/ideas", TEXTS).status_code == 201
    idea = make.idea()
    with nothing_written():
        for path, body in (("/ideas", TEXTS), ("/ideas", []), (f"/ideas/{idea}/comments", {"body": "x"})):
            answer = ann.post(path, body)
            assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
            assert 1 <= int(answer.headers["Retry-After"]) <= 61
            assert answer.json["detail"]
    assert ann.put(f"/ideas/{idea}/vote").status_code == 200  # counted apart
    assert ann.get(f"/ideas/{idea}").status_code == 200
    assert bob.post("/ideas", TEXTS).status_code == 201  # from the same address


def test_votes_are_counted_together_on_pages_and_in_the_api(api: Api) -> None:
    ann, ideas = api.by(make.resident()), [make.idea() for _ in range(5)]
    found = [ann.put(f"/ideas/{idea}/vote").status_code for idea in ideas]
    assert found == [200, 200, 200, 200, 429]
    page = ann.client.post(f"/ideas/{ideas[0]}/vote", headers=ann.headers)
    assert page.status_code == 429
    assert page.headers["Retry-After"]


def test_who_is_not_signed_in_is_counted_by_network_and_others_there_are_not_shut_out(api: Api) -> None:
    nobody, ann = api.by(), api.by(make.resident())
    found = [nobody.get("/ideas").status_code for _ in range(41)]
    assert found == [200] * 40 + [429]
    assert nobody.get("/nothing").status_code == 429
    assert ann.get("/ideas").status_code == 200
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert nobody.get("/ideas", environ_base=elsewhere).status_code == 200
    assert nobody.client.get("/healthz").status_code == 200


def test_addresses_of_one_household_are_one_network(api: Api) -> None:
    found = [api.by().get("/ideas", environ_base={"REMOTE_ADDR": f"2001:db8:1:2::{n:x}"}).status_code for n in range(41)]
    assert found[-1] == 429
    assert api.by().get("/ideas", environ_base={"REMOTE_ADDR": "2001:db8:1:3::1"}).status_code == 200


def test_guessing_tokens_is_limited_too(api: Api) -> None:
    nobody = api.by()
    nobody.headers = {"Authorization": "Bearer guess"}
    assert [nobody.put("/ideas/zzzzzzzz/vote").status_code for _ in range(6)] == [401] * 5 + [429]


def test_where_limits_are_off_there_are_none(hub_with: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "A_MINUTE", {"read": (1, 1)})
    api = hub_with(RATE_LIMITS="off")
    assert [api.by().get("/ideas").status_code for _ in range(5)] == [200] * 5


def test_what_was_counted_is_forgotten_after_its_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    counts = limits.Counts()
    assert [counts.incr("ann", 60), counts.incr("ann", 60), counts.incr("bob", 60)] == [1, 2, 1]
    now += 61
    assert counts.incr("bob", 60) == 1
    assert set(counts.storage) == set(counts.expirations) == {"bob"}


def test_servers_count_together_where_there_is_redis(redis: Redis) -> None:
    one, other = limits.Counter(redis.url), limits.Counter(redis.url)
    limit = RateLimitItemPerMinute(6)
    assert [server.hit(limit, "read 192.0.2.8") for _ in range(4) for server in (one, other)] == [True] * 6 + [False] * 2
    assert 0 < other.until(limit, "read 192.0.2.8") - time.time() <= 61


def test_limits_go_on_without_redis_and_it_is_asked_again_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    server, limit, asked = limits.Counter("redis://127.0.0.1:1/0"), RateLimitItemPerMinute(6), []
    monkeypatch.setattr(server.shared, "hit", lambda *_, **__: asked.append(now) or _away())
    assert [server.hit(limit, "read") for _ in range(7)] == [True] * 6 + [False]
    for _ in range(160):
        now += 0.5
        server.hit(limit, "read")
    assert asked == [1000, 1001, 1003, 1007, 1015, 1031, 1063]
    monkeypatch.setattr(server.shared, "hit", lambda *_, **__: True)
    now += 32
    assert server.hit(limit, "read")
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_the_only_server_of_a_database_counts_for_itself(hub_with: Callable[..., Api], monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = hub_with(RATE_LIMITS="on", REDIS_URL="redis://127.0.0.1:1/0").by()
    with monkeypatch.context() as patched:
        patched.setattr("socket.socket.connect", lambda *_: pytest.fail("Redis was asked"))
        assert nobody.get("/ideas").status_code == 200


def _away() -> None:
    raise ConnectionError
