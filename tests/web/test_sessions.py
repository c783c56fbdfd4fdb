"""Where somebody is signed in and which scripts act as them: seen, made and taken back on their own page."""

import html
import re
from datetime import timedelta

import pytest

from events.catalogue import SessionEnded
from ideas_hub import db
from ideas_hub.chores import CHORES, run
from ideas_hub.errors import Missing, RuleBroken
from ideas_hub.sessions import (
    MOST_TOKENS,
    SELDOM,
    SESSION_LASTS,
    Credential,
    Means,
    Whence,
    credentials_of,
    end_others,
    end_own,
    identify,
    make_own_token,
    make_token,
    new_secret,
    note_uses,
    ref_of,
    start_session,
)
from tests import make
from tests.support.witness import everything, news, nothing_written, refused, rows
from web.whence import whence

rule = pytest.mark.sqlite_only
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.unescape(page)).split())


def shown(page: str) -> str:
    """The token that a page shows."""
    found = re.search(r'id="secret" value="([^"]+)"', page)
    assert found
    return found[1]


def token(browser, **form):
    return browser.post("/me/tokens", data={"name": "Monthly figures", "days": "30", "once": new_secret()} | form)


# Seen


def test_somebody_sees_where_they_are_signed_in_and_nothing_of_anybody_else(app, visit, hub):
    ann = make.resident("Ann")
    start_session(ann.ref, Whence("Safari on iPhone", "192.0.2.0/24"))
    start_session(make.resident().ref, Whence("Chrome on Android", "198.51.100.0/24"))
    page = words(visit(ann).get("/me/sessions").text)
    assert "Safari on iPhone from the network 192.0.2.0/24" in page
    assert "this one" in page
    assert "Chrome on Android" not in page
    assert "198.51.100" not in page


@rule
def test_a_session_remembers_the_browser_and_the_network_and_no_more(app, visit):
    """Not the address, and not what else a browser says of itself."""
    ann = make.resident()
    browser = app.test_client()
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/sign-in").text)[1]
    browser.post(
        "/sign-in",
        data={"person": ann.ref, "csrf_token": token},
        headers={"User-Agent": FIREFOX},
        environ_overrides={"REMOTE_ADDR": "192.0.2.77"},
    )
    (session,) = rows(Credential)
    assert (session.browser, session.network) == ("Firefox on Windows", "192.0.2.0/24")
    assert "192.0.2.77" not in repr(everything())
    assert "Gecko" not in repr(everything())


@rule
@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox on Windows"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 (KHTML) Version/18.0 Mobile/1 Safari/604",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605 Version/18.0 Safari/605", "Safari on Mac"),
        (
            "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537 (KHTML) SamsungBrowser/28.0 Chrome/130 Mobile",
            "Samsung Internet on Android",
        ),
        ("Mozilla/5.0 (X11; CrOS x86_64 1) AppleWebKit/537 Chrome/140 Safari/537", "Chrome on ChromeOS"),
        ("Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) FxiOS/140 Mobile Safari/605", "Firefox on iPad"),
        ("curl/8.0", ""),
        ("", ""),
        ("<script>alert(1)</script>" * 99, ""),
    ],
)
def test_browsers_are_called_as_people_call_them(app, agent, device):
    with app.test_request_context(headers={"User-Agent": agent}):
        assert whence().browser == device


@rule
@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2:3::4", "2001:db8:1::/48"), ("", ""), ("nowhere", "")],
)
def test_an_address_is_kept_as_a_network(app, address, network):
    with app.test_request_context(environ_overrides={"REMOTE_ADDR": address}):
        assert whence().network == network


# When


def test_when_a_session_was_used_last_is_written_seldom_and_by_no_get(app, visit, clock, monkeypatch):
    monkeypatch.setattr("ideas_hub.sessions._used", {})
    ann = make.resident()
    browser = visit(ann)
    clock.goes_on(hours=2)
    with nothing_written():
        browser.get("/me/sessions")
        browser.get("/ideas")
    assert rows(Credential)[0].used_at is None
    assert note_uses() == 1
    assert rows(Credential)[0].used_at == clock()
    with nothing_written():
        assert note_uses() == 0
    assert "last used" in words(browser.get("/me/sessions").text)
    assert next(chore for chore in CHORES if chore.work is note_uses).every == SELDOM >= timedelta(minutes=5)


@rule
def test_a_flood_of_uses_is_one_line_each_and_has_an_end(hub, monkeypatch):
    monkeypatch.setattr("ideas_hub.sessions.MOST_USED", 3)
    monkeypatch.setattr("ideas_hub.sessions._used", {})
    ann = make.resident()
    secrets = [start_session(ann.ref) for _ in range(5)]
    for secret in secrets * 3:
        assert identify(secret, Means.SESSION).person == ann.ref
    assert run(next(chore for chore in CHORES if chore.work is note_uses)) == 3


@rule
def test_who_asks_with_what_is_no_good_is_not_noted(hub, monkeypatch, clock):
    monkeypatch.setattr("ideas_hub.sessions._used", {})
    ann = make.resident()
    late = start_session(ann.ref)
    clock.goes_on(days=SESSION_LASTS.days)
    for secret, means in (("x", Means.SESSION), (late, Means.SESSION), (make_token(make.address(ann), 1), Means.SESSION)):
        identify(secret, means)
    assert note_uses() == 0


# Ended


def test_a_session_is_ended_from_another_one_and_tells_so(app, visit):
    ann = make.resident()
    mine = visit(ann, ours=True)
    lost = start_session(ann.ref)
    with news() as facts:
        answer = mine.post(f"/me/sessions/{ref_of(lost)}/end")
    assert (answer.status_code, answer.location) == (303, "/me/sessions")
    assert facts == [SessionEnded(person=ann.ref)]
    assert identify(lost, Means.SESSION).person is None
    assert mine.get("/me").status_code == 200
    with nothing_written():
        assert mine.post(f"/me/sessions/{ref_of(lost)}/end").status_code == 404


def test_nobody_ends_the_session_of_somebody_else(app, visit):
    ann, bob = make.resident(), make.admin()
    theirs = start_session(ann.ref)
    browser = visit(bob, ours=True)
    with nothing_written():
        assert browser.post(f"/me/sessions/{ref_of(theirs)}/end").status_code == 404
    assert identify(theirs, Means.SESSION).person == ann.ref


def test_all_others_end_at_once_and_tokens_and_this_one_stay(app, visit):
    ann, bob = make.resident(), make.resident()
    mine = visit(ann, ours=True)
    others = [start_session(ann.ref) for _ in range(3)]
    script, theirs = make_token(make.address(ann), 1), start_session(bob.ref)
    assert mine.post("/me/sessions/end-others").location == "/me/sessions"
    assert not any(identify(secret, Means.SESSION).person for secret in others)
    assert identify(script, Means.TOKEN).person == ann.ref
    assert identify(theirs, Means.SESSION).person == bob.ref
    assert mine.get("/me").status_code == 200
    with nothing_written():
        mine.post("/me/sessions/end-others")  # twice is harmless


@rule
def test_ending_the_session_that_one_looks_from_is_signing_out(app, visit):
    ann = make.resident()
    mine = visit(ann, ours=True)
    (session,) = rows(Credential)
    assert mine.post(f"/me/sessions/{session.digest[:16]}/end").location == "/"
    assert mine.get("/me").status_code == 401


@rule
def test_signing_in_gives_a_new_secret_and_ends_the_one_before(app, visit):
    ann, bob = make.resident(), make.resident()
    browser = visit(ann)
    with browser.session_transaction() as session:
        before = session["hub"]
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/sign-in").text)[1]
    assert browser.post("/sign-in", data={"person": bob.ref, "csrf_token": token}).status_code == 303
    with browser.session_transaction() as session:
        assert session["hub"] != before
    assert identify(before, Means.SESSION).person is None
    assert browser.post("/ideas", data={"csrf_token": token}).status_code == 400  # nor is a form from before good any more


# Tokens


def test_a_token_is_made_named_shown_once_and_acts_as_its_owner(app, visit):
    ann = make.leader("Ann")
    browser = visit(ann, ours=True)
    answer = token(browser)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store, private"
    secret = shown(answer.text)
    assert identify(secret, Means.TOKEN).person == ann.ref
    by_token = app.test_client().get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    assert by_token.json["person"]["id"] == ann.ref
    page = browser.get("/me/sessions").text
    assert "Monthly figures" in page
    assert secret not in page
    assert secret not in repr(everything())


@rule
def test_a_form_that_is_sent_twice_makes_one_token_and_does_not_show_it_again(app, visit):
    browser = visit(make.resident(), ours=True)
    first = token(browser, once="the same")
    again = token(browser, once="the same")
    assert shown(first.text) not in again.text
    assert 'id="secret"' not in again.text
    assert "sent twice" in again.text
    assert len([each for each in rows(Credential) if each.means is Means.TOKEN]) == 1


@rule
@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"days": ""}, "days"),
        ({"days": "0"}, "days"),
        ({"days": "366"}, "days"),
        ({"days": "-1"}, "days"),
        ({"days": "many"}, "days"),
        ({"name": "a\x00b"}, "name"),
    ],
)
def test_a_token_without_a_name_or_an_end_is_not_made(app, visit, form, field):
    browser = visit(make.resident(), ours=True)
    with nothing_written():
        answer = token(browser, **form)
    assert answer.status_code == 422
    assert f'href="#token-{field}"' in answer.text


def test_a_token_is_taken_back(app, visit):
    ann = make.resident()
    browser = visit(ann, ours=True)
    secret = shown(token(browser).text)
    with news() as facts:
        browser.post(f"/me/sessions/{ref_of(secret)}/end")
    assert facts == [SessionEnded(person=ann.ref)]
    assert app.test_client().get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert browser.get("/me").status_code == 200


@rule
def test_one_has_so_many_tokens_and_no_more(hub):
    ann = make.resident()
    for number in range(MOST_TOKENS):
        make_own_token(ann, new_secret(), name=f"Script {number}", days=1)
    with refused(RuleBroken):
        make_own_token(ann, new_secret(), name="One more", days=1)


@rule
def test_who_has_got_hold_of_a_token_cannot_make_another_or_end_a_session(app, visit):
    """Else taking it back would not help."""
    ann = make.leader()
    stolen, mine = make_token(make.address(ann), 1), start_session(ann.ref)
    by_token = {"Authorization": f"Bearer {stolen}"}
    browser = app.test_client()
    with nothing_written():
        for path in ("/me/tokens", "/me/sessions/end-others", f"/me/sessions/{ref_of(mine)}/end"):
            answer = browser.post(path, data={"name": "x", "days": "365"}, headers=by_token)
            assert answer.status_code == 403, path
        assert browser.get("/me/sessions", headers=by_token).status_code == 403


@rule
def test_the_command_at_the_console_goes_on_to_make_tokens(app):
    ann = make.resident()
    made = app.test_cli_runner().invoke(args=["token", make.address(ann), "--days", "7"])
    assert identify(made.stdout.strip(), Means.TOKEN).person == ann.ref
    (card,) = credentials_of(ann, "")
    assert (card.means, card.name, card.until - card.made_at) == (Means.TOKEN, "", timedelta(days=7))


# Commands, without pages


def test_ending_one_s_own_is_refused_for_what_is_not_one_s_own(hub):
    ann, bob = make.resident(), make.resident()
    theirs = start_session(bob.ref)
    for ref in (ref_of(theirs), "0" * 16, "", "%"):
        with refused(Missing):
            end_own(ann, ref)
    with nothing_written():
        end_others(ann, "x")


@rule
def test_what_ran_out_is_not_listed(hub: db.Database, clock):
    ann = make.resident()
    make_token(make.address(ann), 1)
    start_session(ann.ref)
    clock.goes_on(days=1)
    assert [card.means for card in credentials_of(ann, "")] == [Means.SESSION]
