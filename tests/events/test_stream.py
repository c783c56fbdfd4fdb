"""Watching and resuming: exactly what was missed, or a reset with its reason."""

from base64 import urlsafe_b64encode
from datetime import timedelta

import pytest

from events import log
from events import stream as streams
from events.catalogue import BOARD, IDEAS, ME, TYPES, VIEWS, View, idea_topic
from events.stream import REPLAY_WINDOW, Cursor
from ideas_hub.audiences import change_idea
from ideas_hub.db import transaction
from ideas_hub.people import NOBODY
from ideas_hub.votes import cast_vote
from tests import make
from tests.support.told import cursor, replay, stream, types
from tests.support.witness import entries

rule = pytest.mark.sqlite_only

# Cursors


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("number", [0, 1, 9, 10, 12_345, 10**18 - 1])
def test_a_cursor_comes_back_as_it_was_handed_out(view, number):
    handed_out = Cursor(view, "0123456789abcdef", number)
    assert Cursor.parse(str(handed_out)) == handed_out
    assert set(str(handed_out)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def b64(plain):
    return urlsafe_b64encode(plain.encode()).decode().rstrip("=")


GARBAGE = ["", " ", "=", "====", "a", "null", "0", "-1", "ŵ", "\x00", "p.abc.1", "x" * 100_000, "{}", "☃" * 5, "AAAA", "-_-_"]
NEARLY = ["", "p", "p.a", "p..1", "p.a.", "p.a.-1", "p.a.1.1", "x.a.1", "P.a.1", "p.A.1", "p.a.1e3", "p.a.٣", "p.a.1\n", "p.é.1"]
NEARLY += ["p.a.1" + "0" * 18, "p." + "a" * 17 + ".1", " p.a.1", "p.a. 1", "p.a.0x1", "pp.a.1", "p.a;.1", "p.a.1 "]
GARBAGE += map(b64, NEARLY)


@rule
@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_what_no_hub_has_handed_out_is_no_cursor(garbage):
    with pytest.raises(ValueError, match="not a cursor"):
        Cursor.parse(garbage)


@rule
def test_garbage_is_a_reset_with_its_reason(hub):
    told = stream()
    for garbage in GARBAGE:
        reply = told.replay(View.PUBLIC, [BOARD], garbage, told.head())
        assert (reply.mode, reply.why, reply.events) == ("reset", "unknown", [])


# Starting and resuming


@pytest.fixture
def past(hub):
    """Facts of every audience and of none, on three ideas and on the hub; the ideas' references."""
    lea, sue = make.leader(), make.sponsor()
    public, inside, top = make.idea(), make.idea(audience="staff"), make.idea(lea, audience="leadership")
    make.comment(public)
    make.comment(public, audience="staff")
    make.sponsored(public, by=sue)
    make.moved(public, "exploring", by=sue)
    make.moved(inside, "parked")
    cast_vote(lea, public)
    make.comment(inside, audience="leadership")
    make.comment(public, withdrawn=True)
    make.moved(top, "declined")
    make.moved(public, "parked")
    return public, inside, top


@rule
def test_without_a_cursor_one_starts_at_the_head(past):
    told = stream()
    for view in VIEWS:
        reply = told.replay(view, [BOARD], None, told.head())
        assert (reply.mode, reply.events, reply.why) == ("start", [], None)
        assert Cursor.parse(reply.cursor) == Cursor(view, told.head().epoch, told.head().number(view))


def test_one_resumes_exactly_from_every_border_in_every_view(past):
    topics = [[BOARD], [IDEAS], [idea_topic(past[0])], [idea_topic(past[1]), IDEAS], [IDEAS, BOARD], [ME], []]
    log, told = entries(), stream()
    head = told.head()
    for view in VIEWS:
        last = head.number(view)
        for watched in topics:
            expected = [
                (entry.numbers[view], entry.event.type)
                for entry in log
                if entry.numbers[view] is not None and set(watched) & set(entry.event.topics())
            ]
            for border in range(last + 1):
                reply = told.replay(view, watched, str(Cursor(view, head.epoch, border)), head)
                got = [(Cursor.parse(event["cursor"]).number, event["type"]) for event in reply.events]
                assert got == [each for each in expected if each[0] > border]
                assert (reply.mode, Cursor.parse(reply.cursor).number) == ("resume", last)


@rule
def test_pages_of_a_replay_have_no_gap_and_no_double(past):
    for view in VIEWS:
        told, whole = stream(), replay(view).events
        for limit in (1, 2, 3, len(whole), 1000):
            read, at = [], cursor(view, 0)
            for _ in range(100):
                reply = told.replay(view, [BOARD], at, told.head(), limit=limit)
                read += reply.events
                at = reply.cursor
                if at == cursor(view):
                    break
            assert read == whole


@rule
def test_an_event_is_a_cloud_event_that_says_where_to_go_on(past):
    for view in VIEWS:
        found = replay(view).events
        for event in found:
            assert event["specversion"] == "1.0"
            assert event["source"] == "https://hub.example"
            assert event["type"] in TYPES
            assert event["subject"] == f"ideas/{event['data']['idea']}"
            assert event["time"].endswith("Z")
            assert event["id"] == event["cursor"]
            following = stream().replay(view, [BOARD], event["cursor"], stream().head()).events
            assert following == found[found.index(event) + 1 :]
        sequence = [event["sequence"] for event in found]
        assert sequence == sorted(set(sequence))


@rule
def test_a_page_that_knows_more_than_the_relay_has_missed_nothing(past):
    told = stream()
    make.idea()
    reply = told.replay(View.PUBLIC, [BOARD], cursor(View.PUBLIC), told.delivered)
    assert (reply.mode, reply.events) == ("resume", [])
    later = told.replay(View.PUBLIC, [BOARD], reply.cursor, told.head())
    assert types(later) == ["idea.posted"]


# Resets: each reason, and no other


@rule
def test_another_or_a_restored_database_is_an_epoch(past):
    old = {view: cursor(view) for view in VIEWS}
    with transaction() as session:
        log.begin(session, "another")
    told = stream()
    for view in VIEWS:
        reply = told.replay(view, [BOARD], old[view], told.head())
        assert (reply.mode, reply.why, reply.events) == ("reset", "epoch", [])
        assert Cursor.parse(reply.cursor).epoch == "another"
        assert told.replay(view, [BOARD], reply.cursor, told.head()).mode == "resume"


@rule
def test_a_cursor_of_another_view_is_a_change_of_rights_either_way(past):
    told = stream()
    for mine in VIEWS:
        for other in VIEWS:
            reply = told.replay(mine, [BOARD], cursor(other, 1), told.head())
            assert (reply.mode, reply.why) == (("resume", None) if mine is other else ("reset", "rights"))


@rule
def test_a_cursor_beyond_the_log_is_ahead(past):
    told = stream()
    for view in VIEWS:
        reply = told.replay(view, [BOARD], cursor(view, told.head().number(view) + 1), told.head())
        assert (reply.mode, reply.why, reply.events) == ("reset", "ahead", [])


@rule
def test_what_is_older_than_the_window_is_trimmed_to_the_second(hub, clock):
    make.idea()
    clock.goes_on(hours=1)
    make.idea()
    clock.goes_on(days=7, hours=-1)
    assert (replay(View.PUBLIC, after=0).why, types(replay(View.PUBLIC, after=0))) == (None, ["idea.posted"] * 2)
    clock.goes_on(microseconds=1)
    assert replay(View.PUBLIC, after=0).why == "trimmed"
    assert types(replay(View.PUBLIC, after=1)) == ["idea.posted"]
    clock.goes_on(hours=1)
    assert replay(View.PUBLIC, after=1).why == "trimmed"
    clock.goes_on(days=365)
    assert replay(View.PUBLIC, after=2).mode == "resume"  # whoever has seen all has missed nothing, for however long
    assert replay(View.PUBLIC, after=0, window=timedelta(days=1000)).mode == "resume"
    assert timedelta(days=7) == REPLAY_WINDOW


@rule
def test_more_than_the_limit_on_the_watched_topics_is_too_far(hub, monkeypatch):
    monkeypatch.setattr(streams, "REPLAY_LIMIT", 3)
    ref, others = make.idea(), [make.idea() for _ in range(3)]
    assert replay(View.PUBLIC, [IDEAS], 0).why == "too_far"
    assert len(replay(View.PUBLIC, [IDEAS], 1).events) == 3
    assert types(replay(View.PUBLIC, [idea_topic(ref)], 0)) == ["idea.posted"]
    assert len(replay(View.PUBLIC, [idea_topic(each) for each in others], 0).events) == 3
    assert len(replay(View.PUBLIC, [IDEAS], 0, limit=4).events) == 4


@rule
def test_a_restart_is_never_a_reason(past):
    before = stream()
    after = stream()
    for view in VIEWS:
        for number in range(before.head().number(view) + 1):
            at = cursor(view, number)
            assert after.replay(view, [BOARD], at, after.head()) == before.replay(view, [BOARD], at, before.head())


@rule
def test_a_new_right_or_a_lost_one_voids_the_cursor_of_the_view_one_had(hub):
    bob = make.staff()
    at = cursor(bob.view)
    for changed in (make.changed(bob, "leader"), make.changed(bob, kind="resident")):
        assert stream().replay(changed.view, [BOARD], at, stream().head()).why == "rights"
    moderator = make.changed(bob, "moderator")
    assert stream().replay(moderator.view, [BOARD], at, stream().head()).mode == "resume"


# Watching


@rule
def test_one_watches_what_one_may_see_and_the_rest_might_not_exist(past):
    public, inside, top = past
    hidden, gone = make.idea(hidden=True), "nowhere"
    asked = {IDEAS, BOARD, ME, "challenge:x", "", "idea:", *map(idea_topic, (public, inside, top, hidden, gone))}
    for actor, seen in (
        (NOBODY, {IDEAS, BOARD, idea_topic(public)}),
        (make.resident(), {IDEAS, BOARD, ME, idea_topic(public)}),
        (make.moderator(), {IDEAS, BOARD, ME, idea_topic(public), idea_topic(inside)}),
        (make.admin(), {IDEAS, BOARD, ME, idea_topic(public), idea_topic(inside), idea_topic(top)}),
    ):
        watch = stream().watch(actor, asked, None)
        assert watch.allowed == seen
        assert set(watch.facts) <= seen


@rule
def test_who_comes_back_is_told_the_tallies_that_moved_meanwhile(hub):
    ref, quiet, inside = make.idea(), make.idea(), make.idea(audience="staff")
    at = cursor(View.PUBLIC)
    cast_vote(make.staff(), ref)
    cast_vote(make.leader(), inside)
    watch = stream().watch(NOBODY, {IDEAS}, at)
    assert (watch.reply.mode, watch.reply.events) == ("resume", [])
    assert watch.facts == {idea_topic(ref): stream().source.facts([idea_topic(ref)], View.PUBLIC)[idea_topic(ref)]}
    assert idea_topic(quiet) not in watch.facts
    assert stream().watch(NOBODY, {idea_topic(quiet)}, at).facts.keys() == {idea_topic(quiet)}


@rule
def test_how_much_moves_out_of_sight_makes_nobody_too_far(hub, monkeypatch):
    """Else a resident could count, by being reset or not, what staff vote on."""
    monkeypatch.setattr(streams, "REPLAY_LIMIT", 2)
    refs, inside, lea = [make.idea() for _ in range(3)], [make.idea(audience="staff") for _ in range(4)], make.leader()
    at = cursor(View.PUBLIC)
    for ref in (*inside, *refs[:2]):
        cast_vote(lea, ref)
    watch = stream().watch(NOBODY, {IDEAS}, at)
    assert (watch.reply.mode, set(watch.facts)) == ("resume", set(map(idea_topic, refs[:2])))
    cast_vote(lea, refs[2])
    assert stream().watch(NOBODY, {IDEAS}, at).reply.why == "too_far"


@rule
def test_a_reply_says_what_the_contract_says(past):
    told = stream()
    assert told.replay(View.PUBLIC, [BOARD], "x", told.head()).message() == {
        "mode": "reset",
        "why": "unknown",
        "cursor": cursor(View.PUBLIC),
        "events": [],
    }
    assert set(told.replay(View.PUBLIC, [BOARD], None, told.head()).message()) == {"mode", "cursor", "events"}


@rule
def test_a_cursor_tells_nothing_of_what_its_bearer_was_not_shown(hub):
    make.idea()
    before = cursor(View.PUBLIC)
    make.idea(audience="staff")
    make.comment(ref := make.idea(audience="leadership"))
    change_idea(make.admin(), ref, audience=View.STAFF)
    assert cursor(View.PUBLIC) == before
