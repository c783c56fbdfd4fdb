"""Looking at a page as people meet it: small, dark, with large letters, on paper; and with axe, which knows WCAG."""

from functools import cache
from typing import Any

from playwright.sync_api import Page

from tests.support.hub import ROOT

AXE = ROOT / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"]
RUN = """async (tags) => {
  const found = await axe.run(document, { runOnly: tags, resultTypes: ["violations"], iframes: false });
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => {
    const said = [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
    return `${id}: ${node.target.join(" ")}: ${said}`;
  }));
}"""
WIDER = """() => {
  const page = document.scrollingElement, room = document.documentElement.clientWidth;
  if (page.scrollWidth <= room) return [];
  const scrolls = (element) => element && (getComputedStyle(element).overflowX !== "visible" || scrolls(element.parentElement));
  const found = [...document.querySelectorAll("body *")]
    .filter((element) => element.getBoundingClientRect().right > room + 1 && element.checkVisibility())
    .filter((element) => !scrolls(element.parentElement));
  const told = found.slice(-3).map((element) => element.outerHTML.slice(0, 120));
  return [`the page is ${page.scrollWidth} wide, of ${room}`, ...told];
}"""
PRESSED = """() => [...document.querySelectorAll("button, input:not([type=hidden]), textarea, select, summary")]
  .filter((element) => element.checkVisibility()).map((element) => element.outerHTML.slice(0, 120)).slice(0, 5)"""


@cache
def axe() -> str:
    return AXE.read_text()


def complaints(page: Page) -> list[str]:
    """What is wrong with the page that is open, in any of the states in which people see it. Leaves it as it was."""
    page.evaluate(axe())
    found: dict[str, Any] = {}
    found["wide, light"] = page.evaluate(RUN, RULES) + page.evaluate(WIDER)
    page.evaluate("document.documentElement.style.fontSize = '200%'")  # as who makes text larger, and nothing else
    found["letters twice as large"] = page.evaluate(WIDER)
    page.set_viewport_size({"width": 640, "height": 900})
    found["letters twice as large, half as wide"] = page.evaluate(WIDER)
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.set_viewport_size({"width": 390, "height": 844})
    found["a phone"] = page.evaluate(WIDER)
    page.set_viewport_size({"width": 320, "height": 640})  # also 400 % of 1280
    page.emulate_media(color_scheme="dark")
    found["small, dark"] = page.evaluate(RUN, RULES) + page.evaluate(WIDER)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light", media="print")
    found["on paper"] = page.evaluate(PRESSED)
    page.emulate_media(media="screen")
    return [f"{state}: {said}" for state, all_said in found.items() for said in all_said]
