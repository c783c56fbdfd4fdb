"""What stands ready answers as the database would, whatever happened, whoever asks, and wherever they stopped."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import ring as rings
from events import stream as streams
from events.catalogue import BOARD, IDEAS, VIEWS, View, idea_topic
from events.relay import Relay
from events.stream import Cursor
from ideas_hub import audiences, comments, ideas, moves
from ideas_hub.errors import Refusal
from ideas_hub.ideas import Stage
from ideas_hub.people import Kind, add_person
from tests import make
from tests.support.told import stream

pytestmark = pytest.mark.sqlite_only


class Nobody:
    """Rooms that nobody is in, or somebody in each."""

    watches = True

    def watched(self, view, topic):
        return self.watches

    def send(self, *_, **__): ...
    def flush(self): ...
    def forget(self, subject=None): ...
    def recheck(self, person): ...
    def expire(self): ...


class Hub:
    """Three ideas, their people, and a relay that tells what happens to them as it is told to."""

    def __init__(self):
        self.author, self.mod, self.admin = make.resident(), make.overseer(), make.admin()
        self.ideas = [make.idea(self.author), make.idea(self.author), make.idea(audience="staff")]
        said = make.comment(self.ideas[0], self.author), make.comment(self.ideas[1], audience="staff")
        self.comments = list(zip(self.ideas, said, strict=False))
        self.stream, self.rooms = stream(), Nobody()
        self.relay = Relay(self.stream, self.rooms)

    def act(self, what, number):
        idea, comment = self.ideas[number % len(self.ideas)], self.comments[number % len(self.comments)]
        try:
            match what:
                case "post":
                    self.ideas.append(make.idea(self.author))
                case "comment":
                    self.comments.append((idea, make.comment(idea, self.author)))
                case "staff comment":
                    self.comments.append((idea, make.comment(idea, audience="staff")))
                case "hide":
                    audiences.hide_idea(self.mod, idea, reason="Away")
                case "restore":
                    audiences.restore_idea(self.mod, idea)
                case "restrict":
                    audiences.change_idea(self.admin, idea, audience=View.STAFF)
                case "open":
                    audiences.change_idea(self.admin, idea, audience=View.PUBLIC)
                case "withdraw":
                    ideas.withdraw_idea(self.author, idea)
                case "revise":
                    audiences.change_idea(self.author, idea, texts={"title": f"Other words {number}"})
                case "merge":
                    into = self.ideas[(number + 1) % len(self.ideas)]
                    moves.move_idea(self.admin, idea, to=Stage.MERGED, reason="The same", into=into)
                case "hide comment":
                    audiences.hide_comment(self.mod, *comment, reason="Away")
                case "restore comment":
                    audiences.restore_comment(self.mod, *comment)
                case "withdraw comment":
                    comments.withdraw_comment(self.author, *comment)
                case "rename":
                    add_person(make.address(self.author), name=f"Name {number}", kind=Kind.RESIDENT)
                case "tell":
                    self.relay.step()
                case "nobody watches":
                    self.rooms.watches = not self.rooms.watches
        except Refusal:
            pass  # not every history allows it


ACTS = ["post", "comment", "staff comment", "hide", "restore", "restrict", "open", "withdraw", "revise", "merge"]
ACTS += ["hide comment", "restore comment", "withdraw comment", "rename", "tell", "nobody watches"]


@pytest.mark.promise("what stands ready answers as the database does", bar="every cursor, topic and view")
def test_the_ring_answers_as_the_database_does(hub, monkeypatch, size, figure):
    monkeypatch.setattr(streams, "REPLAY_LIMIT", 9)
    answers = 0

    @given(history=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 30)), max_size=14), most=st.integers(1, 12))
    @settings(max_examples=size(4, 150), deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def after_any_history(history, most):
        nonlocal answers
        monkeypatch.setattr(rings, "MOST_FACTS", most)
        monkeypatch.setattr(streams, "LATELY", most)
        here = Hub()
        for what, number in history:
            here.act(what, number)
        here.relay.step()
        answers += agreeing(here)

    after_any_history()
    figure(f"{answers} answers alike")


def agreeing(here: Hub) -> int:
    """How many answers of the ring were compared with those of the database, about its borders and those of the log."""
    told, head, compared = here.stream, here.stream.head(), 0
    first, second = map(idea_topic, here.ideas[:2])
    for view in VIEWS:
        last, since = head.number(view), told.rings[view].since
        for number in {min(last, max(0, border)) for border in (0, 1, since - 1, since, since + 1, last - 1, last)}:
            for topics in ([BOARD], [IDEAS], [first, second], [IDEAS, first], []):
                cursor = str(Cursor(view, head.epoch, number))
                assert told._missed(view, topics, cursor, head) == told.replay(view, topics, cursor, head), (view, number)
                compared += 1
    return compared
