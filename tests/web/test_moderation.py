"""The moderators' desk, receipts and the written rule as pages and over the API; and where a request comes from."""

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from ideas_hub.moderation import notice_rushes
from ideas_hub.people import Actor
from ideas_hub.sessions import make_token
from ideas_hub.settings import change_settings
from tests import make
from tests.support.hub import environment
from tests.support.witness import nothing_written
from tests.web.api.conftest import Caller
from web import create_app
from web.config import from_environment
from web.networks import hashed

pytestmark = pytest.mark.sqlite_only

LIBRARY = "203.0.113.7"
Visit = Callable[..., FlaskClient]


@pytest.fixture
def app(hub, database_url):
    change_settings(burst_votes=5)
    return create_app(from_environment(environment(database_url, TRUSTED_PROXIES=1)))


def vote(visit: Visit, ref: str, who: Actor, address: str = LIBRARY) -> dict:
    browser = visit(who, ours=True)
    answer = browser.post(f"/ideas/{ref}/vote", headers={"X-Forwarded-For": address, "Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json


def burst(visit: Visit, ref: str, number: int = 7) -> list[Actor]:
    voters = [make.resident() for _ in range(number)]
    for who in voters:
        vote(visit, ref, who)
    return voters


def reference(browser: FlaskClient) -> str:
    found = re.search(r'id="burst-(\w+)"', browser.get("/moderation/votes").text)
    assert found
    return found[1]


def test_people_behind_a_proxy_are_told_apart_by_what_it_says_of_them(visit):
    ref = make.idea()
    told = [vote(visit, ref, make.resident(), f"203.0.113.{number}") for number in range(12)]
    assert all(tally["voted"] for tally in told)
    burst(visit, ref, 5)
    assert vote(visit, ref, make.resident())["held"]
    assert vote(visit, ref, make.staff())["voted"]


def test_the_page_of_an_idea_says_how_many_are_held_and_not_whose(visit):
    ref = make.idea()
    voters = burst(visit, ref)
    text = " ".join(re.sub(r"<[^>]+>", "", visit().get(f"/ideas/{ref}").text).split())
    assert "2 more votes are held until a moderator has looked" in text
    assert not any(who.name in text for who in voters)
    own = visit(voters[-1]).get(f"/ideas/{ref}").text
    assert "Your vote is held" in own
    assert "Withdraw my vote" in own


def test_a_moderator_releases_a_burst_with_a_reason_on_a_page(visit):
    ref, moderator = make.idea(title="Benches"), make.moderator()
    voters = burst(visit, ref)
    desk = visit(moderator, ours=True)
    assert "1 burst of votes waits for you" in desk.get("/me").text
    page = desk.get("/moderation/votes").text
    assert "Benches" in page
    assert not any(who.name in page for who in voters)
    address = f"/moderation/votes/{reference(desk)}/decide"
    with nothing_written():
        for form, said in (({}, "Choose whether"), ({"to": "released"}, "reason"), ({"to": "held", "reason": "x"}, "Choose")):
            answer = desk.post(address, data=form)
            assert (answer.status_code, said in answer.text) == (422, True), form
    assert desk.post(address, data={"to": "released", "reason": "The library had a stall."}).status_code == 303
    assert "The library had a stall." in desk.get("/moderation/votes").text
    assert "Votes for 1 idea" not in desk.get("/me").text
    assert make.row(ref).votes == 7
    assert "It agrees to the vote" in desk.get(f"/moderation/votes/{ref}/recount").text


def test_who_was_refused_reads_why_on_their_own_page_and_nobody_else_does(visit):
    ref, moderator = make.idea(title="Benches"), make.moderator()
    voters = burst(visit, ref)
    desk = visit(moderator, ours=True)
    desk.post(f"/moderation/votes/{reference(desk)}/decide", data={"to": "refused", "reason": "All of one program."})
    assert "All of one program." in visit(voters[-1]).get("/me/votes").text
    assert "All of one program." not in visit(voters[0]).get("/me/votes").text
    assert "All of one program." not in visit().get(f"/ideas/{ref}").text
    assert "2 votes were refused" in visit().get(f"/ideas/{ref}").text
    again = visit(voters[-1], ours=True).post(f"/ideas/{ref}/vote")
    assert (again.status_code, "All of one program." in again.text) == (409, True)


def test_the_desk_is_for_moderators(visit):
    for who in (make.resident(), make.staff(), make.leader(), make.admin()):
        assert visit(who).get("/moderation/votes").status_code == 403
        assert "Votes to look at" not in visit(who).get("/me").text


def test_a_rush_stands_on_the_desk_and_is_refused_there(visit):
    change_settings(rush_votes=6)
    ref, desk = make.idea(), visit(make.moderator(), ours=True)
    for number in range(6):
        vote(visit, ref, make.resident(), f"203.0.113.{number}")
    assert notice_rushes() == 1
    text = " ".join(re.sub(r"<[^>]+>", " ", desk.get("/moderation/votes").text).split())
    assert "Votes in this rush, which count 6 Networks 6" in text
    assert "Many people who are new voted at once" in visit().get(f"/ideas/{ref}").text
    answer = desk.post(f"/moderation/votes/{reference(desk)}/decide", data={"to": "refused", "reason": "A shop for votes."})
    assert answer.status_code == 303
    assert "6 votes refused" in desk.get("/moderation/votes").text
    assert "6 votes were refused" in visit().get(f"/ideas/{ref}").text


def test_the_rule_is_written_with_the_numbers_that_stand(visit):
    change_settings(burst_votes=33, burst_minutes=45, newcomer_days=9)
    text = visit().get("/votes").text
    assert all(number in text for number in ("33 such residents", "within 45 minutes", "less than 9 days"))
    change_settings(newcomer_days=0)
    assert "holds no votes at present" in visit().get("/votes").text


def test_the_same_is_done_and_asked_over_the_api(app, visit):
    ref, moderator, ann = make.idea(title="Benches"), make.moderator(), make.resident()
    burst(visit, ref)
    caller, own = Caller(app, make_token(make.address(moderator), 1)), Caller(app, make_token(make.address(ann), 1))
    held = own.put(f"/ideas/{ref}/vote", headers={"X-Forwarded-For": LIBRARY}).json
    assert (held["voted"], held["held"], held["votes"]) == (False, True, 5)
    assert own.get(f"/ideas/{ref}").json["own_vote"] == "held"
    (listed,) = caller.get("/moderation/votes").json["items"]
    assert (listed["idea"], listed["votes"], listed["counted"], listed["fate"]) == (ref, 3, 5, "held")
    address = f"/moderation/votes/{listed['id']}/decision"
    for body in (
        {},
        {"to": "held", "reason": "x"},
        {"to": "released", "reason": " "},
        {"to": "released", "reason": "x", "by": "y"},
    ):
        assert caller.put(address, body).status_code == 422
    assert own.put(address, {"to": "released", "reason": "x"}).status_code == 403
    decided = caller.put(address, {"to": "refused", "reason": "A program.", "with_first": True})
    assert (decided.status_code, decided.json["fate"], decided.json["by"]["name"]) == (200, "refused", moderator.name)
    assert caller.put(address, {"to": "refused", "reason": "A program."}).status_code == 409
    mine = own.get("/me/votes").json["items"]
    assert [(one["title"], one["counts"], one["fate"], one["reason"]) for one in mine] == [
        ("Benches", False, "refused", "A program.")
    ]
    count = caller.get(f"/ideas/{ref}/recount").json
    assert count["shown"] == count["rows"] == count["ledger"] == {"votes": 0, "held": 0, "refused": 8}
    assert own.get(f"/ideas/{ref}/recount").status_code == 403


# Networks


def test_a_network_looks_the_same_for_one_idea_and_different_for_every_other():
    one, other = hashed("secret", LIBRARY), hashed("secret", "203.0.113.8")
    assert one("7kq2m9xv") == hashed("secret", LIBRARY)("7kq2m9xv")
    assert len({one("7kq2m9xv"), one("d5m1yy7c"), other("7kq2m9xv"), hashed("another", LIBRARY)("7kq2m9xv")}) == 4
    assert len(one("7kq2m9xv")) == 22


def test_a_household_has_one_network_and_this_machine_has_none():
    assert hashed("s", "2001:db8:1:2::5")("x") == hashed("s", "2001:db8:1:2:ffff::9")("x")
    assert hashed("s", "2001:db8:1:2::5")("x") != hashed("s", "2001:db8:1:3::5")("x")
    for address in ("127.0.0.1", "127.8.8.8", "::1", "", "nonsense"):
        assert hashed("s", address)("x") is None
