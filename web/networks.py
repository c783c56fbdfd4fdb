"""From which network a request comes: to count what is asked, and to notice where many new people vote for one idea.

Neither needs to know where that is. What a vote is kept with is a keyed hash, salted with the idea it is for: the same network
looks different for every idea, and without the hub's secret nobody can find out which one it was.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network

from flask import Flask, current_app, request

from ideas_hub.bursts import come_from


def init_app(app: Flask) -> None:
    app.before_request(_note)
    app.teardown_request(lambda _error: come_from(None))


def _note() -> None:
    """What is done in this request is done from the network that it came from."""
    come_from(hashed(str(current_app.config["SECRET_KEY"]), request.remote_addr or ""))


def hashed(secret: str, address: str) -> Callable[[str], str | None]:
    """The network of an address as an idea's votes know it, by the idea's reference; None where it tells nobody from another.

    That is so on the machine itself: its own people, or a proxy that was not named in the settings.
    """
    return lambda idea: None if _is_here(address) else _hash(secret, f"{idea} {network(address)}")


def _hash(secret: str, text: str) -> str:
    digest = hmac.digest(f"network of a vote {secret}".encode(), text.encode(), "sha256")
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """The address; of IPv6 the network that one household or office has."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address or "nowhere"
    return str(ip) if ip.version == 4 else str(ip_network((ip, 64), strict=False))


@lru_cache(maxsize=4096)
def _is_here(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return True
