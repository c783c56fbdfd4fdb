"""Somebody has a page open while an import runs beside the server; and discussions that are longer than a page."""

from collections.abc import Callable

import pytest

from ideas_hub.imports import IdeaRow, Pseudonym, Source, bring_in, tell_imported
from tests import make
from tests.ideas_hub.test_imports import THEN
from tests.journeys.conftest import COMMENT, Town, Watch
from tests.support.hub import Server

TOWN = Source("town", "Our Town Says", lang="es")

pytestmark = pytest.mark.sqlite_only


def test_an_import_shows_on_open_pages_within_a_second_and_waits_until_it_is_asked_for(
    town: Town, server: Callable[..., Server], watch: Watch
):
    hub = server()
    lists, board = watch(hub, "/ideas"), watch(hub, "/board")
    author = Pseudonym("1", "Participant 1")
    bring_in(TOWN, [IdeaRow(key=str(n), author=author, title=f"Fuente {n}", posted_at=THEN) for n in range(3)])
    tell_imported()
    lists.until("() => document.querySelector('form[data-new-on]:not([hidden])')?.innerText.includes('3')", within=1.5)
    board.until_shows("Fuente 2", within=3)
    lists.until_without("Fuente 2")
    lists.page.click("form[data-new-on] button")
    lists.until_shows("Fuente 2")
    assert not lists.was_reloaded


def test_who_comments_while_reading_an_older_page_is_led_to_their_comment(
    town: Town, server: Callable[..., Server], watch: Watch
):
    first = make.comment(town.benches)
    for _ in range(40):
        make.comment(town.benches)
    reader = watch(server(), f"/ideas/{town.benches}?comment={first}", town.neighbour)
    reader.page.fill(f"{COMMENT} textarea[name=body]", "My mother would walk there again.")
    reader.page.click(f"{COMMENT} button:not([value])")
    reader.until_shows("My mother would walk there again.")
