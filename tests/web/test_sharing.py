"""What other places show of the hub: cards, frames, and how they find them."""

import re
import struct
import time
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from events.catalogue import View
from ideas_hub import audiences, votes, whole
from ideas_hub.people import NOBODY
from tests import make
from web import drawing

pytestmark = pytest.mark.sqlite_only

HERE = "http://127.0.0.1:8000"


def oembed(browser, url: str, **query):
    return browser.get("/oembed", query_string={"url": url, **query})


def test_an_idea_has_a_card_of_1200_by_630_that_changes_with_it(visit):
    ref, browser = make.idea(), visit()
    card = browser.get(f"/ideas/{ref}/card.png")
    assert card.content_type == "image/png"
    assert card.data.startswith(b"\x89PNG")
    assert struct.unpack(">II", card.data[16:24]) == (1200, 630)
    kept = {"If-None-Match": card.headers["ETag"]}
    again = browser.get(f"/ideas/{ref}/card.png", headers=kept)
    assert (again.status_code, again.data) == (304, b"")
    votes.cast_vote(make.resident(), ref)
    changed = browser.get(f"/ideas/{ref}/card.png", headers=kept)
    assert changed.status_code == 200
    assert changed.data != card.data


def test_the_hub_has_a_card(visit):
    make.idea(stage="adopted")
    card = visit().get("/card.png")
    assert struct.unpack(">II", card.data[16:24]) == (1200, 630)


def test_nothing_is_shared_that_not_everybody_may_see_whoever_asks(visit):
    unseen = [make.idea(audience="staff", title="Desks"), make.idea(hidden=True, title="Spam"), "zzzzzzzz"]
    for actor in (None, make.leader(), make.moderator()):
        browser = visit(actor)
        refusals = []
        for ref in unseen:
            for path in (f"/ideas/{ref}/card.png", f"/ideas/{ref}/embed"):
                assert browser.get(path).status_code == 404
            answer = oembed(browser, f"{HERE}/ideas/{ref}")
            assert answer.status_code == 404
            refusals.append(re.sub(r'token" (content|value)="[^"]*"', "", answer.text).replace(ref, ""))
        assert len(set(refusals)) == 1
        for ref in unseen[:2]:
            page = browser.get(f"/ideas/{ref}").text
            assert "og:" not in page
            assert "oembed" not in page


@pytest.mark.parametrize("act", ["hide", "restrict"])
def test_a_card_that_was_drawn_is_not_shown_again_once_its_idea_is_gone(visit, act):
    ref, browser = make.idea(), visit()
    card = browser.get(f"/ideas/{ref}/card.png")
    if act == "hide":
        audiences.hide_idea(make.moderator(), ref, reason="Spam.")
    else:
        audiences.change_idea(make.leader(), ref, audience=View.STAFF)
    for headers in ({}, {"If-None-Match": card.headers["ETag"]}):
        assert browser.get(f"/ideas/{ref}/card.png", headers=headers).status_code == 404
    assert card.headers["Cache-Control"] == "public, no-cache", "nobody keeps it without asking"


TITLES = [
    "W" * 120,
    "مكتبة صغيرة في كل محطة حافلات، مع كتب " * 3,
    "😀👩‍👩‍👧🚲",
    "rhythm hymns tryst crypt " * 5,
    "<script>&\"']]>",
    "\u200b",
]


def test_any_title_fits_its_card(app, hub):
    page = whole.idea_page(NOBODY, make.idea())
    room = drawing.WIDTH - 2 * drawing.EDGE
    with app.test_request_context():
        for title in TITLES:
            size, lines = drawing.title_lines(title)
            assert all(drawing._wide(line.text.strip("\u202b\u202c"), "head", size) <= room + size for line in lines), title
            assert lines[0].y - size > 90, "below the hub's name"
            assert lines[-1].y < 350, "above what is told of it"
            shown = replace(page, idea=replace(page.idea, card=replace(page.idea.card, title=title)))
            assert drawing.png(drawing.idea_card(shown)).startswith(b"\x89PNG")
    assert "".join(line.text for line in drawing.title_lines("W" * 120)[1]) == "W" * 120
    assert drawing.title_lines("شكرا")[1][0].x > drawing.title_lines("Thanks")[1][0].x
    assert drawing.title_lines(("W" * 14 + " ") * 8)[1][-1].text.endswith("…")


def test_an_idea_on_every_way_has_a_card(app, hub):
    with app.test_request_context():
        for stage in ("new", "exploring", "trial", "adopted", "learned", "parked", "declined", "merged"):
            ref = make.idea(stage=stage)
            svg = drawing.idea_card(whole.idea_page(NOBODY, ref))
            assert (svg.count("stroke-dasharray") == 0) == (stage not in ("new", "exploring", "trial")), stage
        back = make.idea(stage="parked")
        make.sponsored(back)
        make.moved(back, "exploring")
        assert "Exploring" in drawing.idea_card(whole.idea_page(NOBODY, back))


def test_a_card_is_drawn_fast_enough_to_draw_it_between_requests(app, hub):
    """What draws keeps the one thread of the server to itself. The processor's time: others are busy on this machine."""
    page = whole.idea_page(NOBODY, make.idea(title="W" * 120))
    with app.test_request_context():
        drawing.png(drawing.idea_card(page))
        taken = []
        for number in range(3):
            svg = drawing.idea_card(page) + " " * number  # another picture for who keeps them
            began = time.process_time()
            drawing.png(svg)
            taken.append(time.process_time() - began)
    assert min(taken) < 0.15


def test_pages_say_what_other_places_may_show_of_them(visit):
    ref = make.idea(title='Benches "&" buses', problem="The hill is <steep>. Really.")
    page = visit().get(f"/ideas/{ref}").text
    assert f'<link rel="canonical" href="{HERE}/ideas/{ref}">' in page
    assert '<meta property="og:title" content="Benches &#34;&amp;&#34; buses">' in page
    assert '<meta property="og:description" content="The hill is &lt;steep&gt;.">' in page
    assert f'<meta property="og:image" content="{HERE}/ideas/{ref}/card.png">' in page
    assert '<meta name="twitter:card" content="summary_large_image">' in page
    home = visit().get("/").text
    assert f'<meta property="og:image" content="{HERE}/card.png">' in home
    assert f'<link rel="canonical" href="{HERE}/">' in home


def test_who_is_given_the_address_of_an_idea_finds_how_to_show_it(visit):
    ref, browser = make.idea(make.resident("Delyth Morgan"), title="Benches"), visit()
    page = browser.get(f"/ideas/{ref}").text
    found = re.search(r'type="application/json\+oembed" href="([^"]+)"', page)
    assert found is not None
    told = browser.get(found[1].removeprefix(HERE)).json
    assert (told["version"], told["type"], told["title"], told["author_name"]) == ("1.0", "rich", "Benches", "Delyth Morgan")
    assert f'src="{HERE}/ideas/{ref}/embed"' in told["html"]
    assert (told["thumbnail_url"], told["thumbnail_width"]) == (f"{HERE}/ideas/{ref}/card.png", 1200)
    small = oembed(browser, f"{HERE}/ideas/{ref}?from=mail#comments", maxwidth=400, maxheight=220).json
    assert (small["width"], small["height"]) == (400, 220)
    assert 'width="400" height="220"' in small["html"]
    assert "thumbnail_url" not in small, "it would be larger than what was asked for"


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "https://elsewhere.example/ideas/{ref}", f"{HERE}/board", f"{HERE}/ideas/{{ref}}/edit", "/ideas/{ref}"],
)
def test_what_is_no_idea_of_ours_cannot_be_shown(visit, url):
    assert oembed(visit(), url.format(ref=make.idea())).status_code == 404


def test_only_json_is_spoken(visit):
    assert oembed(visit(), f"{HERE}/ideas/{make.idea()}", format="xml").status_code == 501


def test_only_the_frame_of_an_idea_may_stand_in_other_pages_and_nothing_in_it_acts(app, visit):
    ref, browser = make.idea(title="Benches", votes=2), visit(make.staff("Rhodri Jenkins"))
    frame = browser.get(f"/ideas/{ref}/embed")
    policy = frame.headers["Content-Security-Policy"]
    assert "frame-ancestors *" in policy
    assert "script-src 'none'" in policy
    assert "form-action 'none'" in policy
    assert "Set-Cookie" not in frame.headers
    for never in ("<form", "<script", "csrf", "Rhodri Jenkins", "data-live"):
        assert never not in frame.text
    assert "Benches" in frame.text
    assert re.search(r"<b>2</b>\s*votes", frame.text)
    for path in ("/", f"/ideas/{ref}", "/board", "/ideas/zzzzzzzz/embed", f"/oembed?{urlencode({'url': 'x'})}"):
        assert "frame-ancestors 'none'" in browser.get(path).headers["Content-Security-Policy"]


def test_what_anybody_may_keep_carries_nobodys_cookie(visit):
    browser = visit(make.resident())
    with browser.session_transaction() as session:
        session.permanent = True
    assert "Set-Cookie" in browser.get("/").headers
    for path in ("/static/vendor/hub.css", "/ideas.atom", "/card.png"):
        answer = browser.get(path)
        assert answer.cache_control.public
        assert "Set-Cookie" not in answer.headers
        answer.close()
