"""An answer that was lost on its way: people and browsers send again, and it is there once."""

from collections.abc import Callable

import pytest

from ideas_hub.comments import Comment
from tests.journeys.conftest import COMMENT, Town, Watch, Watcher
from tests.support.hub import Server
from tests.support.processes import wait_until
from tests.support.proxy import Proxy
from tests.support.witness import rows

pytestmark = pytest.mark.sqlite_only  # the database's part is in `ideas_hub/test_claims.py`

FIELD = f"{COMMENT} textarea[name=body]"


def bodies() -> list[str]:
    return [comment.body for comment in rows(Comment)]


def once_only(writer: Watcher) -> str:
    return writer.page.input_value(f"{COMMENT} [name=once]")


def test_a_comment_whose_answer_was_lost_is_sent_again_by_itself_and_stands_there_once(
    town: Town, server: Callable[..., Server], proxy: Callable[..., Proxy], watch: Watch, outage: None
):
    bad = proxy()
    hub = server(behind=bad)
    writer = watch(hub, f"/ideas/{town.benches}", town.neighbour)
    word = once_only(writer)
    writer.page.fill(FIELD, "Say this once.")

    bad.cutting = True
    writer.page.click(f"{COMMENT} button")
    wait_until(bodies, within=5)
    bad.cutting = False
    writer.until("field => document.querySelector(field).value === ''", FIELD, within=8)
    writer.until_shows("Say this once.")
    writer.until_live(within=10)
    assert bodies() == ["Say this once."]
    assert once_only(writer) != word, "who says it again after that means it"


def test_who_reloads_after_a_lost_answer_and_sends_what_was_typed_again_has_said_it_once(
    town: Town, server: Callable[..., Server], proxy: Callable[..., Proxy], watch: Watch, outage: None
):
    bad = proxy()
    hub = server(behind=bad)
    writer = watch(hub, f"/ideas/{town.benches}", town.neighbour)
    writer.page.fill(FIELD, "Did this arrive?")

    bad.cutting = True
    writer.page.click(f"{COMMENT} button")
    writer.until_shows("nothing is done twice", within=10)
    bad.cutting = False
    writer.page.reload()
    writer.until_live(within=10)
    assert writer.page.input_value(FIELD) == "Did this arrive?"
    writer.page.click(f"{COMMENT} button")
    writer.until("field => document.querySelector(field).value === ''", FIELD)
    assert bodies() == ["Did this arrive?"]
