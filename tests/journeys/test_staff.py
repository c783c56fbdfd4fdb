"""Staff on their way from the intranet to the hub and back, in a real browser, through a real provider and a real server."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests import make
from tests.journeys.conftest import Watch
from tests.support.browser import Visitors
from tests.support.hub import Server
from tests.support.provider import Provider


@pytest.fixture
def at_work(visitor: Visitors, provider: Provider) -> Callable[..., Page]:
    """`at_work(server)`: the intranet in the browser of somebody who signed in to their council account this morning."""

    def start(server: Server, **options: object) -> Page:
        page = visitor(server.url, **options)
        page.goto(f"{server.url}/sign-in/staff")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/me")
        page.context.clear_cookies(name="session")
        page.goto(f"{provider.url}/intranet?hub={server.url}/sign-in/staff")
        return page

    return start


def test_one_click_leads_from_the_intranet_to_ones_own_page(hub, server, provider, at_work):
    page = at_work(server(**provider.settings))
    page.get_by_role("link", name="Ideas Hub").click()
    page.wait_for_url("**/me")
    assert page.locator("h1").inner_text() == "Hello Ann. Nothing waits for you."
    assert page.locator(".header__me").inner_text() == "Ann Lee"


def test_who_follows_a_link_to_a_page_of_their_own_signs_in_and_is_on_it(hub, server, provider, at_work, visitor):
    visitor.forgive("401")
    page = at_work(server(**provider.settings))
    page.goto("/ideas/new")
    page.get_by_role("link", name="Sign in").last.click()
    page.get_by_role("link", name="Sign in with your council account").click()
    page.wait_for_url("**/ideas/new")
    assert page.locator(".header__me").inner_text() == "Ann Lee"


def test_who_signs_out_of_the_hub_may_sign_out_of_everything(hub, server, provider, at_work):
    page = at_work(server(**provider.settings))
    page.get_by_role("link", name="Ideas Hub").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-out/staff")
    assert "one click from being you" in page.locator("main").inner_text()
    page.get_by_role("link", name="Sign out of my council account").click()
    page.wait_for_url(re.compile(r".*:\d+/(\?.*)?$"))
    page.goto("/sign-in/staff")
    assert page.locator("h1").inner_text() == "Council account"  # who sits here next is asked who they are


def test_signing_in_works_without_script_and_on_a_phone(hub, server, provider, at_work):
    page = at_work(server(**provider.settings), width=390, height=800, java_script_enabled=False)
    page.goto("/sign-in?next=/board")
    page.get_by_role("link", name="Sign in with your council account").click()
    page.wait_for_url("**/board")
    assert page.get_by_role("banner").get_by_role("link", name="Sign in").count() == 0


@pytest.mark.sqlite_only
def test_a_provider_that_hangs_makes_nobody_else_wait(hub, server, provider, visitor, watch: Watch):
    visitor.forgive("503")
    running = server(**provider.settings)
    idea = make.idea(votes=1)
    reader = watch(running, f"/ideas/{idea}")
    provider.now(wrong="slow")
    page = visitor(running.url)
    begun = time.monotonic()
    page.goto("about:blank")
    page.evaluate("url => { location.href = url }", f"{running.url}/sign-in/staff")
    make.cast(idea, residents=1)
    reader.until_votes(idea, 2, within=1)
    assert time.monotonic() - begun < 4
    page.wait_for_url("**/sign-in/staff", timeout=15_000)
    assert page.locator("h1").inner_text() == "The council's sign-in does not answer"
