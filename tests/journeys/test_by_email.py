"""A resident on a phone, without an account: they vote, comment and post, and prove by mail that they are somebody."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.journeys.conftest import Town, Watch
from tests.support.browser import Visitors
from tests.support.hub import Server
from tests.support.postbox import Post, in_folder
from tests.support.processes import wait_until

PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}
VOTES = "idea => document.querySelector(`[data-topic='idea:${idea}'] [data-fact=votes]`)?.textContent"


def mails(server: Server, number: int) -> list[Post]:
    wait_until(lambda: len(in_folder(server.folder)) >= number, what="the mails")
    return in_folder(server.folder)


def until_fits(page: Page) -> None:
    page.wait_for_function("() => document.documentElement?.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_a_vote_on_a_phone_is_confirmed_in_another_browser_and_the_number_moves_in_both(
    town: Town, server: Callable[..., Server], visitor: Visitors, watch: Watch, scripts: bool
):
    hub = server()
    phone = visitor(hub.url, java_script_enabled=scripts, **PHONE)
    phone.goto("/ideas")
    phone.click(f"#vote-{town.benches} a.vote")
    phone.wait_for_url("**/vote/by-email*")
    until_fits(phone)
    phone.fill("[name=email]", "Ann@Example.org")
    phone.get_by_role("main").get_by_role("button", name="Vote").click()
    phone.wait_for_url("**/sign-in/sent")
    assert "ann@example.org" in phone.inner_text("main")
    until_fits(phone)
    if scripts:
        phone.wait_for_function("() => document.querySelector('[data-live-sign]').classList.contains('live--on')")
        assert phone.evaluate(VOTES, town.benches) == "3"
    reader = watch(hub, f"/ideas/{town.benches}")
    [mail] = mails(hub, 1)

    other = visitor(hub.url, java_script_enabled=scripts)
    other.goto(mail.link)
    assert phone.evaluate(VOTES, town.benches) == "3" if scripts else True
    other.get_by_role("main").get_by_role("button", name="Confirm your vote").click()
    other.wait_for_url(f"**/ideas/{town.benches}#vote")

    assert "You voted for this idea" in other.inner_text("#vote")
    assert other.inner_text(f"[data-topic='idea:{town.benches}'] [data-fact=votes]") == "4"
    reader.until_votes(town.benches, 4)
    if scripts:
        phone.wait_for_function(f"() => ({VOTES})('{town.benches}') === '4'")
    else:
        phone.reload()
        assert phone.inner_text(f"[data-topic='idea:{town.benches}'] [data-fact=votes]") == "4"
    phone.goto("/ideas")
    assert phone.get_by_role("banner").get_by_role("link", name="Sign in").count() == 1  # the link signs in where it was opened


def test_the_code_goes_on_where_one_was(town: Town, server: Callable[..., Server], visitor: Visitors):
    hub = server()
    phone = visitor(hub.url, **PHONE)
    phone.goto(f"/ideas/{town.benches}")
    phone.click("#vote a.govuk-button")
    phone.fill("[name=email]", "ann@example.org")
    phone.keyboard.press("Enter")
    phone.wait_for_url("**/sign-in/sent")
    phone.fill("[name=code]", mails(hub, 1)[0].code)
    phone.keyboard.press("Enter")
    phone.wait_for_url(f"**/ideas/{town.benches}#vote")
    assert "You voted for this idea" in phone.inner_text("#vote")


@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without"])
def test_a_comment_is_written_first_and_appears_for_everybody_when_it_was_confirmed(
    town: Town, server: Callable[..., Server], visitor: Visitors, watch: Watch, scripts: bool
):
    visitor.forgive("422")  # what is missing in a form is told by a page with that status
    hub = server()
    reader = watch(hub, f"/ideas/{town.benches}")
    phone = visitor(hub.url, java_script_enabled=scripts, **PHONE)
    phone.goto(f"/ideas/{town.benches}")
    until_fits(phone)
    form = "#say form"
    phone.fill(f"{form} [name=body]", "My mother would walk there again.")
    phone.click(f"{form} button")
    assert "Write an e-mail address" in phone.inner_text(".govuk-error-summary")
    assert phone.input_value("[name=body]") == "My mother would walk there again."
    phone.fill("[name=name]", "Ann of the hill")
    phone.fill("[name=email]", "ann@example.org")
    phone.get_by_role("main").get_by_role("button", name="Post this comment").click()
    phone.wait_for_url("**/sign-in/sent")
    phone.goto(mails(hub, 1)[0].link)
    assert "My mother would walk there again." in phone.inner_text("main")
    assert "My mother would walk there again." not in reader.page.inner_text("main")
    phone.get_by_role("main").get_by_role("button", name="Confirm your comment").click()
    phone.wait_for_url("**#comment-*")
    reader.until_shows("My mother would walk there again.")
    reader.until_shows("Ann of the hill")


def test_a_newcomer_posts_an_idea_in_the_demo_and_follows_the_link_that_the_demo_shows(
    town: Town, server: Callable[..., Server], visitor: Visitors
):
    hub = server()
    phone = visitor(hub.url, **PHONE)
    phone.goto("/ideas/new")
    until_fits(phone)
    for name, text in {"title": "Lend us the minibus", "problem": "It stands still.", "proposal": "Lend it."}.items():
        phone.fill(f"#post [name={name}]", text)
    phone.fill("#post [name=name]", "Ann")
    phone.fill("#post [name=email]", "ann@example.org")
    phone.get_by_role("main").get_by_role("button", name="Post this idea").click()
    phone.wait_for_url("**/sign-in/sent")
    mails(hub, 1)
    phone.get_by_role("main").get_by_role("link", name="Read it here").click()
    phone.wait_for_url("**/outbox*")
    until_fits(phone)
    phone.click("main a[href*='/sign-in/link/']")
    phone.wait_for_url("**/sign-in/link/*")
    assert "Lend us the minibus" in phone.inner_text("main")
    phone.get_by_role("main").get_by_role("button", name="Confirm your idea").click()
    phone.wait_for_url("**/ideas/*")
    assert "Lend us the minibus" in phone.inner_text("h1")
    assert "Ann" in phone.inner_text("main")


@pytest.mark.sqlite_only  # the database has no part in it
def test_what_was_typed_is_put_back_after_a_crash_but_not_whose_it_was(
    town: Town, server: Callable[..., Server], visitor: Visitors
):
    hub = server()
    library = visitor(hub.url, **PHONE)
    library.goto(f"/ideas/{town.benches}")
    for name, text in {"body": "Half a thought", "name": "Ann", "email": "ann@example.org"}.items():
        library.fill(f"#say form [name={name}]", text)
    library.reload()
    library.wait_for_function("() => document.querySelector('#say form [name=body]').value === 'Half a thought'")
    assert [library.input_value(f"#say form [name={name}]") for name in ("name", "email")] == ["", ""]
    assert "ann@example.org" not in library.evaluate("JSON.stringify(localStorage)")
