"""Who may call what: every route of the hub stands in this table, and a route that does not fails the test.

A line says who gets past the door. What they may do behind it to one idea is `permissions.ACTS`, and has its own tests.
"""

import re

import pytest
from werkzeug.routing import Rule

from ideas_hub import db
from tests import make
from tests.support.witness import nothing_written

EVERYBODY = "everybody, of what they may see"
SOMEBODY = "who is signed in"

ACCESS = {
    "GET /": EVERYBODY,
    "GET /home/<part>": EVERYBODY,
    "GET /ideas": EVERYBODY,
    "GET /ideas/new": EVERYBODY,
    "POST /ideas/by-email": EVERYBODY,
    "GET /ideas/<ref>/vote/by-email": EVERYBODY,
    "POST /ideas/<ref>/vote/by-email": EVERYBODY,
    "GET /ideas/<ref>/comments/by-email": EVERYBODY,
    "POST /ideas/<ref>/comments/by-email": EVERYBODY,
    "GET /ideas/similar": EVERYBODY,
    "GET /ideas/<ref>": EVERYBODY,
    "GET /ideas/<ref>/<part>": EVERYBODY,
    "GET /ideas/<ref>/<form>": EVERYBODY,
    "GET /ideas/<ref>/authors": SOMEBODY,
    "POST /ideas/<ref>/authors/leave": SOMEBODY,
    "POST /ideas/<ref>/invitations": SOMEBODY,
    "POST /ideas/<ref>/invitations/<invitation>/take-back": SOMEBODY,
    "POST /me/invitations/<invitation>/accept": SOMEBODY,
    "POST /me/invitations/<invitation>/decline": SOMEBODY,
    "GET /api/v1/ideas/<idea>/authors": EVERYBODY,
    "DELETE /api/v1/ideas/<idea>/authors/me": SOMEBODY,
    "GET /api/v1/ideas/<idea>/invitations": SOMEBODY,
    "POST /api/v1/ideas/<idea>/invitations": SOMEBODY,
    "DELETE /api/v1/ideas/<idea>/invitations/<invitation>": SOMEBODY,
    "GET /api/v1/me/invitations": SOMEBODY,
    "PUT /api/v1/me/invitations/<invitation>": SOMEBODY,
    "DELETE /api/v1/me/invitations/<invitation>": SOMEBODY,
    "GET /ideas/<ref>/card": EVERYBODY,
    "GET /ideas/<ref>/comments": EVERYBODY,
    "GET /ideas/<ref>/edit": SOMEBODY,
    "GET /ideas/<ref>/revisions": EVERYBODY,
    "GET /ideas/<ref>/vote": EVERYBODY,
    "GET /ideas/<ref>/card.png": EVERYBODY,
    "GET /ideas/<ref>/embed": EVERYBODY,
    "GET /ideas/<ref>.atom": EVERYBODY,
    "GET /ideas.atom": EVERYBODY,
    "GET /answers.atom": EVERYBODY,
    "GET /card.png": EVERYBODY,
    "GET /oembed": EVERYBODY,
    "GET /board": EVERYBODY,
    "GET /board/<part>": EVERYBODY,
    "GET /me": SOMEBODY,
    "GET /me/votes": SOMEBODY,
    "GET /votes": EVERYBODY,
    "GET /moderation/votes": SOMEBODY,
    "GET /moderation/votes/<ref>/recount": SOMEBODY,
    "POST /moderation/votes/<burst>/decide": SOMEBODY,
    "GET /admin": SOMEBODY,
    "GET /admin/people": SOMEBODY,
    "GET /admin/people/<person>": SOMEBODY,
    "POST /admin/people/<person>": SOMEBODY,
    "POST /admin/people/<person>/suspend": SOMEBODY,
    "POST /admin/people/<person>/lift": SOMEBODY,
    "GET /admin/people/<person>/join": SOMEBODY,
    "POST /admin/people/<person>/join": SOMEBODY,
    "GET /admin/organisation": SOMEBODY,
    "POST /admin/directorates": SOMEBODY,
    "POST /admin/teams": SOMEBODY,
    "GET /admin/settings": SOMEBODY,
    "POST /admin/settings": SOMEBODY,
    "POST /admin/themes": SOMEBODY,
    "GET /admin/audit": SOMEBODY,
    "GET /api/v1/admin/people": SOMEBODY,
    "GET /api/v1/admin/people/<person>": SOMEBODY,
    "PATCH /api/v1/admin/people/<person>": SOMEBODY,
    "PUT /api/v1/admin/people/<person>/suspension": SOMEBODY,
    "DELETE /api/v1/admin/people/<person>/suspension": SOMEBODY,
    "PUT /api/v1/admin/people/<person>/joined": SOMEBODY,
    "GET /api/v1/admin/directorates": SOMEBODY,
    "PUT /api/v1/admin/directorates": SOMEBODY,
    "PUT /api/v1/admin/directorates/<directorate>": SOMEBODY,
    "PUT /api/v1/admin/teams/<team>": SOMEBODY,
    "GET /api/v1/admin/themes": SOMEBODY,
    "PUT /api/v1/admin/themes/<theme>": SOMEBODY,
    "GET /api/v1/admin/settings": SOMEBODY,
    "PATCH /api/v1/admin/settings": SOMEBODY,
    "GET /api/v1/admin/audit": SOMEBODY,
    "GET /api/v1/me/votes": SOMEBODY,
    "GET /api/v1/moderation/votes": SOMEBODY,
    "PUT /api/v1/moderation/votes/<burst>/decision": SOMEBODY,
    "GET /api/v1/ideas/<idea>/recount": SOMEBODY,
    "GET /me/sessions": SOMEBODY,
    "POST /me/sessions/<credential>/end": SOMEBODY,
    "POST /me/sessions/end-others": SOMEBODY,
    "POST /me/tokens": SOMEBODY,
    "GET /sign-in": EVERYBODY,
    "GET /sign-out": EVERYBODY,
    "GET /sign-in/staff": EVERYBODY,
    "GET /sign-in/callback": EVERYBODY,
    "GET /sign-out/staff": EVERYBODY,
    "POST /sign-in/ended": EVERYBODY,
    "POST /sign-in/email": EVERYBODY,
    "GET /sign-in/sent": EVERYBODY,
    "POST /sign-in/code": EVERYBODY,
    "GET /sign-in/link/<token>": EVERYBODY,
    "POST /sign-in/link/<token>": EVERYBODY,
    "POST /sign-in/link/<token>/again": EVERYBODY,
    "GET /outbox": EVERYBODY,
    "GET /me/name": SOMEBODY,
    "POST /me/name": SOMEBODY,
    "GET /me/leave": SOMEBODY,
    "POST /me/leave": SOMEBODY,
    "GET /me/left": EVERYBODY,
    "GET /healthz": EVERYBODY,
    "GET /developers": EVERYBODY,
    "GET /static/<filename>": EVERYBODY,
    "POST /sign-in": EVERYBODY,
    "POST /sign-out": EVERYBODY,
    "POST /appearance": EVERYBODY,
    "POST /ideas": SOMEBODY,
    "POST /ideas/<ref>/edit": SOMEBODY,
    "POST /ideas/<ref>/short-title": SOMEBODY,
    "POST /ideas/<ref>/withdraw": SOMEBODY,
    "POST /ideas/<ref>/vote": SOMEBODY,
    "POST /ideas/<ref>/vote/withdraw": SOMEBODY,
    "POST /ideas/<ref>/comments": SOMEBODY,
    "POST /ideas/<ref>/comments/<comment>/withdraw": SOMEBODY,
    "POST /ideas/<ref>/comments/<comment>/hide": SOMEBODY,
    "POST /ideas/<ref>/comments/<comment>/restore": SOMEBODY,
    "POST /ideas/<ref>/sponsor": SOMEBODY,
    "POST /ideas/<ref>/sponsor/end": SOMEBODY,
    "POST /ideas/<ref>/moves": SOMEBODY,
    "POST /ideas/<ref>/answers": SOMEBODY,
    "POST /ideas/<ref>/audience": SOMEBODY,
    "POST /ideas/<ref>/hide": SOMEBODY,
    "POST /ideas/<ref>/restore": SOMEBODY,
    "POST /me/drafts/<draft>/discard": SOMEBODY,
    "POST /me/drafts/<draft>/restore": SOMEBODY,
    "GET /api/v1/me/drafts": SOMEBODY,
    "GET /api/v1/me/drafts/<draft>": SOMEBODY,
    "PUT /api/v1/me/drafts/<draft>": SOMEBODY,
    "DELETE /api/v1/me/drafts/<draft>": SOMEBODY,
    "GET /api/v1/openapi.json": EVERYBODY,
    "GET /api/v1/asyncapi.json": EVERYBODY,
    "GET /api/v1/board": EVERYBODY,
    "GET /api/v1/events": EVERYBODY,
    "GET /api/v1/me": EVERYBODY,
    "GET /api/v1/ideas": EVERYBODY,
    "POST /api/v1/ideas": SOMEBODY,
    "GET /api/v1/ideas/similar": EVERYBODY,
    "GET /api/v1/ideas/<idea>": EVERYBODY,
    "PATCH /api/v1/ideas/<idea>": SOMEBODY,
    "DELETE /api/v1/ideas/<idea>": SOMEBODY,
    "PUT /api/v1/ideas/<idea>/hidden": SOMEBODY,
    "DELETE /api/v1/ideas/<idea>/hidden": SOMEBODY,
    "PUT /api/v1/ideas/<idea>/vote": SOMEBODY,
    "DELETE /api/v1/ideas/<idea>/vote": SOMEBODY,
    "GET /api/v1/ideas/<idea>/comments": EVERYBODY,
    "POST /api/v1/ideas/<idea>/comments": SOMEBODY,
    "DELETE /api/v1/ideas/<idea>/comments/<comment>": SOMEBODY,
    "PUT /api/v1/ideas/<idea>/comments/<comment>/hidden": SOMEBODY,
    "DELETE /api/v1/ideas/<idea>/comments/<comment>/hidden": SOMEBODY,
    "PUT /api/v1/ideas/<idea>/sponsor": SOMEBODY,
    "DELETE /api/v1/ideas/<idea>/sponsor": SOMEBODY,
    "POST /api/v1/ideas/<idea>/moves": SOMEBODY,
    "GET /api/v1/ideas/<idea>/answers": EVERYBODY,
    "POST /api/v1/ideas/<idea>/answers": SOMEBODY,
    "GET /api/v1/ideas/<idea>/timeline": EVERYBODY,
}

SAMPLES = {
    "ref": "zzzzzzzz",
    "idea": "zzzzzzzz",
    "comment": "yyyyyyyy",
    "draft": "post",
    "credential": "0123456789abcdef",
    "invitation": "xxxxxxxx",
    "burst": "vvvvvvvv",
    "person": "uuuuuuuu",
    "directorate": "77",
    "team": "77",
    "theme": "streets",
    "token": "made-up",
    "filename": "vendor/hub.css",
}

pytestmark = pytest.mark.sqlite_only


def doors(rule: Rule) -> list[str]:
    """A rule as lines of the table."""
    path = re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"<\1>", rule.rule)
    return [f"{method} {path}" for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]


def addresses(rule: Rule, **refs: str) -> list[str]:
    """Addresses behind a rule, with these references in their places; one for each of its parts."""
    parts = re.search(r"<any\(([^)]*)\):(\w+)>", rule.rule)
    path = re.sub(r"<(?:[^:<>]+:)?(\w+)>", lambda place: {**SAMPLES, **refs}.get(place[1], "%PART%"), rule.rule)
    return [path.replace("%PART%", part.strip()) for part in parts[1].split(",")] if parts else [path]


def test_every_route_stands_in_the_table(app):
    assert sorted(door for rule in app.url_map.iter_rules() for door in doors(rule)) == sorted(ACCESS)


def every_door(app, who):
    for rule in app.url_map.iter_rules():
        for door in doors(rule):
            if ACCESS[door] == who:
                yield door.partition(" ")[0], addresses(rule)[0]


def test_nobody_gets_past_a_door_for_somebody_and_learns_nothing_behind_it(app, visit):
    there = make.idea()
    for method, path in every_door(app, SOMEBODY):
        for address in (path, path.replace(SAMPLES["ref"], there)):
            answer = visit().open(address, method=method, json={"unknown": 1} if "/api/" in address else None)
            assert answer.status_code == 401, (method, address)


def test_a_form_that_is_not_ours_is_refused(app, visit):
    author = make.person()
    there = make.idea(author)
    browser = visit(author)
    with nothing_written():
        for method, path in every_door(app, SOMEBODY):
            if method != "GET":
                address = path.replace(SAMPLES["ref"], there)
                answer = browser.open(address, method=method, json={} if "/api/" in address else None)
                kind = "application/problem+json" if "/api/" in address else "text/html"
                assert (answer.status_code, answer.mimetype) == (400, kind), (method, address)


def test_no_get_writes(app, visit, monkeypatch):
    """Every address that can be got, as people of every sort, on a database on which nothing can begin to write."""
    people = [None, make.person(), make.staff(), make.sponsor(), make.moderator(), make.overseer()]
    ideas = [make.idea(votes=1, stage=stage) for stage in ("new", "trial", "merged")] + [make.idea(audience="staff")]
    comment = make.comment(ideas[0])
    browsers = [visit(person) for person in people]

    def writing(self):
        raise AssertionError("a GET began to write")

    monkeypatch.setattr(db.SQLite, "writing", writing)
    paths = [
        path
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint != "static"
        for ref in ideas
        for path in addresses(rule, ref=ref, idea=ref, comment=comment)
    ]
    for browser in browsers:
        for path in dict.fromkeys(paths):
            answer = browser.get(path, query_string={"text": "idea"} if path.endswith("similar") else {})
            assert answer.status_code in (200, 303, 304, 401, 403, 404), path


@pytest.mark.parametrize(
    "address", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example", "javascript:alert(1)"]
)
def test_signing_in_leads_to_pages_of_the_hub_only(app, visit, address):
    browser, person = visit(), make.person()
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/sign-in").text)
    assert token is not None
    form = {"person": person.ref, "csrf_token": token[1], "next": address}
    answer = browser.post("/sign-in", data=form)
    assert answer.status_code == 303
    assert answer.location.startswith("/")
    assert not answer.location.startswith(("//", "/\\"))
