"""What may not be told any more lies ready in many places, and goes out from none of them."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from events.catalogue import View, idea_topic
from ideas_hub import comments, ideas
from ideas_hub.audiences import change_idea, hide_comment, hide_idea
from ideas_hub.people import Actor, Kind, add_person
from tests import make
from tests.chaos.test_frames import Poller
from tests.support.processes import wait_until
from tests.support.sockets import Gone, Raw

pytestmark = pytest.mark.sqlite_only

MARKER = "Zebra"
HELD = """
import os, time
from ideas_hub.live import Live
facts = Live.facts
def when_told(self, topics, view):
    if any(topic.startswith("idea:") for topic in topics) and "board" in topics and os.path.exists("hold"):
        os.rename("hold", "held")
        while os.path.exists("held"):
            time.sleep(0.01)
    return facts(self, topics, view)
Live.facts = when_told
"""


@dataclass
class Told:
    """Something with the marker in it that the world was told, and how it is taken back. `last` is the fact that says so."""

    idea: str
    say: Callable[[], object]
    take_back: Callable[[], object]
    last: str


def comment_by(who: Actor, idea: str, body: str = MARKER) -> list[str]:
    return [comments.post_comment(who, idea, body=body)]


# Whoever is needed is there before anybody watches: who is new has rights that are new, and that takes back all names.


def of_a_comment(act: str) -> Told:
    idea, who, mod, said = make.idea(), make.person(), make.moderator(), []
    take = {
        "hidden": lambda: hide_comment(mod, idea, said[0], reason="Away"),
        "withdrawn": lambda: comments.withdraw_comment(who, idea, said[0]),
    }
    return Told(idea, lambda: said.extend(comment_by(who, idea)), take[act], f"comment.{act}")


def of_an_idea(act: str) -> Told:
    author, mod, admin, said = make.resident(), make.moderator(), make.admin(), []
    idea = make.idea(author)
    take = {
        "hidden": lambda: hide_idea(mod, idea, reason="Away"),
        "restricted": lambda: change_idea(admin, idea, audience=View.STAFF),
        "withdrawn": lambda: ideas.withdraw_idea(author, idea),
    }
    return Told(idea, lambda: said.append(change_idea(author, idea, texts={"title": MARKER})), take[act], f"idea.{act}")


def of_a_person() -> Told:
    who = make.resident(MARKER)
    idea = make.idea(who)

    def rename() -> None:
        add_person(make.address(who), name="Ann", kind=Kind.RESIDENT)
        change_idea(who, idea, texts={"title": "And on"})

    return Told(idea, lambda: comment_by(who, idea, "Something"), rename, "idea.revised")


TAKEN_BACK = {
    "a comment is hidden": lambda: of_a_comment("hidden"),
    "a comment is withdrawn": lambda: of_a_comment("withdrawn"),
    "an idea is hidden": lambda: of_an_idea("hidden"),
    "an idea is restricted": lambda: of_an_idea("restricted"),
    "an idea is withdrawn": lambda: of_an_idea("withdrawn"),
    "a person is renamed": of_a_person,
}


@pytest.mark.promise("ready bytes of what is taken back", bar="0 bytes go out")
def test_not_a_byte_of_what_was_taken_back_goes_out(hub, server, figure):
    running, tried = server(altered=HELD), 0
    for act, make_it in TAKEN_BACK.items():
        told, filler, talker = make_it(), make.idea(), make.person()
        tried += 1
        with Raw(running.port) as watcher, Poller(running.port) as poller, Raw(running.port, receives=2048) as slow:
            topic = idea_topic(told.idea)
            cursor = watcher.watch(topic)["cursor"]
            for one in (watcher, slow):
                one.watch(topic, idea_topic(filler))
            poller.watch(topic)
            fill(talker, filler, 60)  # more than the kernels take, less than may wait
            watcher.read_until(lambda name, content: name == "event" and content["data"].get("body", "").startswith("59 "))
            with Raw(running.port) as held:
                (running.folder / "hold").touch()
                number = held.ask("watch", {"topics": [topic, "board"], "cursor": None})
                wait_until((running.folder / "held").exists)  # it is being answered
                told.say()
                watcher.read_until(lambda name, content: name == "event" and MARKER in str(content))
                told.take_back()
                watcher.read_until(
                    lambda name, content, last=told.last: content.get("type") == last and MARKER not in str(content)
                )
                (running.folder / "held").unlink()
                assert MARKER not in str(everything(lambda h=held, n=number: [h.answer(n), *(h.read() for _ in range(3))])), act
            assert MARKER not in str(everything(poller.poll)), act
            assert MARKER.encode() not in slow.read_to_the_end(), act
            with Raw(running.port) as back:
                assert MARKER not in str(back.watch(topic, "ideas", "board", cursor=cursor)), act
    figure(f"{tried} acts, 4 places: 0 bytes")


def everything(read: Callable[[], object]) -> object:
    """What was read, or nothing where the server had hung up."""
    try:
        return read()
    except Gone:
        return None


def fill(who: Actor, idea: str, many: int) -> None:
    for number in range(many):
        comments.post_comment(who, idea, body=f"{number} " + "word " * 790)
