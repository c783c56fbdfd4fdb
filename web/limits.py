"""How much one may ask in a minute, and how long an address may be.

Who is signed in is counted as that person, wherever they sit; who is not, as the network they come from, with room for
a whole council behind one address. What is asked too often is refused before it is read.
"""

import logging
import math
import time
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any, cast

from flask import Flask, Response, request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from ideas_hub.errors import Sentence
from web.config import Config
from web.errors import SAID, respond
from web.networks import network
from web.session import SAFE, identity

LONGEST_ADDRESS = 8192
A_MINUTE = {  # how often, by what is done: for a person, and for a network of people who are not signed in
    "read": (1200, 6000),
    "draw": (60, 300),
    "vote": (300, 600),
    "write": (30, 300),
    "act": (120, 300),
    "ask": (10, 60),  # for a link by mail
    "keep": (120, 120),  # drafts, while somebody types
}
WRITES = ("/ideas", "/ideas/new", "/comments", "/answers")  # where what people write is posted to
ASKS = ("/by-email", "/sign-in/email", "/again")  # where a mail comes of it
UNCOUNTED = {"static", "health.healthz"}
COUNTED = "ideas_hub.counted"  # what a request carries that was counted before it came to the application
PATIENCE: dict[str, Any] = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2, "retry": Retry(NoBackoff(), 0)}  # seconds
LONGEST_PAUSE = 32.0  # seconds until Redis is asked again, where it did not answer

logger = logging.getLogger(__name__)


class Counts(MemoryStorage):
    """Counts of this process. What ran out is swept by who comes, now and then; the original has a thread for that each time."""

    STORAGE_SCHEME = ["counts"]  # noqa: RUF012  as `limits` has it
    SWEPT_EVERY = 10.0  # seconds

    def __init__(self, uri: str | None = None, **options: Any) -> None:
        super().__init__(uri, **options)
        self.counting, self.to_sweep = Lock(), 0.0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        with self.counting:
            moment = time.time()
            if moment > self.to_sweep:
                self.to_sweep = moment + self.SWEPT_EVERY
                for old in [old for old, end in self.expirations.items() if end <= moment]:
                    self.clear(old)
            self.storage[key] = count = self.get(key) + amount
            self.expirations.setdefault(key, moment + expiry)
            return count


class Counter:
    """Counts what is asked: in Redis, for all servers together, or in this process, where there is one only.

    Where Redis does not answer, the counts of this process must do; it is asked again after 1, 2, 4 ... 32 seconds.
    """

    def __init__(self, redis_url: str | None) -> None:
        self.own = FixedWindowRateLimiter(Counts())
        self.shared = FixedWindowRateLimiter(storage_from_string(redis_url, **PATIENCE)) if redis_url else None
        self.pause, self.asked_again = 0.0, 0.0

    def hit(self, limit: RateLimitItem, who: str, *, cost: int = 1) -> bool:
        """Count it, and say whether it was within the limit."""
        return bool(self._ask(lambda counts: counts.hit(limit, who, cost=cost)))

    def until(self, limit: RateLimitItem, who: str) -> float:
        """When (seconds since the epoch) the count begins anew."""
        return float(self._ask(lambda counts: counts.get_window_stats(limit, who).reset_time))

    def _ask(self, question: Callable[[FixedWindowRateLimiter], Any]) -> Any:
        if self.shared is None or time.monotonic() < self.asked_again:
            return question(self.own)
        try:
            answer = question(self.shared)
        except RedisError as away:
            if not self.pause:
                logger.error("Redis does not answer, and each server counts for itself meanwhile: %s", away)
            self.pause = min(2 * self.pause or 1.0, LONGEST_PAUSE)
            self.asked_again = time.monotonic() + self.pause
            return question(self.own)
        if self.pause:
            self.pause = 0.0
            logger.warning("Redis is back, and counts for all servers again")
        return answer


def init_app(app: Flask) -> None:
    app.before_request(_refuse_long_addresses)
    settings: Config = app.extensions["ideas_hub"].config
    app.extensions["may_read"] = lambda address: True
    if not settings.rate_limits:
        return
    counter = Counter(settings.redis_url if settings.has_several_servers else None)
    limits = {what: tuple(map(RateLimitItemPerMinute, often)) for what, often in A_MINUTE.items()}
    app.extensions["may_read"] = Readers(counter, limits["read"][True]).may_read

    @app.before_request
    def count() -> Response | None:
        if request.endpoint in UNCOUNTED or COUNTED in request.environ:
            return None
        what, person = _what(request.method, str(request.url_rule or "")), identity().person
        limit, who = limits[what][person is None], f"{what} {person or network(request.remote_addr or '')}"
        if counter.hit(limit, who):
            return None
        response = respond(429, Sentence(SAID[429]))
        response.headers["Retry-After"] = str(max(1, math.ceil(counter.until(limit, who) - time.time())))
        return response


class Readers:
    """Counts pages that are sent as they are. Counting one costs as much as sending it, so several are counted at once.

    What was counted and not read by the end of a minute is lost: one network loses less than a three-hundredth of its limit.
    """

    def __init__(self, counter: Counter, limit: RateLimitItem) -> None:
        self.counter, self.limit, self.minute = counter, limit, 0.0
        self.left: dict[str, int] = {}  # reads that are counted already, by network

    def may_read(self, address: str) -> bool:
        where = network(address)
        if self.minute != (minute := time.time() // 60):
            self.minute, self.left = minute, {}
        left = self.left.get(where, 0) or self._count(where)
        self.left[where] = max(left - 1, 0)
        return left > 0

    def _count(self, where: str) -> int:
        """Count some reads more, and return how many; none where the limit is reached."""
        some = max(1, self.limit.amount // 300)
        return some if self.counter.hit(self.limit, f"read {where}", cost=some) else 0


def may_read(app: Flask, address: str) -> bool:
    """Count one page that is read without signing in, with all others of that network.

    False where it is one too many: then the application counts, and refuses, as it does everything else.
    """
    return cast("Callable[[str], bool]", app.extensions["may_read"])(address)


def _refuse_long_addresses() -> Response | None:
    path = request.environ.get("RAW_PATH_INFO") or request.path
    return respond(414, Sentence(SAID[414])) if len(path) + len(request.query_string) > LONGEST_ADDRESS else None


@lru_cache(maxsize=1024)
def _what(method: str, rule: str) -> str:
    """What a request does, by its method and its route."""
    if method in SAFE:
        return "draw" if rule.endswith("/card.png") else "read"
    if rule.endswith(ASKS):
        return "ask"
    if "/drafts" in rule:
        return "keep"
    if "/vote" in rule:
        return "vote"
    return "write" if method == "POST" and rule.endswith(WRITES) else "act"
