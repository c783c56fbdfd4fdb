"""What stands between a browser and the hub lets websockets open, and then they come to nothing."""

from collections.abc import Callable

import pytest

from tests import make
from tests.journeys.conftest import Town, Watch
from tests.support.hub import Server
from tests.support.proxy import Proxy

pytestmark = pytest.mark.sqlite_only  # the database has no part in it

TRANSPORT = """() => performance.getEntriesByType("resource").some(entry => entry.name.includes("transport=polling"))"""
TIME_IS_UP = "() => localStorage.setItem('stream by polling until', 1)"


@pytest.mark.parametrize("how", ["swallow", "cut"])
def test_pages_are_live_by_polling_and_by_a_websocket_again_when_that_is_possible(
    town: Town, server: Callable[..., Server], proxy: Callable[..., Proxy], watch: Watch, outage: None, how: str
):
    between = proxy(breaking=how)
    hub = server(behind=between)
    reader = watch(hub, f"/ideas/{town.benches}", town.neighbour, patience=20)
    make.cast(town.benches, residents=1)
    reader.until_votes(town.benches, 4)
    assert reader.page.evaluate(TRANSPORT)

    reader.page.goto("/board")  # it is known by now
    reader.until_live(within=5)

    between.breaking = ""
    sockets: list[str] = []
    reader.page.on("websocket", lambda socket: sockets.append(socket.url))
    reader.page.evaluate(TIME_IS_UP)
    reader.page.wait_for_event("websocket", timeout=5_000)
    reader.until_live()
    make.cast(town.benches, residents=1)
    reader.until_votes(town.benches, 5)
