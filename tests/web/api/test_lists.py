"""Lists walked in pieces: nothing left out and nothing twice, also where many stand alike and while others write."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from ideas_hub.clock import replace_now
from tests import make
from tests.support.clock import Clock
from tests.web.api.conftest import ROOT, Api, Caller

SORTS = ["new", "top", "trending", "waiting", ""]


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock(datetime(2026, 7, 1, 9, 30, 15, 123456, tzinfo=UTC))
    replace_now(clock)
    yield clock
    replace_now(None)


def walk(caller: Caller, path: str, limit: int) -> list[str]:
    """What a list holds, by its pieces; each of them leads to the next, in the answer and in `Link` alike."""
    found: list[str] = []
    address = f"{path}{'&' if '?' in path else '?'}limit={limit}"
    for _piece in range(200):
        answer = caller.get(address)
        items = [item["id"] for item in answer.json["items"]]
        assert len(items) == limit or answer.json["next"] is None
        found += items
        if answer.json["next"] is None:
            assert "Link" not in answer.headers
            return found
        link = re.fullmatch(r'<http://127\.0\.0\.1:8000(.+)>; rel="next"', answer.headers["Link"])
        assert link
        assert answer.json["next"] in link[1]
        assert urlsplit(link[1]).path == ROOT + urlsplit(path).path
        address = link[1].removeprefix(ROOT)
    raise AssertionError("it does not end")


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_of_ideas_is_walked_whole(api: Api, clock: Clock, sort: str) -> None:
    ann, voters = make.resident(), [make.resident() for _ in range(2)]
    for number in range(13):
        idea = make.idea(ann, title=f"Warm {number}")
        for voter in voters[: number % 3]:
            api.by(voter).put(f"/ideas/{idea}/vote")
        if number % 4 == 3:  # the others of each four have come in the same moment
            clock.goes_on(seconds=40)
    make.idea(ann, audience="public", stage="merged")
    make.idea(audience="staff", title="Warm for staff")
    for question in ("", "&q=warm"):
        path = f"/ideas?sort={sort}{question}"
        whole = [item["id"] for item in api.by().get(f"{path}&limit=100").json["items"]]
        assert len(whole) == len(set(whole)) >= 13
        for limit in (1, 4, 7):
            assert walk(api.by(), path, limit) == whole
        assert len(walk(api.by(make.staff()), path, 5)) == len(whole) + 1


def test_orders_are_what_they_say(api: Api, clock: Clock) -> None:
    ideas = []
    for votes in (1, 0, 2):
        ideas.append(make.idea(votes=votes))
        clock.goes_on(hours=1)
    answered = make.idea(votes=3)
    make.answer(answered)
    trial = make.idea(stage="trial")
    first, second, third = ideas
    listed = {sort: [item["id"] for item in api.by().get(f"/ideas?sort={sort}").json["items"]] for sort in SORTS}
    assert listed["new"] == listed[""]
    assert set(listed["new"][:2]) == {answered, trial}
    assert listed["new"][2:] == [third, second, first]
    assert listed["top"][:3] == [answered, third, first]
    assert listed["waiting"] == [first, second, third]
    assert set(listed["trending"]) == set(listed["new"])


def test_a_walk_survives_what_is_posted_meanwhile(api: Api) -> None:
    ann = make.resident()
    before = [make.idea(ann) for _ in range(6)]
    first = api.by().get("/ideas?limit=3").json
    make.idea(ann)
    rest = api.by().get(f"/ideas?limit=100&cursor={first['next']}").json
    assert [item["id"] for item in first["items"] + rest["items"]] == before[::-1]
    idea = before[0]
    comments = [make.comment(idea, ann) for _ in range(4)]
    first = api.by().get(f"/ideas/{idea}/comments?limit=2").json
    later = make.comment(idea, ann)
    rest = api.by().get(f"/ideas/{idea}/comments?limit=100&cursor={first['next']}").json
    assert [item["id"] for item in first["items"] + rest["items"]] == [*comments, later]


def test_comments_answers_and_timelines_are_walked_whole(api: Api, clock: Clock) -> None:
    sue = make.sponsor()
    idea = make.idea(sponsor=sue)
    for number in range(9):
        make.comment(idea, audience="staff" if number % 3 == 2 else None)
        make.answer(idea)
    for caller in (api.by(), api.by(make.staff())):
        for path in ("comments", "answers", "timeline"):
            whole = [item["id"] for item in caller.get(f"/ideas/{idea}/{path}?limit=100").json["items"]]
            assert len(whole) == len(set(whole)) >= 6
            assert walk(caller, f"/ideas/{idea}/{path}", 2) == walk(caller, f"/ideas/{idea}/{path}", 5) == whole


def test_a_list_is_narrowed_by_what_is_asked(api: Api) -> None:
    for slug in ("warmth", "roads", "parks"):
        make.theme(slug)
    warm = make.idea(themes=["warmth"], title="Warm rooms")
    road = make.idea(themes=["roads", "parks"], stage="exploring", title="A warm road")
    staff = make.idea(audience="staff", stage="declined")
    caller = api.by(make.staff())
    for asked, found in [
        ("", {warm, road, staff}),
        ("?stage=new", {warm}),
        ("?stage=new,exploring", {warm, road}),
        ("?stage=new&stage=declined", {warm, staff}),
        ("?theme=warmth", {warm}),
        ("?theme=roads,warmth", {warm, road}),
        ("?theme=parks&theme=roads", {road}),
        ("?audience=staff", {staff}),
        ("?audience=public&stage=exploring&theme=parks&q=road&sort=top", {road}),
        ("?audience=leadership", set()),
        ("?q=WARM", {warm, road}),
        ("?q=wa+ro", {warm, road}),
        ("?q=%20%3F!%22%27)(*", set()),
        ("?q=%25", set()),
        ("?q=NEAR(warm", set()),
        ("?q=warm%20OR%20zzz", set()),
        ("?sort=waiting&stage=declined", set()),
        ("?sort=&stage=&theme=&challenge=&audience=&q=", {warm, road, staff}),
    ]:
        answer = caller.get(f"/ideas{asked}")
        assert (answer.status_code, {item["id"] for item in answer.json["items"]}) == (200, found), asked
    assert {item["id"] for item in api.by().get("/ideas?audience=staff").json["items"]} == set()


@pytest.mark.sqlite_only
def test_a_word_that_the_hub_does_not_know_is_refused_by_name(api: Api) -> None:
    make.theme("warmth")
    for asked, wrong in [
        ("sort=hot", "sort"),
        ("sort=NEW", "sort"),
        ("sort=new&sort=top", "sort"),
        ("sort=new,top", "sort"),
        ("stage=old", "stage"),
        ("stage=new,old", "stage"),
        ("stage=new&stage=%20", "stage"),
        ("theme=cold", "theme"),
        ("theme=warmth,cold", "theme"),
        ("audience=all", "audience"),
        ("challenge=7kq2m9xv", "challenge"),
        ("q=" + "a" * 201, "q"),
        ("q=a&q=b", "q"),
        ("limit=5&limit=5", "limit"),
        ("page=10000", "page"),
        ("offset=5", "offset"),
        ("Sort=new", "Sort"),
        ("stage[]=new", "stage[]"),
        ("=x", ""),
        ("_=1", "_"),
    ]:
        answer = api.by().get(f"/ideas?{asked}")
        assert (answer.status_code, list(answer.json["errors"])) == (422, [wrong]), asked
    assert api.by().get("/ideas?q=" + "a" * 200).status_code == 200


@pytest.mark.sqlite_only
def test_a_cursor_fits_the_list_that_gave_it_and_no_other(api: Api) -> None:
    ann = make.resident()
    ideas = [make.idea(ann, title="Warm") for _ in range(3)]
    for idea in ideas[:2]:
        for _ in range(2):
            make.comment(idea, ann)
    lists = [f"/ideas?sort={sort}" for sort in SORTS[:4]] + ["/ideas?q=warm", "/ideas?stage=new", "/ideas?sort=top&q=warm"]
    lists += [f"/ideas/{idea}/{path}?" for idea in ideas[:2] for path in ("comments", "timeline")]
    cursors = {path: api.by().get(f"{path}&limit=1").json["next"] for path in lists}
    assert all(cursors.values())
    for path in lists:
        for giver, cursor in cursors.items():
            answer = api.by().get(f"{path}&limit=1&cursor={cursor}")
            assert answer.status_code == (200 if giver == path else 422), (giver, path)
    head, _, tail = cursors["/ideas?sort=new"].rpartition(".")
    for changed in (f"{head}.{tail[:-1]}", f"{head}.", head, f"{head[:-1]}.{tail}", f".{cursors['/ideas?sort=new']}"):
        assert api.by().get(f"/ideas?sort=new&cursor={changed}").status_code == 422


# The stream over HTTP is a list of its own kind


def test_the_stream_is_read_in_pieces(api: Api) -> None:
    here = api.by().here()
    ann = make.resident()
    ideas = [make.idea(ann) for _ in range(5)]
    make.idea(audience="staff")
    found, cursor = [], here
    for _piece in range(10):
        answer = api.by().get(f"/events?after={cursor}&limit=2").json
        assert set(answer) == {"events", "cursor", "mode", "refused"}
        assert answer["mode"] == "resume"
        found += [event["data"]["idea"] for event in answer["events"]]
        if not answer["events"]:
            break
        cursor = answer["cursor"]
    assert found == ideas
    only = api.by().get(f"/events?after={here}&topics=idea:{ideas[3]},idea:zzzzzzzz,me,nonsense&topics=board").json
    assert only["refused"] == ["idea:zzzzzzzz", "me", "nonsense"]
    assert len(only["events"]) == 5
    only = api.by().get(f"/events?after={here}&topics=idea:{ideas[3]}").json
    assert [event["data"]["idea"] for event in only["events"]] == [ideas[3]]
    assert api.by(ann).get("/events?topics=me").json["refused"] == []
    assert len(api.by(make.staff()).get(f"/events?after={here}").json["events"]) == 0  # a cursor of another view
    assert api.by(make.staff()).get(f"/events?after={here}").json["why"] == "rights"


@pytest.mark.sqlite_only
def test_a_place_in_the_stream_that_is_none_starts_again(api: Api) -> None:
    start = api.by().get("/events").json
    assert (start["mode"], start["events"], start["refused"]) == ("start", [], [])
    for made_up in ("abc", "", "%20", "a" * 3000, "%F0%9F%8D%8B"):
        answer = api.by().get(f"/events?after={made_up}")
        assert (answer.status_code, answer.json["mode"], answer.json["why"]) == (200, "reset", "unknown"), made_up
    for asked, wrong in [("limit=0", "limit"), ("limit=101", "limit"), ("after=a&after=b", "after"), ("since=x", "since")]:
        answer = api.by().get(f"/events?{asked}")
        assert (answer.status_code, list(answer.json["errors"])) == (422, [wrong])
    many = ",".join(f"idea:{number}" for number in range(201))
    assert list(api.by().get(f"/events?topics={many}").json["errors"]) == ["topics"]
