"""The hub goes away and comes back: pages say so, lose nothing, and need no reload."""

import time
from collections.abc import Callable

import pytest

from ideas_hub.comments import post_comment
from ideas_hub.votes import cast_vote
from tests import make
from tests.journeys.conftest import COMMENT, Town, Watch, Watcher
from tests.support.browser import Visitors
from tests.support.hub import Server
from tests.support.proxy import Proxy

RIGHT_AGAIN = 3.0  # seconds


def open_pages(watch: Watch, hub: Server, town: Town) -> list[Watcher]:
    return [
        watch(hub, f"/ideas/{town.benches}", town.neighbour),
        watch(hub, "/ideas", town.other),
        watch(hub, "/board", town.leader),
    ]


def say_so(pages: list[Watcher], since: float) -> None:
    """Each says that it is catching up after a second, and that it is not live after ten."""
    for page in pages:
        page.until_sign("catching", within=since + 2.5 - time.monotonic())
    for page in pages:
        page.until_sign("off", within=since + 11 - time.monotonic())
        assert "Not live since" in page.sign()


def are_right(pages: list[Watcher], hub: Server, town: Town, votes: int, *, by: float) -> None:
    """All show that number by then and are live; they were never reloaded, and show what a page shows that is opened now."""
    for page in pages:
        page.until_votes(town.benches, votes, within=by - time.monotonic())
        page.until_live(within=by - time.monotonic())
    for page in pages:
        assert not page.was_reloaded
        keys = page.keys()
        assert len(keys) == len(set(keys))
        page.page.reload()
        assert page.keys() == keys


def test_a_killed_server_comes_back_and_every_page_is_right_within_three_seconds(
    town: Town, server: Callable[..., Server], watch: Watch, outage: None
):
    hub = server()
    pages = open_pages(watch, hub, town)

    hub.kill()
    say_so(pages, time.monotonic())
    hub.start()
    returned = time.monotonic()
    cast_vote(town.neighbour, town.benches)
    cast_vote(town.other, town.benches)

    are_right(pages, hub, town, 5, by=returned + RIGHT_AGAIN)


@pytest.mark.sqlite_only  # the database has no part in it
def test_where_a_proxy_forbids_websockets_pages_are_live_by_polling_and_come_back_as_well(
    town: Town, server: Callable[..., Server], proxy: Callable[..., Proxy], watch: Watch, outage: None
):
    hub = server(behind=proxy(websockets=False))
    pages = open_pages(watch, hub, town)
    make.cast(town.benches, residents=1)
    for page in pages:
        page.until_votes(town.benches, 4, within=1)

    hub.kill()
    say_so(pages, time.monotonic())
    hub.start()
    returned = time.monotonic()
    cast_vote(town.neighbour, town.benches)
    cast_vote(town.other, town.benches)

    are_right(pages, hub, town, 6, by=returned + RIGHT_AGAIN)


@pytest.mark.sqlite_only  # the database has no part in it
def test_a_proxy_that_swallows_what_the_server_says_is_noticed(
    town: Town, server: Callable[..., Server], proxy: Callable[..., Proxy], watch: Watch, outage: None
):
    bad = proxy()
    hub = server(behind=bad)
    pages = open_pages(watch, hub, town)

    bad.swallowing = True
    began = time.monotonic()
    cast_vote(town.neighbour, town.benches)
    for page in pages:
        page.until_sign("off", within=began + 11 - time.monotonic())
    bad.swallowing = False
    ended = time.monotonic()

    are_right(pages, hub, town, 4, by=ended + RIGHT_AGAIN)


def test_what_is_being_typed_survives_news_an_outage_and_a_reload(
    town: Town, server: Callable[..., Server], watch: Watch, outage: None
):
    hub = server()
    writer = watch(hub, f"/ideas/{town.benches}", town.neighbour)
    field = f"{COMMENT} textarea[name=body]"
    writer.page.fill(field, "Half a sent")
    writer.page.evaluate(f'document.querySelector("{field}").setSelectionRange(4, 4)')

    post_comment(town.other, town.benches, body="News from elsewhere.")
    make.moved(town.benches, "parked")
    writer.until("() => [...document.querySelectorAll('[data-fact=comments]')].some(fact => fact.textContent == 1)")
    hub.kill()
    writer.until_sign("catching", within=2.5)
    hub.start()
    writer.until_live(within=10)

    assert writer.page.input_value(field) == "Half a sent"
    assert writer.page.evaluate("[document.activeElement.name, document.activeElement.selectionStart]") == ["body", 4]
    assert not writer.was_reloaded
    writer.page.reload()
    assert writer.page.input_value(field) == "Half a sent"


@pytest.mark.sqlite_only
def test_what_cannot_be_sent_stays_where_it_was_typed(
    town: Town, server: Callable[..., Server], watch: Watch, outage: None, visitor: Visitors
):
    hub = server()
    writer = watch(hub, f"/ideas/{town.benches}", town.neighbour)
    field = f"{COMMENT} textarea[name=body]"
    writer.page.fill(field, "Do not lose this.")

    hub.kill()
    for sign in ("on", "catching"):
        writer.until_sign(sign, within=2.5)
        writer.page.click(f"{COMMENT} button")
        writer.until_shows("What you typed is still here.")
        assert writer.page.input_value(field) == "Do not lose this."
    hub.start()
    writer.until_live(within=10)
    writer.page.click(f"{COMMENT} button")
    writer.until("field => document.querySelector(field).value === ''", field)
    writer.until_shows("Do not lose this.")
