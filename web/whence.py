"""From where somebody signs in, as roughly as it helps them to know it again: "Firefox on Windows", "192.0.2.0/24"."""

import re
from ipaddress import ip_address, ip_network

from flask import request

from ideas_hub.sessions import Whence

# In this order: most browsers say that they are others as well.
BROWSERS = {
    "Edge": r"Edg(?:e|A|iOS)?/",
    "Opera": r"OPR/",
    "Samsung Internet": r"SamsungBrowser/",
    "Firefox": r"Firefox/|FxiOS/",
    "Chrome": r"Chrome/|CriOS/|Chromium/",
    "Safari": r"Version/[\d.]+ .*Safari/",
}
SYSTEMS = {
    "iPhone": r"iPhone",
    "iPad": r"iPad",
    "Android": r"Android",
    "Windows": r"Windows",
    "ChromeOS": r"CrOS",
    "Mac": r"Mac OS X|Macintosh",
    "Linux": r"Linux|X11",
}
NETWORK = {4: 24, 6: 48}  # bits that are kept of an address: a provider or an office, and nobody's own device


def whence() -> Whence:
    return Whence(_device(request.user_agent.string), _network(request.remote_addr or ""))


def _device(agent: str) -> str:
    browser, system = _first(BROWSERS, agent), _first(SYSTEMS, agent)
    return f"{browser} on {system}" if browser and system else browser or system or ""


def _first(names: dict[str, str], agent: str) -> str | None:
    return next((name for name, sign in names.items() if re.search(sign, agent)), None)


def _network(address: str) -> str:
    try:
        ip = ip_address(address)
    except ValueError:
        return ""
    return str(ip_network((ip, NETWORK[ip.version]), strict=False))
