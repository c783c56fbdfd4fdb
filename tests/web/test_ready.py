"""Pages that are kept ready: sent as they were rendered for as long as nothing changed, and never to whom they are not for."""

import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date, time

import pytest
from flask import Flask, request, request_started
from werkzeug.test import Client

from events import log
from events.catalogue import View
from ideas_hub import db
from ideas_hub.audiences import change_idea, hide_comment, hide_idea
from ideas_hub.comments import post_comment, withdraw_comment
from ideas_hub.ideas import withdraw_idea
from ideas_hub.people import Actor, Kind, add_person
from ideas_hub.sessions import end, make_token, start_session
from ideas_hub.settings import add_theme, change_settings
from ideas_hub.votes import cast_vote, withdraw_vote
from tests import make
from tests.support.hub import ROOT, environment, flask
from tests.support.processes import wait_until
from tests.support.services import Cluster
from web import ready

pytestmark = pytest.mark.usefixtures("clock")  # a page ends with its minute: here none ends by itself
MARKER = "Quetzalcoatlus"
GATHERING = ("/", "/board", "/ideas", "/ideas?sort=trending&stage=new", "/api/v1/ideas", "/api/v1/ideas?sort=top&limit=5")
PACKED = {"Accept-Encoding": "gzip, br"}


@pytest.fixture
def asked(app: Flask) -> Iterator[list[str]]:
    """What the application itself was asked for. What was ready is not among it."""
    addresses: list[str] = []

    def note(sender: Flask, **_: object) -> None:
        addresses.append(request.full_path.rstrip("?"))

    with request_started.connected_to(note, app):
        yield addresses


@pytest.fixture
def shelf(app: Flask) -> ready.Shelf:
    return app.wsgi_app.shelf


def every_page(*refs: str) -> list[str]:
    return [*GATHERING, *(f"/ideas/{ref}" for ref in refs)]


def all_bytes(browser: Client, *refs: str) -> dict[str, bytes]:
    """What nobody is sent by each page that is kept, plain and packed."""
    answers = {}
    for address in every_page(*refs):
        plain, packed = browser.get(address), browser.get(address, headers=PACKED)
        unpacked = gzip.decompress(packed.data) if packed.headers.get("Content-Encoding") == "gzip" else packed.data
        answers[address] = plain.data + unpacked
    return answers


# How far the log has come


def test_who_asks_in_the_same_turn_is_told_by_one_look_and_who_asks_later_by_their_own(monkeypatch):
    present, looks, others = ready.Present(), [], []
    monkeypatch.setattr(present, "_read", lambda: looks.append("look") or ("epoch", len(looks)))

    def turn(_: float) -> None:
        if not others:
            others.append(None)
            others.append(present())

    monkeypatch.setattr(ready, "sleep", turn)
    assert (present(), others[1], len(looks)) == (("epoch", 1), ("epoch", 1), 1)
    assert (present(), len(looks)) == (("epoch", 2), 2)


# The same, and once


@pytest.mark.sqlite_only
def test_what_is_kept_is_what_the_application_would_say(app, visit, asked):
    ref = make.idea(stage="exploring", votes=2, problem="Long words. " * 100)
    make.comment(ref)
    browser, itself = visit(), Client(app.wsgi_app.hub, type(visit().get("/healthz")))
    for address in every_page(ref):
        for headers in ({}, PACKED):
            browser.get(address, headers=headers)
            asked.clear()
            kept = browser.get(address, headers=headers)
            assert not asked, address
            made = itself.get(address, headers=headers)
            assert kept.data == made.data, address
            assert dict(kept.headers) == dict(made.headers), address
            assert kept.status == made.status


@pytest.mark.sqlite_only
def test_what_nobody_changed_is_rendered_once(visit, asked):
    ref = make.idea()
    for _ in range(3):
        for address in every_page(ref):
            assert visit().get(address).status_code == 200
    assert asked == every_page(ref)


@pytest.mark.sqlite_only
def test_what_has_words_or_a_place_in_a_list_is_not_kept(visit, asked, shelf):
    ref = make.idea()
    addresses = (f"/ideas/{ref}?kind=build", "/ideas?q=idea", "/ideas?place=Calder", "/?from=mail", "/ideas?sort=top&q=x", "/me")
    for address in (*addresses, "/ideas/wwwwwwww", "/ideas/", "/board/", "/api/v1/board", f"/ideas/{ref}/card"):
        before = len(asked)
        visit().get(address)
        visit().get(address)
        assert len(asked) == before + 2, address
    assert not shelf.pages


@pytest.mark.sqlite_only
def test_a_head_says_what_the_page_would_say_and_sends_nothing(visit, asked):
    whole = visit().get("/ideas", headers=PACKED)
    head = visit().head("/ideas", headers=PACKED)
    assert (head.data, dict(head.headers)) == (b"", dict(whole.headers))
    assert len(asked) == 1


@pytest.mark.sqlite_only
def test_who_has_the_api_list_already_is_not_sent_it_again(visit, asked):
    make.idea()
    tag = visit().get("/api/v1/ideas").headers["ETag"]
    again = visit().get("/api/v1/ideas", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert "Content-Type" not in again.headers
    assert len(asked) == 1
    make.idea()
    assert visit().get("/api/v1/ideas", headers={"If-None-Match": tag}).status_code == 200


# As it is now


def vote(ref: str, other: str) -> None:
    cast_vote(make.resident(), ref)


def withdrawn_vote(ref: str, other: str) -> None:
    voter = make.resident()
    cast_vote(voter, ref)
    withdraw_vote(voter, ref)


CHANGES: dict[str, Callable[[str, str], object]] = {
    "vote": vote,
    "withdrawn vote": withdrawn_vote,
    "comment": lambda ref, other: make.comment(ref),
    "new idea": lambda ref, other: make.idea(),
    "sponsor": lambda ref, other: make.sponsored(ref),
    "move": lambda ref, other: make.moved(ref, "parked"),
    "answer": lambda ref, other: make.answer(ref),
    "merge": lambda ref, other: make.moved(ref, "merged", into=other),
    "short title": lambda ref, other: change_idea(make.admin(), ref, short_title="Short"),
    "theme": lambda ref, other: add_theme("parks", "Parks and rivers"),
    "name of the council": lambda ref, other: change_settings(council="Another Council"),
    "name of the author": lambda ref, other: add_person(make.address(AUTHOR[0]), name="Another Name", kind=Kind.RESIDENT),
}
AUTHOR: list[Actor] = []


@pytest.mark.sqlite_only
@pytest.mark.parametrize("change", CHANGES)
def test_right_after_a_change_every_page_is_what_the_application_says(app, visit, change):
    """Whatever happened, and however the pages were asked for before and after it."""
    AUTHOR[:] = [make.resident()]
    make.theme("parks")
    ref, other = make.idea(AUTHOR[0], themes=["parks"], votes=1), make.idea(themes=["parks"])
    browser, itself = visit(), Client(app.wsgi_app.hub, type(visit().get("/healthz")))
    for address in every_page(ref, other):
        browser.get(address)
    CHANGES[change](ref, other)
    for address in every_page(ref, other):
        assert timeless(browser.get(address).text) == timeless(itself.get(address).text), address


def timeless(page: str) -> str:
    """The page without its cursor, which may be older than the last that happened: what follows it is told to the page."""
    return "".join(part.split('"', 1)[-1] if n else part for n, part in enumerate(page.split('data-live-cursor="')))


@pytest.mark.sqlite_only
def test_a_vote_leaves_the_pages_of_other_ideas_ready(visit, asked):
    ref, other = make.idea(), make.idea()
    addresses = [f"/ideas/{ref}", f"/ideas/{other}"]
    for address in addresses:
        visit().get(address)
    cast_vote(make.resident(), ref)  # a new person: their coming has pages made anew
    voter = make.resident()
    for address in addresses:
        visit().get(address)
    asked.clear()
    cast_vote(voter, ref)
    for address in addresses:
        visit().get(address)
    assert asked == [f"/ideas/{ref}"]


@pytest.mark.sqlite_only
def test_that_somebody_signs_out_has_nothing_made_anew(visit, asked):
    secret = start_session(make.resident().ref or "")
    visit().get("/")
    end(secret)
    visit().get("/")
    assert asked == ["/"]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("days", [1, 40])
def test_a_page_ends_with_its_minute_so_days_turn(hub, clock, visit, asked, days):
    clock.goes_to(date(2026, 7, 1), time(23, 59, 10))
    ref = make.idea()
    visit().get("/board")
    clock.goes_on(seconds=30)
    visit().get("/board")
    assert asked == ["/board"]
    clock.goes_on(days=days)
    assert f"{days} day" in visit().get("/board").text
    assert asked == ["/board", "/board"]
    clock.goes_on(seconds=30)
    assert visit().get(f"/ideas/{ref}").status_code == 200


@pytest.mark.sqlite_only
def test_another_log_in_the_place_of_ours_has_all_made_anew(visit, asked):
    visit().get("/")
    with db.database().writing() as session:
        log.begin(session, "another")
    visit().get("/")
    assert asked == ["/", "/"]


# What is taken away


AWAY: dict[str, Callable[[Actor, str], object]] = {
    "hidden": lambda author, ref: hide_idea(make.regular("moderator", "leader"), ref, reason="No."),
    "for staff": lambda author, ref: change_idea(make.regular("admin"), ref, audience=View.STAFF),
    "for leaders": lambda author, ref: change_idea(make.regular("admin"), ref, audience=View.LEADERSHIP),
    "withdrawn": lambda author, ref: withdraw_idea(author, ref),
    "revised": lambda author, ref: change_idea(author, ref, texts=make.texts(gain="", cost_of_inaction="", place="")),
}


@pytest.mark.parametrize("away", AWAY)
def test_of_an_idea_that_is_taken_away_not_one_byte_goes_out(app, visit, away):
    author, browser = make.resident(), visit()
    texts = {name: f"{MARKER} {name}" for name in ("title", "problem", "proposal", "gain", "cost_of_inaction", "place")}
    ref = make.idea(author, **texts)
    make.regular("moderator", "leader"), make.regular("admin")
    before = all_bytes(browser, ref)
    assert all(MARKER.encode() in content for content in before.values())
    AWAY[away](author, ref)
    for address, content in all_bytes(browser, ref).items():
        assert MARKER.encode() not in content, address
        assert away == "revised" or address.endswith(ref) or ref.encode() not in content, address


@pytest.mark.parametrize("how", ["hidden", "withdrawn"])
def test_of_a_comment_that_is_taken_away_not_one_byte_goes_out(visit, how):
    author, moderator, browser, ref = make.resident(), make.moderator(), visit(), make.idea()
    comment = post_comment(author, ref, body=f"{MARKER} words")
    assert MARKER.encode() in all_bytes(browser, ref)[f"/ideas/{ref}"]
    if how == "hidden":
        hide_comment(moderator, ref, comment, reason="No.")
    else:
        withdraw_comment(author, ref, comment)
    assert not [address for address, content in all_bytes(browser, ref).items() if MARKER.encode() in content]


@pytest.mark.sqlite_only
def test_an_idea_that_went_into_one_that_is_then_hidden_does_not_name_it(visit):
    into = make.idea(title=f"{MARKER} title")
    ref = make.idea(stage="new")
    make.moved(ref, "merged", into=into)
    browser = visit()
    assert MARKER.encode() in all_bytes(browser, ref)[f"/ideas/{ref}"]
    hide_idea(make.moderator(), into, reason="No.")
    assert not [address for address, content in all_bytes(browser, ref, into).items() if MARKER.encode() in content]


def test_what_another_process_takes_away_is_gone_here(visit, database_url, tmp_path):
    """As a command at the console does, or another server."""
    ref, moderator, browser = make.idea(title=f"{MARKER} title"), make.moderator(), visit()
    assert MARKER.encode() in all_bytes(browser, ref)["/"]
    work = f"""
from ideas_hub import db
db.connect({database_url!r})
from ideas_hub.audiences import hide_idea
from tests import make
hide_idea(make.actor({moderator.ref!r}), {ref!r}, reason="No.")
"""
    subprocess.run([sys.executable, "-c", work], cwd=ROOT, env=environment(database_url), check=True)
    assert not [address for address, content in all_bytes(browser, ref).items() if MARKER.encode() in content]
    flask("council", "--name", "Calder Vale", database_url=database_url, folder=tmp_path)
    assert "Calder Vale" in browser.get("/").text


# Whose it is


def test_who_is_signed_in_never_gets_and_never_leaves_a_page_for_all(visit, asked, shelf):
    ref, ann = make.idea(), make.resident("Ann Quetzalcoatlus")
    for address in every_page(ref):
        visit().get(address)
    kept = dict(shelf.pages)
    asked.clear()
    hers = visit(ann)
    for address in every_page(ref):
        assert address.startswith("/api") or "Ann Quetzalcoatlus" in hers.get(address).text
        hers.get(address)
    by_token = {"Authorization": f"Bearer {make_token(make.address(ann), days=1)}"}
    assert visit().get(f"/ideas/{ref}", headers=by_token).text.count("Ann Quetzalcoatlus")
    assert visit().get("/ideas", headers={"Authorization": "Bearer guess"}).status_code == 401
    assert {address for address in every_page(ref) if not address.startswith("/api")} <= set(asked)
    assert all(shelf.pages[key] is page for key, page in kept.items() if key in shelf.pages)
    assert not [address for address, content in all_bytes(visit(), ref).items() if b"Ann Quetz" in content]


@pytest.mark.sqlite_only
def test_a_page_for_all_sets_no_cookie_and_holds_no_token(visit):
    ref = make.idea()
    for address in every_page(ref):
        answer = visit().get(address)
        assert "Set-Cookie" not in answer.headers, address
        assert 'name="csrf_token" value=""' in answer.text or address.startswith("/api"), address


@pytest.mark.sqlite_only
def test_whoever_has_a_session_is_asked_who_they_are(visit, asked):
    """Also where it is nobody's: a browser that saw the page to sign in, say."""
    browser = visit()
    visit().get("/ideas")
    assert "Set-Cookie" in browser.get("/sign-in").headers
    asked.clear()
    browser.get("/ideas")
    assert asked == ["/ideas"]


@pytest.mark.sqlite_only
def test_each_theme_has_its_pages(visit, asked):
    for _ in range(2):
        for theme in ("light", "dark", "device", "made up"):
            browser = visit()
            browser.set_cookie("theme", theme)
            page = browser.get("/").text
            assert (f'data-theme="{theme}"' in page) is (theme in ("light", "dark"))
    assert asked == ["/", "/", "/"]


@pytest.mark.parametrize(
    "origin", [None, "null", "http://127.0.0.1:8000.example.org", "https://127.0.0.1:8000", "http://evil.org"]
)
def test_the_theme_is_chosen_without_a_token_from_our_own_pages_only(app, visit, origin):
    ours = app.extensions["ideas_hub"].config.origins[0]
    form = {"theme": "dark", "csrf_token": "", "back": "/ideas"}
    chosen = visit().post("/appearance", data=form, headers={"Origin": ours})
    assert (chosen.status_code, chosen.location) == (303, "/ideas")
    assert "theme=dark" in chosen.headers["Set-Cookie"]
    refused = visit().post("/appearance", data=form, headers={"Origin": origin} if origin else {})
    assert refused.status_code == 400
    assert "theme=" not in refused.headers.get("Set-Cookie", "")


@pytest.mark.sqlite_only
def test_nothing_else_may_be_sent_without_a_token(app, visit):
    ours = {"Origin": app.extensions["ideas_hub"].config.origins[0]}
    ref, ann = make.idea(), make.resident()
    assert visit(ann).post(f"/ideas/{ref}/vote", headers=ours).status_code == 400
    assert visit().post("/sign-in", data={"person": ann.ref}, headers=ours).status_code == 400


# Several at once


@pytest.mark.sqlite_only
def test_what_many_ask_for_at_once_is_rendered_once(app, shelf, asked):
    make.idea()
    with slow(app) as (begun, go_on):
        readers = [Reader(app, "/ideas") for _ in range(12)]
        begun.wait(10)
        wait_until(lambda: all(reader.is_alive() for reader in readers) and len(shelf.making) == 1, what="one that renders")
        go_on.set()
        answers = [reader.answer() for reader in readers]
    assert asked == ["/ideas"]
    assert len(set(answers)) == 1


@pytest.mark.sqlite_only
def test_who_waited_for_a_page_is_not_sent_what_was_hidden_meanwhile(app, shelf, asked):
    ref, moderator = make.idea(title=f"{MARKER} title"), make.moderator()
    with slow(app, after=True) as (begun, go_on):
        first = Reader(app, "/ideas")
        begun.wait(10)
        waiting = [Reader(app, "/ideas") for _ in range(3)]
        wait_until(lambda: all(reader.is_alive() for reader in waiting), what="three that wait")
        hide_idea(moderator, ref, reason="No.")
        go_on.set()
        assert MARKER in first.answer()  # it asked before, and was told what was true then
        assert not [answer for answer in (reader.answer() for reader in waiting) if MARKER in answer]
    assert MARKER not in app.test_client().get("/ideas").text


@pytest.mark.sqlite_only
def test_who_asks_after_a_vote_is_not_given_the_page_from_before_it(app, asked):
    ref, voter = make.idea(votes=3), make.resident()
    with slow(app, after=True) as (begun, go_on):
        first = Reader(app, "/api/v1/ideas")
        begun.wait(10)
        cast_vote(voter, ref)
        second = Reader(app, "/api/v1/ideas")
        wait_until(lambda: len(asked) == 2, what="a second rendering")
        go_on.set()
        assert ('"votes": 3' in first.answer(), '"votes": 4' in second.answer()) == (True, True)
    assert '"votes": 4' in app.test_client().get("/api/v1/ideas").text


@pytest.mark.sqlite_only
def test_where_rendering_fails_those_who_waited_ask_for_themselves(app, monkeypatch):
    tries = []

    def fail_once() -> None:
        tries.append(request.path)
        if len(tries) == 1:
            raise ZeroDivisionError

    app.before_request_funcs.setdefault(None, []).append(fail_once)
    assert app.test_client().get("/ideas").status_code == 500
    assert app.test_client().get("/ideas").status_code == 200
    assert not app.wsgi_app.shelf.making


class slow:
    """Requests wait in the application, at their beginning or (`after`) when they are rendered, until they may go on."""

    def __init__(self, app: Flask, *, after: bool = False) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        functions = app.after_request_funcs if after else app.before_request_funcs
        functions.setdefault(None, []).append(self._wait)

    def _wait(self, response: object = None) -> object:
        self.begun.set()
        assert self.go_on.wait(10)
        return response

    def __enter__(self) -> tuple[threading.Event, threading.Event]:
        return self.begun, self.go_on

    def __exit__(self, *_: object) -> None:
        self.go_on.set()


class Reader(threading.Thread):
    """Nobody, at a page, beside others."""

    def __init__(self, app: Flask, address: str) -> None:
        super().__init__()
        self.browser, self.address, self.text = app.test_client(), address, ""
        self.start()

    def run(self) -> None:
        self.text = self.browser.get(self.address).text

    def answer(self) -> str:
        self.join(20)
        assert self.text
        return self.text


# Limits


@pytest.mark.sqlite_only
def test_only_so_many_pages_are_kept_and_those_that_were_asked_for_last(visit, shelf, asked, monkeypatch):
    refs = [make.idea() for _ in range(4)]
    monkeypatch.setattr(ready, "MOST_PAGES", 2)
    for ref in refs[:3]:
        visit().get(f"/ideas/{ref}")
    assert {key.address for key in shelf.pages} == {f"/ideas/{ref}?" for ref in refs[1:3]}
    visit().get(f"/ideas/{refs[1]}")
    visit().get(f"/ideas/{refs[3]}")
    assert {key.address for key in shelf.pages} == {f"/ideas/{ref}?" for ref in (refs[1], refs[3])}
    assert shelf.size == sum(page.size for page in shelf.pages.values())
    monkeypatch.setattr(ready, "MOST_BYTES", 10)
    visit().get("/board")
    assert (len(shelf.pages), shelf.size) == (0, 0)


@pytest.mark.postgresql_only
def test_a_connection_that_was_cut_is_opened_again(visit, asked, postgres: Cluster):
    visit().get("/")
    name = db.database().url.database
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")  # noqa: S608
    assert visit().get("/").status_code == 200
    assert asked == ["/"]


@pytest.mark.sqlite_only
def test_where_it_cannot_be_asked_how_far_the_log_has_come_nothing_kept_is_sent(visit, shelf, asked, monkeypatch):
    def away() -> None:
        raise ready.Away

    visit().get("/")
    monkeypatch.setattr(shelf.present, "_read", away)
    assert visit().get("/").status_code == 200
    assert asked == ["/", "/"]
