"""How much the first page weighs for who has never been here."""

from collections.abc import Callable

import pytest

from tests.journeys.conftest import SIGN
from tests.support.browser import Visitors
from tests.support.hub import Server

MOST = 150_000  # bytes over the line, until the page is live: page, style, script, typefaces and their headers


@pytest.mark.demo
@pytest.mark.sqlite_only
def test_the_first_page_with_all_it_needs_is_below_150_kilobytes(server: Callable[..., Server], visitor: Visitors):
    page = visitor(server().url, width=390)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    received: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto("/")
    page.wait_for_function(f"() => document.querySelector('{SIGN}').classList.contains('live--on')")
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    assert len(received) > 20
    assert sum(received) < MOST
