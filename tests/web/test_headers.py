"""What every answer says about itself, and every cookie: nothing inline, nothing from elsewhere, nothing that others can use."""

import re

import pytest
from flask import Flask

from tests import make
from tests.support.hub import environment
from tests.web.test_access import addresses
from web import create_app
from web.config import from_environment

pytestmark = pytest.mark.sqlite_only

HTTPS = "https://ideas.example.gov.uk"


@pytest.fixture
def in_earnest(hub, database_url) -> Flask:
    """A hub at an address of its own, behind TLS, where the council's sign-in is connected."""
    staff = {"TRUSTED_HEADER": "Remote-User", "TRUSTED_HEADER_PROXY": "127.0.0.1"}
    return create_app(from_environment(environment(database_url, BASE_URL=HTTPS, RATE_LIMITS="on", **staff)))


def cookies(answer) -> list[str]:
    return answer.headers.getlist("Set-Cookie")


def test_every_cookie_over_https_is_of_this_host_alone_and_out_of_reach_of_scripts(in_earnest):
    browser = in_earnest.test_client()
    by = {"base_url": HTTPS, "headers": {"Remote-User": "ann"}}
    begun = browser.get("/sign-in/staff", **by)
    come = browser.get(begun.location, **by)
    assert come.location == "/me"
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/me", **by).text)[1]
    form = {"theme": "dark", "csrf_token": token}
    chosen = browser.post("/appearance", data=form, base_url=HTTPS, headers={"Remote-User": "ann", "Referer": f"{HTTPS}/me"})
    left = browser.post(
        "/sign-out", data={"csrf_token": token}, base_url=HTTPS, headers={"Remote-User": "ann", "Referer": f"{HTTPS}/me"}
    )
    assert (chosen.status_code, left.status_code) == (303, 303)
    set_by = [cookie for answer in (begun, come, chosen, left) for cookie in cookies(answer)]
    assert {cookie.partition("=")[0] for cookie in set_by} == {"__Host-session", "__Host-theme"}
    for cookie in set_by:
        flags = {flag.strip() for flag in cookie.split(";")[1:]}
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= flags, cookie
        assert not any(flag.startswith("Domain") for flag in flags), cookie
    assert 'data-theme="dark"' in browser.get("/ideas", base_url=HTTPS).text


def test_who_only_reads_gets_no_cookie_at_all(app, visit):
    idea = make.idea()
    for path in ("/", "/ideas", f"/ideas/{idea}", "/board", "/developers", "/api/v1/ideas", "/ideas.atom", "/me"):
        assert cookies(visit().get(path)) == [], path


def test_every_answer_forbids_what_is_inline_and_what_comes_from_elsewhere(app, visit):
    idea = make.idea()
    browser = visit(make.overseer())
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()) or rule.endpoint == "static":
            continue
        for path in addresses(rule, ref=idea, idea=idea):
            answer = browser.get(path)
            assert "Content-Security-Policy" in answer.headers, path
            policy = dict(line.split(" ", 1) for line in answer.headers["Content-Security-Policy"].split("; "))
            assert policy["default-src"] == policy["base-uri"] == "'none'", path
            assert policy["script-src"] in ("'self'", "'none'"), path
            assert policy["form-action"] in ("'self'", "'none'"), path
            assert not re.search("unsafe|nonce|sha256|http|\\*", policy["script-src"] + policy["style-src"]), path
            assert policy["frame-ancestors"] == ("*" if path.endswith("/embed") and answer.status_code == 200 else "'none'"), path
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert answer.headers["Referrer-Policy"] == "same-origin", path
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", path
            assert answer.headers["Permissions-Policy"].startswith("camera=()"), path
            shared = path.endswith(("/embed", "card.png")) and answer.status_code == 200
            assert answer.headers["Cross-Origin-Resource-Policy"] == ("cross-origin" if shared else "same-origin"), path
            assert answer.headers["Cache-Control"], path


def test_pages_hold_nothing_inline(app, visit):
    idea = make.idea(make.resident())
    make.comment(idea)
    for person in (None, make.overseer()):
        for path in ("/", "/ideas", f"/ideas/{idea}", "/board", "/me", "/me/sessions", "/sign-in", "/developers", "/ideas/new"):
            text = visit(person).get(path).text
            assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", text), path


def test_every_form_that_is_posted_carries_its_proof(app, visit):
    author = make.overseer()
    idea = make.idea(author)
    make.comment(idea)
    browser = visit(author)
    for path in (
        "/",
        "/ideas",
        f"/ideas/{idea}",
        f"/ideas/{idea}/edit",
        "/board",
        "/me",
        "/me/sessions",
        "/sign-in",
        "/ideas/new",
    ):
        text = browser.get(path).text
        forms = re.findall(r'<form[^>]*method="post".*?</form>', text, flags=re.DOTALL)
        assert forms, path
        for form in forms:
            assert re.search(r'name="csrf_token" value="[^"]+"', form), (path, form[:200])


def test_over_https_browsers_are_told_to_stay_with_it(in_earnest, app):
    assert in_earnest.test_client().get("/", base_url=HTTPS).headers["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "Strict-Transport-Security" not in app.test_client().get("/").headers
