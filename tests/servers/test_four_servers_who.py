"""Who somebody is, and what admins decide, on four servers with one PostgreSQL and one Redis: begun at one, ended at another.

Nothing stands in front of the servers, so that each step is taken at the one that is meant. They share one address, as they
do behind a proxy, and the proxy's word for whom they talk to.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Barrier, Event
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import sqlalchemy as sa

from ideas_hub import db
from ideas_hub.clock import now
from ideas_hub.comments import Comment
from ideas_hub.ideas import Idea
from ideas_hub.outbox import Mail
from ideas_hub.people import Actor
from ideas_hub.sessions import make_token, ref_of, start_session
from ideas_hub.verify import verify
from ideas_hub.votes import Vote, cast_vote
from tests import make
from tests.live.test_protocol import SAYS_ITSELF, cookie
from tests.live.watcher import Watcher
from tests.servers.conftest import start_together
from tests.support import whole_file
from tests.support.browser import CSRF_TOKEN
from tests.support.hub import Server
from tests.support.postbox import Post, Postbox
from tests.support.processes import free_port, wait_until
from tests.support.provider import ANN, Provider
from tests.support.services import Redis
from web.limits import A_MINUTE

pytestmark = [pytest.mark.postgresql_only, pytest.mark.timeout(240)]  # a busy machine takes long to start four servers
database_url, hub = whole_file.database_url, whole_file.hub

AT_ONCE = 2.0  # seconds, within which what was taken away is gone everywhere
networks = (f"198.51.{n // 250}.{n % 250 + 1}" for n in count())
SAYS_WHICH = "import socket; socket.getfqdn = lambda name='': 'server-{n}.example'"  # to the mail server


class SlowPostbox(Postbox):
    """A mail server that keeps whom it `holds` waiting for its answer, with the mail taken already."""

    def __init__(self) -> None:
        super().__init__()
        self.holds, self.sender = Event(), ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        if self.holds.is_set():
            self.sender = session.host_name
        while self.holds.is_set():
            await asyncio.sleep(0.02)
        return answer

    def to(self, address: str) -> list[Post]:
        return [post for post in list(self.posts) if post.to == address]

    def one_to(self, address: str) -> Post:
        (post,) = wait_until(lambda: self.to(address), what=f"the mail to {address}")
        return post


@dataclass(frozen=True)
class Hub:
    servers: list[Server]
    box: SlowPostbox
    provider: Provider

    @property
    def base(self) -> str:
        """The address that all of them have for the world."""
        return self.servers[0].url

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{server.port}" for server in self.servers]

    def at(self, number: int, address: str) -> str:
        """That address of the hub, at one of the servers."""
        parts = urlsplit(address)
        return self.urls[number] + parts.path + (f"?{parts.query}" if parts.query else "")

    def watchers(self, *topics: str, who: Actor | None = None, secret: str = "") -> list[Watcher]:
        """One at each server: somebody with a session, or nobody."""
        headers = {"Origin": self.base}
        if who or secret:
            headers["Cookie"] = cookie(secret or start_session(who.ref or ""))
        made = [Watcher(url, headers=headers, websocket_extra_options=SAYS_ITSELF) for url in self.urls]
        for watcher in made:
            assert watcher.watch(*topics)["refused"] == []
        return made


class Visitor:
    """A browser in a network of its own."""

    def __init__(self, hub: Hub, who: Actor | None = None) -> None:
        self.hub = hub
        self.session = requests.Session()
        self.session.headers.update({"Origin": hub.base, "X-Forwarded-For": next(networks)})
        if who:
            name, _, value = cookie(start_session(who.ref or "")).partition("=")
            self.session.cookies.set(name, value, domain="127.0.0.1", path="/")

    def get(self, number: int, path: str) -> requests.Response:
        return self.session.get(self.hub.at(number, path), allow_redirects=False, timeout=30)

    def post(self, number: int, path: str, form: dict[str, str], *, page: str = "") -> requests.Response:
        """Send a form of `page`, which is read at the same server."""
        if page:
            token = CSRF_TOKEN.search(self.get(number, page).text)
            assert token
            form = form | {"csrf_token": token[1]}
        return self.session.post(self.hub.at(number, path), form, allow_redirects=False, timeout=30)

    def who(self, number: int) -> str | None:
        person = self.get(number, "/api/v1/me").json()["person"]
        return person and person["name"]


@pytest.fixture(scope="module")
def four(
    hub: db.Database,
    database_url: str,
    redis: Redis,
    provider_of_all: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    folder: Path = tmp_path_factory.mktemp("four-who")
    box, ports = SlowPostbox(), [free_port() for _ in range(4)]
    settings = {
        "BASE_URL": f"http://127.0.0.1:{ports[0]}",
        "MAIL_URL": box.url,
        "REDIS_URL": redis.url,
        "RATE_LIMITS": "on",
        "TRUSTED_PROXIES": 1,
        **provider_of_all.settings,
    }
    servers = [
        Server(folder / f"server-{n}", database_url, port=port, altered=SAYS_WHICH.format(n=n), **settings)
        for n, port in enumerate(ports)
    ]
    provider_of_all.now(claims=ANN, wrong="", discovery={})
    box.start()
    try:
        start_together(servers)
        yield Hub(servers, box, provider_of_all)
    finally:
        box.holds.clear()
        box.stop()
        for server in servers:
            server.kill()


@pytest.fixture
def leaving() -> Iterator[list[Watcher]]:
    """Those who watch, until the test ends."""
    watching: list[Watcher] = []
    yield watching
    for watcher in watching:
        watcher.leave()


def bearer(who: Actor) -> dict[str, str]:
    return {"Authorization": f"Bearer {make_token(make.address(who), 1)}", "X-Forwarded-For": next(networks)}


def everywhere(four: Hub, shows: Callable[[int], bool], *, since: float, what: str) -> None:
    """It is so at each of the four, within two seconds of `since`."""
    for number in range(4):
        wait_until(lambda number=number: shows(number), within=since + AT_ONCE - time.monotonic(), what=f"{what} at {number}")


def votes_of(idea: str) -> int:
    with db.reading() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Vote).join(Idea).where(Idea.ref == idea)) or 0


def all_agrees() -> None:
    assert [(check.name, check.first) for check in verify() if check.wrong] == []


# By mail


def test_a_vote_that_was_asked_for_at_one_server_is_confirmed_at_another_and_a_code_is_typed_at_a_third(
    four: Hub, leaving: list[Watcher]
):
    idea = make.idea()
    leaving += four.watchers(f"idea:{idea}")
    phone, desk = Visitor(four), Visitor(four)
    assert phone.post(0, f"/ideas/{idea}/vote/by-email", {"email": "ann@example.org"}).status_code == 303
    link = four.box.one_to("ann@example.org").link
    answer = desk.post(1, link, {}, page=link)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/ideas/{idea}#vote")
    for watcher in leaving:
        watcher.wait_for_fact(f"idea:{idea}", votes=1)
    assert [desk.who(number) for number in range(4)] == ["Resident"] * 4
    assert phone.who(0) is None
    assert [phone.get(number, link).status_code for number in range(4)] == [410] * 4

    other = Visitor(four)
    assert other.post(0, f"/ideas/{idea}/vote/by-email", {"email": "bea@example.org"}).status_code == 303
    code = four.box.one_to("bea@example.org").code
    wrong = "000000" if code != "000000" else "111111"
    assert other.post(1, "/sign-in/code", {"code": wrong}, page="/sign-in/sent").status_code == 422
    assert other.post(2, "/sign-in/code", {"code": code}, page="/sign-in/sent").status_code == 303
    for watcher in leaving:
        watcher.wait_for_fact(f"idea:{idea}", votes=2)
    all_agrees()


def test_what_waited_is_done_once_when_its_link_is_used_at_two_servers_at_once(four: Hub):
    idea = make.idea()
    waiting = {
        "vote": (f"/ideas/{idea}/vote/by-email", {}),
        "comment": (f"/ideas/{idea}/comments/by-email", {"name": "Cai", "body": "By day and by night."}),
        "idea": ("/ideas/by-email", {"name": "Cai", **make.texts(title="Lamps on the towpath")}),
    }
    for what, (path, form) in waiting.items():
        address, visitor = f"{what}@example.org", Visitor(four)
        assert visitor.post(0, path, {"email": address, **form}).status_code == 303
        link, together = four.box.one_to(address).link, Barrier(2)
        hands = [(1, Visitor(four)), (2, Visitor(four))]
        tokens = [CSRF_TOKEN.search(hand.get(number, link).text) for number, hand in hands]

        def press(hand: int, hands=hands, tokens=tokens, link=link, together=together) -> int:
            number, browser = hands[hand]
            together.wait(10)
            return browser.post(number, link, {"csrf_token": tokens[hand][1]}).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(press, range(2))) == [303, 409], what
    with db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Comment).join(Idea).where(Idea.ref == idea)) == 1
        assert session.scalar(sa.select(sa.func.count()).where(Idea.title == "Lamps on the towpath")) == 1
    assert votes_of(idea) == 1
    all_agrees()


def test_four_senders_send_each_mail_once_and_one_that_dies_in_the_middle_costs_no_more_than_that_mail_again(four: Hub):
    idea, before = make.idea(), len(four.box.posts)
    addresses = [f"many{number}@example.org" for number in range(24)]
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(
            lambda n: Visitor(four).post(n % 4, f"/ideas/{idea}/vote/by-email", {"email": addresses[n]}).status_code, range(24)
        )
        assert set(asked) == {303}
    wait_until(lambda: len(four.box.posts) >= before + 24, what="all mails")
    four.box.holds.set()
    assert Visitor(four).post(3, f"/ideas/{idea}/vote/by-email", {"email": "dai@example.org"}).status_code == 303
    first = four.box.one_to("dai@example.org")
    sender = four.servers[int(wait_until(lambda: re.search(r"\d", four.box.sender), what="who sends")[0])]
    sender.kill()
    four.box.holds.clear()
    with db.transaction() as session:  # the lease of who died is over
        session.execute(sa.update(Mail).where(Mail.sent_at.is_(None), Mail.due_at.is_not(None)).values(due_at=now()))
    wait_until(lambda: len(four.box.to("dai@example.org")) == 2, what="the mail once more, by another server")
    sender.start()
    wait_until(all_is_sent, what="all to be noted as sent")
    assert [post.id for post in four.box.to("dai@example.org")] == [first.id] * 2
    assert Counter(post.to for post in four.box.posts[before:]) == {**dict.fromkeys(addresses, 1), "dai@example.org": 2}


def all_is_sent() -> bool:
    with db.reading() as session:
        return session.scalar(sa.select(Mail.id).where(Mail.sent_at.is_(None)).limit(1)) is None


def test_what_one_network_may_ask_is_counted_over_all_servers(four: Hub):
    """For each server alone it would be four times as much. A minute may end meanwhile, so twice as much is allowed here."""
    idea, stranger = make.idea(), Visitor(four)
    most, told = A_MINUTE["ask"][1], None
    for asked in range(2 * most + 1):
        answer = stranger.post(asked % 4, f"/ideas/{idea}/vote/by-email", {"email": "none"})
        if answer.status_code == 429:
            told = answer
            break
        assert answer.status_code == 422
    assert told is not None, f"{2 * most} were answered"
    assert 1 <= int(told.headers["Retry-After"]) <= 60
    for number in range(4):
        assert Visitor(four).post(number, f"/ideas/{idea}/vote/by-email", {"email": "none"}).status_code == 422
        answer = requests.put(f"{four.urls[number]}/api/v1/ideas/{idea}/vote", headers=bearer(make.resident()), timeout=30)
        assert answer.status_code == 200, "who is signed in is counted as themselves"


# Sessions


def test_a_session_that_is_ended_at_one_server_has_ended_on_the_pages_and_sockets_of_all_within_two_seconds(
    four: Hub, leaving: list[Watcher]
):
    ann = make.staff("Ann")
    lost, idea = start_session(ann.ref or ""), make.idea(audience="staff")
    leaving += four.watchers(f"idea:{idea}", secret=lost)
    mine = Visitor(four, ann)
    since = time.monotonic()
    assert mine.post(3, f"/me/sessions/{ref_of(lost)}/end", {}, page="/me/sessions").status_code == 303
    for watcher in leaving:
        watcher.wait(lambda watcher=watcher: watcher.of("disconnect"), within=since + AT_ONCE - time.monotonic())
    headers = {"Cookie": cookie(lost)}
    for url in four.urls:
        assert requests.get(f"{url}/ideas/{idea}", headers=headers, timeout=10).status_code == 404
    assert mine.who(0) == "Ann"


def test_staff_who_began_at_one_server_come_back_at_another_and_a_sign_out_over_there_ends_their_sockets_everywhere(
    four: Hub, leaving: list[Watcher]
):
    browser, over_there = Visitor(four), requests.Session()
    begun = browser.get(0, "/sign-in/staff").headers["Location"]
    over_there.post(begun, allow_redirects=False, timeout=10)
    back = over_there.get(begun, allow_redirects=False, timeout=10).headers["Location"]
    assert browser.get(1, back).headers["Location"] == "/me"
    assert [browser.who(number) for number in range(4)] == ["Ann Lee"] * 4
    idea = make.idea(audience="staff")
    headers = {"Origin": four.base, "Cookie": f"session={browser.session.cookies['session']}"}
    for url in four.urls:
        leaving.append(Watcher(url, headers=headers, websocket_extra_options=SAYS_ITSELF))
        assert leaving[-1].watch(f"idea:{idea}")["refused"] == []
    events = {"http://schemas.openid.net/event/backchannel-logout": {}}
    token = four.provider.now(ended={"sub": ANN["sub"], "sid": ANN["sid"], "events": events})["ended"]
    since = time.monotonic()
    assert requests.post(f"{four.urls[2]}/sign-in/ended", {"logout_token": token}, timeout=10).status_code == 200
    for watcher in leaving:
        watcher.wait(lambda watcher=watcher: watcher.of("disconnect"), within=since + AT_ONCE - time.monotonic())
    assert [browser.who(number) for number in range(4)] == [None] * 4


# Admins


def test_what_an_admin_changes_at_one_server_is_so_on_the_pages_of_all_within_two_seconds(four: Hub):
    """Anonymous pages are kept ready as bytes at each server: those are read first, so that an old one would show."""
    idea, boss = make.idea(), bearer(make.admin())
    api, stranger = f"{four.urls[0]}/api/v1/admin", Visitor(four)

    def page(number: int, path: str) -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", stranger.get(number, path).text))

    changes: list[tuple[str, str, dict[str, Any], str, str]] = [
        ("PATCH", "/settings", {"council": "Nether Vale Council"}, "/", "Nether Vale Council"),
        (
            "PATCH",
            "/settings",
            {"answer_votes": {"public": 77, "staff": 7, "leadership": 2}},
            f"/ideas/{idea}",
            "77 votes oblige an answer",
        ),
        ("PATCH", "/settings", {"burst_votes": 33}, "/votes", "33 such residents"),
        ("PUT", "/themes/towpaths", {"name": "Towpaths and locks"}, "/ideas/new", "Towpaths and locks"),
    ]
    for method, path, body, shown_on, words in changes:
        for number in range(4):
            assert words not in page(number, shown_on)
        since = time.monotonic()
        assert requests.request(method, api + path, json=body, headers=boss, timeout=10).status_code == 200
        everywhere(four, lambda number: words in page(number, shown_on), since=since, what=words)  # noqa: B023


def test_a_role_a_suspension_and_a_join_reach_the_pages_and_sockets_of_all_within_two_seconds(four: Hub, leaving: list[Watcher]):
    boss = bearer(make.admin())
    leader, bad, twin, stays = make.leader(), make.staff(), make.resident("Gwen"), make.resident("Gwen Rees")
    secret, staffs, idea = make.idea(audience="leadership"), make.idea(audience="staff"), make.idea()
    for who in (twin, stays):
        cast_vote(who, idea)
    api = f"{four.urls[0]}/api/v1/admin/people"
    people = {who: bearer(who) for who in (leader, bad, twin)}
    sockets = {
        leader: four.watchers(f"idea:{secret}", who=leader),
        bad: four.watchers(f"idea:{staffs}", who=bad),
        twin: four.watchers(f"idea:{idea}", who=twin),
    }
    everybody = four.watchers(f"idea:{idea}")
    for watching in (*sockets.values(), everybody):
        leaving += watching

    def status(who: Actor, path: str) -> Callable[[int], int]:
        return lambda number: requests.get(f"{four.urls[number]}{path}", headers=people[who], timeout=10).status_code

    acts: list[tuple[Actor, str, str, dict[str, Any], str, int]] = [
        (leader, "PATCH", "", {"roles": []}, f"/ideas/{secret}", 404),
        (bad, "PUT", "/suspension", {"reason": "Wrote threats."}, f"/ideas/{staffs}", 401),
        (twin, "PUT", "/joined", {"into": stays.ref, "reason": "Said so."}, f"/ideas/{idea}", 401),
    ]
    for who, method, path, body, looks_at, told in acts:
        asked = status(who, looks_at)
        assert [asked(number) for number in range(4)] == [200] * 4
        since = time.monotonic()
        answer = requests.request(method, f"{api}/{who.ref}{path}", json=body, headers=boss, timeout=10)
        assert answer.status_code == 200, answer.text
        everywhere(four, lambda number: asked(number) == told, since=since, what=f"{method} {path}")  # noqa: B023
        for watcher in sockets[who]:
            watcher.wait(
                lambda watcher=watcher: watcher.of("reset") == [{"why": "rights"}] or watcher.of("disconnect"),
                within=since + AT_ONCE - time.monotonic(),
            )
    for watcher in everybody:
        watcher.wait_for_fact(f"idea:{idea}", votes=1)
    assert votes_of(idea) == 1
    all_agrees()
