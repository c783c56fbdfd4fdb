"""A proxy of the intranet that names who asks: believed from its own address, and from nowhere else."""

import pytest
import requests

from ideas_hub import db
from ideas_hub.people import Person, Role
from tests import make
from tests.servers.test_starting import start_another
from tests.support.hub import environment
from tests.support.witness import nothing_written, rows
from web import create_app
from web.config import WrongSetting, from_environment

pytestmark = pytest.mark.sqlite_only

PROXY = "10.0.0.5"
ANN = {"Remote-User": "ann", "Remote-Name": "Ann Prŷs".encode().decode("latin-1"), "Remote-Email": "ann@calder.example"}
SETTINGS = {"TRUSTED_HEADER": "Remote-User", "TRUSTED_HEADER_PROXY": f"{PROXY}, 10.1.0.0/28", "STAFF_ROLES": "leaders=leader"}


@pytest.fixture
def start(hub: db.Database, database_url: str):
    """`start()`: a browser on its way to this hub; each request says from where it comes, and what the proxy adds to it."""
    return lambda **more: create_app(from_environment(environment(database_url, **SETTINGS, **more))).test_client()


def come(browser, headers, address=PROXY):
    got = {"headers": headers, "environ_overrides": {"REMOTE_ADDR": address}}
    return browser.get(browser.get("/sign-in/staff", **got).location, **got)


def who(browser, headers, address=PROXY):
    got = browser.get("/api/v1/me", headers=headers, environ_overrides={"REMOTE_ADDR": address})
    return got.json["person"] and got.json["person"]["name"]


def test_whom_the_proxy_names_is_signed_in_with_one_click(start):
    browser = start()
    assert come(browser, ANN).location == "/me"
    assert who(browser, ANN) == "Ann Prŷs"
    assert [person.email for person in rows(Person)] == ["ann@calder.example"]


def test_groups_are_roles_and_an_address_is_who_was_here_before(start):
    before, browser = make.staff(), start()
    come(browser, {**ANN, "Remote-Email": make.address(before), "Remote-Groups": "staff, leaders"})
    assert [(person.ref, person.roles) for person in rows(Person)] == [(before.ref, {Role.LEADER})]


@pytest.mark.parametrize("address", ["10.0.0.6", "10.1.0.16", "127.0.0.1", "", "::1", "nowhere"])
def test_from_anywhere_else_the_headers_mean_nothing(start, address):
    browser = start()
    with nothing_written():
        assert come(browser, ANN, address).status_code == 403
    assert who(browser, ANN, address) is None


def test_nobody_becomes_the_proxy_by_saying_so(start):
    """Behind nginx, who connects is nginx; `X-Forwarded-For` is what somebody says."""
    browser = start(TRUSTED_PROXIES=1)
    forged = {**ANN, "X-Forwarded-For": PROXY}
    with nothing_written():
        assert come(browser, forged, "192.0.2.1").status_code == 403
    assert come(browser, {**ANN, "X-Forwarded-For": "192.0.2.1"}).location == "/me"


@pytest.mark.parametrize("subject", ["", " ", "ann,bob", "x" * 256, "\n"])
def test_whoever_is_not_named_as_one_person_is_not_signed_in(start, subject):
    browser = start()
    headers = {name: value for name, value in ANN.items() if name != "Remote-User"} | {"Remote-User": subject.strip("\n")}
    with nothing_written():
        assert come(browser, headers).status_code == 403


def test_a_session_holds_as_long_as_the_proxy_names_the_same_person(start):
    browser = start()
    come(browser, ANN)
    assert who(browser, {**ANN, "Remote-User": "bob"}) is None
    assert who(browser, {}) is None
    assert who(browser, ANN, "192.0.2.1") is None
    assert who(browser, ANN) == "Ann Prŷs"


def test_a_callback_that_nobody_began_is_refused_here_too(start):
    answer = start().get("/sign-in/callback", headers=ANN, environ_overrides={"REMOTE_ADDR": PROXY})
    assert answer.status_code == 400


def test_nobody_says_for_the_proxy_that_somebody_signed_out(start):
    assert start().post("/sign-in/ended", data={"logout_token": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"TRUSTED_HEADER": "Remote-User"}, "TRUSTED_HEADER_PROXY"),
        ({"TRUSTED_HEADER_PROXY": PROXY}, "TRUSTED_HEADER "),
        ({"TRUSTED_HEADER": "Remote-User", "TRUSTED_HEADER_PROXY": "proxy.example"}, "TRUSTED_HEADER_PROXY"),
        ({"TRUSTED_HEADER": "Remote-User", "TRUSTED_HEADER_PROXY": "10.0.0.1/8"}, "TRUSTED_HEADER_PROXY"),
        ({"TRUSTED_HEADER": "Remote-User", "TRUSTED_HEADER_PROXY": "0.0.0.0/0"}, "TRUSTED_HEADER_PROXY"),
        ({"TRUSTED_HEADER": "Remote-User", "TRUSTED_HEADER_PROXY": f"{PROXY},::/0"}, "TRUSTED_HEADER_PROXY"),
        ({"TRUSTED_HEADER": "Authorization", "TRUSTED_HEADER_PROXY": PROXY}, "TRUSTED_HEADER "),
        ({"TRUSTED_HEADER": "Remote_User", "TRUSTED_HEADER_PROXY": PROXY}, "TRUSTED_HEADER "),
        ({"OIDC_ISSUER": "https://sso.example"}, "OIDC_CLIENT_ID"),
        ({"OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "x"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "http://sso.example", "OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "x"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "sso.example", "OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "x"}, "OIDC_ISSUER"),
        (
            {"OIDC_ISSUER": "https://s", "OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "x", "OIDC_TRUST_EMAIL": "yes"},
            "OIDC_TRUST_EMAIL",
        ),
        (SETTINGS | {"OIDC_ISSUER": "https://s", "OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "x"}, "OIDC_ISSUER"),
        ({"STAFF_ROLES": "leaders"}, "STAFF_ROLES"),
        ({"STAFF_ROLES": "leaders=king"}, "STAFF_ROLES"),
        ({"STAFF_ROLES": "=leader"}, "STAFF_ROLES"),
    ],
)
def test_a_way_in_for_staff_that_is_set_wrongly_stops_the_start(settings, named):
    with pytest.raises(WrongSetting, match=f"^IDEAS_HUB_{named}"):
        from_environment({f"IDEAS_HUB_{name}": value for name, value in settings.items()})


def test_a_hub_that_would_believe_a_header_from_anybody_does_not_start(database_url, tmp_path):
    ended, said = start_another(tmp_path, database_url, PORT=1, TRUSTED_HEADER="Remote-User")
    assert ended == 1
    assert said.startswith("IDEAS_HUB_TRUSTED_HEADER_PROXY is needed")
    assert said.count("\n") == 1


def test_a_header_that_is_only_spelt_like_the_proxys_is_nobodys_word(server):
    """A proxy takes out `Remote-User` of what browsers send, and may let `Remote_User` pass; WSGI has one name for both."""
    running = server(TRUSTED_HEADER="Remote-User", TRUSTED_HEADER_PROXY="127.0.0.1")

    def come_with(**headers: str) -> str | None:
        browser = requests.Session()
        browser.headers.update({name.replace("__", "-"): value for name, value in headers.items()})
        browser.get(f"{running.url}/sign-in/staff", timeout=10)
        me = browser.get(f"{running.url}/api/v1/me", timeout=10).json()["person"]
        return me and me["name"]

    assert come_with(Remote__User="ann", Remote__Name="Ann") == "Ann"
    assert come_with(Remote_User="ann", Remote__Name="Ann") is None
    assert come_with(Remote__User="bob", Remote__Name="Bob", Remote_User="ann", Remote_Name="Ann") == "Bob"
