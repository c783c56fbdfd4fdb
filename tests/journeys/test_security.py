"""What a browser itself says of our pages: that nothing on them breaks the policy that they come with."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page

from ideas_hub import db
from ideas_hub.people import Actor
from ideas_hub.sessions import make_token
from tests import make
from tests.journeys.conftest import COMMENT
from tests.support.browser import Visitors
from tests.support.hub import environment
from tests.support.provider import Provider
from tests.web.test_access import addresses
from web import create_app
from web.config import from_environment

pytestmark = pytest.mark.sqlite_only

LISTEN = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => window.violations.push(
  `${event.effectiveDirective}: ${event.blockedURI || "inline"} at ${event.sourceFile}:${event.lineNumber}`));
"""
SETTLED = """() => document.readyState === "complete" && (
  !document.querySelector("main[data-live-topics]") || !document.querySelector("[data-live-sign]")
  || document.querySelector(".live--on"))"""
REFUSED = ("400", "401", "403", "404", "409", "422", "501", "503")  # which the console notes of pages that refuse


@pytest.fixture
def listening(visitor: Visitors):
    """`listening(url, person)`: a page in a browser that notes each breach of the policy."""

    def start(url: str, person: Actor | None) -> Page:
        for status in REFUSED:
            visitor.forgive(f"status of {status}")
        page = visitor(url, person.ref if person else None)
        page.context.add_init_script(LISTEN)
        return page

    return start


def every_page(database_url: str, url: str, who: Actor | None, **refs: str) -> Iterator[str]:
    """Each address that can be got and answers that person with HTML, also where it refuses."""
    routes = create_app(from_environment(environment(database_url))).url_map
    by = {"Authorization": f"Bearer {make_token(make.address(who), 1)}"} if who else {}
    for rule in routes.iter_rules():
        if "GET" in (rule.methods or ()) and rule.endpoint != "static":
            for path in addresses(rule, **refs):
                answer = requests.get(url + path, headers=by, allow_redirects=False, timeout=10)
                if answer.headers.get("Content-Type", "").startswith("text/html"):
                    yield path


@pytest.mark.parametrize("reader", ["nobody", "author", "overseer"])
def test_no_page_of_ours_breaks_its_own_policy(hub: db.Database, database_url, server, provider: Provider, listening, reader):
    author = make.resident()
    idea = make.idea(author, title="Benches", stage="trial", votes=3)
    comment = make.comment(idea)
    running = server(**provider.settings)
    who = {"nobody": None, "author": author, "overseer": make.overseer()}[reader]
    page = listening(running.url, who)
    paths = list(every_page(database_url, running.url, who, ref=idea, idea=idea, comment=comment))
    assert len(paths) > 30
    found = {}
    for path in paths:
        page.goto(path)
        page.wait_for_function(SETTLED)
        found |= {path: breaches} if (breaches := page.evaluate("window.violations")) else {}
    assert found == {}


def test_nothing_that_is_done_on_a_page_breaks_its_policy(hub, server, listening):
    idea = make.idea(title="Benches", votes=3)
    page = listening(server().url, make.overseer())
    page.goto(f"/ideas/{idea}")
    page.wait_for_function(SETTLED)
    page.click(f"form[action='/ideas/{idea}/vote'] button")
    page.wait_for_selector(f"form[action='/ideas/{idea}/vote/withdraw']")
    page.fill(f"{COMMENT} textarea", "With **bold** words, and <img src=x onerror=alert(1)>")
    page.click(f"{COMMENT} button.govuk-button")
    page.wait_for_selector("text=With bold words")
    make.cast(idea, residents=1)
    page.wait_for_function("() => document.querySelector('[data-fact=votes]').textContent === '5'")
    assert page.evaluate("window.violations") == []


def test_what_breaks_the_policy_is_noticed_and_does_nothing(hub, server, listening, visitor):
    visitor.forgive("Content Security Policy")
    page = listening(server().url, None)
    page.goto("/sign-in")
    page.evaluate("""() => {
      document.body.insertAdjacentHTML("beforeend", '<img src="x:" onerror="window.ran = true"><p style="color: red">Red</p>');
      const script = document.createElement("script");
      script.src = "https://elsewhere.example/x.js";
      document.body.append(script);
    }""")
    page.wait_for_function("() => window.violations.length >= 3")
    assert page.evaluate("window.ran") is None
    assert {breach.partition(":")[0] for breach in page.evaluate("window.violations")} >= {"style-src-attr", "script-src-elem"}
