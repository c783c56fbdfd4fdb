"""People on live pages, in real browsers against a real server. What a page must show is asked until it is so, or too late."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from ideas_hub import db
from ideas_hub.people import Actor
from tests import make
from tests.support.browser import Visitors
from tests.support.hub import ROOT, Server

OUTAGE = ("net::ERR_", "WebSocket connection to")  # what browsers themselves say of a server that is away
SIGN = "[data-live-sign]"
COMMENT = "form[action$='/comments']:not(:has([name=parent]))"  # the others are for replies


class Watcher:
    """Somebody's page, and what can be seen on it."""

    def __init__(self, page: Page, path: str, patience: float = 5.0) -> None:
        self.page = page
        page.goto(path)
        page.evaluate("window.notReloaded = true")
        self.until_live(within=patience)

    @property
    def was_reloaded(self) -> bool:
        return not self.page.evaluate("window.notReloaded === true")

    def until(self, condition: str, argument: object = None, *, within: float = 5.0) -> None:
        """Wait for a condition in JavaScript; fail after so many seconds. It is asked once even when it is too late to wait."""
        if within <= 0.05:
            assert self.page.evaluate(condition, argument), f"not in time: {condition} {argument}"
            return
        self.page.wait_for_function(condition, arg=argument, timeout=within * 1000, polling=20)

    def until_live(self, *, within: float = 5.0) -> None:
        self.until(f"() => document.querySelector('{SIGN}').classList.contains('live--on')", within=within)

    def until_sign(self, name: str, *, within: float) -> None:
        self.until(f"name => document.querySelector('{SIGN}').classList.contains(`live--${{name}}`)", name, within=within)

    def until_votes(self, idea: str, votes: int, *, within: float = 5.0) -> None:
        self.until(
            "([idea, votes]) => document.querySelector(`[data-topic='idea:${idea}'] [data-fact=votes]`)?.textContent == votes",
            [idea, votes],
            within=within,
        )

    def until_shows(self, text: str, *, within: float = 5.0) -> None:
        self.until("text => document.querySelector('main').innerText.includes(text)", text, within=within)

    def until_without(self, text: str, *, within: float = 5.0) -> None:
        self.until("text => !document.body.innerText.includes(text)", text, within=within)

    def keys(self) -> list[str]:
        """What comes and goes on the page, in its order."""
        return self.page.eval_on_selector_all("main [data-key]", "found => found.map(element => element.dataset.key)")

    def sign(self) -> str:
        return self.page.inner_text(SIGN)


@dataclass(frozen=True)
class Town:
    """A few people and ideas of theirs."""

    author: Actor
    neighbour: Actor
    other: Actor
    leader: Actor
    sponsor: Actor
    benches: str
    buses: str


@pytest.fixture
def town(hub: db.Database) -> Town:
    author = make.resident("Delyth Morgan")
    sponsor = make.sponsor("Priya Nair")
    return Town(
        author=author,
        neighbour=make.resident("Huw Prŷs"),
        other=make.resident("Aisha Rahman"),
        leader=make.leader("Angharad Cole"),
        sponsor=sponsor,
        benches=make.idea(author, title="Benches on the hospital hill", votes=3),
        buses=make.idea(author, title="School minibuses at weekends", stage="exploring", sponsor=sponsor, votes=2),
    )


Watch = Callable[..., Watcher]


@pytest.fixture
def watch(visitor: Visitors) -> Watch:
    """`watch(server, "/board", town.leader)`: that person's live page."""

    def start(server: Server, path: str, person: Actor | None = None, patience: float = 5.0, **options: object) -> Watcher:
        return Watcher(visitor(server.url, person.ref if person else None, **options), path, patience)

    return start


@pytest.fixture
def outage(visitor: Visitors) -> None:
    """This test takes the server away."""
    for words in OUTAGE:
        visitor.forgive(words)


Offline = Callable[[], Page]


@pytest.fixture
def offline(visitor: Visitors) -> Offline:
    """`offline()`: an empty page beside our modules, without any server."""

    def start() -> Page:
        page = visitor("http://hub.test")
        page.route(
            "**/blank",
            lambda route: route.fulfill(content_type="text/html", body='<html lang="en"><link rel="icon" href="data:,">'),
        )
        page.route("**/static/**", lambda route: route.fulfill(path=ROOT / "web" / urlsplit(route.request.url).path[1:]))
        page.goto("/blank")
        return page

    return start
