"""Staff by the council's own sign-in, against a provider that speaks the real protocol, as a browser goes back and forth."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from events.catalogue import SIGN_ON, PersonChanged, RightsChanged, SessionEnded
from ideas_hub import db
from ideas_hub.people import Directorate, Kind, Person, Role
from ideas_hub.sessions import Credential, Means, start_session
from ideas_hub.sign_on import LASTS, SignOn, forget_sign_on
from ideas_hub.votes import cast_vote
from tests import make
from tests.support.hub import environment
from tests.support.provider import ANN, WRONG_CLAIMS, WRONG_SIGNATURES, Provider
from tests.support.witness import news, nothing_written, rows
from web import create_app
from web.config import from_environment

ROLES = "Hub.Leaders=leader, hub-moderators=moderator"


@pytest.fixture
def app(hub: db.Database, database_url: str, provider: Provider) -> Flask:
    return create_app(from_environment(environment(database_url, **provider.settings, STAFF_ROLES=ROLES)))


def there(address: str) -> str:
    """The provider sends somebody who is signed in there back to this address."""
    browser = requests.Session()
    if browser.get(address, allow_redirects=False).status_code == 200:
        browser.post(address, allow_redirects=False)
    return browser.get(address, allow_redirects=False).headers["Location"]


def begin(browser: FlaskClient, path: str = "/sign-in/staff") -> str:
    answer = browser.get(path)
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def back(browser: FlaskClient, address: str):
    parts = urlsplit(address)
    return browser.get(f"{parts.path}?{parts.query}")


def come(browser: FlaskClient, path: str = "/sign-in/staff"):
    """Through the provider and back."""
    return back(browser, there(begin(browser, path)))


def who(browser: FlaskClient) -> dict | None:
    return browser.get("/api/v1/me").json["person"]


def known(**claims: object) -> Person:
    """The person that the provider knows by that subject."""
    found = [link.person_id for link in rows(SignOn) if link.subject == claims.get("sub", ANN["sub"])]
    assert len(found) == 1
    return rows(Person, Person.id == found[0])[0]


# Coming in


def test_a_member_of_staff_comes_by_their_council_account_to_their_own_page(visit, provider):
    browser = visit()
    answer = come(browser)
    assert (answer.status_code, answer.location) == (302, "/me")
    me = who(browser)
    assert (me["name"], me["kind"]) == ("Ann Lee", "staff")
    assert "Hello Ann" in browser.get("/me").text
    person = known()
    assert (person.email, person.kind, person.roles) == (ANN["email"], Kind.STAFF, frozenset())
    session = rows(Credential)[0]
    assert (session.means, session.until - session.made_at) == (Means.SESSION, LASTS)
    assert "with your council account for 30 days" in browser.get("/me/sessions").text


def test_the_provider_is_asked_as_the_protocol_has_it(visit, provider):
    asked = {name: values[0] for name, values in parse_qs(urlsplit(begin(visit())).query).items()}
    assert asked["response_type"] == "code"
    assert asked["scope"].split() == ["openid", "profile", "email"]
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked[name]) for name in ("code_challenge", "state", "nonce")) >= 20
    assert asked["redirect_uri"].endswith("/sign-in/callback")
    again = {name: values[0] for name, values in parse_qs(urlsplit(begin(visit())).query).items()}
    assert not {asked[name] for name in ("code_challenge", "state", "nonce")} & set(again.values())


def test_whoever_wanted_a_page_gets_to_that_page_and_to_none_elsewhere(visit, provider):
    assert come(visit(), "/sign-in/staff?next=/board").location == "/board"
    for address in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"):
        assert come(visit(), f"/sign-in/staff?next={address}").location == "/me"


def test_the_same_subject_is_the_same_person_whatever_else_changes(visit, provider):
    come(visit())
    person = known()
    provider.now(claims={**ANN, "name": "Ann Lee-Hughes", "email": "ann.hughes@calder.example"})
    with news() as facts:
        come(visit())
    again = known()
    assert (again.id, again.name, again.email) == (person.id, "Ann Lee-Hughes", "ann.hughes@calder.example")
    of_it = PersonChanged(person=person.ref, what="name", was="", to="", by=SIGN_ON)
    assert facts == [of_it, RightsChanged(person=person.ref)]
    with news() as facts:
        come(visit())
    assert facts == []  # nothing changed, so nobody is asked who they are


def test_who_was_here_before_by_that_address_is_the_same_person_still(visit, provider):
    before = make.person("Ann", kind="staff", roles=["sponsor"], team="Roads")
    provider.now(claims={**ANN, "email": make.address(before).upper()})
    come(visit())
    assert known().ref == before.ref
    assert known().roles == {Role.SPONSOR}
    assert known().team.name == "Roads"


@pytest.mark.parametrize("verified", [False, None, "false", "yes"])
def test_an_address_that_nobody_checked_opens_nothing_and_is_not_kept(visit, provider, verified):
    before = make.leader()
    claims = {**ANN, "email": make.address(before), "email_verified": verified}
    provider.now(claims={name: value for name, value in claims.items() if value is not None})
    browser = visit()
    come(browser)
    assert who(browser)["id"] != before.ref
    assert known().email is None
    assert known().roles == set()


def test_a_provider_that_is_trusted_need_not_say_that_it_checked_but_its_no_is_a_no(hub, database_url, provider):
    app = create_app(from_environment(environment(database_url, **provider.settings, OIDC_TRUST_EMAIL="1")))
    before = make.staff()
    claims = {name: value for name, value in ANN.items() if name != "email_verified"} | {"email": make.address(before)}
    provider.now(claims={**claims, "sub": "b", "email_verified": False})
    come(app.test_client())
    assert known(sub="b").ref != before.ref
    provider.now(claims=claims)
    come(app.test_client())
    assert known().ref == before.ref


def test_an_address_that_went_to_somebody_else_does_not_make_them_who_had_it(visit, provider):
    come(visit())
    provider.now(claims={**ANN, "sub": "b2", "name": "Ann Lee the Younger"})
    browser = visit()
    come(browser)
    assert known(sub="b2").id != known().id
    assert known(sub="b2").email is None
    assert (known().name, known().email) == ("Ann Lee", ANN["email"])


def test_after_a_new_registration_at_the_provider_a_person_can_be_let_in_by_address_again(visit, provider):
    come(visit())
    forget_sign_on(ANN["email"])
    provider.now(claims={**ANN, "sub": "new"})
    come(visit())
    assert known(sub="new").email == ANN["email"]
    assert len(rows(Person)) == 1


def test_a_resident_who_comes_to_work_for_the_council_keeps_their_votes(visit, provider):
    before, idea = make.resident(), make.idea()
    cast_vote(before, idea)
    provider.now(claims={**ANN, "email": make.address(before)})
    come(visit())
    assert (known().ref, known().kind) == (before.ref, Kind.STAFF)
    assert (make.row(idea).votes_residents, make.row(idea).votes_staff) == (1, 0)


# Roles, team and directorate


@pytest.mark.parametrize(
    "claims",
    [
        {"roles": ["Hub.Leaders", "Other"]},
        {"roles": "Hub.Leaders"},
        {"groups": ["Hub.Leaders"]},
        {"realm_access": {"roles": ["Hub.Leaders", "offline_access"]}},
        {"resource_access": {"ideas-hub": {"roles": ["Hub.Leaders"]}, "account": {"roles": ["hub-moderators"]}}},
    ],
)
def test_roles_come_by_the_claims_of_entra_id_and_of_keycloak(visit, provider, claims):
    provider.now(claims={**ANN, **claims})
    browser = visit()
    come(browser)
    assert known().roles == {Role.LEADER}
    assert browser.get("/api/v1/me").json["view"] == "leadership"


@pytest.mark.parametrize(
    "claims", [{"roles": None}, {"roles": {"Hub.Leaders": 1}}, {"realm_access": "Hub.Leaders"}, {"roles": [["Hub.Leaders"]]}]
)
def test_claims_of_another_shape_give_no_role(visit, provider, claims):
    provider.now(claims={**ANN, **claims})
    come(visit())
    assert known().roles == set()


def test_a_role_that_the_provider_gives_is_taken_when_it_no_longer_does_and_others_stay(visit, provider):
    before = make.person(kind="staff", roles=["sponsor"])
    provider.now(claims={**ANN, "email": make.address(before), "roles": ["Hub.Leaders"]})
    come(visit())
    assert known().roles == {Role.LEADER, Role.SPONSOR}
    provider.now(claims={**ANN, "email": make.address(before), "roles": ["hub-moderators"]})
    come(visit())
    assert known().roles == {Role.MODERATOR, Role.SPONSOR}
    provider.now(claims={**ANN, "email": make.address(before)})
    come(visit())
    assert known().roles == {Role.SPONSOR}


def test_team_and_directorate_follow_the_provider_where_it_names_them(visit, provider):
    provider.now(claims={**ANN, "team": "Street lights", "directorate": "Place"})
    come(visit())
    assert (known().team.name, known().team.directorate.name) == ("Street lights", "Place")
    provider.now(claims=ANN)
    come(visit())
    assert known().team.name == "Street lights"
    provider.now(claims={**ANN, "directorate": "People"})
    come(visit())
    assert [place.name for place in rows(Directorate)] == ["Place", "People"]
    assert known().team.directorate.name == "People"


def test_what_is_no_line_of_text_does_no_harm(visit, provider):
    provider.now(
        claims={"sub": "ü" * 255, "name": "A\x00nn\nLee " + "W" * 300, "email": "nobody", "email_verified": True, "team": 7}
    )
    come(visit())
    person = known(sub="ü" * 255)
    assert person.name.startswith("A nn Lee WWW")
    assert len(person.name) == 120
    assert (person.email, person.team) == (None, None)
    for claims in ({"preferred_username": "ann"}, {"given_name": "ann"}, {"family_name": "ann"}):
        provider.now(claims={"sub": "c", **claims})
        come(visit())
        assert known(sub="c").name == "ann"
    provider.now(claims={"sub": "d"})
    come(visit())
    assert known(sub="d").name == "A member of staff"


# What cannot be believed


@pytest.mark.parametrize("wrong", [*WRONG_CLAIMS, *WRONG_SIGNATURES, "no token"])
def test_a_token_that_cannot_be_believed_signs_nobody_in(visit, provider, wrong):
    browser = visit()
    address = there(begin(browser))
    provider.now(wrong=wrong)
    with nothing_written():
        answer = back(browser, address)
    assert answer.status_code == 403
    assert "could not be believed" in answer.text
    assert who(browser) is None
    provider.now(wrong="")
    assert come(browser).location == "/me"


@pytest.mark.parametrize("offered", [["none"], ["HS256"], ["none", "HS256"]])
def test_a_provider_that_signs_by_nothing_is_not_gone_to(visit, provider, offered):
    provider.now(discovery={"id_token_signing_alg_values_supported": offered})
    assert visit().get("/sign-in/staff").status_code == 503


def test_a_provider_that_offers_none_beside_others_is_believed_by_the_others_only(visit, provider):
    provider.now(discovery={"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]})
    for wrong in WRONG_SIGNATURES:
        browser = visit()
        address = there(begin(browser))
        provider.now(wrong=wrong)
        assert back(browser, address).status_code == 403, wrong
        provider.now(wrong="")
    assert come(visit()).location == "/me"


def test_another_issuer_than_the_one_that_is_set_is_not_gone_to(visit, provider):
    provider.now(discovery={"issuer": "https://elsewhere.example"})
    assert visit().get("/sign-in/staff").status_code == 503


def test_a_new_key_of_the_provider_is_found_at_the_first_token_that_it_signs(visit, provider):
    assert come(visit()).location == "/me"
    provider.now(rotate=True)
    assert come(visit()).location == "/me"
    browser = visit()
    address = there(begin(browser))
    provider.now(wrong="signed by somebody else")
    assert back(browser, address).status_code == 403


@pytest.mark.parametrize("subject", ["x" * 256, "", " \n", "a\0b"])
def test_a_subject_that_could_be_somebody_elses_is_nobodys(visit, provider, subject):
    """Who is nobody there, or has a name that we could not keep as it is, would be one person with others."""
    provider.now(claims={**ANN, "sub": subject})
    assert come(visit()).status_code == 403


# State


def forged(address: str) -> list[str]:
    state = parse_qs(urlsplit(address).query)["state"][0]
    others = [address.replace(state, other) for other in ("x", "", state[:-1], state.swapcase(), "%00")]
    return [*others, "/sign-in/callback", "/sign-in/callback?code=x", address + "&iss=https://elsewhere.example"]


def test_a_forged_state_is_a_polite_400_and_the_true_one_still_serves(visit, provider):
    browser = visit()
    address = there(begin(browser))
    plain = re.sub(r"&iss=[^&]*", "", address)
    for other in forged(plain):
        with nothing_written():
            answer = back(browser, other)
        assert answer.status_code == 400, other
        assert "Begin it again" in answer.text
        assert "/sign-in/staff" in answer.text
    assert back(browser, plain).location == "/me"


def test_a_state_is_good_once_and_in_the_browser_that_began(visit, provider):
    mine, other = visit(), visit()
    address = there(begin(mine))
    with nothing_written():
        assert back(other, address).status_code == 400  # whoever sends somebody their own link signs nobody in as themselves
    assert mine.head(urlsplit(address).path + "?" + urlsplit(address).query).status_code == 400
    assert back(mine, address).location == "/me"
    with nothing_written():
        assert back(mine, address).status_code == 400
    assert who(mine)["name"] == "Ann Lee"


def test_a_state_runs_out(visit, provider, monkeypatch):
    browser = visit()
    address = there(begin(browser))
    monkeypatch.setattr("web.sign_in.staff.BEGUN_LASTS", -1)
    assert back(browser, address).status_code == 400


def test_many_tabs_can_begin_and_the_cookie_stays_small(visit, provider):
    browser = visit()
    addresses = [there(begin(browser, f"/sign-in/staff?next=/ideas?q={'x' * 300}{number}")) for number in range(12)]
    for cookie in browser._cookies.values():
        assert len(cookie.value) < 3500
    assert back(browser, addresses[0]).status_code == 400
    assert back(browser, addresses[-2]).location.endswith("10")
    assert come(visit(), f"/sign-in/staff?next=/ideas?q={'x' * 4000}").location == "/me"


def test_two_tabs_that_began_at_once_both_arrive(visit, provider):
    browser = visit()
    board, own = there(begin(browser, "/sign-in/staff?next=/board")), there(begin(browser))
    assert back(browser, own).location == "/me"
    assert back(browser, board).location == "/board"
    again = back(browser, board)  # by the back button
    assert again.status_code == 400
    assert 'href="/me"' in again.text
    assert who(browser)["name"] == "Ann Lee"


def test_who_stops_at_the_provider_is_told_so(visit, provider):
    browser = visit()
    address = begin(browser)
    provider.now(wrong="refused")
    answer = back(browser, there(address))
    assert answer.status_code == 403
    assert "was stopped" in answer.text


def test_a_code_that_the_provider_does_not_know_signs_nobody_in(visit, provider):
    browser = visit()
    address = there(begin(browser))
    code = parse_qs(urlsplit(address).query)["code"][0]
    assert back(browser, address.replace(code, "made-up")).status_code == 403


# The provider is away


@pytest.mark.parametrize("wrong", ["broken", "no JSON"])
def test_a_provider_in_trouble_is_a_clear_page_and_nothing_of_ours_fails(visit, provider, wrong):
    browser = visit()
    address = there(begin(browser))
    provider.now(wrong=wrong)
    answer = back(browser, address)
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert answer.headers["Retry-After"]
    provider.now(wrong="")
    assert come(browser).location == "/me"


def test_a_provider_that_is_down_is_a_clear_page_until_it_is_back(visit, provider):
    browser = visit()
    provider.stop()
    for path in ("/sign-in/staff", "/sign-in/staff?next=/board"):
        answer = browser.get(path)
        assert answer.status_code == 503
        assert "does not answer" in answer.text
    assert browser.get("/sign-in").status_code == 200
    provider.start()
    assert come(browser).location == "/me"


def test_nobody_waits_long_for_a_provider_that_never_answers(hub, database_url, provider, monkeypatch):
    monkeypatch.setattr("web.sign_in.provider.PATIENCE", (0.2, 0.2))
    app = create_app(from_environment(environment(database_url, **provider.settings)))
    provider.now(wrong="slow")
    answer = app.test_client().get("/sign-in/staff")
    assert answer.status_code == 503


def test_a_provider_is_never_asked_inside_a_transaction(visit, provider, monkeypatch):
    sent = requests.Session.send
    inside = []

    def send(self, *args, **options):
        inside.append(db.database().turn.locked() if isinstance(db.database(), db.SQLite) else False)
        return sent(self, *args, **options)

    monkeypatch.setattr(requests.Session, "send", send)
    come(visit())
    assert len(inside) >= 3
    assert not any(inside)


# Rotated, and ended


def test_signing_in_ends_the_session_that_the_browser_had(visit, provider):
    before = make.resident()
    browser = visit(before)
    assert who(browser)["id"] == before.ref
    with news() as facts:
        come(browser)
    assert SessionEnded(person=before.ref) in facts
    assert who(browser)["name"] == "Ann Lee"
    assert len(rows(Credential)) == 1


def test_who_signs_out_is_told_that_they_are_still_signed_in_over_there(visit, provider):
    browser = visit(ours=True)
    come(browser)
    assert browser.get("/sign-out/staff").location == "/sign-out"  # who is still here is not told otherwise
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/me").text)[1]
    answer = browser.post("/sign-out", data={"csrf_token": token})
    assert (answer.status_code, answer.location) == (303, "/sign-out/staff")
    page = browser.get(answer.location).text
    everywhere = re.search(r'href="(http://127.0.0.1:\d+/logout[^"]*)"', page)[1].replace("&amp;", "&")
    query = parse_qs(urlsplit(everywhere).query)
    assert query == {"client_id": ["ideas-hub"], "post_logout_redirect_uri": ["http://127.0.0.1:8000/"]}
    assert who(browser) is None


def test_a_sign_out_over_there_ends_the_sessions_here(visit, app, provider):
    first, second, other = visit(), visit(), visit(make.resident())
    come(first)
    provider.now(claims={**ANN, "sid": "s2"})
    come(second)
    events = {"http://schemas.openid.net/event/backchannel-logout": {}}

    def told(**claims):
        answer = provider.now(ended={"sub": ANN["sub"], "events": events, **claims})
        return app.test_client().post("/sign-in/ended", data={"logout_token": answer["ended"]})

    forged = ({"nonce": "n"}, {"events": {}}, {"sub": None}, {"aud": "other"}, {"iss": "https://x.example"})
    for wrong in (*forged, {"exp": -600}, {"exp": None, "iat": -3600}, {"iat": None}):
        with nothing_written():
            assert told(**wrong).status_code == 400, wrong
    with nothing_written():
        assert told(iat=-120).status_code == 200  # sent again, after they have signed in anew
    with nothing_written():
        assert app.test_client().post("/sign-in/ended", data={"logout_token": "x"}).status_code == 400
    with news() as facts:
        assert told(sid="s2").status_code == 200
    assert facts == [SessionEnded(person=known().ref)]
    assert (who(first) is None, who(second) is None) == (False, True)
    assert told().status_code == 200
    assert who(first) is None
    assert who(other) is not None
    with nothing_written():
        assert told().status_code == 200  # twice is harmless


def test_a_sign_out_over_there_leaves_sessions_that_began_otherwise(visit, app, provider):
    come(visit())
    person = known()
    kept = start_session(person.ref)
    events = {"http://schemas.openid.net/event/backchannel-logout": {}}
    answer = provider.now(ended={"sub": ANN["sub"], "events": events})
    app.test_client().post("/sign-in/ended", data={"logout_token": answer["ended"]})
    assert len(rows(Credential)) == 1
    assert kept
