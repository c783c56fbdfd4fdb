"""Drafts in pages and over HTTP: with and without JavaScript, from two tabs, across a sign-in."""

import re

import pytest

from ideas_hub.audiences import change_idea
from ideas_hub.drafts import draft, drafts, keep_draft
from ideas_hub.people import NOBODY
from ideas_hub.whole import whole_idea
from tests import make

pytestmark = pytest.mark.sqlite_only


def version(page: str) -> str:
    found = re.search(r'name="draft" value="(\d+)"', page)
    assert found
    return found[1]


def test_without_javascript_a_button_keeps_the_draft_and_the_form_opens_with_it(app, visit):
    ann = make.resident()
    make.theme("parks")
    browser = visit(ann, ours=True)
    sent = {"title": "Benches", "problem": "No seat\r\n<b>anywhere</b>", "theme": "parks", "keep": "1", "draft": "0"}
    answer = browser.post("/ideas", data=sent)
    assert (answer.status_code, answer.location) == (303, "/ideas/new")
    page = browser.get("/ideas/new").text
    assert 'value="Benches"' in page
    assert "&lt;b&gt;anywhere" in page
    assert re.search(r'value="parks"[^>]* checked', page)
    assert "Your draft, kept on" in page
    assert version(page) == "1"
    assert "Benches" not in visit(make.resident()).get("/ideas/new").text
    browser.post("/ideas", data=sent | {"problem": "No seat.", "proposal": "Two.", "keep": "", "draft": "1"})
    assert drafts(ann)["post"].gone_at
    assert 'value="Benches"' not in browser.get("/ideas/new").text


def test_the_second_tab_without_javascript_is_told_and_shown_what_it_typed(app, visit):
    ann = make.resident()
    browser = visit(ann, ours=True)
    browser.post("/ideas", data={"title": "From one tab", "keep": "1", "draft": "0"})
    answer = browser.post("/ideas", data={"title": "From the other", "keep": "1", "draft": "0"})
    assert answer.status_code == 412
    assert "From the other" in answer.text
    assert draft(ann, "post").values["title"] == ("From one tab",)


def test_comments_and_replies_have_their_own_drafts_and_open_with_them(app, visit):
    ann, ref = make.resident(), make.idea()
    comment = make.comment(ref)
    browser = visit(ann, ours=True)
    for body, parent, back in (
        ("Half a thought", None, "#say"),
        ("Half a reply", comment, f"?comment={comment}#comment-{comment}"),
    ):
        data = {"body": body, "keep": "1", "draft": "0"} | ({"parent": parent} if parent else {"kind": "concern"})
        assert browser.post(f"/ideas/{ref}/comments", data=data).location == f"/ideas/{ref}{back}"
    page = browser.get(f"/ideas/{ref}").text
    assert "Half a thought</textarea>" in page
    assert "Half a reply</textarea>" in page
    assert '<details class="reply" open>' in page
    browser.post(f"/ideas/{ref}/comments", data={"body": "Half a reply, done", "parent": comment})
    page = browser.get(f"/ideas/{ref}").text
    assert "Half a reply</textarea>" not in page
    assert "Half a thought</textarea>" in page


def test_a_draft_of_a_change_says_when_the_idea_was_changed_meanwhile(app, visit):
    ann = make.resident()
    ref = make.idea(ann, title="Bench", gain="Rest.")
    browser = visit(ann, ours=True)
    sent = {"title": "Benches", "problem": "P", "proposal": "Q", "gain": "", "revision": "1"}
    assert browser.post(f"/ideas/{ref}/edit", data=sent | {"keep": "1", "draft": "0"}).location == f"/ideas/{ref}/edit"
    page = browser.get(f"/ideas/{ref}/edit").text
    assert 'value="Benches"' in page
    assert "Rest." not in page
    assert "changed after you began" not in page
    change_idea(ann, ref, texts={"title": "A bench"})
    page = browser.get(f"/ideas/{ref}/edit").text
    assert "changed after you began" in page
    assert f"/ideas/{ref}/revisions?from=1&amp;to=2" in page
    assert browser.post(f"/ideas/{ref}/edit", data=sent | {"revision": "2"}).status_code == 303
    assert whole_idea(NOBODY, ref).card.title == "Benches"


def test_ones_own_page_lists_drafts_to_continue_discard_and_have_back(app, visit):
    ann, ref = make.resident(), make.idea(title="Benches on the hill")
    keep_draft(ann, "post", values={"title": ["Lend ladders"]})
    keep_draft(ann, f"comment-{ref}", values={"body": ["Half a thought"]})
    browser = visit(ann, ours=True)
    page = browser.get("/me").text
    assert '<a href="/ideas/new">Lend ladders</a>' in page
    assert f'<a href="/ideas/{ref}#say">A comment on “Benches on the hill”</a>' in page
    assert browser.post("/me/drafts/post/discard", data={"back": "/me"}).location == "/me"
    page = browser.get("/me").text
    assert '<a href="/ideas/new">Lend ladders</a>' not in page
    assert 'action="/me/drafts/post/restore"' in page
    assert 'value="Lend ladders"' not in browser.get("/ideas/new").text
    browser.post("/me/drafts/post/restore")
    assert 'value="Lend ladders"' in browser.get("/ideas/new").text
    other = visit(make.overseer(), ours=True)
    assert "Lend ladders" not in other.get("/me").text
    assert other.post("/me/drafts/post/discard").status_code == 404


def test_the_api_keeps_finds_and_discards_ones_own_drafts(app, visit):
    ann = make.resident()
    browser, here = visit(ann, ours=True), "/api/v1/me/drafts/post"
    assert browser.get(here).status_code == 404
    kept = browser.put(here, json={"values": {"title": ["Benches"]}, "version": 0})
    assert (kept.status_code, kept.json["version"], kept.json["values"]) == (200, 1, {"title": ["Benches"]})
    assert browser.put(here, json={"values": {"title": ["Other"]}, "version": 0}).status_code == 412
    assert browser.get(here).json == browser.get("/api/v1/me/drafts").json["items"][0] == kept.json
    for wrong in ({"values": {"title": "x"}}, {"values": {"vote": ["x"]}}, {"values": {"title": ["\x00"]}}, {"version": 1}, {}):
        assert browser.put(here, json=wrong).status_code == 422, wrong
    assert browser.put("/api/v1/me/drafts/votes", json={"values": {}}).status_code == 404
    stranger = visit(make.overseer(), ours=True)
    assert stranger.get("/api/v1/me/drafts").json["items"] == []
    assert stranger.get(here).status_code == stranger.delete(here).status_code == 404
    assert [browser.delete(here).status_code for _ in range(2)] == [204, 204]
    assert browser.get(here).status_code == 404


def test_a_control_character_in_one_field_hides_no_other_fields_error(app, visit):
    browser = visit(make.resident(), ours=True)
    page = browser.post("/ideas", data={"title": "A\x07bench", "problem": "", "proposal": "x" * 10_001}).text
    for field, said in (
        ("title", "invisible control character"),
        ("problem", "Say what is wrong"),
        ("proposal", "1 character too"),
    ):
        assert re.search(rf'id="post-{field}-error".{{0,900}}{said}', page, re.DOTALL), field
    assert "3 things need mending" in page


def test_a_form_that_is_too_large_says_so_and_where_the_text_still_is(app, visit):
    answer = visit(make.resident(), ours=True).post("/ideas", data={"problem": "x" * (1024 * 1024)})
    assert answer.status_code == 413
    assert "your text still stands in the form" in answer.text
    assert "data-unsent" in answer.text
