"""How much one may ask in a minute, and how long an address may be.

Who is signed in is counted as that person, wherever they sit; who is not, as the network they come from, with room for
a whole council behind one address. What is asked too often is refused before it is read.
"""

import logging
import math
import time
from ipaddress import ip_address, ip_network
from typing import Any

from flask import Flask, Response, g, request
from flask_limiter import Limiter, RateLimitExceeded
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
    "keep": (120, 120),  # drafts, while somebody types
}
WRITES = ("/ideas", "/ideas/new", "/comments", "/answers")  # where what people write is posted to
UNCOUNTED = {"static", "health.healthz"}
# Seconds that Redis has; where it does not answer, the counts of this process must do. It is asked again after 1, 2, 4 … 32 s.
PATIENCE: dict[str, Any] = {"socket_connect_timeout": 0.2, "socket_timeout": 0.2, "retry": Retry(NoBackoff(), 0)}


def init_app(app: Flask) -> None:
    app.before_request(_refuse_long_addresses)
    settings: Config = app.extensions["ideas_hub"].config
    if not settings.rate_limits:
        return
    app.before_request(_know_who)
    limiter = Limiter(
        lambda: str(g.counted_as),
        application_limits=[lambda: str(g.limit)],
        application_limits_exempt_when=lambda: request.endpoint in UNCOUNTED,
        request_identifier=lambda: "hub",  # whatever is asked, also what is not there
        storage_uri=settings.redis_url or "memory://",
        storage_options=PATIENCE if settings.redis_url else {},
        in_memory_fallback_enabled=True,
        swallow_errors=True,  # of who asked Redis at the same time as the one who noticed that it is away: they go uncounted
    )
    limiter.init_app(app)
    limiter.logger.addFilter(_is_worth_a_line)

    @app.errorhandler(RateLimitExceeded)
    def exceeded(refusal: RateLimitExceeded) -> Response:
        response = respond(429, Sentence(SAID[429]))
        if limit := limiter.current_limit:
            response.headers["Retry-After"] = str(max(1, math.ceil(limit.reset_at - time.time())))
        return response


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
    if "/drafts" in rule:
        return "keep"
    if "/vote" in rule:
        return "vote"
    return "write" if request.method == "POST" and rule.endswith(WRITES) else "act"


def _network(address: str) -> str:
    """The address; of IPv6 the network that one household or office has."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address or "nowhere"
    return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))
