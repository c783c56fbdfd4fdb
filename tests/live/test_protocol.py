"""The live stream over real sockets, to the letter of the protocol, on both databases."""

import time

import pytest
import socketio
import sqlalchemy as sa
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from events import log
from events.catalogue import View
from events.stream import Cursor
from ideas_hub import audiences, comments, db, moves, sessions, sponsors, votes
from ideas_hub.clock import now
from ideas_hub.ideas import Stage
from ideas_hub.people import Actor
from tests import make
from tests.live.watcher import Watcher
from web.session import KEY


def token(who: Actor) -> str:
    return sessions.make_token(make.address(who), 1)


def cookie(secret: str) -> str:
    """As a browser has it that is signed in with that secret."""
    app = Flask("hub")
    app.secret_key = "for tests only"
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    return f"session={signer.dumps({KEY: secret})}"


def settle(watcher: Watcher) -> list[tuple[str, object]]:
    """What the watcher of the board heard before now: a new idea and its vote come behind all of it, and are left out."""
    last = make.idea()
    watcher.wait(lambda: [event for event in watcher.events if event["data"]["idea"] == last])
    votes.cast_vote(make.person(), last)
    watcher.wait_for_fact(f"idea:{last}", votes=1)
    of_last = {f"idea:{last}", "board"}
    return [
        (kind, content)
        for kind, content in watcher.messages
        if not (
            kind == "head"
            or (kind == "facts" and set(content) <= of_last)
            or (kind == "event" and content["data"]["idea"] == last)
        )
    ]


def test_a_vote_reaches_who_watches_the_idea_the_list_and_the_board(hub, watch):
    idea = make.idea()
    topic = f"idea:{idea}"
    watchers = [watch(topic), watch("ideas"), watch("board")]
    votes.cast_vote(make.person(), idea)
    for watcher in watchers:
        facts = watcher.wait_for_fact(topic, votes=1, votes_residents=1)
        assert set(facts) == {"votes", "votes_residents", "votes_staff", "votes_held", "comments", "version"}
        assert watcher.events == []  # a vote is a tally, not an event


def test_what_happens_to_an_idea_is_told_once_in_order_however_many_of_its_topics_are_watched(hub, watch):
    idea, sponsor = make.idea(), make.sponsor()
    watcher = watch(f"idea:{idea}", "ideas", "board")
    sponsors.take_on(sponsor, idea)
    moves.move_idea(sponsor, idea, to=Stage.EXPLORING, reason="Worth a look")
    comments.post_comment(make.person(), idea, body="Good *news*")
    watcher.wait_for("comment.posted")
    assert watcher.types == ["idea.sponsored", "idea.stage_changed", "comment.posted"]
    told = watcher.events[1]
    assert told["specversion"] == "1.0"
    assert told["subject"] == f"ideas/{idea}"
    assert {"id", "source", "time", "sequence", "cursor", "datacontenttype"} <= set(told)
    assert told["data"] | {"by": None} == {
        "idea": idea,
        "from": "new",
        "to": "exploring",
        "reason": "Worth a look",
        "by": None,
    }
    assert watcher.events[2]["data"]["html"] == "<p>Good <em>news</em></p>\n"
    assert [e["sequence"] for e in watcher.events] == sorted(e["sequence"] for e in watcher.events)
    before, after = watcher.ack["facts"]["board"], watcher.wait_for_fact("board")
    assert after["counts"]["exploring"] == before["counts"]["exploring"] + 1
    assert after["counts"]["new"] == before["counts"]["new"] - 1
    assert after["version"] > before["version"]


def test_who_comes_back_is_told_exactly_what_was_missed(hub, watch):
    idea, person = make.idea(), make.person()
    first = watch(f"idea:{idea}")
    for number in range(3):
        comments.post_comment(person, idea, body=f"Comment {number}")
    first.wait(lambda: len(first.events) == 3)
    seen = first.events[0]["cursor"]
    first.leave()
    comments.post_comment(person, idea, body="Comment 3")
    back = watch(f"idea:{idea}", cursor=seen)
    assert back.ack["mode"] == "resume"
    assert [event["data"]["body"] for event in back.ack["events"]] == ["Comment 1", "Comment 2", "Comment 3"]
    assert back.ack["facts"][f"idea:{idea}"]["comments"] == 4
    again = watch(f"idea:{idea}", cursor=back.ack["cursor"])
    assert (again.ack["mode"], again.ack["events"]) == ("resume", [])


def test_who_watches_the_list_and_comes_back_has_the_tallies_that_moved(hub, watch):
    moved, still = make.idea(), make.idea()
    cursor = watch("ideas").ack["cursor"]
    votes.cast_vote(make.person(), moved)
    facts = watch("ideas", cursor=cursor).ack["facts"]
    assert facts[f"idea:{moved}"]["votes"] == 1
    assert f"idea:{still}" not in facts


@pytest.mark.parametrize("cursor", ["nonsense", "", "cC4uMQ", "☃"])
def test_a_cursor_that_was_made_up_is_unknown(hub, watch, cursor):
    ack = watch("ideas", cursor=cursor).ack
    assert (ack["mode"], ack["why"], ack["events"]) == ("reset", "unknown", [])


def test_a_topic_one_may_not_watch_looks_like_one_that_does_not_exist(hub, watch):
    secret = make.idea(audience="staff")
    resident = watch(f"idea:{secret}", "idea:zzzzzzzz", "ideas", "nonsense", "me", token=token(make.person()))
    assert resident.ack["refused"] == sorted([f"idea:{secret}", "idea:zzzzzzzz", "nonsense"])
    assert resident.ack["facts"] == {"me": {"unread": 0, "version": 0}}
    assert watch("me").ack["refused"] == ["me"]
    staff = watch(f"idea:{secret}", token=token(make.person(kind="staff")))
    assert staff.ack["refused"] == []
    assert f"idea:{secret}" in staff.ack["facts"]


def test_what_is_for_staff_makes_no_sound_for_residents(hub, watch):
    staff, idea = make.person(kind="staff"), make.idea()
    last = watch("board", cursor=None).ack["cursor"]
    resident, colleague = watch(f"idea:{idea}", "ideas", "board"), watch("board", f"idea:{idea}", token=token(staff))
    comments.post_comment(staff, idea, body="Only among us", audience=View.STAFF)
    secret = make.idea(audience="staff", author=staff)
    colleague.wait_for("idea.posted")
    colleague.wait_for_fact("board")
    heard = settle(resident)
    assert [content for kind, content in heard if kind != "facts"] == []
    # What moved before may be told late, as it is; of what staff did, no tally and no version tells.
    of_idea = [content[f"idea:{idea}"] for kind, content in heard if kind == "facts" and f"idea:{idea}" in content]
    assert all(facts == resident.ack["facts"][f"idea:{idea}"] for facts in of_idea)
    assert not any(f"idea:{secret}" in content for kind, content in heard if kind == "facts")
    here = watch("board", cursor=last).ack["events"]
    assert [event["type"] for event in here] == ["idea.posted"]  # that of `settle`: nothing was numbered in between
    assert Cursor.parse(here[0]["cursor"]).number == Cursor.parse(last).number + 1


def test_an_idea_that_is_restricted_ends_for_residents_with_a_tombstone(hub, watch):
    idea, leader = make.idea(), make.leader()
    resident = watch(f"idea:{idea}", "ideas", "board")
    start = resident.ack["cursor"]
    audiences.change_idea(leader, idea, audience=View.STAFF)
    tombstone = resident.wait_for("idea.restricted", within=2)
    assert tombstone["data"] == {"idea": idea}
    comments.post_comment(leader, idea, body="Among staff")
    votes.cast_vote(make.person(kind="staff"), idea)
    assert [content["type"] for kind, content in settle(resident) if kind == "event"] == ["idea.restricted"]
    assert not any(f"idea:{idea}" in frame for frame in resident.of("facts"))
    replayed = watch("ideas", "board", f"idea:{idea}", cursor=start).ack
    assert [event["type"] for event in replayed["events"]] == ["idea.restricted", "idea.posted"]
    assert replayed["refused"] == [f"idea:{idea}"]


def test_a_right_that_is_taken_away_ends_the_stream_within_two_seconds(hub, watch):
    staff = make.person(kind="staff")
    secret = make.idea(audience="staff", author=staff)
    watcher = watch("board", f"idea:{secret}", token=token(staff))
    make.changed(staff, kind="resident")
    assert watcher.wait(lambda: watcher.of("reset"), within=2) == [{"why": "rights"}]
    comments.post_comment(make.person(kind="staff"), secret, body="Still among us")
    again = watcher.watch("board", f"idea:{secret}", cursor=watcher.ack["cursor"])
    assert (again["mode"], again["why"], again["refused"]) == ("reset", "rights", [f"idea:{secret}"])
    assert watcher.types == []


@pytest.mark.parametrize("ends", ["end", "end_own", "end_others"])
def test_a_session_or_a_token_that_is_taken_back_closes_its_sockets_within_two_seconds(hub, watch, ends):
    staff = make.person(kind="staff")
    kept, made = token(staff), sessions.start_session(staff.ref or "")
    other = watch("board", token=kept)
    secret = made if ends == "end_others" else token(staff)
    by = {"headers": {"Cookie": cookie(secret)}} if ends == "end_others" else {"token": secret}
    watcher = watch("board", **by)
    match ends:
        case "end":
            sessions.end(secret)
        case "end_own":
            sessions.end_own(staff, sessions.ref_of(secret))
        case "end_others":
            sessions.end_others(staff, sessions.start_session(staff.ref or ""))
    watcher.wait(lambda: watcher.of("disconnect"), within=2)
    assert watcher.of("reset") == [{"why": "rights"}]
    make.idea(audience="staff")
    other.wait_for("idea.posted")
    assert watcher.types == []
    assert other.of("reset") == []


@pytest.mark.sqlite_only  # the database has no part in it
def test_the_server_says_every_five_seconds_that_it_is_there(hub, watch):
    watcher = watch("ideas")
    watcher.wait(lambda: len(watcher.of("head")) >= 2, within=11)
    make.idea()
    told = watcher.wait_for("idea.posted")
    assert watcher.wait(lambda: watcher.of("head")[-1]["cursor"] == told["cursor"], within=6)


def test_a_watcher_can_stop_watching(hub, watch):
    one, other = make.idea(), make.idea()
    watcher = watch(f"idea:{one}", f"idea:{other}")
    assert watcher.call("unwatch", {"topics": [f"idea:{one}"]}) == {"ok": True}
    votes.cast_vote(make.person(), one)
    votes.cast_vote(make.person(), other)
    watcher.wait_for_fact(f"idea:{other}", votes=1)
    assert not any(f"idea:{one}" in frame for frame in watcher.of("facts"))


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "content",
    [
        None,
        7,
        "ideas",
        [],
        {},
        {"topics": "ideas"},
        {"topics": [7]},
        {"topics": ["x" * 81]},
        {"topics": [], "cursor": 7},
        {"topics": [f"idea:{number}" for number in range(201)]},
    ],
    ids=repr,
)
def test_a_malformed_message_is_answered(hub, watch, content):
    watcher = watch("ideas")
    answer = watcher.call("watch", content)
    assert answer["ok"] is False
    assert answer["error"]
    assert watcher.watch("board")["ok"]


@pytest.mark.sqlite_only
def test_the_fifth_malformed_message_ends_the_connection(hub, watch):
    watcher = watch("ideas")
    for name in ("watch", "connect", "disconnect", "shout"):
        assert watcher.call(name, 7)["ok"] is False
    assert watcher.call("watch", 7)["ok"] is False
    watcher.wait(lambda: watcher.of("disconnect"))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("credentials", [{"token": "made up"}, {"headers": {"Authorization": "Bearer made-up"}}], ids=str)
def test_a_token_that_is_no_good_opens_nothing(hub, running, credentials):
    with pytest.raises(socketio.exceptions.ConnectionError):
        Watcher(running.url, **credentials)


@pytest.mark.sqlite_only
def test_a_token_may_come_as_a_header(hub, running):
    watcher = Watcher(running.url, headers={"Authorization": f"Bearer {token(make.person())}"})
    assert watcher.watch("me")["refused"] == []
    watcher.leave()


def test_a_fact_that_this_code_cannot_read_stops_nothing(hub, watch):
    """A newer server writes to the same log: its facts keep their places, and tell nothing."""
    watcher = watch("board")
    with db.transaction() as session:
        session.execute(
            sa.update(log.head_table).values(position=log.head_table.c.position + 1, public=log.head_table.c.public + 1)
        )
        here = log.head(session)
        row = {"position": here.position, "public": here.number(View.PUBLIC), "type": "idea.of_tomorrow", "audience": 0}
        session.execute(sa.insert(log.event_table).values(**row, data={"tomorrow": 1}, at=now()))
    idea = make.idea()
    assert watcher.wait_for("idea.posted")["data"]["idea"] == idea
    again = watch("board", cursor=watcher.ack["cursor"]).ack
    assert (again["mode"], [event["type"] for event in again["events"]]) == ("resume", ["idea.posted"])


SAYS_ITSELF = {"suppress_origin": True}  # else the client adds an origin of its own to the one it is told to send
FOREIGN = [  # in which {port} is ours
    "https://elsewhere.example",
    "http://elsewhere.example:{port}",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1",
    "http://127.0.0.1:{port}.elsewhere.example",
    "http://127.0.0.1.elsewhere.example:{port}",
    "http://elsewhere.example/http://127.0.0.1:{port}",
    "http://127.0.0.1:{port}@elsewhere.example",
    "http://127.0.0.2:{port}",
    "http://[::1]:{port}",
    "file://",
    "null",
    "http://127.0.0.1:{port}, https://elsewhere.example",
    "http://127.0.0.1:{port}/",
]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_origin_cannot_open_a_socket(hub, running, origin, transport):
    """Not even with the cookie of somebody who is signed in, which no browser would send along."""
    theirs = {"Origin": origin.format(port=running.port), "Cookie": cookie(sessions.start_session(make.staff().ref or ""))}
    client = socketio.Client(reconnection=False, websocket_extra_options=SAYS_ITSELF)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(running.url, namespaces=["/live"], headers=theirs, transports=[transport])


@pytest.mark.sqlite_only
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_our_own_pages_and_programs_without_a_page_open_sockets(hub, running, watch, transport):
    for headers in ({"Origin": running.url}, {}):
        watcher = watch("board", headers=headers, transports=[transport], websocket_extra_options=SAYS_ITSELF)
        assert watcher.ack["ok"]


def test_polling_alone_carries_the_whole_protocol(hub, watch):
    idea = make.idea()
    watcher = watch(f"idea:{idea}", transports=["polling"])
    comments.post_comment(make.person(), idea, body="By polling")
    assert watcher.wait_for("comment.posted")["data"]["body"] == "By polling"
    votes.cast_vote(make.person(), idea)
    watcher.wait_for_fact(f"idea:{idea}", votes=1, comments=1)


def test_a_restart_is_no_reason_for_a_reset(hub, running, watch):
    idea = make.idea()
    watcher = watch(f"idea:{idea}")
    running.kill()
    watcher.wait(lambda: watcher.of("disconnect"))
    comments.post_comment(make.person(), idea, body="While it was away")
    running.start()
    back = watch(f"idea:{idea}", cursor=watcher.ack["cursor"]).ack
    assert back["mode"] == "resume"
    assert [event["data"]["body"] for event in back["events"]] == ["While it was away"]


def test_many_votes_are_few_frames_and_the_last_one_is_true(hub, watch):
    idea, people = make.idea(), [make.person() for _ in range(60)]
    topic = f"idea:{idea}"
    watcher = watch(topic)
    begun = time.monotonic()
    for person in people:
        votes.cast_vote(person, idea)
    took = time.monotonic() - begun
    watcher.wait_for_fact(topic, votes=60)
    frames = [frame[topic] for frame in watcher.of("facts") if topic in frame]
    versions = [frame["version"] for frame in frames]
    assert versions == sorted(set(versions))
    assert len(frames) <= 10 * (took + 1) + 1
