"""A right that is taken away ends what it gave, on every server, and the past as well."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from events.catalogue import View, idea_topic
from ideas_hub import comments, sessions
from ideas_hub.audiences import change_idea
from ideas_hub.people import Actor
from tests import make
from tests.support.sockets import Gone, Raw

pytestmark = pytest.mark.postgresql_only

MARKER = "Zebra"


def token(who: Actor) -> str:
    return sessions.make_token(make.address(who), 1)


def hear(watcher: Raw, until: float) -> list[list[object]]:
    """All that comes before that moment."""
    while (left := until - time.monotonic()) > 0:
        watcher.socket.settimeout(left)
        try:
            watcher.read()
        except (TimeoutError, Gone):
            break
    watcher.socket.settimeout(10)
    return watcher.messages


@pytest.mark.promise("a role taken away, an idea made staff-only, a person signed out", bar="nothing more after 2 s, anywhere")
def test_what_somebody_may_see_no_more_is_not_told_to_them_by_any_server(hub, servers, figure):
    staff, colleague, admin = make.staff(), make.staff(), make.admin()
    public = make.idea(title=MARKER)
    secret = make.idea(colleague, audience="staff", title=MARKER)
    mine, leaving = token(staff), token(make.staff())
    running = servers(2)
    watchers: dict[str, list[Raw]] = {"demoted": [], "signed out": [], "resident": []}
    cursors: dict[str, list[str]] = {name: [] for name in watchers}
    try:
        for server in running:
            for name, who in (("demoted", mine), ("signed out", leaving), ("resident", None)):
                watcher = Raw(server.port, token=who)
                watchers[name].append(watcher)
                topics = [idea_topic(public), "ideas", "board"] + ([idea_topic(secret)] if who else [])
                ack = watcher.watch(*topics)
                assert ack["refused"] == []
                cursors[name].append(ack["cursor"])
        make.changed(staff, kind="resident")
        sessions.end(leaving)
        change_idea(admin, public, audience=View.STAFF)
        time.sleep(2)
        for number in range(5):
            comments.post_comment(colleague, secret, body=f"{MARKER} {number}")
            comments.post_comment(colleague, public, body=f"{MARKER} {number}")
        everybody = [watcher for each in watchers.values() for watcher in each]
        until = time.monotonic() + 2
        with ThreadPoolExecutor(len(everybody)) as pool:
            said = list(pool.map(lambda watcher: hear(watcher, until), everybody))
        assert not [messages for messages in said if MARKER in str(messages)]
        for name in ("demoted", "signed out"):
            for watcher in watchers[name]:
                assert ["reset", {"why": "rights"}] in watcher.messages
        for watcher in watchers["resident"]:
            assert "idea.restricted" in [content["type"] for kind, content in watcher.messages if kind == "event"]
        for watcher in watchers.pop("signed out"):  # is hung up on: there is nothing to ask any more
            watcher.read_to_the_end()
            watcher.close()
        for name, each in watchers.items():
            for watcher, cursor in zip(each, cursors[name], strict=True):
                again = watcher.watch(idea_topic(public), idea_topic(secret), "ideas", "board", cursor=cursor)
                assert again["refused"] == sorted([idea_topic(public), idea_topic(secret)])
                assert MARKER not in str(again)
                assert again["mode"] == ("resume" if name == "resident" else "reset")
    finally:
        for each in watchers.values():
            for watcher in each:
                watcher.close()
    figure("6 sockets on 2 servers: 0 bytes")
