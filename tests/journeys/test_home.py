"""The first page while things happen."""

from collections.abc import Callable

import pytest

from ideas_hub.audiences import hide_idea
from tests import make
from tests.journeys.conftest import Town, Watch
from tests.support.hub import Server

pytestmark = pytest.mark.sqlite_only


def test_what_happens_is_told_and_drawn_at_once_and_what_is_hidden_is_gone(
    town: Town, server: Callable[..., Server], watch: Watch
):
    reader = watch(server(), "/", town.other)
    posted = "n => document.querySelector('#year .hero__figures b').textContent == n"
    reader.until(posted, "2")

    make.idea(title="A quiet hour at the pool")

    reader.until("() => document.querySelector('#now').innerText.includes('New idea: A quiet hour at the pool')")
    reader.until(posted, "3")
    reader.until("() => document.querySelector('#year svg path.thread--new')?.getAttribute('d').match(/M/g).length == 2")

    hide_idea(make.moderator(), town.benches, reason="A name.")

    reader.until(posted, "2")
    reader.until("() => !document.querySelector('#now').innerText.includes('Benches')")
    assert not reader.was_reloaded
