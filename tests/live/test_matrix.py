"""Sockets carry news only: whoever asks, no act is done by them, and nobody watches what they may not see. Who is suspended is
nobody within two seconds, on sockets and on pages."""

import time
from typing import Any

import pytest
import requests

from events.catalogue import View, idea_topic
from ideas_hub import administration as admin
from ideas_hub.people import Actor
from ideas_hub.permissions import ACTS
from ideas_hub.sessions import Credential, make_token
from tests import make
from tests.live.watcher import Watcher
from tests.support.browser import Visitors
from tests.support.hub import Server
from tests.support.witness import everything

ROLES = ["resident", "staff", "sponsor", "moderator", "safeguarding", "leader", "admin"]
AT_ONCE = 2.0  # seconds

pytestmark = pytest.mark.sqlite_only


def token(who: Actor) -> str:
    return make_token(make.address(who), 1)


def left() -> dict[str, list[tuple[Any, ...]]]:
    """All rows, but for when a token was used last, which the server notes in its own time."""
    rows = everything()
    used = [column.name for column in Credential.__table__.columns].index("used_at")
    return rows | {"credential": [row[:used] + row[used + 1 :] for row in rows["credential"]]}


@pytest.mark.parametrize("role", ["nobody", *ROLES])
def test_no_act_is_done_over_a_socket(running: Server, role: str) -> None:
    author = make.resident()
    idea = make.idea(author)
    known = None if role == "nobody" else token(getattr(make, role)())
    url, before = running.url, left()
    acts = sorted(ACTS)
    for start in range(0, len(acts), 4):  # five of them end a connection
        watcher = Watcher(url, token=known)
        for act in acts[start : start + 4]:
            answer = watcher.call(act, {"idea": idea, "reason": "x", "to": "parked", "person": author.ref})
            assert answer["ok"] is False, act
        watcher.leave()
    assert left() == before


def test_everybody_watches_what_they_may_see_and_nothing_else_exists_for_them(running: Server) -> None:
    ideas = {view: make.idea(audience=view.word) for view in View}
    hidden = make.idea(hidden=True)
    people = {role: getattr(make, role)() for role in ROLES}
    url = running.url
    for role, who in people.items():
        watcher = Watcher(url, token=token(who))
        ack = watcher.watch(*map(idea_topic, [*ideas.values(), hidden, "nowhere"]))
        unseen = [ref for view, ref in ideas.items() if view > who.view]
        assert ack["refused"] == sorted(map(idea_topic, [*unseen, hidden, "nowhere"])), role
        watcher.leave()


def test_who_is_suspended_is_nobody_within_two_seconds_on_their_socket_and_over_the_api(running: Server) -> None:
    boss, ann = make.admin(), make.staff()
    inside = make.idea(audience="staff")
    mine = token(ann)
    url = running.url
    watcher = Watcher(url, token=mine)
    assert watcher.watch(idea_topic(inside))["refused"] == []
    admin.suspend(boss, ann.ref, reason="Away.")
    began = time.monotonic()
    watcher.wait(lambda: watcher.of("reset"), within=AT_ONCE)
    assert watcher.of("reset") == [{"why": "rights"}]
    make.comment(inside)
    answer = requests.put(f"{url}/api/v1/ideas/{inside}/vote", headers={"Authorization": f"Bearer {mine}"}, timeout=10)
    assert answer.status_code == 401
    assert time.monotonic() - began < AT_ONCE * 2
    assert "comment.posted" not in watcher.types
    watcher.leave()


def test_a_role_that_is_taken_away_ends_it_on_the_open_page_within_two_seconds(running: Server, visitor: Visitors) -> None:
    boss, mod = make.admin(), make.moderator()
    page = visitor(running.url, mod.ref)
    page.goto("/me")
    page.wait_for_selector(".live--on")
    page.get_by_role("link", name="Votes to look at").wait_for()
    admin.suspend(boss, mod.ref, reason="Away.")
    visitor.forgive("401")
    page.get_by_role("link", name="Votes to look at").wait_for(state="detached", timeout=AT_ONCE * 1000 * 2)
    page.reload()
    assert "Sign in" in page.inner_text("main")
