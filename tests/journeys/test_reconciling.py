"""What comes from the server takes its place on the page, and what a person holds stays in their hands."""

import pytest
from playwright.sync_api import Page

from tests.journeys.conftest import Offline

SET_UP = """async html => {
  document.body.innerHTML = `<main id="main">${html}</main>`;
  for (const element of document.querySelectorAll("main *")) element.mark = element.dataset.key ?? element.tagName;
  const { reconcile } = await import("/static/js/reconcile.js");
  window.put = (html, options) => {
    const fresh = new DOMParser().parseFromString(`<main id="main">${html}</main>`, "text/html").querySelector("main");
    const change = reconcile(document.querySelector("main"), fresh, options);
    return Object.fromEntries(Object.entries(change).map(([name, nodes]) => [name, nodes.map(node => node.dataset.key)]));
  };
}"""
SAME = "key => document.querySelector(`[data-key='${key}']`).mark === key"


@pytest.fixture
def page(offline: Offline) -> Page:
    return offline()


def items(*keys: str) -> str:
    return "".join(f'<p data-key="{key}">{key}</p>' for key in keys)


def keys(page: Page) -> list[str]:
    return page.eval_on_selector_all("[data-key]", "found => found.map(element => element.dataset.key)")


def test_items_come_go_and_change_places_and_stay_the_same_nodes(page: Page):
    page.evaluate(SET_UP, items("a", "b", "c", "d"))
    change = page.evaluate("html => put(html)", items("d", "new", "b", "c"))
    assert keys(page) == ["d", "new", "b", "c"]
    assert change == {"added": ["new"], "held": [], "left": ["a"]}
    assert all(page.evaluate(SAME, key) for key in "bcd")


def test_a_card_that_goes_to_another_column_is_the_same_card(page: Page):
    page.evaluate(SET_UP, f'<ol id="one">{items("a", "b")}</ol><ol id="two">{items("c")}</ol>')
    page.evaluate("html => put(html)", f'<ol id="one">{items("b")}</ol><ol id="two">{items("a", "c")}</ol>')
    assert page.eval_on_selector_all("#two > *", "found => found.map(element => element.dataset.key)") == ["a", "c"]
    assert page.evaluate(SAME, "a")


def test_typed_words_the_caret_and_what_is_open_survive_while_all_around_them_changes(page: Page):
    def card(count: int) -> str:
        form = '<details><summary>Move</summary><form><textarea name="reason"></textarea></form></details>'
        return f'<li data-key="card"><b>{count}</b>{form}</li>'

    page.evaluate(SET_UP, f'<ol id="one">{card(1)}</ol><ol id="two">{items("x")}</ol>')
    page.evaluate("""() => {
      document.querySelector("details").open = true;
      const field = document.querySelector("textarea");
      field.focus();
      field.value = "Half a sentence";
      field.setSelectionRange(4, 6);
    }""")
    page.evaluate("html => put(html)", f'<ol id="one"></ol><ol id="two">{items("y")}{card(2)}</ol>')
    assert page.evaluate("""() => {
      const field = document.activeElement;
      return [field.name, field.value, field.selectionStart, field.selectionEnd, document.querySelector("details").open,
        document.querySelector("#two b").textContent];
    }""") == ["reason", "Half a sentence", 4, 6, True, "2"]


def test_what_is_held_stays_when_it_falls_out_of_the_list_but_not_when_it_was_taken_out_of_sight(page: Page):
    def reply(key: str) -> str:
        return f'<article data-key="{key}">{key}<textarea></textarea></article>'

    page.evaluate(SET_UP, reply("a") + reply("b") + items("c"))
    page.evaluate("document.querySelectorAll('textarea').forEach(field => field.value = 'mine')")
    page.evaluate("html => { window.gone = 'key b'; return put(html, { gone: key => key === window.gone }) }", items("c", "d"))
    assert keys(page) == ["a", "c", "d"]


def test_newcomers_can_be_made_to_wait_while_the_rest_is_brought_up_to_date(page: Page):
    page.evaluate(SET_UP, items("a", "b"))
    fresh = '<p data-key="a">changed</p>' + items("b", "c", "d")
    assert page.evaluate("html => put(html, { wait: true })", fresh)["held"] == ["c", "d"]
    assert keys(page) == ["a", "b"]
    assert page.inner_text("[data-key=a]") == "changed"
    page.evaluate("html => put(html)", fresh)
    assert keys(page) == ["a", "b", "c", "d"]


def test_focus_goes_to_what_took_the_place_of_a_control_that_is_gone(page: Page):
    page.evaluate(SET_UP, '<div data-key="box"><form action="/vote"><button>Vote</button></form></div>')
    page.focus("button")
    page.evaluate(
        "html => put(html)", '<div data-key="box"><p>You voted</p><form action="/withdraw"><button>Withdraw</button></form></div>'
    )
    assert page.evaluate("document.activeElement.textContent") == "Withdraw"
