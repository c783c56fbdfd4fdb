"""What somebody who follows the hub in a feed reader gets: what everybody may see, and nothing else."""

import re
from datetime import datetime, timedelta
from xml.etree import ElementTree

import feedparser
import pytest
import sqlalchemy as sa

from events.catalogue import View
from ideas_hub import audiences, db
from ideas_hub.clock import now
from ideas_hub.comments import withdraw_comment
from ideas_hub.ideas import Idea, withdraw_idea
from tests import make

pytestmark = pytest.mark.sqlite_only

ATOM = "{http://www.w3.org/2005/Atom}"
XML = "{http://www.w3.org/XML/1998/namespace}"
TEXTS, PERSONS = {"id", "title", "updated", "published", "icon", "content"}, {"author"}
ALLOWED = {
    "feed": {"id", "title", "updated", "author", "icon", "link", "entry"},
    "entry": {"id", "title", "published", "updated", "author", "category", "link", "content"},
}


def valid(text: str) -> ElementTree.Element:
    """The feed, after what RFC 4287 asks of one."""
    feed = ElementTree.fromstring(text)  # noqa: S314  it is ours
    assert feed.tag == f"{ATOM}feed"
    for element in (feed, *feed.iter(f"{ATOM}entry")):
        kind = element.tag.removeprefix(ATOM)
        names = [child.tag.removeprefix(ATOM) for child in element]
        assert set(names) <= ALLOWED[kind]
        for once in ("id", "title", "updated"):
            assert names.count(once) == 1, (kind, once)
            assert element.findtext(f"{ATOM}{once}"), (kind, once)
        assert re.fullmatch(r"tag:[^,]+,\d{4}:\S+", element.findtext(f"{ATOM}id"))
        for when in ("updated", "published"):
            if said := element.findtext(f"{ATOM}{when}"):
                assert datetime.fromisoformat(said).tzinfo is not None
        links = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in element.findall(f"{ATOM}link")]
        assert len(links) == len(set(links)), "two links of a sort"
        assert any(rel == "alternate" for rel, _type, _lang in links)
        assert all(link.get("href", "").startswith("http://") for link in element.findall(f"{ATOM}link"))
        for author in element.findall(f"{ATOM}author"):
            assert [child.tag for child in author] == [f"{ATOM}name"]
            assert author.findtext(f"{ATOM}name")
    assert feed.find(f"{ATOM}author") is not None, "an entry without an author of its own has the feed's"
    ids = [entry.findtext(f"{ATOM}id") for entry in feed.iter(f"{ATOM}entry")]
    assert len(ids) == len(set(ids))
    return feed


def read(browser, path: str, **query):
    """The feed as a feed reader understands it, which complains of nothing."""
    answer = browser.get(path, query_string=query or None)
    assert answer.status_code == 200, path
    assert answer.content_type == "application/atom+xml; charset=utf-8"
    valid(answer.text)
    found = feedparser.parse(answer.data)
    assert not found.bozo, found.get("bozo_exception")
    assert found.version == "atom10"
    return found


def titles(found) -> list[str]:
    return [entry.title for entry in found.entries]


def test_new_ideas_are_in_the_feed_newest_first_with_author_theme_and_stage(visit):
    make.theme("parks")
    old = make.idea(title="Benches")
    make.idea(make.resident("Delyth Morgan"), title="Buses & trams", problem="They are <late>. Always.", themes=["parks"])
    found = read(visit(), "/ideas.atom")
    assert titles(found) == ["Buses & trams", "Benches"]
    first = found.entries[0]
    assert first.author == "Delyth Morgan"
    assert {tag.term for tag in first.tags} == {"new", "parks"}
    assert first.summary == "<p>They are &lt;late&gt;.</p>"
    assert found.entries[1].link.endswith(f"/ideas/{old}")


def test_a_feed_can_be_of_a_theme_or_a_stage_and_has_an_id_of_its_own(visit):
    make.theme("parks")
    make.idea(title="Benches", themes=["parks"])
    make.idea(title="Buses", stage="exploring")
    browser = visit()
    assert titles(read(browser, "/ideas.atom", theme="parks")) == ["Benches"]
    assert titles(read(browser, "/ideas.atom", stage="exploring")) == ["Buses"]
    assert read(browser, "/ideas.atom", stage="trial").entries == []
    assert len({read(browser, "/ideas.atom", **query).feed.id for query in ({}, {"theme": "parks"}, {"stage": "new"})}) == 3
    assert browser.get("/ideas.atom", query_string={"theme": "nowhere"}).status_code == 422


def test_a_feed_goes_on_where_its_piece_ends(visit):
    posted = [make.idea(title=f"Idea {number}") for number in range(45)]
    browser, path, seen = visit(), "/ideas.atom", []
    while path:
        found = read(browser, path)
        seen += [entry.link.rpartition("/")[2] for entry in found.entries]
        path = next((link.href.removeprefix("http://127.0.0.1:8000") for link in found.feed.links if link.rel == "next"), None)
    assert seen == posted[::-1]
    assert browser.get("/answers.atom", query_string={"cursor": "made up"}).status_code == 422


def test_the_feed_of_an_idea_tells_its_answers_stages_and_comments(visit):
    ref = make.idea(title="Benches", stage="exploring", sponsor=make.sponsor("Priya Nair"))
    comment = make.comment(ref, make.resident("Huw Prŷs"), body="**Yes**, please.")
    make.answer(ref, text="Yes, from spring.")
    for _number in range(25):
        make.comment(ref)
    found = read(visit(), f"/ideas/{ref}.atom")
    assert found.feed.title.startswith("What happens to “Benches”")
    before = read(visit(), next(link.href for link in found.feed.links if link.rel == "next"))
    told = [entry.title for entry in (*found.entries, *before.entries)]
    assert all(title.endswith("commented.") for title in told[:25])
    rest = ["Priya Nair answered.", "Huw Prŷs commented.", "New to Exploring, by The admin.", "Priya Nair became sponsor."]
    assert told[25:-1] == rest
    assert told[-1].startswith("Posted by ")
    answered, commented = (entry for entry in before.entries if entry.title in ("Priya Nair answered.", "Huw Prŷs commented."))
    assert (answered.summary, answered.author) == ("<p>Yes, from spring.</p>", "Priya Nair")
    assert commented.summary == "<p><strong>Yes</strong>, please.</p>"
    assert commented.link.endswith(f"/ideas/{ref}#comment-{comment}")


def test_answers_are_in_the_feed_of_answers(visit):
    for title in ("Benches", "Buses"):
        make.answer(make.idea(title=title), text=f"{title}: yes.")
    make.answer(make.idea(audience="staff", title="Desks"))
    found = read(visit(), "/answers.atom")
    assert titles(found) == ["Buses", "Benches"]
    assert found.entries[0].summary == "<p>Buses: yes.</p>"


def test_staff_read_in_a_feed_what_everybody_may_see(visit):
    """A feed is kept by programs that show it to others."""
    ref = make.idea(title="Benches")
    make.comment(ref, audience="staff", body="Between us.")
    secret = make.idea(audience="staff", title="Desks")
    hidden = make.idea(title="Spam", hidden=True)
    for actor in (None, make.leader(), make.moderator()):
        browser = visit(actor)
        assert titles(read(browser, "/ideas.atom", audience="staff")) == ["Benches"]
        assert "Between us" not in browser.get(f"/ideas/{ref}.atom").text
        for unseen in (secret, hidden, "zzzzzzzz"):
            assert browser.get(f"/ideas/{unseen}.atom").status_code == 404
        assert "Set-Cookie" not in browser.get("/ideas.atom").headers
        assert "Cookie" not in browser.get("/ideas.atom").headers.get("Vary", "")


@pytest.mark.parametrize("act", ["hide", "restrict", "withdraw"])
def test_what_is_gone_is_gone_from_every_feed_at_once_also_for_who_asks_whether_anything_changed(visit, monkeypatch, act):
    author, browser = make.resident(), visit()
    make.answer(make.idea(title="Benches"))
    ref = make.idea(author, title="Buses")
    if act != "withdraw":
        make.answer(ref, text="Buses: yes.")
    had = {path: browser.get(path) for path in ("/ideas.atom", "/answers.atom", f"/ideas/{ref}.atom")}
    {
        "hide": lambda: audiences.hide_idea(make.moderator(), ref, reason="Spam."),
        "restrict": lambda: audiences.change_idea(make.leader(), ref, audience=View.STAFF),
        "withdraw": lambda: withdraw_idea(author, ref),
    }[act]()
    assert (
        browser.get(f"/ideas/{ref}.atom", headers={"If-None-Match": had[f"/ideas/{ref}.atom"].headers["ETag"]}).status_code == 404
    )
    for path in ("/ideas.atom", "/answers.atom") if act != "withdraw" else ("/ideas.atom",):
        now_there = browser.get(path, headers={"If-None-Match": had[path].headers["ETag"]})
        assert now_there.status_code == 200
        assert "Buses" not in now_there.text


def test_who_has_the_newest_feed_is_not_sent_it_again(visit, monkeypatch):
    make.idea(title="Benches")
    browser = visit()
    fresh = browser.get("/ideas.atom")
    assert "Last-Modified" not in fresh.headers, "it may change within the same second"
    later = now() + timedelta(minutes=5)
    monkeypatch.setattr("web.feeds.now", lambda: later)
    kept = browser.get("/ideas.atom")
    for condition in ({"If-None-Match": kept.headers["ETag"]}, {"If-Modified-Since": kept.headers["Last-Modified"]}):
        again = browser.get("/ideas.atom", headers=condition)
        assert (again.status_code, again.data) == (304, b"")
    assert kept.headers["Cache-Control"] == "public, no-cache"


def test_an_idea_that_is_revised_or_moved_is_updated_and_keeps_its_id(visit):
    author = make.resident()
    ref = make.idea(author, title="Benches")
    before = read(visit(), "/ideas.atom").entries[0]
    audiences.change_idea(author, ref, texts={"title": "Benches and bins"})
    after = read(visit(), "/ideas.atom").entries[0]
    assert (after.id, after.published) == (before.id, before.published)
    assert after.updated > before.updated
    make.moved(ref, "parked")
    assert read(visit(), "/ideas.atom").entries[0].updated > after.updated


def test_what_a_comment_said_goes_with_it_from_the_feed(visit):
    author = make.resident()
    ref = make.idea()
    comment = make.comment(ref, author, body="Regretted.")
    assert "Regretted" in visit().get(f"/ideas/{ref}.atom").text
    withdraw_comment(author, ref, comment)
    found = read(visit(), f"/ideas/{ref}.atom")
    assert [entry.tags[0].term for entry in found.entries] == ["idea.posted"]


HOSTILE = ["]]><script>alert(1)</script>", "\x00\x0b\x1b\ufffe\uffff", "<!ENTITY x '&x;'>", "&amp;&lt;", "مكتبة 😀\u202e", "\"'>"]


def test_no_text_breaks_a_feed(visit, hub: db.Database):
    """Also texts that no form of ours takes, but that an import or an older hub may have left."""
    refs = [make.idea(make.resident("<b>&\"'"), title=f"Idea {number}") for number in range(len(HOSTILE))]
    with hub.writing() as session:
        for ref, text in zip(refs, HOSTILE, strict=True):
            session.execute(sa.update(Idea).where(Idea.ref == ref).values(title=f"T {text}", problem=text, proposal=text))
    found = read(visit(), "/ideas.atom")
    assert len(found.entries) == len(HOSTILE)
    assert not any("<script" in entry.get("summary", "") for entry in found.entries)
    for ref in refs:
        read(visit(), f"/ideas/{ref}.atom")


def test_pages_say_where_their_feeds_are(visit):
    make.theme("parks")
    ref = make.idea(title="Benches", themes=["parks"])
    inside = make.idea(audience="staff")
    browser = visit(make.staff())
    for path, feeds in {
        "/": ["/ideas.atom", "/answers.atom"],
        f"/ideas/{ref}": [f"/ideas/{ref}.atom"],
        "/ideas?theme=parks&sort=top": ["/ideas.atom?theme=parks"],
    }.items():
        page = browser.get(path).text
        for feed in feeds:
            assert f'<link rel="alternate" type="application/atom+xml" href="{feed}"' in page
            assert f'<a href="{feed}"' in page or f'<a class="small" href="{feed}"' in page
            assert browser.get(feed).status_code == 200
    assert f"{inside}.atom" not in browser.get(f"/ideas/{inside}").text
