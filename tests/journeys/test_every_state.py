"""Every page, in every state that it can be in: empty, crowded, refused, for each sort of reader.

Each is looked at by axe (WCAG 2.2 AA) wide and light, small and dark; nowhere does it scroll sideways, at 320 pixels (400 % of
1280) or with letters twice as large; on paper there is nothing to press.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from ideas_hub import db
from ideas_hub.bursts import come_from
from ideas_hub.imports import CommentRow, IdeaRow, Pseudonym, Source, bring_in
from ideas_hub.moderation import notice_rushes
from ideas_hub.people import Actor, Person
from ideas_hub.sessions import Whence, make_own_token, make_token, new_secret, start_session
from ideas_hub.settings import change_settings
from ideas_hub.votes import cast_vote
from tests import make
from tests.support.browser import sign_in
from tests.support.hub import Server, SQLiteFiles, environment
from tests.support.looking import complaints
from tests.support.postbox import in_folder
from tests.support.processes import wait_until
from tests.support.provider import Provider
from tests.web.test_access import ACCESS
from web import create_app
from web.config import from_environment

LONG = "W" * 120
RTL = "مكتبة صغيرة في كل محطة حافلات، مع كتب بلغات كثيرة (24 WW)"
NO_VOWELS = ("rhythm crypt tryst nymph psych hymn myth lynx " * 3)[:118]
BODIES = ["W" * 600, RTL, NO_VOWELS, f"> quoted\n\n1. one\n2. two\n\n`{'x' * 200}`", f"[link](https://example.org/{'y' * 150})"]
PEOPLE = [Pseudonym(str(number), f"{'W' * 40 if number == 1 else 'Participant'} {number}") for number in range(100)]
THEN = datetime(2026, 1, 5, 9, tzinfo=UTC)
NO_PAGES = {  # what answers with something else than a page, or with what stands in one of these pages
    *("/ideas/similar", "/ideas/<ref>/<part>", "/ideas/<ref>/<form>", "/ideas/<ref>/card", "/ideas/<ref>/comments"),
    *("/ideas/<ref>/vote", "/board/<part>", "/healthz", "/static/<filename>", "/oembed", "/card.png", "/ideas/<ref>/card.png"),
    *("/ideas.atom", "/answers.atom", "/ideas/<ref>.atom", "/home/<part>", "/sign-in/staff", "/sign-in/callback"),
}


def fill() -> dict[str, object]:
    """People and ideas of every shape, and the references by which pages are found."""
    change_settings(council="Calder Vale Council", answer_votes={"public": 3, "staff": 2, "leadership": 1}, burst_votes=5)
    for slug in ("parks", "roads", "a-theme-with-a-name-that-is-rather-long"):
        make.theme(slug)
    author, sponsor = make.resident("Delyth Morgan"), make.sponsor("Priya Nair")
    everything = make.person(
        "Angharad " + "W" * 40, kind="staff", roles=["leader", "moderator", "admin", "sponsor"], team="T" * 60
    )
    town = Source("town", "Our Town Says", lang="en")
    crowd = IdeaRow(
        key="1", author=PEOPLE[1], title=LONG, problem="W" * 4000, proposal="- one\n" * 99, posted_at=THEN, supports=99999
    )
    said = [
        CommentRow(
            key=str(number),
            idea="1",
            parent=str(number - number % 4) if number % 4 else "",
            author=PEOPLE[number % 100],
            body=BODIES[number % 5],
            posted_at=THEN + timedelta(minutes=number),
        )
        for number in range(640)
    ]
    bring_in(town, [crowd, *said])
    with db.reading() as session:
        crowded = session.scalars(select(make.Idea).where(make.Idea.title == LONG)).one().ref
        many = [person.actor() for person in session.scalars(select(Person).where(Person.name.like("Participant %")))]
    own = make.idea(author, title=RTL, problem=RTL, proposal=RTL, themes=["parks", "roads"], place="W" * 80)
    learned = make.idea(title=NO_VOWELS, stage="learned", themes=["a-theme-with-a-name-that-is-rather-long"], votes=2)
    due = make.idea(author, title="Rest benches", stage="trial", sponsor=sponsor, votes=4, staff_votes=1, co_authors=many)
    answered = make.idea(title="Answered", stage="exploring", sponsor=sponsor)
    make.answer(answered, text=f"{'W' * 300}. Not yet.\n\n- because\n- because")
    for kind in ("build", "question", "concern", "thanks"):
        make.comment(due, kind=kind)
    make.comment(due, withdrawn=True)
    make.comment(due, everything, audience="staff")
    hidden = make.idea(title="Hidden", hidden=True)
    for name in ("Monthly figures", "W" * 80):
        make_own_token(everything, new_secret(), name=name, days=30)
    make_token(make.address(everything), 7)
    for agent in ("Firefox on Windows", "Safari on iPhone", ""):
        start_session(everything.ref or "", Whence(agent, "2001:db8:1234::/48" if agent else ""))
    for stage in ("adopted", "parked", "declined", "merged"):
        make.idea(stage=stage)
    newcomer, rush = make.resident("Huw Prŷs"), make.idea(title="In a rush")
    come_from(lambda idea: "one network")
    for who in (*(make.resident() for _ in range(6)), newcomer):
        cast_vote(who, rush)
    many = make.idea(title=LONG)
    for number in range(6):
        come_from(lambda idea, number=number: f"network {number}")
        cast_vote(make.resident(), many)
    come_from(None)
    change_settings(rush_votes=5)
    notice_rushes()
    make.idea(everything, audience="leadership", title="Leaders only")
    return {
        "people": {
            "nobody": None,
            "author": author,
            "newcomer": newcomer,
            "sponsor": sponsor,
            "leader": everything,
        },
        "refs": {"crowded": crowded, "own": own, "learned": learned, "due": due, "answered": answered, "hidden": hidden}
        | {"rush": rush, "somebody": newcomer.ref},
    }


@dataclass
class Hub:
    """A hub that runs, and who visits it: each with one page for all that they look at."""

    url: str
    browser: Browser
    people: dict[str, Actor | None]
    refs: dict[str, str]
    at_the_end: ExitStack
    folder: Path
    pages: dict[str, Page] = field(default_factory=dict)

    def visit(self, who: str, path: str) -> Page:
        if who not in self.pages:
            options = {"base_url": self.url, "reduced_motion": "reduce", "viewport": {"width": 1280, "height": 900}}
            context = self.browser.new_context(**options)
            self.at_the_end.callback(context.close)
            person = self.people[who]
            if person is not None:
                sign_in(context, self.url, person.ref)
            self.pages[who] = context.new_page()
        self.pages[who].goto(path.format(**self.refs))
        return self.pages[who]


@pytest.fixture(scope="module")
def hubs(
    browser: Browser, sqlite_databases: SQLiteFiles, provider_of_all: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Hub]]:
    """One that is crowded, and one that is empty."""
    with ExitStack() as at_the_end:
        hubs = {}
        for name in ("crowded", "empty"):
            url = sqlite_databases.make(demo=False)
            db.connect(url)
            filled = fill() if name == "crowded" else {"people": {"nobody": None}, "refs": {}}
            db.disconnect()
            server = Server(tmp_path_factory.mktemp(name) / "server", url, **provider_of_all.settings)
            server.start()
            at_the_end.callback(server.stop)
            hubs[name] = Hub(server.url, browser, filled["people"], filled["refs"], at_the_end, server.folder)
        yield hubs


STATUS = "performance.getEntriesByType('navigation')[0].responseStatus"
LOOKED_AT = [  # as whom, and at what
    ("/", "nobody"),
    ("/ideas", "nobody"),
    ("/ideas?q=rhythm&stage=learned&theme=parks&sort=top", "leader"),
    ("/ideas?q=nothing+at+all+like+it", "nobody"),
    ("/ideas?sort=waiting", "sponsor"),
    ("/ideas/{crowded}", "newcomer"),
    ("/ideas/{own}", "author"),
    ("/ideas/{learned}", "nobody"),
    ("/ideas/{due}", "leader"),
    ("/ideas/{due}", "sponsor"),
    ("/ideas/{answered}", "nobody"),
    ("/ideas/{hidden}", "leader"),
    ("/ideas/{due}/embed", "nobody"),
    ("/ideas/{crowded}/embed", "nobody"),
    ("/ideas/new", "newcomer"),
    ("/ideas/new?title=Benches", "leader"),
    ("/ideas/{own}/edit", "author"),
    ("/ideas/{own}/revisions", "nobody"),
    ("/ideas/{own}/authors", "author"),
    ("/ideas/{due}/authors", "author"),
    ("/board", "nobody"),
    ("/board", "leader"),
    ("/me", "newcomer"),
    ("/me", "author"),
    ("/me", "sponsor"),
    ("/me", "leader"),
    ("/me/sessions", "leader"),
    ("/me/sessions", "newcomer"),
    ("/developers", "nobody"),
    ("/sign-in", "nobody"),
    ("/sign-out", "newcomer"),
    ("/sign-out/staff", "nobody"),
    ("/ideas/{crowded}/vote/by-email", "nobody"),
    ("/ideas/{learned}/vote/by-email", "nobody"),
    ("/ideas/{own}/comments/by-email", "nobody"),
    ("/ideas/new", "nobody"),
    ("/outbox", "nobody"),
    ("/me/name", "newcomer"),
    ("/me/leave", "newcomer"),
    ("/me/leave", "leader"),
    ("/me/left", "nobody"),
    ("/votes", "nobody"),
    ("/ideas/{rush}", "nobody"),
    ("/ideas/{rush}", "newcomer"),
    ("/me/votes", "newcomer"),
    ("/me/votes", "leader"),
    ("/moderation/votes", "leader"),
    ("/moderation/votes/{rush}/recount", "leader"),
    ("/admin", "leader"),
    ("/admin/people", "leader"),
    ("/admin/people/{somebody}", "leader"),
    ("/admin/people/{somebody}/join", "leader"),
    ("/admin/organisation", "leader"),
    ("/admin/settings", "leader"),
    ("/admin/audit", "leader"),
]
BY_MAIL = {"/sign-in/sent", "/sign-in/link/<token>"}  # looked at on the way that leads there
EMPTY = ["/", "/ideas", "/ideas?sort=waiting", "/ideas?q=none", "/board", "/sign-in"]
REFUSED = {
    400: ("/sign-in/callback", "nobody"),
    401: ("/me", "nobody"),
    403: ("/ideas/{own}/edit", "newcomer"),
    404: ("/ideas/zzzzzzzz", "nobody"),
    422: ("/ideas?sort=x", "nobody"),
}
FORMS = [  # as whom, on which page, which form, and what is typed into it, which is refused
    ("author", "/ideas/new", "form[action='/ideas']", {"title": LONG + "W"}),
    ("author", "/ideas/{own}/edit", "form[action$='/edit']", {"problem": ""}),
    ("newcomer", "/ideas/{due}", "form[action$='/comments']", {"body": ""}),
    ("sponsor", "/ideas/{due}", "form[action$='/answers']", {"text": ""}),
    ("leader", "/board", "form[action$='/moves']", {"reason": ""}),
    ("leader", "/me/sessions", "form[action$='/tokens']", {"name": ""}),
]


@pytest.mark.parametrize(("path", "who"), LOOKED_AT, ids=lambda part: part)
def test_nothing_stands_in_the_way_of_anybody_on_any_page(hubs: dict[str, Hub], path: str, who: str):
    page = hubs["crowded"].visit(who, path)
    assert page.evaluate(STATUS) == 200
    assert complaints(page) == []


@pytest.mark.parametrize("path", EMPTY)
def test_an_empty_hub_is_a_good_one(hubs: dict[str, Hub], path: str):
    page = hubs["empty"].visit("nobody", path)
    assert complaints(page) == []
    assert page.inner_text("main").strip()


@pytest.mark.parametrize("status", REFUSED)
def test_a_refusal_is_a_page_like_any_other(hubs: dict[str, Hub], status: int):
    path, who = REFUSED[status]
    page = hubs["crowded"].visit(who, path)
    assert page.evaluate(STATUS) == status
    assert complaints(page) == []


@pytest.mark.parametrize(("who", "path", "form", "typed"), FORMS, ids=[f"{form[2]}" for form in FORMS])
def test_a_refused_form_says_what_is_wrong_and_keeps_what_was_typed(hubs: dict[str, Hub], who: str, path: str, form: str, typed):
    page = hubs["crowded"].visit(who, path)
    for name, text in typed.items():
        page.eval_on_selector(f"{form} [name={name}]", "(field, text) => { field.value = text }", text)
    with page.expect_navigation():
        page.eval_on_selector(form, "form => form.submit()")  # past our script, as a browser without it
    assert "Error:" in page.title()
    assert page.locator(".govuk-error-summary").is_visible()
    for name, text in typed.items():
        assert page.input_value(f"{form} [name={name}] >> nth=0") == text
    assert complaints(page) == []


@pytest.mark.parametrize("form", ["vote", "comments", "idea"])
def test_nothing_stands_in_the_way_of_who_comes_by_mail(hubs: dict[str, Hub], form: str):
    hub = hubs["crowded"]
    path = "/ideas/new" if form == "idea" else f"/ideas/{{own}}/{form}/by-email"
    page = hub.visit("nobody", path)
    typed = {"email": f"{form}@example.org", "name": "W" * 60, "body": LONG, "title": RTL, "problem": LONG, "proposal": RTL}
    for name, text in typed.items():
        if page.locator(f"main form [name={name}]").count():
            page.fill(f"main form [name={name}]", text)
    page.click("main form button.govuk-button")
    page.wait_for_url("**/sign-in/sent")
    assert complaints(page) == []
    page.fill("[name=code]", "1")
    with page.expect_navigation():
        page.eval_on_selector("main form", "form => form.submit()")
    assert "Error:" in page.title()
    assert complaints(page) == []
    mails = wait_until(lambda: [mail for mail in in_folder(hub.folder) if mail.to == typed["email"]], what="the mail")
    page.goto(mails[0].link)
    assert complaints(page) == []
    page.goto("/outbox")
    assert complaints(page) == []
    page.goto(mails[0].link)
    page.click("main form button.govuk-button")
    page.wait_for_url("**/ideas/*")
    page.goto(mails[0].link)
    assert "used already" in page.inner_text("h1")
    assert complaints(page) == []
    del hub.pages["nobody"]  # they are somebody now


def test_a_hub_whose_database_is_away_says_so_to_everybody(hubs: dict[str, Hub], sqlite_databases: SQLiteFiles, monkeypatch):
    app = create_app(from_environment(environment(sqlite_databases.make(demo=False), DEMO=1)))

    def away(self):
        raise OperationalError("", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(db.SQLite, "reading", away)
    answer = app.test_client().get("/ideas")
    assert answer.status_code == 503
    page = hubs["crowded"].visit("nobody", "/sign-in")
    page.route("**/away", lambda route: route.fulfill(status=503, content_type="text/html", body=answer.text))
    page.goto("/away")
    assert complaints(page) == []


def test_no_page_was_forgotten():
    """A new page is to be looked at from its first day."""
    seen = {re.sub(r"\{\w+\}", "<ref>", path).partition("?")[0] for path, _who in LOOKED_AT}
    pages = {
        door.removeprefix("GET ").replace("<person>", "<ref>")
        for door in ACCESS
        if door.startswith("GET ") and "/api/" not in door
    }
    assert pages - NO_PAGES == seen | BY_MAIL


def test_the_check_finds_what_is_wrong(hubs: dict[str, Hub]):
    page = hubs["crowded"].visit("nobody", "/sign-out")
    page.evaluate("""() => {
      document.querySelector("main").innerHTML = "<p id=pale>Pale</p><p id=wide>Wide</p><input>";
      document.querySelector("#pale").style.color = "#ccc";
      document.querySelector("#wide").style.width = "700px";
    }""")
    found = "\n".join(complaints(page))
    assert "wide, light: color-contrast: #pale" in found
    assert "label: " in found
    assert "letters twice as large, half as wide: the page is" in found
    assert "a phone: the page is" in found
    assert "on paper: <input>" in found
