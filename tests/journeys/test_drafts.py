"""What somebody types is not lost: not by a dead server, a closed tab, a sign-out elsewhere, or a second tab."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from ideas_hub.drafts import draft, drafts
from tests.journeys.conftest import Town
from tests.support.browser import Visitors, sign_in
from tests.support.hub import Server

pytestmark = pytest.mark.sqlite_only  # the database has no part in it

SAID = "[data-kept-said]"


def until_said(page: Page, text: str, within: float = 15) -> None:
    page.wait_for_function(
        "([place, text]) => document.querySelector(place)?.textContent.includes(text)", arg=[SAID, text], timeout=within * 1000
    )


def test_a_draft_survives_a_killed_server_a_closed_tab_and_a_sign_out_elsewhere(
    town: Town, server: Callable[..., Server], visitor: Visitors, outage: None
):
    hub = server()
    page = visitor(hub.url, town.neighbour.ref)
    page.goto("/ideas/new")
    page.fill("#post-title", "Lend ladders")
    until_said(page, "Kept at")
    assert draft(town.neighbour, "post").values["title"] == ("Lend ladders",)

    hub.kill()
    page.fill("#post-problem", "A ladder hangs in every shed.")
    until_said(page, "Kept on this device.")
    page.click("button:has-text('Post this idea')")
    page.wait_for_selector("text=What you typed is still here")
    second = page.context.new_page()  # the tab is closed while nobody answers
    page.close()
    hub.start()

    second.goto("/ideas/new")
    assert second.input_value("#post-problem") == "A ladder hangs in every shed."
    until_said(second, "Kept at")

    visitor.forgive("401")
    elsewhere = second.context.new_page()
    elsewhere.goto("/ideas")
    elsewhere.click("button:has-text('Sign out')")
    elsewhere.wait_for_selector("a:has-text('Sign in')")
    second.fill("#post-proposal", "A shed for all.")
    until_said(second, "You are signed out")
    second.click("button:has-text('Post this idea')")
    second.wait_for_selector("h1:has-text('You are not signed in')")
    sign_in(second.context, hub.url, town.neighbour.ref or "")
    second.goto("/ideas/new")
    assert second.input_value("#post-title") == "Lend ladders"
    assert second.input_value("#post-proposal") == "A shed for all."

    second.click("button:has-text('Post this idea')")
    second.wait_for_selector("h1:has-text('Lend ladders')")
    assert drafts(town.neighbour)["post"].gone_at
    second.goto("/ideas/new")
    assert second.input_value("#post-title") == ""


def test_of_two_tabs_neither_writes_over_the_other(town: Town, server: Callable[..., Server], visitor: Visitors):
    hub = server()
    visitor.forgive("412")
    one = visitor(hub.url, town.neighbour.ref)
    field = "#say textarea"
    other = one.context.new_page()
    for page in (one, other):
        page.goto(f"/ideas/{town.benches}")
    one.fill(field, "From the first tab.")
    one.wait_for_function("() => document.querySelector('#say [data-kept-said]').textContent.includes('Kept at')")
    other.fill(field, "From the second tab.")
    other.wait_for_selector("text=You have another text here")
    form = f"comment-{town.benches}"
    assert draft(town.neighbour, form).values["body"] == ("From the first tab.",)

    other.click("text=Show the other text")
    assert other.input_value(field) == "From the first tab."
    other.click("text=Show the other text")
    assert other.input_value(field) == "From the second tab."
    other.click("text=Keep the text that you see")
    other.wait_for_function("() => document.querySelector('#say [data-kept-said]').textContent.includes('Kept at')")
    assert draft(town.neighbour, form).values["body"] == ("From the second tab.",)

    other.click("button:has-text('Post this comment')")
    other.wait_for_function("field => document.querySelector(field).value === ''", arg=field)
    assert drafts(town.neighbour)[form].gone_at
