"""The whole protocol with the unmodified client for JavaScript: by websocket, by polling, and by polling that upgrades."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from events.catalogue import View
from events.stream import Cursor
from ideas_hub import audiences, comments, sessions, votes
from tests import make
from tests.support.hub import ROOT
from tests.support.programs import NODE

pytestmark = pytest.mark.sqlite_only

MODES = {"websocket": "websocket", "upgrading": "polling,websocket", "polling": "polling"}
WITHIN = 20.0  # seconds: Node takes its time to begin where much else runs


class Browser:
    """Node with `driver.mjs`; `heard` is what it said, in order."""

    def __init__(self, url: str, transports: str, token: str = "") -> None:
        command = [str(NODE.need()), str(ROOT / "tests" / "live" / "driver.mjs"), url, transports, token]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.heard: list[list[Any]] = []
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            with self.changed:
                self.heard.append(json.loads(line))
                self.changed.notify_all()

    def of(self, name: str) -> list[Any]:
        with self.changed:
            return [content for kind, content in self.heard if kind == name]

    def wait(self, answer: Callable[[], Any], *, within: float = WITHIN) -> Any:
        with self.changed:
            assert self.changed.wait_for(answer, within), f"waited in vain; heard {self.heard}"
            return answer()

    def tell(self, name: str, content: Any = None) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([name, content]) + "\n")
        self.process.stdin.flush()

    def ask(self, name: str, content: Any) -> Any:
        before = len(self.of("answer"))
        self.tell(name, content)
        return self.wait(lambda: self.of("answer")[before:])[0]

    def watch(self, *topics: str, cursor: str | None = None) -> Any:
        return self.ask("watch", {"topics": topics, "cursor": cursor})

    def leave(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.thread.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


@pytest.fixture(params=MODES)
def browser(request: pytest.FixtureRequest, hub: Any, running: Any) -> Iterator[Callable[..., Browser]]:
    with ExitStack() as at_the_end:

        def start(token: str = "") -> Browser:
            made = Browser(running.url, MODES[request.param], token)
            at_the_end.callback(made.leave)
            made.wait(lambda: made.of("connected"))
            if request.param == "upgrading":
                made.wait(lambda: made.of("upgraded"))
            return made

        yield start


def bodies(events: list[dict[str, Any]]) -> list[str]:
    return [event["data"]["body"] for event in events if event["type"] == "comment.posted"]


def test_the_protocol_with_the_client_that_pages_use(browser):
    """Start, events, facts, heartbeats, unwatch, resume and its borders, reset, refused, strikes: one client after the other."""
    idea, other, secret, who = make.idea(), make.idea(), make.idea(audience="staff"), make.person()
    topic = f"idea:{idea}"
    first = browser()
    start = first.watch(topic, "board", f"idea:{secret}", "nonsense", "me")
    assert (start["ok"], start["mode"], start["events"]) == (True, "start", [])
    assert start["refused"] == sorted([f"idea:{secret}", "nonsense", "me"])
    assert set(start["facts"]) == {topic, "board"}

    for number in range(30):
        comments.post_comment(who, idea, body=f"Wörds ☃ {number}")
    votes.cast_vote(make.person(), idea)
    first.wait(lambda: len(bodies(first.of("event"))) == 30)
    assert bodies(first.of("event")) == [f"Wörds ☃ {number}" for number in range(30)]
    first.wait(lambda: [facts for facts in first.of("facts") if facts.get(topic, {}).get("votes") == 1])
    first.wait(lambda: len(first.of("head")) >= 1)

    assert first.ask("unwatch", {"topics": [topic]}) == {"ok": True}
    comments.post_comment(who, idea, body="Unheard")
    audiences.change_idea(make.admin(), other, audience=View.STAFF)
    first.wait(lambda: [event for event in first.of("event") if event["type"] == "idea.restricted"])
    assert "Unheard" not in bodies(first.of("event"))

    seen = first.of("event")[9]["cursor"]
    back = first.watch(topic, cursor=seen)
    assert back["mode"] == "resume"
    assert bodies(back["events"]) == [f"Wörds ☃ {number}" for number in range(10, 30)] + ["Unheard"]
    parsed = Cursor.parse(seen)
    for cursor, why in (
        ("made up", "unknown"),
        (str(Cursor(parsed.view, "another", 1)), "epoch"),
        (str(Cursor(View.STAFF, parsed.epoch, 1)), "rights"),
        (str(Cursor(parsed.view, parsed.epoch, 10**9)), "ahead"),
    ):
        answer = first.watch(topic, cursor=cursor)
        assert (answer["mode"], answer["why"], answer["events"]) == ("reset", why, [])

    for wrong in (None, 7, {"topics": 7}, {"topics": [], "cursor": 7}):
        assert first.ask("watch", wrong)["ok"] is False
    assert first.ask("shout", {})["ok"] is False
    first.wait(lambda: first.of("disconnect"))


def test_a_right_taken_away_resets_it_and_it_goes_on_as_somebody_else(browser):
    staff = make.person(kind="staff")
    secret = make.idea(audience="staff", author=staff)
    watcher = browser(sessions.make_token(make.address(staff), 1))
    start = watcher.watch("board", f"idea:{secret}")
    assert start["refused"] == []
    make.changed(staff, kind="resident")
    assert watcher.wait(lambda: watcher.of("reset")) == [{"why": "rights"}]
    comments.post_comment(make.person(kind="staff"), secret, body="Still among us")
    again = watcher.watch("board", f"idea:{secret}", cursor=start["cursor"])
    assert (again["mode"], again["why"], again["refused"]) == ("reset", "rights", [f"idea:{secret}"])
    assert watcher.of("event") == []


def test_more_comes_than_one_frame_may_have(browser):
    """Replies of half a megabyte, in every mode."""
    idea, who = make.idea(), make.person()
    watcher = browser()
    cursor = watcher.watch("ideas")["cursor"]
    for number in range(40):
        comments.post_comment(who, idea, body=f"{number} " + "☃" * 1500)
    answer = watcher.watch(f"idea:{idea}", cursor=cursor)
    assert [body.split()[0] for body in bodies(answer["events"])] == [str(number) for number in range(40)]
