"""Moderators at their desk for votes, in a browser: what is held is decided, and what everybody sees moves."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from ideas_hub.bursts import come_from
from ideas_hub.people import Actor
from ideas_hub.settings import change_settings
from ideas_hub.votes import cast_vote
from tests import make
from tests.journeys.conftest import Town, Watch
from tests.journeys.test_by_email import PHONE, until_fits
from tests.support.browser import Visitors
from tests.support.hub import Server

RULE, HELD = 5, 3
either = pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])


@pytest.fixture(autouse=True)
def elsewhere() -> Iterator[None]:
    yield
    come_from(None)


@pytest.fixture
def burst(town: Town) -> list[Actor]:
    """Newcomers who voted for the benches from one network: some count, beside three votes from before, the last are held."""
    change_settings(burst_votes=RULE)
    come_from(lambda ref: f"farm {ref}")
    voters = [make.resident() for _ in range(RULE + HELD)]
    for who in voters:
        cast_vote(who, town.benches)
    return voters


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def decide(page: Page, to: str, reason: str, *more: str) -> None:
    """By the keyboard alone: choose, say why, and press the button, with `more` keys on the way to it."""
    page.focus(f"[name=to][value={to}]")
    press(page, "Space", "Tab")
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.type(reason)
    press(page, "Tab", *more)
    assert page.evaluate("document.activeElement.innerText").startswith("Decide")
    press(page, "Enter")


@either
def test_a_moderator_releases_a_burst_by_the_keyboard_and_the_number_moves_in_another_browser(
    town: Town, burst: list[Actor], server: Callable[..., Server], visitor: Visitors, watch: Watch, scripts: bool
):
    hub = server()
    reader = watch(hub, f"/ideas/{town.benches}")
    reader.until_votes(town.benches, 3 + RULE)
    reader.until_shows(f"{HELD} more votes are held")
    moderator = make.moderator()
    desk = visitor(hub.url, moderator.ref, java_script_enabled=scripts, **PHONE)
    desk.goto("/me")
    assert "Nothing waits" not in desk.inner_text("h1")
    desk.get_by_role("link", name="Look and decide").press("Enter")
    desk.wait_for_url("**/moderation/votes")
    until_fits(desk)
    decide(desk, "released", "The library had a stall.", "Tab")  # past the box that is for refusing
    desk.wait_for_selector(f"text={HELD} votes released")
    assert "The library had a stall." in desk.inner_text("main")
    reader.until_votes(town.benches, 3 + RULE + HELD)
    reader.until_without("more votes are held")
    assert not reader.was_reloaded


@either
def test_a_moderator_refuses_a_burst_with_those_before_it_and_its_voters_read_why(
    town: Town, burst: list[Actor], server: Callable[..., Server], visitor: Visitors, watch: Watch, scripts: bool
):
    visitor.forgive("422")  # what is missing in a form is told by a page with that status
    hub = server()
    reader = watch(hub, f"/ideas/{town.benches}")
    desk = visitor(hub.url, make.moderator().ref, java_script_enabled=scripts)
    desk.goto("/moderation/votes")
    decide(desk, "refused", "", "Tab")
    desk.wait_for_selector(".govuk-error-message, [data-live-error]:not([hidden])")
    assert f"{HELD} votes refused" not in desk.inner_text("main")
    decide(desk, "refused", "All of them were made by one program.", "Space", "Tab")
    desk.wait_for_selector(f"text={RULE + HELD} votes refused")
    reader.until_votes(town.benches, 3)
    reader.until_shows(f"{RULE + HELD} votes were refused")
    voter = visitor(hub.url, burst[-1].ref, java_script_enabled=scripts, **PHONE)
    voter.goto("/me/votes")
    assert "All of them were made by one program." in voter.inner_text("main")
    until_fits(voter)


@pytest.mark.sqlite_only  # the database has no part in it
def test_a_burst_comes_to_a_desk_that_is_open_and_takes_nothing_away_that_is_being_typed(
    town: Town, burst: list[Actor], server: Callable[..., Server], watch: Watch
):
    hub = server()
    desk = watch(hub, "/moderation/votes", make.moderator())
    desk.until_shows("1 burst waits")
    desk.page.fill("[name=reason]", "The library had")
    other = make.idea(title="A pump for the well")
    for _ in range(RULE + 1):
        cast_vote(make.resident(), other)
    desk.until_shows("A pump for the well")
    assert desk.page.input_value("[name=reason] >> nth=0") == "The library had"
    assert not desk.was_reloaded
