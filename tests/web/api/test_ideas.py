import threading
from datetime import UTC, datetime

import pytest

from events.catalogue import View
from ideas_hub.clock import replace_now
from tests import make
from tests.support.clock import Clock
from tests.support.witness import nothing_written
from tests.web.api.conftest import Api
from tests.web.api.routes import TEXTS
from tests.web.api.shapes import ANSWER, CARD, COMMENT, IDEA, PERSON, TALLY, fits
from web.api.answers import Answers
from web.api.comments import Comment
from web.api.events import Event, Timeline
from web.api.ideas import Answer, Card, Idea, Ideas, Similar
from web.api.people import Me, Person
from web.api.votes import Tally


def test_a_resident_posts_an_idea_that_everybody_can_read(api: Api) -> None:
    make.theme("warmth")
    ann = make.resident("Ann")
    here = api.by().here()
    answer = api.by(ann).post("/ideas", TEXTS | {"gain": " Rest. ", "themes": ["warmth"], "place": "Hay", "challenge": None})
    assert answer.status_code == 201
    assert fits(answer.json, IDEA, Idea)
    ref = answer.json["id"]
    assert answer.headers["Location"] == f"http://127.0.0.1:8000/api/v1/ideas/{ref}"
    assert answer.json["url"] == f"http://127.0.0.1:8000/ideas/{ref}"
    assert answer.json["authors"] == [{"id": ann.ref, "name": "Ann", "kind": "resident", "team": None}]
    assert (answer.json["gain"], answer.json["themes"], answer.json["place"]) == ("Rest.", ["warmth"], "Hay")
    assert (answer.json["audience"], answer.json["stage"], answer.json["answer"]) == ("public", "new", None)
    assert answer.json["posted_at"].endswith("Z")
    assert api.by().get(f"/ideas/{ref}").json == answer.json
    (event,) = api.by().told(here)
    assert (event["type"], event["data"]["idea"], event["data"]["title"]) == ("idea.posted", ref, "Warm rooms")
    assert fits(event, None, Event)


@pytest.mark.sqlite_only
def test_residents_write_for_everybody_and_staff_not_for_leaders(api: Api) -> None:
    for who, may in ((make.resident(), "public"), (make.staff(), "public staff"), (make.leader(), "public staff leadership")):
        caller = api.by(who)
        for view in View:
            body = TEXTS | {"audience": view.word}
            if view.word in may.split():
                assert caller.post("/ideas", body).json["audience"] == view.word
            else:
                with nothing_written():
                    assert caller.post("/ideas", body).status_code == 403


@pytest.mark.sqlite_only
def test_all_that_is_wrong_with_an_idea_is_named_at_once(api: Api) -> None:
    caller = api.by(make.resident())
    with nothing_written():
        for body, wrong in [
            ({}, "title problem proposal"),
            ({"title": " ", "problem": "\n", "proposal": "\t"}, "title problem proposal"),
            (TEXTS | {"title": 5}, "title"),
            (TEXTS | {"title": None, "gain": None, "place": []}, "title gain place"),
            (TEXTS | {"title": ["x"], "problem": {"a": "b"}, "proposal": True}, "title problem proposal"),
            (TEXTS | {"title": "a" * 121, "problem": "a" * 4001, "proposal": "a" * 10_001}, "title problem proposal"),
            (TEXTS | {"gain": "a" * 2001, "cost_of_inaction": "a" * 2001, "place": "a" * 121}, "gain cost_of_inaction place"),
            (TEXTS | {"audience": "everyone"}, "audience"),
            (TEXTS | {"audience": ""}, "audience"),
            (TEXTS | {"audience": 0}, "audience"),
            (TEXTS | {"themes": "warmth"}, "themes"),
            (TEXTS | {"themes": [1]}, "themes"),
            (TEXTS | {"themes": ["no-such"]}, "themes"),
            (TEXTS | {"themes": [f"t{n}" for n in range(6)]}, "themes"),
            (TEXTS | {"themes": [None]}, "themes"),
            (TEXTS | {"challenge": "7kq2m9xv"}, "challenge"),
            (TEXTS | {"future": "7kq2m9xv"}, "future"),
            (TEXTS | {"id": "7kq2m9xv", "votes": 1000, "stage": "adopted", "authors": []}, "id votes stage authors"),
            (TEXTS | {"\ud800": 1}, "\ud800"),
        ]:
            answer = caller.post("/ideas", body)
            assert answer.status_code == 422, body
            assert set(answer.json["errors"]) == set(wrong.split()), body
            for sentences in answer.json["errors"].values():
                assert all(isinstance(sentence, str) and sentence for sentence in sentences)


@pytest.mark.sqlite_only
def test_texts_are_measured_trimmed_and_with_line_breaks_as_one_character(api: Api) -> None:
    body = TEXTS | {"title": "  " + "é" * 120 + "\r\n", "problem": "a" * 2000 + "\r\n" + "b" * 1999}
    answer = api.by(make.resident()).post("/ideas", body)
    assert (answer.status_code, answer.json["title"]) == (201, "é" * 120)
    assert answer.json["problem"] == "a" * 2000 + "\n" + "b" * 1999


def test_control_characters_are_refused_wherever_they_are_sent(api: Api) -> None:
    idea, caller = make.idea(), api.by(make.overseer())
    controls = [*range(0x20), *range(0x7F, 0xA0), 0xD800, 0xDFFF]
    with nothing_written():
        for control in map(chr, controls):
            if control in "\t\n":
                continue
            answer = caller.post("/ideas", TEXTS | {"title": f"a{control}b"})
            assert (answer.status_code, list(answer.json["errors"])) == (422, ["title"]), repr(control)
        nul = "a\0b"
        for method, path, body, name in [
            ("POST", "/ideas", TEXTS | {"themes": [nul]}, "themes"),
            ("POST", f"/ideas/{idea}/comments", {"body": "x", "parent": nul}, "parent"),
            ("POST", f"/ideas/{idea}/comments", {"body": nul}, "body"),
            ("PUT", f"/ideas/{idea}/sponsor", {"person": nul, "reason": "x"}, "person"),
            ("PUT", f"/ideas/{idea}/hidden", {"reason": nul}, "reason"),
            ("POST", f"/ideas/{idea}/moves", {"to": "merged", "reason": "x", "into": nul}, "into"),
            ("POST", f"/ideas/{idea}/moves", {"to": nul, "reason": "x"}, "to"),
            ("GET", "/ideas?q=a%00b", None, "q"),
            ("GET", "/ideas?theme=a%00b", None, "theme"),
            ("GET", "/ideas/similar?text=a%00b", None, "text"),
            ("GET", "/events?topics=idea:%00", None, "topics"),
            ("GET", "/events?after=%00", None, "after"),
        ]:
            answer = caller.ask(method, path, body)
            assert (answer.status_code, list(answer.json["errors"])) == (422, [name]), path


def test_any_writing_of_the_world_is_kept_as_it_was_sent(api: Api) -> None:
    for title in (
        "مرحبا \u200f\u200e بكم",
        "שלום",
        "Dŵr glân 🏞️ 👩‍👩‍👧",
        "a\tb\nc",
        "<script>alert(1)</script>",
        "%s %(x)s {0}",
        "𝔘𝔫",
    ):
        answer = api.by(make.resident()).post("/ideas", TEXTS | {"title": title})
        assert (answer.status_code, answer.json["title"]) == (201, title)
        assert api.by().get(f"/ideas/{answer.json['id']}").json["title"] == title


def test_an_author_changes_the_words_and_everybody_is_told(api: Api) -> None:
    ann = make.resident()
    idea, here = make.idea(ann), api.by().here()
    answer = api.by(ann).patch(f"/ideas/{idea}", {"title": "Warmer", "short_title": "Warm"})
    assert (answer.status_code, answer.json["title"], answer.json["short_title"]) == (200, "Warmer", "Warm")
    assert fits(answer.json, IDEA, Idea)
    assert [event["type"] for event in api.by().told(here)] == ["idea.revised"]
    here = api.by().here()
    assert api.by(ann).patch(f"/ideas/{idea}", {"title": "Warmer"}).status_code == 200
    assert api.by(ann).patch(f"/ideas/{idea}", {}).status_code == 200
    assert api.by().told(here) == []


@pytest.mark.sqlite_only
def test_only_those_who_may_change_what_is_given(api: Api) -> None:
    ann, sue = make.resident(), make.sponsor()
    idea = make.idea(ann, sponsor=sue)
    other, leader = make.resident(), make.leader()
    for who in (ann, sue, other, leader):
        api.by(who)
    with nothing_written():
        for who, body, status in [
            (other, {"title": "x"}, 403),
            (sue, {"title": "x"}, 403),
            (leader, {"problem": "x"}, 403),
            (other, {"themes": []}, 403),
            (other, {"short_title": "x"}, 403),
            (ann, {"audience": "staff"}, 403),
            (sue, {"audience": "staff"}, 403),
            (ann, {"title": "x", "audience": "staff"}, 403),
            (ann, {"title": ""}, 422),
            (ann, {"short_title": "x" * 61}, 422),
            (ann, {"title": "x", "themes": ["no-such"]}, 422),
        ]:
            assert api.by(who).patch(f"/ideas/{idea}", body).status_code == status, body
    assert api.by(leader).patch(f"/ideas/{idea}", {"audience": "staff"}).json["audience"] == "staff"
    assert api.by(other).get(f"/ideas/{idea}").status_code == 404
    moved = make.idea(ann, stage="exploring")
    assert api.by(ann).patch(f"/ideas/{moved}", {"title": "x"}).status_code == 409


def test_a_change_of_what_one_has_not_read_is_refused(api: Api) -> None:
    ann = make.resident()
    idea = make.idea(ann)
    caller = api.by(ann)
    read = caller.get(f"/ideas/{idea}").headers["ETag"]
    make.cast(idea, residents=2)
    make.comment(idea)
    assert caller.patch(f"/ideas/{idea}", {"title": "One"}, headers={"If-Match": read}).status_code == 200  # votes change no text
    changed = caller.get(f"/ideas/{idea}").headers["ETag"]
    with nothing_written():
        for mark in (read, "nonsense", '"nonsense"', f"W/{changed}", '""', "", '"r-1-ab"', '"r99-ab"', '"r1', changed.strip('"')):
            answer = caller.patch(f"/ideas/{idea}", {"title": "Two"}, headers={"If-Match": mark})
            assert (answer.status_code, answer.mimetype) == (412, "application/problem+json"), mark
        assert caller.patch("/ideas/zzzzzzzz", {"title": "Two"}, headers={"If-Match": read}).status_code == 404
    for mark in (changed, "*", f"{changed}, {read}"):
        current = caller.get(f"/ideas/{idea}").headers["ETag"]
        mark = mark.replace(changed, current)
        assert caller.patch(f"/ideas/{idea}", {"title": f"Three {mark}"}, headers={"If-Match": mark}).status_code == 200


def test_an_author_withdraws_what_nobody_answered_to(api: Api) -> None:
    ann = make.resident()
    idea, here = make.idea(ann), api.by().here()
    other = api.by(make.resident())
    with nothing_written():
        assert other.delete(f"/ideas/{idea}").status_code == 403
    answer = api.by(ann).delete(f"/ideas/{idea}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert api.by(ann).get(f"/ideas/{idea}").status_code == 404
    (event,) = api.by().told(here, f"idea:{idea}", "board")
    assert (event["type"], event["data"]) == ("idea.withdrawn", {"idea": idea})
    voted = make.idea(ann, votes=1)
    with nothing_written():
        assert api.by(ann).delete(f"/ideas/{voted}").status_code == 409
        assert api.by(ann).delete(f"/ideas/{idea}").status_code == 404


def test_a_moderator_hides_an_idea_and_shows_it_again(api: Api) -> None:
    idea, moderator, here = make.idea(), api.by(make.moderator()), api.by().here()
    others = [api.by(make.resident()), api.by(make.leader()), api.by(make.admin())]
    with nothing_written():
        for other in others:
            assert other.put(f"/ideas/{idea}/hidden", {"reason": "x"}).status_code == 403
            assert other.delete(f"/ideas/{idea}/hidden").status_code == 403
        assert list(moderator.put(f"/ideas/{idea}/hidden", {}).json["errors"]) == ["reason"]
        assert moderator.put(f"/ideas/{idea}/hidden", {"reason": "x" * 2001}).status_code == 422
    for _twice in range(2):
        assert moderator.put(f"/ideas/{idea}/hidden", {"reason": "Names a neighbour."}).status_code == 204
    assert api.by().get(f"/ideas/{idea}").status_code == 404
    assert moderator.get(f"/ideas/{idea}").status_code == 200
    for _twice in range(2):
        assert moderator.delete(f"/ideas/{idea}/hidden", {"reason": "They agreed."}).status_code == 204
    assert api.by().get(f"/ideas/{idea}").status_code == 200
    assert [event["type"] for event in api.by().told(here)] == ["idea.hidden", "idea.restored"]


def test_ideas_that_look_alike_come_with_what_was_learned(api: Api) -> None:
    learned = make.idea(title="Warm rooms in libraries", stage="learned")
    make.idea(title="Warm libraries for staff", audience="staff")
    make.idea(title="Cycle lanes")
    answer = api.by().get("/ideas/similar?text=warm+library").json
    assert fits(answer, "items", Similar)
    assert [item["id"] for item in answer["items"]] == [learned]
    assert set(answer["items"][0]) == {*CARD.split(), "lesson", "reason"}
    assert answer["items"][0]["lesson"]["text"] == "Ask first."
    assert len(api.by(make.staff()).get("/ideas/similar?text=warm+library").json["items"]) == 2
    for nothing in ("", "%3F%21", "zzz"):
        assert api.by().get(f"/ideas/similar?text={nothing}").json == {"items": []}
    assert list(api.by().get("/ideas/similar").json["errors"]) == ["text"]
    assert api.by().get(f"/ideas/similar?text={'a' * 1001}").status_code == 422


# Votes


def test_a_vote_is_cast_and_taken_back_and_twice_is_harmless(api: Api) -> None:
    idea, bob, stu = make.idea(), api.by(make.resident()), api.by(make.staff())
    for _twice in range(2):
        answer = bob.put(f"/ideas/{idea}/vote")
        assert answer.json == {"idea": idea, "votes": 1, "votes_residents": 1, "votes_staff": 0, "voted": True, "held": False}
    assert fits(stu.put(f"/ideas/{idea}/vote", {}).json, TALLY, Tally)
    assert bob.get(f"/ideas/{idea}").json["voted"] is True
    assert api.by().get(f"/ideas/{idea}").json["voted"] is False
    for _twice in range(2):
        answer = bob.delete(f"/ideas/{idea}/vote")
        assert answer.json == {"idea": idea, "votes": 1, "votes_residents": 0, "votes_staff": 1, "voted": False, "held": False}


@pytest.mark.sqlite_only
def test_a_vote_is_refused_for_ones_own_idea_and_for_one_that_is_closed(api: Api) -> None:
    ann = make.resident()
    own, adopted = make.idea(ann), make.idea(stage="adopted")
    caller = api.by(ann)
    with nothing_written():
        for method in ("PUT", "DELETE"):
            assert caller.ask(method, f"/ideas/{own}/vote").status_code == 403
            assert caller.ask(method, f"/ideas/{adopted}/vote").status_code == 409


# Comments


def test_people_talk_under_an_idea(api: Api) -> None:
    idea, ann, bob = make.idea(), api.by(make.resident()), api.by(make.resident("Bob"))
    topic, here = f"idea:{idea}", api.by().here()
    first = ann.post(f"/ideas/{idea}/comments", {"body": "**Why** <i>there</i>?", "kind": "question"})
    assert first.status_code == 201
    assert fits(first.json, COMMENT, Comment)
    assert first.json["html"] == "<p><strong>Why</strong> &lt;i&gt;there&lt;/i&gt;?</p>\n"
    reply = bob.post(f"/ideas/{idea}/comments", {"body": "It is near.", "parent": first.json["id"]}).json
    assert (reply["parent"], reply["kind"], reply["audience"], reply["author"]["name"]) == (
        first.json["id"],
        "build",
        "public",
        "Bob",
    )
    assert api.by().get(f"/ideas/{idea}/comments").json == {"items": [first.json, reply], "next": None}
    assert api.by().get(f"/ideas/{idea}").json["comments"] == 2
    with nothing_written():
        assert bob.delete(f"/ideas/{idea}/comments/{first.json['id']}").status_code == 403
    for _twice in range(2):
        assert ann.delete(f"/ideas/{idea}/comments/{first.json['id']}").status_code == 204
    gone, left = api.by().get(f"/ideas/{idea}/comments").json["items"]
    assert fits(gone, COMMENT, Comment)
    assert (gone["body"], gone["html"], gone["author"], gone["withdrawn"]) == (None, None, None, True)
    assert left == reply
    assert [event["type"] for event in api.by().told(here, topic)] == ["comment.posted", "comment.posted", "comment.withdrawn"]


@pytest.mark.sqlite_only
def test_what_is_wrong_with_a_comment_is_named(api: Api) -> None:
    idea, other = make.idea(), make.comment(make.idea())
    top = make.comment(idea)
    below = make.comment(idea, parent=top)
    resident, staff = api.by(make.resident()), api.by(make.staff())
    with nothing_written():
        for body, wrong in [
            ({}, "body"),
            ({"body": " \n "}, "body"),
            ({"body": "a" * 4001}, "body"),
            ({"body": 1}, "body"),
            ({"body": "x", "kind": "rant"}, "kind"),
            ({"body": "x", "kind": None}, "kind"),
            ({"body": "x", "parent": other}, "parent"),
            ({"body": "x", "parent": below}, "parent"),
            ({"body": "x", "parent": 5}, "parent"),
            ({"body": "x", "author": "me"}, "author"),
        ]:
            answer = resident.post(f"/ideas/{idea}/comments", body)
            assert (answer.status_code, list(answer.json["errors"])) == (422, [wrong]), body
        assert resident.post(f"/ideas/{idea}/comments", {"body": "x", "audience": "staff"}).status_code == 403
    inside = staff.post(f"/ideas/{idea}/comments", {"body": "x", "audience": "staff", "parent": None}).json
    assert inside["audience"] == "staff"
    assert inside["id"] not in [item["id"] for item in resident.get(f"/ideas/{idea}/comments").json["items"]]
    assert resident.get(f"/ideas/{idea}").json["comments"] == 2
    assert staff.get(f"/ideas/{idea}").json["comments"] == 3


def test_a_moderator_hides_a_comment_and_shows_it_again(api: Api) -> None:
    idea, other = make.idea(), make.idea()
    comment, moderator, ann = make.comment(idea), api.by(make.moderator()), api.by(make.leader())
    here, path = api.by().here(), f"/ideas/{idea}/comments/{comment}/hidden"
    with nothing_written():
        assert ann.put(path, {"reason": "x"}).status_code == 403
        assert ann.delete(path).status_code == 403
        assert moderator.put(path).status_code == 422
        assert moderator.put(path.replace(idea, other), {"reason": "x"}).status_code == 404
    for _twice in range(2):
        assert moderator.put(path, {"reason": "Rude."}).status_code == 204
    assert api.by().get(f"/ideas/{idea}/comments").json["items"] == []
    for _twice in range(2):
        assert moderator.delete(path).status_code == 204
    assert [item["id"] for item in api.by().get(f"/ideas/{idea}/comments").json["items"]] == [comment]
    assert [event["type"] for event in api.by().told(here, f"idea:{idea}")] == ["comment.hidden", "comment.restored"]


# Sponsors, moves and answers


def test_a_sponsor_takes_an_idea_on_and_ends_it(api: Api) -> None:
    idea, sue, sid = make.idea(), make.sponsor("Sue"), make.sponsor()
    here, taking, other = api.by().here(), api.by(sue), api.by(sid)
    for _twice in range(2):
        answer = taking.put(f"/ideas/{idea}/sponsor", {})
        assert (answer.status_code, answer.json["sponsor"]["id"]) == (200, sue.ref)
    assert fits(answer.json, IDEA, Idea)
    assert answer.json["stage"] == "new"
    resident = api.by(make.resident())
    with nothing_written():
        assert other.put(f"/ideas/{idea}/sponsor", {}).status_code == 409
        assert other.delete(f"/ideas/{idea}/sponsor", {"reason": "x"}).status_code == 403
        assert resident.put(f"/ideas/{idea}/sponsor").status_code == 403
        assert list(taking.delete(f"/ideas/{idea}/sponsor").json["errors"]) == ["reason"]
    assert taking.delete(f"/ideas/{idea}/sponsor", {"reason": "New job."}).json["sponsor"] is None
    left = [event for event in api.by().told(here) if event["type"].startswith("idea.sponsor")]
    assert [(event["type"], event["data"]["sponsor"]["name"]) for event in left] == [
        ("idea.sponsored", "Sue"),
        ("idea.sponsor_left", "Sue"),
    ]


def test_a_leader_names_who_sponsors(api: Api) -> None:
    idea, sue, lee, here = make.idea(), make.sponsor(), api.by(make.leader()), api.by().here()
    stranger = make.staff()
    with nothing_written():
        assert list(lee.put(f"/ideas/{idea}/sponsor", {"person": sue.ref}).json["errors"]) == ["reason"]
        for nobody in (stranger.ref, "zzzzzzzz", "", "é"):
            wrong = lee.put(f"/ideas/{idea}/sponsor", {"person": nobody, "reason": "x"})
            assert (wrong.status_code, list(wrong.json["errors"])) == (422, ["person"])
        assert lee.put(f"/ideas/{idea}/sponsor", {"person": None, "reason": "x"}).status_code == 422
    for _twice in range(2):
        assert lee.put(f"/ideas/{idea}/sponsor", {"person": sue.ref, "reason": "Knows."}).json["sponsor"]["id"] == sue.ref
    (event,) = api.by().told(here)
    assert event["data"]["reason"] == "Knows."
    assert api.by(sue).put(f"/ideas/{idea}/sponsor", {"person": sue.ref, "reason": "x"}).status_code == 403


def test_a_sponsor_may_say_why_they_take_an_idea_on(api: Api) -> None:
    idea, here = make.idea(), api.by().here()
    assert api.by(make.sponsor()).put(f"/ideas/{idea}/sponsor", {"reason": " I run the libraries. "}).status_code == 200
    (event,) = api.by().told(here)
    assert event["data"]["reason"] == "I run the libraries."
    assert api.by(make.sponsor()).put(f"/ideas/{make.idea()}/sponsor", {"reason": "x" * 2001}).status_code == 422


def test_of_two_sponsors_at_once_one_takes_the_idea(api: Api) -> None:
    idea = make.idea()
    callers = [api.by(make.sponsor()) for _ in range(4)]
    start, found = threading.Barrier(len(callers)), []

    def take(number: int) -> None:
        start.wait()
        found.append(callers[number].put(f"/ideas/{idea}/sponsor", {}).status_code)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(len(callers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200, 409, 409, 409]


def test_an_idea_goes_through_the_stages_to_its_lesson(api: Api) -> None:
    sue = make.sponsor()
    idea, caller, admin, here = make.idea(), api.by(sue), api.by(make.admin()), api.by().here()
    with nothing_written():
        assert caller.post(f"/ideas/{idea}/moves", {"to": "exploring", "reason": "x"}).status_code == 403
        assert admin.post(f"/ideas/{idea}/moves", {"to": "exploring", "reason": "x"}).status_code == 409  # no sponsor
    caller.put(f"/ideas/{idea}/sponsor", {})
    trial = {"hypothesis": "It helps.", "test": "One room.", "measure": "Visits.", "ends": "2099-01-31"}
    for body, stage in [
        ({"to": "exploring", "reason": "Promising."}, "exploring"),
        ({"to": "trial", "reason": "Cheap."} | trial, "trial"),
        ({"to": "learned", "reason": "Nobody came.", "lesson": "Ask first."}, "learned"),
    ]:
        answer = caller.post(f"/ideas/{idea}/moves", body)
        assert (answer.status_code, answer.json["stage"]) == (201, stage)
        assert fits(answer.json, IDEA, Idea)
        with nothing_written():
            assert caller.post(f"/ideas/{idea}/moves", body).status_code == 409
    moves = [event["data"] for event in api.by().told(here) if event["type"] == "idea.stage_changed"]
    assert [(move["from"], move["to"], move["reason"]) for move in moves] == [
        ("new", "exploring", "Promising."),
        ("exploring", "trial", "Cheap."),
        ("trial", "learned", "Nobody came."),
    ]


@pytest.mark.sqlite_only
def test_what_a_move_lacks_is_named(api: Api) -> None:
    sue = make.sponsor()
    idea, caller, bob = make.idea(stage="exploring", sponsor=sue), api.by(sue), api.by(make.resident())
    trial = {"to": "trial", "reason": "x", "hypothesis": "x", "test": "x", "measure": "x", "ends": "2099-01-31"}
    with nothing_written():
        assert bob.post(f"/ideas/{idea}/moves", {"to": "trial"}).status_code == 403
        for body, wrong in [
            ({}, "to"),
            ({"to": "gone", "reason": "x"}, "to"),
            ({"to": "parked"}, "review_on"),
            ({"to": "parked", "review_on": "2099-01-31"}, "reason"),
            ({"to": "parked", "reason": "x" * 2001, "review_on": "2099-01-31"}, "reason"),
            ({"to": "trial", "reason": "x"}, "hypothesis test measure ends"),
            (trial | {"ends": "2020-01-31"}, "ends"),
            (trial | {"ends": "31/01/2099"}, "ends"),
            (trial | {"ends": "20990131"}, "ends"),
            (trial | {"ends": "2099-W01-1"}, "ends"),
            (trial | {"ends": "2099-02-30"}, "ends"),
            (trial | {"ends": "٢٠٩٩-٠١-٠١"}, "ends"),
            (trial | {"ends": "2099-01-31T00:00:00Z"}, "ends"),
            (trial | {"ends": 20990131}, "ends"),
            (trial | {"ends": None}, "ends"),
            (trial | {"test": "x" * 2001}, "test"),
            (trial | {"lesson": "x"}, "lesson"),
            ({"to": "declined", "reason": "x", "review_on": "2099-01-31"}, "review_on"),
        ]:
            answer = caller.post(f"/ideas/{idea}/moves", body)
            assert (answer.status_code, set(answer.json["errors"])) == (422, set(wrong.split())), body
        for to in ("new", "exploring", "learned"):
            assert caller.post(f"/ideas/{idea}/moves", {"to": to, "reason": "x", "lesson": "y"}).status_code == 409


def test_a_moderator_merges_an_idea_into_another(api: Api) -> None:
    into, idea = make.idea(votes=1), make.idea(votes=2)
    moderator, here = api.by(make.moderator()), api.by().here()
    secret = make.idea(audience="leadership")
    leader = api.by(make.leader())
    with nothing_written():
        assert leader.post(f"/ideas/{idea}/moves", {"to": "merged", "reason": "x", "into": into}).status_code == 403
        for nowhere in (None, "zzzzzzzz", idea, secret, "é", ""):
            body = {"to": "merged", "reason": "Same."} | ({} if nowhere is None else {"into": nowhere})
            answer = moderator.post(f"/ideas/{idea}/moves", body)
            assert (answer.status_code, list(answer.json["errors"])) == (422, ["into"]), nowhere
    answer = moderator.post(f"/ideas/{idea}/moves", {"to": "merged", "reason": "Same.", "into": into})
    assert (answer.status_code, answer.json["stage"], answer.json["votes"]) == (201, "merged", 0)
    assert api.by().get(f"/ideas/{into}").json["votes"] == 3
    assert [event["data"]["into"] for event in api.by().told(here) if event["type"] == "idea.merged"] == [into]
    assert [card["id"] for card in api.by().get("/ideas").json["items"]] == [into]
    assert [card["id"] for card in api.by().get("/ideas?stage=merged").json["items"]] == [idea]


def test_a_sponsor_answers_and_moves_in_one(api: Api) -> None:
    sue = make.sponsor("Sue")
    idea, caller, here = make.idea(), api.by(sue), api.by().here()
    bob = api.by(make.resident())
    with nothing_written():
        assert bob.post(f"/ideas/{idea}/answers", {}).status_code == 403
    caller.put(f"/ideas/{idea}/sponsor", {})
    with nothing_written():
        for body, wrong in [
            ({}, "text"),
            ({"text": "x" * 10_001}, "text"),
            ({"text": "x", "to": "parked"}, "review_on"),
            ({"text": "x", "review_on": "2099-01-31"}, "review_on"),
            ({"text": "x", "reason": "y"}, "reason"),
        ]:
            answer = caller.post(f"/ideas/{idea}/answers", body)
            assert (answer.status_code, list(answer.json["errors"])) == (422, [wrong]), body
        assert caller.post(f"/ideas/{idea}/answers", {"text": "x", "to": "learned", "lesson": "x"}).status_code == 409
    first = caller.post(f"/ideas/{idea}/answers", {"text": "We *look*."})
    assert (first.status_code, first.json["html"]) == (201, "<p>We <em>look</em>.</p>\n")
    assert fits(first.json, ANSWER, Answer)
    second = caller.post(f"/ideas/{idea}/answers", {"text": "Later.", "to": "parked", "review_on": "2099-01-31"})
    found = api.by().get(f"/ideas/{idea}/answers").json
    assert found == {"items": [second.json, first.json], "next": None}
    assert fits(found, None, Answers)
    whole = api.by().get(f"/ideas/{idea}").json
    assert (whole["stage"], whole["answer"]) == ("parked", second.json)
    card = api.by().get("/ideas").json["items"][0]
    assert set(card["answer"]) == {"id", "idea", "by", "at"}
    types = [event["type"] for event in api.by().told(here)]
    assert sorted(types) == ["idea.answered", "idea.answered", "idea.sponsored", "idea.stage_changed"]


# The rest


def test_an_idea_tells_its_story(api: Api) -> None:
    idea = make.idea(stage="exploring", votes=3)
    make.comment(idea)
    make.comment(idea, audience="staff")
    first = api.by().get(f"/ideas/{idea}/timeline?limit=2")
    assert fits(first.json, "items next", Timeline)
    assert first.json["next"] in first.headers["Link"]
    rest = api.by().get(f"/ideas/{idea}/timeline?cursor={first.json['next']}").json
    types = [event["type"] for event in first.json["items"] + rest["items"]]
    assert types == ["idea.posted", "idea.sponsored", "idea.stage_changed", "comment.posted"]
    assert rest["next"] is None
    assert len(api.by(make.staff()).get(f"/ideas/{idea}/timeline").json["items"]) == 5
    other = api.by().get(f"/ideas/{make.idea()}/timeline?cursor={first.json['next']}")
    assert (other.status_code, list(other.json["errors"])) == (422, ["cursor"])


def test_the_board_shows_what_the_caller_may_see(api: Api) -> None:
    public, staff = make.idea(stage="trial", votes=2), make.idea(stage="trial", audience="staff")
    make.idea(stage="trial", hidden=True)
    columns = {column["stage"]: column for column in api.by().get("/board").json["columns"]}
    assert list(columns) == ["new", "exploring", "trial", "adopted", "learned", "parked", "declined", "merged"]
    assert (columns["trial"]["label"], columns["trial"]["count"]) == ("Trial", 1)
    (card,) = columns["trial"]["cards"]
    assert fits(card, CARD, Card)
    assert card["id"] == public
    seen = api.by(make.staff()).get("/board").json
    column = next(column for column in seen["columns"] if column["stage"] == "trial")
    assert ({card["id"] for card in column["cards"]}, column["count"]) == ({public, staff}, 2)
    assert seen["figures"] == {"waiting": 0, "late": 0, "on_time": None, "trials": 2, "trials_ended": 0}
    assert list(api.by().get("/board?at=2020-01-01T00:00:00Z").json["errors"]) == ["at"]


@pytest.mark.sqlite_only
def test_everybody_learns_who_they_are_and_what_they_may_do(api: Api) -> None:
    for who, view, may in [
        (make.resident(), "public", "post comment vote"),
        (make.staff(team="Roads"), "staff", "post comment vote"),
        (make.sponsor(), "staff", "post comment vote sponsor"),
        (make.moderator(), "staff", "post comment vote merge hide decide_votes recount"),
        (make.leader(), "leadership", "post comment vote shorten set_audience sponsor name_sponsor end_sponsor move"),
        (
            make.admin(),
            "leadership",
            "post comment vote shorten set_audience name_sponsor end_sponsor move merge recount "
            "see_people change_person suspend join_people arrange set_up audit",
        ),
    ]:
        me = api.by(who).get("/me").json
        assert fits(me, "person roles view may", Me)
        assert fits(me["person"], PERSON, Person)
        assert (me["person"]["id"], me["view"], set(me["may"])) == (who.ref, view, set(may.split()))
        assert me["roles"] == sorted(who.roles)
    assert api.by().get("/me").json == {"person": None, "roles": [], "view": "public", "may": []}


@pytest.mark.sqlite_only
def test_no_answer_carries_an_address_of_a_person(api: Api) -> None:
    idea = make.idea(stage="exploring", votes=1)
    make.comment(idea)
    make.answer(idea)
    admin = api.by(make.admin())
    for path in ("", "/comments", "/answers", "/timeline"):
        assert b"example.org" not in admin.get(f"/ideas/{idea}{path}").data
    for path in ("/ideas", "/board", "/me"):
        assert b"example.org" not in admin.get(path).data


@pytest.mark.sqlite_only
def test_days_on_a_card_are_those_in_its_stage(api: Api) -> None:
    clock = Clock(datetime(2026, 7, 1, 9, tzinfo=UTC))
    replace_now(clock)
    try:
        make.idea()
        clock.goes_on(days=3, hours=5)
        listed = api.by(make.resident()).get("/ideas").json
    finally:
        replace_now(None)
    assert fits(listed, "items next", Ideas)
    assert listed["items"][0]["age_days"] == 3
    assert listed["items"][0]["posted_at"] == "2026-07-01T09:00:00Z"
