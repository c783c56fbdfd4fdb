"""Numbers change in their own place: at once, then calmly, and always towards the newest that is known."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from ideas_hub.comments import post_comment
from ideas_hub.votes import cast_vote, withdraw_vote
from tests import make
from tests.journeys.conftest import Offline, Town, Watch
from tests.support.hub import Server

SET_UP = """async () => {
  document.body.innerHTML = '<article data-topic="idea:x"><b data-fact="votes">1</b></article>';
  window.number = document.querySelector("b");
  window.shown = [];
  new MutationObserver(() => shown.push(number.textContent)).observe(number, { childList: true });
  const facts = await import("/static/js/facts.js");
  window.take = (votes, version) => facts.take({ "idea:x": { votes, version } });
  window.facts = facts;
}"""


@pytest.fixture
def page(offline: Offline) -> Page:
    page = offline()
    page.evaluate(SET_UP)
    return page


def test_the_first_change_is_shown_at_once_the_last_one_wins_and_few_are_between(page: Page):
    page.evaluate("() => { for (let votes = 2; votes <= 1000; votes += 1) take(votes, votes) }")
    assert page.evaluate("number.textContent") == "2"
    page.wait_for_function("() => number.textContent === '1,000'", timeout=2_000)
    assert page.evaluate("shown") == ["2", "1,000"]


def test_an_older_number_never_takes_the_place_of_a_newer_one(page: Page):
    page.evaluate("take(7, 70)")
    page.evaluate("take(6, 60)")
    page.evaluate("() => { number.closest('article').dataset.version = 90; number.textContent = '9'; take(8, 80) }")
    assert page.evaluate("number.textContent") == "9"
    page.evaluate("() => { facts.forget(); number.closest('article').removeAttribute('data-version'); take(3, 1) }")
    page.wait_for_function("() => number.textContent === '3'", timeout=2_000)


def test_what_changed_is_marked_for_a_moment(page: Page):
    page.evaluate("take(2, 2)")
    assert page.evaluate("number.className") == "is-changed"
    page.wait_for_function("() => number.className === ''", timeout=3_000)


@pytest.mark.sqlite_only  # the database has no part in it
def test_the_word_beside_a_number_is_that_of_the_number(town: Town, server: Callable[..., Server], watch: Watch):
    """Wherever it stands: on the page of the idea, on its card, and for those who only hear it."""
    lamps = make.idea(town.author, title="Lamps on the tow path")
    hub = server()
    says = "([place, text]) => new RegExp(`${text}(?!s)`).test(document.querySelector(place)?.textContent.replace(/\\s+/g, ' '))"
    card = f"[data-topic='idea:{lamps}']"
    places = {
        f"/ideas/{lamps}": {"comment": "#comments-h", "vote": ".tally__number"},
        "/ideas": {"comment": f"{card} .card__meta"},
        "/board": {"vote": f"{card} .ticket__votes"},
    }
    watched = [(watch(hub, path, town.other), place) for path, place in places.items()]

    def all_say(**words: str) -> None:
        for page, place in watched:
            for what in place:
                page.until(says, [place[what], words[what]])

    all_say(comment="0 comments", vote="0 votes")
    post_comment(town.neighbour, lamps, body="Yes.")
    cast_vote(town.other, lamps)
    all_say(comment="1 comment", vote="1 vote")
    post_comment(town.neighbour, lamps, body="And yes.")
    cast_vote(town.neighbour, lamps)
    all_say(comment="2 comments", vote="2 votes")
    withdraw_vote(town.other, lamps)
    all_say(comment="2 comments", vote="1 vote")
