"""How much one may ask in a minute, and how long an address may be.

Who is signed in is counted as that person, wherever they sit; who is not, as the network they come from, with room for
a whole council behind one address. What is asked too often is refused before it is read.
"""

import logging
import math
import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from threading import Lock
from typing import Any, cast

from flask import Flask, Response, g, request
from flask_limiter import Limiter, RateLimitExceeded
from limits import parse
from limits.storage import MemoryStorage
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from ideas_hub.errors import Sentence
from web.config import Config
from web.errors import SAID, respond
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
# Seconds that Redis has; where it does not answer, the counts of this process must do. It is asked again after 1, 2, 4 … 32 s.
PATIENCE: dict[str, Any] = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2, "retry": Retry(NoBackoff(), 0)}


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


def init_app(app: Flask) -> None:
    app.before_request(_refuse_long_addresses)
    settings: Config = app.extensions["ideas_hub"].config
    app.extensions["may_read"] = lambda address: True
    if not settings.rate_limits:
        return
    app.before_request(_know_who)
    limiter = Limiter(
        lambda: str(g.counted_as),
        application_limits=[lambda: str(g.limit)],
        application_limits_exempt_when=lambda: request.endpoint in UNCOUNTED or COUNTED in request.environ,
        request_identifier=lambda: "hub",  # whatever is asked, also what is not there
        storage_uri=settings.redis_url or "counts://",
        storage_options=PATIENCE if settings.redis_url else {},
        in_memory_fallback_enabled=True,
        swallow_errors=True,  # of who asked Redis at the same time as the one who noticed that it is away: they go uncounted
    )
    limiter.init_app(app)
    limiter.logger.addFilter(_is_worth_a_line)

    app.extensions["may_read"] = Readers(limiter).may_read

    @app.errorhandler(RateLimitExceeded)
    def exceeded(refusal: RateLimitExceeded) -> Response:
        response = respond(429, Sentence(SAID[429]))
        if limit := limiter.current_limit:
            response.headers["Retry-After"] = str(max(1, math.ceil(limit.reset_at - time.time())))
        return response


class Readers:
    """Counts pages that are sent as they are. Counting one costs as much as sending it, so several are counted at once.

    What was counted and not read by the end of a minute is lost: one network loses less than a three-hundredth of its limit.
    """

    def __init__(self, limiter: Limiter) -> None:
        self.limiter, self.minute = limiter, 0.0
        self.left: dict[str, int] = {}  # reads that are counted already, by network

    def may_read(self, address: str) -> bool:
        network = _network(address)
        if self.minute != (minute := time.time() // 60):
            self.minute, self.left = minute, {}
        left = self.left.get(network, 0) or self._count(network)
        self.left[network] = max(left - 1, 0)
        return left > 0

    def _count(self, network: str) -> int:
        """Count some reads more, and return how many; none where the limit is reached, or Redis is away."""
        most = A_MINUTE["read"][True]
        some = max(1, most // 300)
        try:
            return some if self.limiter.limiter.hit(parse(f"{most}/minute"), f"read {network}", "global", cost=some) else 0
        except RedisError:
            return 0


def may_read(app: Flask, address: str) -> bool:
    """Count one page that is read without signing in, with all others of that network.

    False where it is one too many, or could not be counted: then the application counts, and refuses, as it does everything else.
    """
    return cast(Callable[[str], bool], app.extensions["may_read"])(address)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """That Redis went and came back, once; not each refusal, for a flood shall not fill the log as well."""
    if record.exc_info:
        return not isinstance(record.exc_info[1], RedisError)
    return "exceeded" not in record.msg


def _refuse_long_addresses() -> Response | None:
    path = request.environ.get("RAW_PATH_INFO") or request.path
    return respond(414, Sentence(SAID[414])) if len(path) + len(request.query_string) > LONGEST_ADDRESS else None


def _know_who() -> None:
    """Before anything is counted: under what, and how much of it there may be."""
    what, person = _what(), identity().person
    g.counted_as = f"{what} {person or _network(request.remote_addr or '')}"
    g.limit = f"{A_MINUTE[what][person is None]}/minute"


def _what() -> str:
    rule = str(request.url_rule or "")
    if request.method in SAFE:
        return "draw" if rule.endswith("/card.png") else "read"
    if rule.endswith(ASKS):
        return "ask"
    if "/drafts" in rule:
        return "keep"
    if "/vote" in rule:
        return "vote"
    return "write" if request.method == "POST" and rule.endswith(WRITES) else "act"


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    """The address; of IPv6 the network that one household or office has."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address or "nowhere"
    return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))
