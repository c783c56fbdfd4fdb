"""Numbers change in their own place: at once, then calmly, and always towards the newest that is known."""

import pytest
from playwright.sync_api import Page

from tests.journeys.conftest import Offline

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
    page.wait_for_function("number.textContent === '1,000'", timeout=2_000)
    assert page.evaluate("shown") == ["2", "1,000"]


def test_an_older_number_never_takes_the_place_of_a_newer_one(page: Page):
    page.evaluate("take(7, 70)")
    page.evaluate("take(6, 60)")
    page.evaluate("() => { number.closest('article').dataset.version = 90; number.textContent = '9'; take(8, 80) }")
    assert page.evaluate("number.textContent") == "9"
    page.evaluate("() => { facts.forget(); number.closest('article').removeAttribute('data-version'); take(3, 1) }")
    page.wait_for_function("number.textContent === '3'", timeout=2_000)


def test_what_changed_is_marked_for_a_moment(page: Page):
    page.evaluate("take(2, 2)")
    assert page.evaluate("number.className") == "is-changed"
    page.wait_for_function("number.className === ''", timeout=3_000)
