"""Pages for admins, and the same over the API."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from ideas_hub import administration, organisation
from ideas_hub.people import Actor, Role
from ideas_hub.settings import current_settings
from ideas_hub.votes import cast_vote
from tests import make
from tests.support.witness import nothing_written
from tests.web.api.conftest import Api

pytestmark = pytest.mark.sqlite_only

Visit = Callable[..., FlaskClient]
PAGES = ("/admin/people", "/admin/organisation", "/admin/settings", "/admin/audit")


@pytest.fixture
def boss(hub) -> Actor:
    return make.admin("Boss")


def test_an_admin_is_led_to_these_pages_from_their_own_and_nobody_else_gets_in(visit: Visit, boss):
    assert 'href="/admin/people"' in visit(boss).get("/me").text
    for who in (make.resident(), make.staff(), make.moderator(), make.leader()):
        browser = visit(who)
        assert "/admin/people" not in browser.get("/me").text
        assert {browser.get(path).status_code for path in PAGES} == {403}
    assert {visit(boss).get(path).status_code for path in PAGES} == {200}


def test_people_are_found_and_changed_on_pages(visit: Visit, boss):
    ann = make.staff("Ann Jones")
    place = organisation.put_directorate(boss, name="Streets")
    team = organisation.put_team(boss, name="Potholes", directorate=place)
    page = visit(boss, ours=True)
    assert "Ann Jones" in page.get("/admin/people?q=jones").text
    assert "Ann Jones" not in page.get("/admin/people?q=jones&kind=resident").text
    assert make.address(ann) in page.get(f"/admin/people/{ann.ref}").text
    form = {"name": "Annie Jones", "kind": "staff", "team": str(team), "role": ["sponsor", "leader"]}
    assert page.post(f"/admin/people/{ann.ref}", data=form).status_code == 303
    now = make.actor(ann.ref)
    assert (now.name, now.team, now.roles) == ("Annie Jones", "Potholes", {Role.SPONSOR, Role.LEADER})
    shown = page.get(f"/admin/people/{ann.ref}").text
    assert 'value="leader" id="role-leader" checked' in shown
    with nothing_written():
        for wrong in ({**form, "name": " "}, {**form, "role": ["king"]}, {**form, "kind": "resident"}, {**form, "team": "999"}):
            answer = page.post(f"/admin/people/{ann.ref}", data=wrong)
            assert (answer.status_code, "needs mending" in answer.text) == (422, True), wrong


def test_the_last_admin_is_told_why_they_stay_one(visit: Visit, boss):
    answer = visit(boss, ours=True).post(f"/admin/people/{boss.ref}", data={"name": "Boss", "kind": "staff", "team": ""})
    assert answer.status_code == 409
    assert "Nobody would be an admin" in answer.text


def test_somebody_is_suspended_and_let_in_again_on_their_page(visit: Visit, boss):
    ann = make.resident("Ann")
    page = visit(boss, ours=True)
    assert page.post(f"/admin/people/{ann.ref}/suspend", data={"reason": ""}).status_code == 422
    assert page.post(f"/admin/people/{ann.ref}/suspend", data={"reason": "Threats."}).status_code == 303
    assert "Threats." in page.get(f"/admin/people/{ann.ref}").text
    assert "Ann" in page.get("/admin/people?suspended=1").text
    assert page.post(f"/admin/people/{ann.ref}/lift", data={"reason": "They said sorry."}).status_code == 303
    assert "They said sorry." in page.get(f"/admin/people/{ann.ref}").text
    assert "Suspend this person" not in page.get(f"/admin/people/{boss.ref}").text


def test_two_people_become_one_after_a_page_that_says_what_that_does(visit: Visit, boss):
    ann, twin, idea = make.resident("Ann Jones"), make.resident("Annie Jones"), make.idea()
    for who in (ann, twin):
        cast_vote(who, idea)
    page = visit(boss, ours=True)
    assert "Ann Jones" in page.get(f"/admin/people/{twin.ref}/join?q=jones").text
    asked = page.get(f"/admin/people/{twin.ref}/join?into={ann.ref}").text
    assert "For 1 idea both voted: one vote goes." in asked
    assert "This cannot be undone." in asked
    assert make.row(idea).votes == 2
    assert page.post(f"/admin/people/{twin.ref}/join", data={"into": ann.ref, "reason": ""}).status_code == 422
    answer = page.post(f"/admin/people/{twin.ref}/join", data={"into": ann.ref, "reason": "They told us."})
    assert (answer.status_code, answer.location) == (303, f"/admin/people/{ann.ref}")
    assert make.row(idea).votes == 1
    assert "This is the same person as" in page.get(f"/admin/people/{twin.ref}").text
    assert "one person already" in page.get(f"/admin/people/{ann.ref}/join?into={ann.ref}").text


def test_the_council_is_arranged_on_a_page(visit: Visit, boss):
    ann, page = make.staff("Ann"), visit(boss, ours=True)
    assert page.post("/admin/directorates", data={"name": "Streets", "lead": ann.ref}).status_code == 303
    (place,) = organisation.directorates(boss)
    assert page.post("/admin/teams", data={"name": "Potholes", "directorate": str(place.id)}).status_code == 303
    ((team,),) = [place.teams for place in organisation.directorates(boss)]
    assert page.post("/admin/teams", data={"id": str(team.id), "name": "Holes", "directorate": str(place.id)}).status_code == 303
    text = page.get("/admin/organisation").text
    assert "Holes" in text
    assert "Lead: Ann" in text
    with nothing_written():
        for path, wrong in (
            ("/admin/directorates", {"name": "streets", "lead": ""}),
            ("/admin/directorates", {"name": "Parks", "lead": "nobody"}),
            ("/admin/teams", {"name": "Lamps", "directorate": "999"}),
            ("/admin/teams", {"name": "", "directorate": str(place.id)}),
        ):
            assert page.post(path, data=wrong).status_code == 422, wrong


def test_thresholds_and_themes_are_set_on_a_page_and_what_is_wrong_is_named(visit: Visit, boss):
    page = visit(boss, ours=True)
    form = {
        "council": "Calder Vale",
        "answer_days": "10",
        "newcomer_days": "7",
        "burst_votes": "30",
        "burst_minutes": "45",
        "rush_votes": "90",
    }
    form |= {"answer_votes_public": "50", "answer_votes_staff": "10", "answer_votes_leadership": "3"}
    assert page.post("/admin/settings", data=form).status_code == 303
    now = current_settings()
    assert (now.council, now.answer_days, now.newcomer_days, now.burst_votes) == ("Calder Vale", 10, 7, 30)
    assert now.answer_votes == {"public": 50, "staff": 10, "leadership": 3}
    with nothing_written():
        for name, value in (
            ("answer_days", "0"),
            ("burst_votes", "1"),
            ("answer_votes_staff", "0"),
            ("council", " "),
            ("burst_minutes", "x"),
        ):
            assert page.post("/admin/settings", data=form | {name: value}).status_code == 422, name
    assert page.post("/admin/themes", data={"slug": "streets", "name": "Streets", "directorate": ""}).status_code == 303
    assert page.post("/admin/themes", data={"slug": "Not A Slug", "name": "Streets", "directorate": ""}).status_code == 422
    assert "Streets" in page.get("/admin/settings").text


def test_the_audit_log_is_read_and_narrowed_on_a_page(visit: Visit, boss):
    ann, page = make.staff("Ann"), visit(boss, ours=True)
    administration.change_person(boss, ann.ref, roles=[Role.SPONSOR])
    administration.suspend(boss, ann.ref, reason="Threats.")
    text = page.get("/admin/audit").text
    assert "Ann: from the roles none to sponsor." in text
    assert "Threats." in text
    assert "Threats." not in page.get("/admin/audit?what=person.changed").text
    assert "Threats." in page.get(f"/admin/audit?who={ann.ref}").text
    assert page.get("/admin/audit?what=nonsense").status_code == 404
    assert page.get("/admin/audit?who=nowhere").status_code == 404
    assert page.get("/admin/audit?cursor=nonsense").status_code == 422


def test_the_same_is_done_over_the_api(app, boss):
    api = Api(app)
    admin, ann, twin = api.by(boss), make.staff("Ann"), make.resident("Annie")
    found = admin.get("/admin/people?q=ann&limit=1").json
    rest = admin.get(f"/admin/people?q=ann&limit=1&cursor={found['next']}").json
    assert [each["id"] for each in found["items"] + rest["items"]] == [ann.ref, twin.ref]
    place = admin.put("/admin/directorates", {"name": "Streets", "lead": ann.ref}).json
    assert (place["name"], place["lead"]["id"], place["teams"]) == ("Streets", ann.ref, [])
    team = admin.put("/admin/teams/0", {"name": "Potholes", "directorate": place["id"]}).json["teams"][0]
    changed = admin.patch(f"/admin/people/{ann.ref}", {"team": team["id"], "roles": ["sponsor"]}).json
    assert (changed["team"], changed["directorate"], changed["roles"]) == ("Potholes", "Streets", ["sponsor"])
    assert admin.put(f"/admin/people/{ann.ref}/suspension", {"reason": "Away."}).json["suspended"] is True
    assert (
        admin.delete(f"/admin/people/{ann.ref}/suspension", {"reason": "Back."}).json["suspensions"][0]["lift_reason"] == "Back."
    )
    stays = admin.put(f"/admin/people/{twin.ref}/joined", {"into": ann.ref, "reason": "One human."})
    assert stays.json["id"] == ann.ref
    assert admin.put(f"/admin/people/{twin.ref}/joined", {"into": ann.ref, "reason": "One human."}).status_code == 409
    assert admin.put("/admin/themes/streets", {"name": "Streets", "directorate": "Streets"}).json["directorate"] == "Streets"
    assert [theme["slug"] for theme in admin.get("/admin/themes").json["items"]] == ["streets"]
    votes = {"public": 50, "staff": 5, "leadership": 2}
    assert admin.patch("/admin/settings", {"answer_days": 9, "answer_votes": votes}).json["answer_votes"] == votes
    for wrong in (
        {"answer_days": "9"},
        {"answer_days": 0},
        {"answer_days": True},
        {"answer_votes": {"public": 1}},
        {"colour": 1},
    ):
        assert admin.patch("/admin/settings", wrong).status_code == 422, wrong
    told = [line["type"] for line in admin.get("/admin/audit?limit=3").json["items"]]
    assert told == ["hub.setting_changed", "hub.setting_changed", "hub.theme_changed"]
    (joined,) = admin.get("/admin/audit?what=person.joined").json["items"]
    assert (joined["sentence"], joined["reason"]) == ("Annie became Ann: they are one person.", "One human.")
    assert "@" not in admin.get("/admin/people").text
    for path in ("/admin/teams/x", "/admin/directorates/99"):
        assert admin.put(path, {"name": "X", "directorate": 1} if "teams" in path else {"name": "X"}).status_code == 404
