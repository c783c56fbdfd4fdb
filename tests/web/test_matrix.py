"""Every role, every act, every ownership, over HTML and JSON: what `permissions.ACTS` says is what the doors do.

The cells are generated: acts from `ACTS`, expectations from `may`. A new act fails the first test until it says how it is tried.
Over sockets nothing can be done: `tests/live/test_matrix.py` tries it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from events.catalogue import View
from ideas_hub.administration import suspend
from ideas_hub.bursts import come_from
from ideas_hub.clock import today
from ideas_hub.db import reading, transaction
from ideas_hub.drafts import drafts, keep_draft
from ideas_hub.ideas import Idea
from ideas_hub.moderation import bursts
from ideas_hub.people import NOBODY, Actor
from ideas_hub.permissions import ACTS, may
from ideas_hub.sessions import make_token
from ideas_hub.settings import change_settings
from ideas_hub.votes import cast_vote
from tests import make
from tests.support.witness import everything, nothing_written
from tests.web.api.conftest import Api, Caller
from tests.web.api.routes import OWN, ROUTES

WHO = [
    *("nobody", "resident", "author", "staff", "staff_author", "sponsor", "its_sponsor", "lead"),
    *("moderator", "safeguarding", "leader", "admin"),
]
DONE = {200, 201, 204, 303}
SOON = (today() + timedelta(days=30)).isoformat()


@dataclass
class World:
    """One of each person, an idea they are asked about, and what else an act needs."""

    people: dict[str, Actor]
    idea: str
    other: str
    burst: str = ""
    refs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Try:
    """How an act is tried: as a form or a page, and over the API. `thing`: what `may` is asked about."""

    page: Callable[[World], tuple[str, str, dict[str, Any]]]
    api: Callable[[World], tuple[str, str, dict[str, Any] | None]]
    thing: View | str | None = "idea"
    sponsored: bool = True
    of: str = "idea"


def on(path: str, **sent: Any) -> Callable[[World], tuple[str, str, dict[str, Any]]]:
    """POST of a form below the idea's address."""
    return lambda world: ("POST", f"/ideas/{world.idea}{path}", {name: _of(world, value) for name, value in sent.items()})


def api(method: str, path: str, **sent: Any) -> Callable[[World], tuple[str, str, dict[str, Any] | None]]:
    return lambda world: (
        method,
        path.format(idea=world.idea, burst=world.burst, **world.refs),
        {name: _of(world, value) for name, value in sent.items()} or None,
    )


def form(method: str, path: str, **sent: Any) -> Callable[[World], tuple[str, str, dict[str, Any]]]:
    return lambda world: (
        method,
        path.format(idea=world.idea, burst=world.burst, **world.refs),
        {name: _of(world, value) for name, value in sent.items()},
    )


def _of(world: World, value: Any) -> Any:
    return value(world) if callable(value) else value


IT, WHY = "/ideas/{idea}", "It is time."
SOME, AWAY = "/admin/people/{somebody}", "/admin/people/{away}"
TEXTS = {"title": "Warm rooms", "problem": "It is cold.", "proposal": "Open them."}
SOMEBODY = lambda world: world.refs["somebody"]  # noqa: E731

TRIES: dict[str, list[Try]] = {
    "post": [
        Try(form("POST", "/ideas", audience=view.word, **TEXTS), api("POST", "/ideas", audience=view.word, **TEXTS), view)
        for view in View
    ],
    "comment": [
        Try(on("/comments", **said), api("POST", IT + "/comments", **said), view)
        for view in View
        for said in ({"body": "Good.", "audience": view.word},)
    ],
    "revise": [Try(on("/edit", revision="1", **TEXTS), api("PATCH", IT, title="Other"))],
    "invite": [Try(on("/invitations", email="x@example.org"), api("POST", IT + "/invitations", email="x@example.org"))],
    "leave": [Try(on("/authors/leave"), api("DELETE", IT + "/authors/me"))],
    "withdraw": [Try(on("/withdraw"), api("DELETE", IT))],
    "shorten": [Try(on("/short-title", short_title="Warm"), api("PATCH", IT, short_title="Warm"))],
    "set_audience": [Try(on("/audience", audience="staff"), api("PATCH", IT, audience="staff"))],
    "vote": [Try(on("/vote"), api("PUT", IT + "/vote")), Try(on("/vote/withdraw"), api("DELETE", IT + "/vote"))],
    "sponsor": [Try(on("/sponsor"), api("PUT", IT + "/sponsor"), sponsored=False)],
    "name_sponsor": [
        Try(on("/sponsor", person=SOMEBODY, reason=WHY), api("PUT", IT + "/sponsor", person=SOMEBODY, reason=WHY)),
    ],
    "end_sponsor": [Try(on("/sponsor/end", reason=WHY), api("DELETE", IT + "/sponsor", reason=WHY))],
    "answer": [Try(on("/answers", text="Yes."), api("POST", IT + "/answers", text="Yes."))],
    "move": [
        Try(
            on("/moves", to="parked", reason=WHY, review_on=SOON),
            api("POST", IT + "/moves", to="parked", reason=WHY, review_on=SOON),
        ),
    ],
    "merge": [
        Try(
            on("/moves", to="merged", reason=WHY, into=lambda world: world.other),
            api("POST", IT + "/moves", to="merged", reason=WHY, into=lambda world: world.other),
        ),
    ],
    "hide": [
        Try(on("/hide", reason=WHY), api("PUT", IT + "/hidden", reason=WHY)),
        Try(on("/restore"), api("DELETE", IT + "/hidden")),
    ],
    "decide_votes": [
        Try(
            form("POST", "/moderation/votes/{burst}/decide", to=fate, reason=WHY),
            api("PUT", "/moderation/votes/{burst}/decision", to=fate, reason=WHY),
            of="burst",
        )
        for fate in ("released", "refused")
    ],
    "recount": [Try(form("GET", "/moderation/votes/{idea}/recount"), api("GET", IT + "/recount"))],
    "see_people": [Try(form("GET", "/admin/people/{somebody}"), api("GET", "/admin/people/{somebody}"), None)],
    "change_person": [
        Try(
            form("POST", "/admin/people/{somebody}", name="Other", kind="staff", role=["sponsor", "admin"]),
            api("PATCH", "/admin/people/{somebody}", roles=["sponsor", "admin"]),
            None,
        ),
    ],
    "suspend": [
        Try(form("POST", f"{SOME}/suspend", reason=WHY), api("PUT", f"{SOME}/suspension", reason=WHY), None),
        Try(form("POST", f"{AWAY}/lift", reason=WHY), api("DELETE", f"{AWAY}/suspension", reason=WHY), None),
    ],
    "join_people": [
        Try(
            form("POST", "/admin/people/{twin}/join", into=SOMEBODY, reason=WHY),
            api("PUT", "/admin/people/{twin}/joined", into=SOMEBODY, reason=WHY),
            None,
        ),
    ],
    "arrange": [Try(form("POST", "/admin/directorates", name="Roads"), api("PUT", "/admin/directorates", name="Roads"), None)],
    "set_up": [
        Try(form("POST", "/admin/themes", slug="roads", name="Roads"), api("PUT", "/admin/themes/roads", name="Roads"), None),
    ],
    "audit": [Try(form("GET", "/admin/audit"), api("GET", "/admin/audit"), None)],
}


def test_every_act_says_how_it_is_tried() -> None:
    assert TRIES.keys() == ACTS.keys()


@pytest.fixture
def people(hub) -> dict[str, Actor]:
    change_settings(answer_votes={"public": 1000, "staff": 1000, "leadership": 1000}, burst_votes=5)
    plain = ("resident", "staff", "sponsor", "moderator", "safeguarding", "leader", "admin")
    found = {who: getattr(make, who)() for who in plain}
    found |= {"nobody": NOBODY, "author": make.resident(), "staff_author": make.staff(), "lead": make.lead("Streets")}
    return found | {"its_sponsor": make.sponsor()}


def a_world(people: dict[str, Actor], tried: Try) -> World:
    """Everything as it must be for the act to be done by whoever may."""
    sponsor = people["its_sponsor"] if tried.sponsored else None
    idea = make.idea(people["author"], co_authors=[people["staff_author"]], sponsor=sponsor)
    with transaction() as session:
        session.execute(sa.update(Idea).where(Idea.ref == idea).values(answer_by_id=people["lead"].person_id))
    world = World(people, idea, make.idea())
    if tried.of == "burst":
        come_from(lambda ref: f"farm {ref}")
        for _ in range(6):
            cast_vote(make.resident(), idea)
        come_from(None)
        world.burst = bursts(people["moderator"]).waiting[-1].ref
    if tried.thing is None:
        away = make.staff()
        suspend(people["admin"], away.ref, reason="Away.")
        world.refs = {"somebody": make.sponsor().ref, "away": away.ref, "twin": make.staff().ref}
    else:
        world.refs = {"somebody": make.sponsor().ref}
    return world


def expected(world: World, act: str, tried: Try, who: str) -> bool:
    if isinstance(tried.thing, View):
        return may(world.people[who], act, tried.thing)
    return may(world.people[who], act, None if tried.thing is None else make.row(world.idea))


CELLS = [(act, number, door) for act, tries in TRIES.items() for number in range(len(tries)) for door in ("page", "api")]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("act", "number", "door"), CELLS, ids=lambda value: str(value))
def test_every_cell_is_as_permissions_say(app, visit, people, act: str, number: int, door: str) -> None:
    """Who may is let do it; who may not is told so, and nothing is written: so the next one asks about the same."""
    tried, told, world = TRIES[act][number], set(), None
    for who in WHO:
        world = world or a_world(people, tried)
        wanted, ask = expected(world, act, tried, who), asking(app, visit, world, tried, world.people[who], door)
        before = {} if wanted else everything()
        status = ask()
        told.add(wanted)
        if wanted:
            assert status in DONE, (act, who, door, status)
            world = None
        else:
            assert status == (401 if who == "nobody" else 403), (act, who, door, status)
            assert everything() == before, (act, who, door)
    assert told == {True, False}, "somebody may, and somebody may not"


def asking(app, visit, world: World, tried: Try, actor: Actor, door: str) -> Callable[[], int]:
    """How that person asks by that door: they are signed in, and have not asked yet."""
    if door == "page":
        method, path, sent = tried.page(world)
        browser: FlaskClient = visit(actor, ours=actor is not NOBODY)
        return lambda: browser.open(path, method=method, data=sent).status_code
    method, path, body = tried.api(world)
    caller = Caller(app, None if actor is NOBODY else make_token(make.address(actor), 1))
    return lambda: caller.ask(method, path, body).status_code


# Mass assignment


EXTRA = {
    **{"id": "zzzzzzzz", "ref": "zzzzzzzz", "author_refs": "x", "by": "x", "votes": 99, "votes_held": 9, "carried_over": 9},
    **{"stage": "adopted", "hidden": 0, "held": 0, "effective_audience": "leadership", "posted_at": "2020-01-01", "sponsor": "x"},
    **{"roles": "admin", "is_admin": 1, "person_id": 1, "suspended": 0, "email": "x@example.org", "since": "2020-01-01"},
}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("route", [route for route in ROUTES + OWN if route.method != "GET"], ids=str)
def test_no_route_of_the_api_takes_a_field_that_it_does_not_name(app, people, route) -> None:
    boss = make.person(kind="staff", roles=["admin", "moderator", "leader"])
    caller, idea = Caller(app, make_token(make.address(boss), 1)), make.idea(boss)
    known = set(route.body or ()) | {"sponsor", "roles", "email", "stage"}
    places = {"idea": idea, "comment": make.comment(idea), "draft": "post", "theme": "roads", "directorate": "1", "team": "1"}
    path = route.path.format_map(_Else(places))
    extra = {name: value for name, value in EXTRA.items() if name not in known}
    with nothing_written():
        answer = caller.ask(route.method, path, (route.body or {}) | extra)
    assert (answer.status_code, answer.json["errors"].keys()) == (422, extra.keys())


class _Else(dict):
    def __missing__(self, name: str) -> str:
        return "zzzzzzzz"


@pytest.mark.sqlite_only
@pytest.mark.parametrize("act", ["post", "revise", "vote", "comment", "sponsor", "change_person"])
def test_what_a_form_does_not_name_changes_nothing(app, visit, people, act: str) -> None:
    """The same form, sent plainly and with everything else that one might wish for, leaves the same behind."""
    left = []
    for extra in ({}, EXTRA):
        tried = TRIES[act][0]
        world = a_world(people, tried)
        who = next(who for who in WHO if expected(world, act, tried, who))
        method, path, sent = tried.page(world)
        assert visit(people[who], ours=True).open(path, method=method, data={**extra, **sent}).status_code in DONE
        with reading() as session:
            ideas = session.execute(sa.select(*_TOLD).order_by(Idea.id.desc()).limit(2)).all()
        roles = [sorted(make.actor(ref).roles) for ref in (world.refs["somebody"], people[who].ref or "")]
        left.append((ideas, roles))
    assert left[0] == left[1]


_TOLD = (
    *(Idea.stage, Idea.hidden, Idea.held, Idea.audience, Idea.effective_audience, Idea.carried_over, Idea.votes_held),
    Idea.revision,
)


# Other people's things


@pytest.mark.sqlite_only
def test_nobody_reads_uses_or_discards_the_draft_of_somebody_else(app, visit) -> None:
    ann, bob = make.resident(), make.person(kind="staff", roles=["admin", "moderator", "leader"])
    keep_draft(ann, "post", values={"title": ["My secret zebra"]}, seen=None)
    caller, page = Caller(app, make_token(make.address(bob), 1)), visit(bob, ours=True)
    assert caller.get("/me/drafts").json["items"] == []
    assert caller.get("/me/drafts/post").status_code == 404
    assert caller.delete("/me/drafts/post").status_code in (204, 404)
    assert page.post("/me/drafts/post/discard").status_code in (303, 404)
    assert page.post("/me/drafts/post/restore").status_code in (303, 404)
    assert page.post("/ideas", data={**TEXTS, "audience": "public", "draft": "1"}).status_code == 303
    for path in ("/me", "/ideas/new"):
        assert "zebra" not in page.get(path).text
    assert drafts(ann)["post"].values == {"title": ("My secret zebra",)}


def test_of_two_sponsors_at_once_one_takes_the_idea_and_the_other_is_told_so(app) -> None:
    api = Api(app)
    for _ in range(10):
        idea, rivals = make.idea(), [make.sponsor() for _ in range(2)]
        callers = [api.by(rival) for rival in rivals]
        with ThreadPoolExecutor(2) as both:
            told = list(both.map(lambda caller: caller.put(f"/ideas/{idea}/sponsor", {}).status_code, callers))  # noqa: B023
        assert sorted(told) == [200, 409]
        assert make.row(idea).sponsor_ref == rivals[told.index(200)].ref
