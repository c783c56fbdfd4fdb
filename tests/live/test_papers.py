"""Every frame and every answer on a real socket, of every type there is, is as `/api/v1/asyncapi.json` says."""

from datetime import date, timedelta

import pytest

from events.catalogue import LEDGER, TYPES, HubImported, IdeaAnswerDue, IdeaAnswerOverdue, View
from ideas_hub import audiences, authors, bursts, db, ideas, moderation, moves, sponsors, votes
from ideas_hub.comments import withdraw_comment
from ideas_hub.ideas import Stage
from ideas_hub.settings import change_settings
from tests import make
from tests.support.papers import Schemas
from web.api.live import asyncapi

pytestmark = pytest.mark.sqlite_only


def everything_happens() -> str:
    """Each fact that the world is told, at least once; the idea that most of it happened to."""
    overseer = make.regular("leader", "moderator", "sponsor", "admin")
    author = make.resident()
    idea, other, gone = make.idea(author), make.idea(author), make.idea(author)
    audiences.change_idea(author, idea, texts={"title": "Better words"})
    ideas.withdraw_idea(author, gone)
    friend = make.resident()
    authors.accept_invitation(friend, authors.invite_author(author, idea, email=make.address(friend)))
    authors.leave_authors(friend, idea)
    for act in (audiences.hide_idea, audiences.restore_idea):
        act(overseer, idea, **({"reason": "Why."} if act is audiences.hide_idea else {}))
    for audience in (View.STAFF, View.PUBLIC):
        audiences.change_idea(overseer, idea, audience=audience)
    comment, reply = make.comment(idea), make.comment(idea, author=author)
    audiences.hide_comment(overseer, idea, comment, reason="Why.")
    audiences.restore_comment(overseer, idea, comment)
    withdraw_comment(author, idea, reply)
    sponsors.take_on(overseer, idea)
    moves.move_idea(overseer, idea, to=Stage.EXPLORING, reason="Why.")
    moves.answer_idea(overseer, idea, text="Yes.")
    sponsors.end_sponsorship(overseer, idea, reason="Why.")
    moves.move_idea(overseer, other, to=Stage.MERGED, reason="The same.", into=idea)
    votes.cast_vote(make.person(), idea)
    change_settings(burst_votes=5)
    for network, decide in (("one", moderation.release_votes), ("two", moderation.refuse_votes)):
        bursts.come_from(lambda _idea, network=network: network)
        for _ in range(6):
            votes.cast_vote(make.resident(), idea)
        bursts.come_from(None)
        decide(overseer, moderation.bursts(overseer).waiting[0].ref, reason="Why.")
    change_settings(rush_votes=5)
    moderation.notice_rushes()
    with db.transaction() as session:
        day = (date.today() + timedelta(days=1)).isoformat()
        db.record(session, IdeaAnswerDue(idea=idea, due=day, audience=View.PUBLIC))
        db.record(session, IdeaAnswerOverdue(idea=idea, due=day, audience=View.PUBLIC))
        db.record(session, HubImported(ideas=1, comments=2, audience=View.PUBLIC))
    return idea


def test_every_frame_is_as_the_document_says(hub, running, watch):
    schemas = Schemas(asyncapi(running.url))
    heard = [watch("ideas", "board"), watch("ideas", "board", transports=["polling"])]
    start = heard[0].ack["cursor"]
    idea = everything_happens()
    heard.append(watch("ideas", "board", f"idea:{idea}", "idea:nothing", cursor=start))
    heard.append(watch("board", cursor="made up"))
    told = {kind.type for kind in TYPES.values() if kind not in LEDGER}
    topics = ("ideas", "board")
    assert heard[2].ack["mode"] == "resume"
    heard[0].wait_for("hub.imported")
    heard[0].wait(lambda: heard[0].of("facts"))
    heard[0].wait(lambda: heard[0].of("head"), within=8)

    def fits(name: str, content: object) -> None:
        schema = schemas.components["messages"][name]["payload"]
        assert schemas.complaints(schema, content) == [], (name, content)

    seen = set()
    for watcher in heard:
        fits("watched", watcher.ack)
        # What was hidden for a moment may have gone untold just then; who resumes is told all of it.
        for event in [*watcher.events, *watcher.ack["events"]]:
            assert event["type"] in told, f"{event['type']} does not stand in the document"
            fits(event["type"], event)
            seen.add(event["type"])
        for name in ("facts", "head", "reset"):
            for content in watcher.of(name):
                fits(name, content)
    assert seen == told, f"nobody made these happen: {told - seen}"
    fits("unwatched", heard[0].call("unwatch", {"topics": list(topics)}))
    fits("refused", heard[0].call("watch", {"topics": 7}))
