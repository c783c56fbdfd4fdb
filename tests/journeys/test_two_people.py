"""What one person does, the others see."""

import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from events.catalogue import View
from ideas_hub.audiences import change_idea
from ideas_hub.comments import post_comment
from ideas_hub.votes import cast_vote
from tests import make
from tests.journeys.conftest import COMMENT, Town, Watch, Watcher
from tests.support.browser import Visitors
from tests.support.hub import Server

WATCH_THE_NUMBER = """idea => {
  const number = document.querySelector(`[data-topic="idea:${idea}"] [data-fact=votes]`);
  window.seen = new Promise((resolve) => new MutationObserver(() => resolve([Date.now(), number.textContent]))
    .observe(number, { childList: true, characterData: true, subtree: true }));
}"""


def test_a_vote_without_javascript_moves_the_number_of_another_person_within_a_quarter_of_a_second(
    town: Town, server: Callable[..., Server], visitor: Visitors, watch: Watch
):
    hub = server()
    watcher = watch(hub, f"/ideas/{town.benches}", town.other)
    watcher.page.evaluate(WATCH_THE_NUMBER, town.benches)
    voter = visitor(hub.url, town.neighbour.ref, java_script_enabled=False)
    voter.goto(f"/ideas/{town.benches}")

    with voter.expect_response(lambda response: response.request.method == "POST") as answer:
        voter.click("form[action$='/vote'] button")

    timing = answer.value.request.timing
    answered = timing["startTime"] + timing["responseStart"]
    seen, number = watcher.page.evaluate("window.seen")
    assert number == "4"
    assert seen - answered < 250, f"seen {seen - answered:.0f} ms after the answer"
    voter.wait_for_load_state()
    assert voter.inner_text(f"[data-topic='idea:{town.benches}'] [data-fact=votes]") == "4"


def test_a_comment_appears_on_the_page_of_another_person(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    reader = watch(hub, f"/ideas/{town.benches}", town.other)
    writer = watch(hub, f"/ideas/{town.benches}", town.neighbour)

    writer.page.fill(f"{COMMENT} textarea[name=body]", "My mother would walk there again.")
    writer.page.click(f"{COMMENT} button")

    reader.until_shows("My mother would walk there again.")
    writer.until_shows("My mother would walk there again.")
    assert not reader.was_reloaded
    assert reader.keys() == writer.keys()
    reader.until("() => [...document.querySelectorAll('[data-fact=comments]')].every(fact => fact.textContent == 1)")


@pytest.mark.sqlite_only  # the database has no part in it
def test_a_comment_waits_behind_a_button_for_who_reads_the_comments_and_moves_nothing(
    town: Town, server: Callable[..., Server], watch: Watch
):
    for number in range(20):
        make.comment(town.benches, body=f"Said before, {number}.\n\nAnd more of it.")
    hub = server()
    reader = watch(hub, f"/ideas/{town.benches}", town.other)
    reader.page.evaluate("document.querySelector('[data-calm] [data-key]:nth-of-type(8)').scrollIntoView({block: 'start'})")
    place = "() => document.querySelector('[data-calm] [data-key]:nth-of-type(9)').getBoundingClientRect().top"
    before = reader.page.evaluate(place)

    post_comment(town.neighbour, town.benches, body="Something new.")

    reader.until("() => { const bar = document.querySelector('[data-calm] [data-new-on]'); return bar && !bar.hidden }")
    assert "Something new." not in reader.page.inner_text("main")
    shift = reader.page.evaluate(place) - before
    assert abs(shift) < 2, f"what is read moved by {shift} px"
    reader.page.click("[data-calm] [data-new-on] button")
    reader.until_shows("Something new.")
    assert not reader.was_reloaded


def test_a_card_moves_on_the_board_of_a_leader_and_says_since_when(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    board = watch(hub, "/board", town.leader)
    card = "document.querySelector(`[data-topic='idea:${idea}'][data-key]`)"
    column = f"idea => {card}.closest('.column').querySelector('h2').innerText"
    counts = "stage => document.querySelector(`[data-fact=count][data-stage=${stage}]`).textContent"
    assert (board.page.evaluate(column, town.buses), board.page.evaluate(counts, "trial")) == ("Exploring", "0")

    make.moved(town.buses, "trial", by=town.leader)

    board.until(f"idea => ({column})(idea) === 'Trial'", town.buses)
    board.until(f"() => ({counts})('trial') === '1' && ({counts})('exploring') === '0'")
    board.until("idea => document.querySelector(`[data-topic='idea:${idea}'].is-fresh`)", town.buses)
    assert not board.was_reloaded
    assert len(board.keys()) == len(set(board.keys()))


@pytest.mark.sqlite_only  # the database has no part in it
def test_an_open_move_form_stays_with_its_words_when_the_board_changes(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    board = watch(hub, "/board", town.leader)
    card = f"[data-topic='idea:{town.buses}'][data-key]"
    board.page.click(f"{card} summary")
    board.page.fill(f"{card} textarea[name=reason]", "Three teams agree.")

    make.moved(town.benches, "parked")
    make.idea(title="A new one")
    cast_vote(town.other, town.buses)

    board.until_votes(town.buses, 3)
    board.until("() => document.querySelector('[data-fact=count][data-stage=parked]').textContent === '1'")
    board.until_shows("A new one")
    assert board.page.input_value(f"{card} textarea[name=reason]") == "Three teams agree."
    assert board.page.evaluate("document.activeElement.name") == "reason"
    make.moved(town.buses, "adopted", by=town.leader)
    board.until(f"() => document.querySelector(\"{card}\").closest('.column').querySelector('h2').innerText === 'Adopted'")
    assert board.page.input_value(f"{card} textarea[name=reason]") == "Three teams agree."
    assert board.page.evaluate("document.activeElement.name") == "reason"


@pytest.mark.sqlite_only  # the database has no part in it
def test_dragging_a_card_opens_its_form_with_the_stage_chosen_and_what_it_sends_moves_it(
    town: Town, server: Callable[..., Server], watch: Watch
):
    hub = server()
    board = watch(hub, "/board", town.leader)
    card = f"[data-topic='idea:{town.buses}'][data-key]"

    board.page.drag_and_drop(card, ".column[data-stage=adopted] h2")
    assert board.page.evaluate(f'document.querySelector("{card} input[name=to]:checked").value') == "adopted"
    assert board.page.evaluate("document.activeElement.name") == "reason"
    board.page.keyboard.type("It works.")
    board.page.click(f"{card} form button:visible")

    board.until(f'() => document.querySelector(".column[data-stage=adopted] {card}")')
    board.until(f'() => !document.querySelector("{card} details[open]")')
    assert not board.was_reloaded


@pytest.mark.sqlite_only  # the database has no part in it
def test_a_paused_board_counts_what_changes_and_shows_it_when_it_goes_on(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    board = watch(hub, "/board", town.leader)
    board.page.click("[data-live-pause]")

    cast_vote(town.other, town.buses)
    make.moved(town.benches, "parked")

    board.until("() => document.querySelector('[data-live-pause]').innerText.includes(': 2 ')")
    assert board.page.inner_text(f"[data-topic='idea:{town.buses}'] [data-fact=votes]") == "2"
    assert "Benches on the hospital hill" in board.page.inner_text(".column[data-stage=new]")
    board.page.click("[data-live-pause]")
    board.until_votes(town.buses, 3)
    board.until("() => !document.querySelector('.column[data-stage=new]').innerText.includes('Benches')")
    assert board.page.inner_text("[data-live-pause]").strip() == "Pause"


@pytest.mark.sqlite_only  # the database has no part in it
def test_revised_words_appear_on_an_open_page(town: Town, server: Callable[..., Server], watch: Watch):
    reader = watch(server(), f"/ideas/{town.benches}", town.other)
    change_idea(town.author, town.benches, texts={"problem": "The hill has grown steeper."})
    reader.until_shows("The hill has grown steeper.")
    assert not reader.was_reloaded


@pytest.mark.sqlite_only  # the database has no part in it
def test_what_concerns_many_parts_of_a_page_is_one_request(town: Town, server: Callable[..., Server], watch: Watch):
    reader = watch(server(), f"/ideas/{town.benches}", town.other)
    asked: list[str] = []
    reader.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    make.moved(town.benches, "parked")
    for part in ("course", "timeline"):
        reader.until("part => document.getElementById(part).innerText.toLowerCase().includes('parked')", part)
    assert asked == [f"/ideas/{town.benches}"]


@pytest.mark.sqlite_only  # the database has no part in it
def test_the_form_to_comment_closes_with_a_merge_and_keeps_what_is_typed(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    writer, reader = (watch(hub, f"/ideas/{town.benches}", person) for person in (town.neighbour, town.other))
    writer.page.fill(f"{COMMENT} textarea[name=body]", "Half a sent")
    make.moved(town.benches, "merged", into=town.buses)
    for page in (writer, reader):
        page.until_shows("Comments are closed here")
    assert writer.page.input_value(f"{COMMENT} textarea[name=body]") == "Half a sent"
    assert reader.page.locator(COMMENT).count() == 0


def test_new_ideas_wait_behind_a_button_and_the_list_stands_still(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    reader = watch(hub, "/ideas")
    before = reader.keys()

    first, second = make.idea(title="First of two"), make.idea(title="Second of two")

    reader.until("() => document.querySelector('[data-new-on]:not([hidden]) button')?.innerText.startsWith('2 ')")
    assert reader.keys() == before
    reader.until("() => document.querySelector('[data-fact=count][data-stage=new]').textContent === '3'")
    reader.page.click("[data-new-on] button")
    reader.until_shows("Second of two")
    assert not reader.was_reloaded
    assert reader.keys() == [f"idea:{second}", f"idea:{first}", *before]
    make.cast(first, residents=1)
    reader.until_votes(first, 1)


@pytest.mark.sqlite_only  # the database has no part in it
def test_a_list_that_shows_other_ideas_ceases_to_watch_those_that_left_it(
    town: Town, server: Callable[..., Server], watch: Watch
):
    last, *_others = [make.idea(title=f"Idea {number}") for number in range(20)]
    reader = watch(server(), "/ideas")
    sent: list[str] = []
    reader.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    reader.page.reload()
    reader.until_live()
    new = make.idea(title="Newer than all")
    reader.until("() => document.querySelector('[data-new-on]:not([hidden])')")
    reader.page.click("[data-new-on] button")
    reader.until_shows("Newer than all")
    reader.until_live()
    make.cast(new, residents=1)
    reader.until_votes(new, 1)
    assert [last in frame for frame in sent if '"unwatch"' in frame] == [True]


def test_a_restricted_idea_leaves_the_open_pages_of_residents_within_two_seconds(
    town: Town, server: Callable[..., Server], watch: Watch, visitor: Visitors
):
    visitor.forgive("404")
    hub = server()
    title = "School minibuses at weekends"
    pages = [watch(hub, path, town.neighbour) for path in (f"/ideas/{town.buses}", "/ideas", "/board")]
    staff = watch(hub, "/ideas", town.sponsor)

    change_idea(town.leader, town.buses, audience=View.STAFF)

    for page in pages:
        page.until_without(title, within=2)
    assert not pages[1].was_reloaded
    assert not pages[2].was_reloaded
    staff.until_shows(title)
    for page in pages[1:]:
        assert title not in page.page.content()


def test_what_is_typed_and_sent_right_after_another_thing_is_no_double_click(
    town: Town, server: Callable[..., Server], watch: Watch
):
    writer = watch(server(), f"/ideas/{town.benches}", town.neighbour)
    for words in ("My mother would walk there again.", "Mine too."):
        writer.page.fill(f"{COMMENT} textarea[name=body]", words)
        writer.page.click(f"{COMMENT} button:has-text('Post this comment')")
        writer.until_shows(words)


def test_a_double_click_is_one_vote(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    for path in (f"/ideas/{town.benches}", "/ideas"):
        voter = watch(hub, path, make.resident())
        votes = int(voter.page.inner_text(f"[data-topic='idea:{town.benches}'] [data-fact=votes]"))
        sent = []
        voter.page.on("request", lambda request, sent=sent: sent.append(request.url) if request.method == "POST" else None)
        voter.page.dblclick(f"form[action='/ideas/{town.benches}/vote'] button")
        voter.until(f"() => document.querySelector(\"form[action='/ideas/{town.benches}/vote/withdraw']\")")
        voter.until_votes(town.benches, votes + 1)
        assert len(sent) == 1
        assert not voter.was_reloaded


@pytest.mark.sqlite_only  # the database has no part in it
def test_a_vote_keeps_the_focus_on_its_button(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    voter = watch(hub, "/ideas", town.neighbour)
    voter.page.focus(f"form[action='/ideas/{town.benches}/vote'] button")
    voter.page.keyboard.press("Enter")
    voter.until(f"() => document.activeElement.closest(\"form[action='/ideas/{town.benches}/vote/withdraw']\")")


@pytest.mark.sqlite_only  # the database has no part in it
def test_who_votes_in_one_tab_has_voted_in_the_others(town: Town, server: Callable[..., Server], watch: Watch):
    hub = server()
    first = watch(hub, f"/ideas/{town.benches}", town.neighbour)
    tabs = [first, *(Watcher(first.page.context.new_page(), path) for path in ("/ideas", f"/ideas/{town.benches}"))]

    for tab, act, then in ((tabs[0], "vote", "vote/withdraw"), (tabs[1], "vote/withdraw", "vote")):
        tab.page.click(f"form[action='/ideas/{town.benches}/{act}'] button")
        for other in tabs:
            other.until("path => document.querySelector(`form[action='${path}'] button`)", f"/ideas/{town.benches}/{then}")


def test_a_page_shows_at_once_what_its_reader_may_see_since_their_rights_changed(
    town: Town, server: Callable[..., Server], watch: Watch, visitor: Visitors
):
    visitor.forgive("404")  # it may ask after an idea that has just gone from its sight
    clerk = make.staff("Rhodri Jenkins")
    secret = make.idea(audience="leadership", title="Close the east wing")
    hub = server()
    pages = [watch(hub, "/board", clerk), watch(hub, "/ideas", clerk)]
    assert all("Close the east wing" not in page.page.content() for page in pages)

    make.changed(clerk, "leader")

    for page in pages:
        page.until_shows("Close the east wing")
        page.until_live()
    make.changed(clerk)
    for page in pages:
        page.until("ref => !document.documentElement.outerHTML.includes(ref)", secret)
        page.until_live()


@pytest.mark.sqlite_only
def test_why_something_was_refused_stands_beside_the_button(
    town: Town, server: Callable[..., Server], watch: Watch, visitor: Visitors
):
    visitor.forgive("409")
    voter = watch(server(), f"/ideas/{town.benches}", town.neighbour)
    problem = json.dumps({"title": "Conflict", "status": 409, "detail": "Votes are closed since 12 May."})
    answer = {"status": 409, "content_type": "application/problem+json", "body": problem}
    voter.page.route("**/vote", lambda route: route.fulfill(**answer) if route.request.method == "POST" else route.continue_())
    voter.page.click(f"form[action='/ideas/{town.benches}/vote'] button")
    voter.until_shows("Votes are closed since 12 May.")
    assert not voter.was_reloaded


def test_who_signs_out_in_another_tab_is_gone_from_every_page(
    town: Town, server: Callable[..., Server], watch: Watch, visitor: Visitors
):
    visitor.forgive("401")  # what it was fetching when that happened
    hub = server()
    clerk = make.staff("Rhodri Jenkins")
    page = watch(hub, f"/ideas/{town.benches}", clerk)
    other = page.page.context.new_page()
    other.goto("/")
    other.click("header button:has-text('Sign out')")
    page.until("() => !document.body.innerText.includes('Rhodri Jenkins')")
    page.until_live()
    assert page.page.locator("form[action$='/comments']").count() == 0


@pytest.mark.sqlite_only
def test_what_somebody_was_typing_is_not_shown_to_the_next_at_the_same_browser(
    town: Town, server: Callable[..., Server], watch: Watch
):
    hub = server()
    first, second = make.staff("Rhodri Jenkins"), make.resident("Eirlys Rowlands")
    page = watch(hub, f"/ideas/{town.benches}", first)
    page.page.fill(f"{COMMENT} textarea", "Not for everybody")
    page.page.click("header button:has-text('Sign out')")
    page.page.goto("/sign-in")
    page.page.click(f"button[value='{second.ref}']")
    page.page.goto(f"/ideas/{town.benches}")
    page.until_live()
    assert page.page.input_value(f"{COMMENT} textarea") == ""
    assert "Not for everybody" not in page.page.evaluate("JSON.stringify([localStorage, sessionStorage])")
