"""The life of an idea without a mouse: posted, backed, discussed, sponsored, moved and answered, with and without JavaScript."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from ideas_hub import db
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Stage
from ideas_hub.lists import Wanted
from ideas_hub.people import NOBODY, Actor
from ideas_hub.whole import idea_page
from tests import make
from tests.support.browser import Visitors
from tests.support.hub import Server

pytestmark = pytest.mark.sqlite_only  # the database has no part in it

FOCUSED = """() => {
  const here = document.activeElement;
  const label = [...(here.labels ?? [])].map((label) => label.innerText).join(" ");
  const words = label || here.getAttribute("aria-label") || here.innerText || "";
  const painted = here.labels?.length && here.type === "radio" ? here.labels[0] : here;
  const style = getComputedStyle(painted);
  return { words: words.trim(), isSeen: style.outlineStyle !== "none" || style.boxShadow !== "none" };
}"""
MOVING = """() => [...document.querySelectorAll("*")]
  .filter((element) => {
    const style = getComputedStyle(element);
    return style.animationName !== "none" || style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0.001);
  })
  .map((element) => element.outerHTML.slice(0, 120))"""
BARE = """() => {
  const fields = "input:not([type=hidden], [type=checkbox], [type=radio]), textarea, select, .govuk-button, .vote, .stage";
  return [...document.querySelectorAll(`main :is(${fields})`)]
    .filter((element) => element.checkVisibility())
    .filter((element) => getComputedStyle(element).borderStyle === "none" && getComputedStyle(element).outlineStyle === "none")
    .map((element) => element.outerHTML.slice(0, 120));
}"""
MOST_TABS = 150


class Typist:
    """Somebody at a keyboard."""

    def __init__(self, page: Page, path: str) -> None:
        self.page = page
        page.goto(path)

    def go_to(self, words: str) -> None:
        """Press Tab until what bears these words has the focus, and shows that it has."""
        for _number in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            found = self.page.evaluate(FOCUSED)
            if found["words"].startswith(words):
                assert found["isSeen"], f"nobody sees that the focus is on {words}"
                return
        raise AssertionError(f"the keyboard does not reach {words}")

    def write(self, label: str, text: str) -> None:
        self.go_to(label)
        self.page.keyboard.type(text)

    def press(self, words: str, key: str = "Enter") -> None:
        self.go_to(words)
        self.page.keyboard.press(key)

    def until_shows(self, text: str) -> None:
        self.page.locator("main").get_by_text(text).first.wait_for()


@pytest.mark.parametrize("java_script", [True, False], ids=["with script", "without"])
def test_the_whole_life_of_an_idea_by_keyboard_alone(
    hub: db.Database, server: Callable[..., Server], visitor: Visitors, java_script: bool
):
    author, neighbour, sponsor = make.resident("Delyth Morgan"), make.resident("Huw Prŷs"), make.sponsor("Priya Nair")
    running = server()

    def at_keyboard(person: Actor, path: str) -> Typist:
        return Typist(visitor(running.url, person.ref, java_script_enabled=java_script, reduced_motion="reduce"), path)

    writer = at_keyboard(author, "/")
    writer.press("Skip to main content")
    writer.press("Post an idea")
    writer.until_shows("What is wrong today?")
    writer.write("Your idea in one line", "Benches on the hospital hill")
    writer.write("What is wrong today?", "Nobody can rest on the way up.")
    writer.write("What should we do about it?", "Two benches, half-way.")
    writer.press("Post this idea")
    writer.page.wait_for_url(re.compile(r"/ideas/[0-9a-z]{8}$"))
    path = "/ideas/" + writer.page.url.rpartition("/")[2]
    ref = list_ideas(NOBODY, Wanted()).items[0].ref
    assert path.endswith(ref)

    reader = at_keyboard(neighbour, path)
    reader.press("Vote for this idea")
    reader.until_shows("You voted for this idea")
    reader.write("Your comment", "My mother would walk there again.")
    reader.press("Post this comment")
    reader.until_shows("My mother would walk there again.")

    decider = at_keyboard(sponsor, path)
    decider.press("Take this idea on")
    decider.until_shows("Stop sponsoring this idea")
    decider.press("Move to another stage")
    decider.press("Exploring", "Space")
    decider.write("Why?", "Highways can do it in spring.")
    decider.press("Move this idea")
    decider.until_shows("New to Exploring, by Priya Nair.")
    decider.press("Answer this idea")
    decider.write("The answer", "Yes. Two benches by the end of May.")
    decider.press("Publish this answer")
    decider.until_shows("Yes. Two benches by the end of May.")

    card = idea_page(NOBODY, ref).idea.card
    assert (card.votes, card.comments, card.stage, card.sponsor and card.sponsor.name) == (1, 1, Stage.EXPLORING, "Priya Nair")


def test_who_signed_out_in_another_tab_is_told_so_when_they_act_and_what_they_typed_is_still_there(
    hub: db.Database, server: Callable[..., Server], visitor: Visitors
):
    """Without script; with it the page follows at once (`test_two_people`)."""
    visitor.forgive("401")
    ref, person = make.idea(), make.resident("Huw Prŷs")
    page = visitor(server().url, person.ref, java_script_enabled=False)
    page.goto(f"/ideas/{ref}")
    other = page.context.new_page()
    other.goto("/")
    other.click("header button:has-text('Sign out')")
    page.fill("form[action$='/comments'] textarea", "Do not lose this.")
    page.click("form[action$='/comments'] button:has-text('Post this comment')")
    page.get_by_role("heading", name="You are not signed in").wait_for()
    assert page.input_value("textarea") == "Do not lose this."
    assert page.get_by_role("main").get_by_role("link", name="Sign in").get_attribute("href") == f"/sign-in?next=/ideas/{ref}"


def test_motion_is_off_for_who_wants_none_and_edges_stay_where_colours_are_forced(
    hub: db.Database, server: Callable[..., Server], visitor: Visitors
):
    ref = make.idea(stage="exploring", votes=2)
    page = visitor(server().url, make.resident().ref, reduced_motion="reduce", forced_colors="active")
    for path in ("/", "/ideas", f"/ideas/{ref}", "/board"):
        page.goto(path)
        assert page.evaluate(MOVING) == [], path
        assert page.evaluate(BARE) == [], path
