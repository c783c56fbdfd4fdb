"""Four servers on one PostgreSQL, with Redis, behind nginx as `deploy/nginx/` has it."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from requests.adapters import HTTPAdapter

from events.catalogue import VoteCast, VoteWithdrawn
from ideas_hub import db, sessions, settings
from ideas_hub.clock import now
from ideas_hub.comments import Comment
from ideas_hub.ideas import Idea
from ideas_hub.people import Actor, Person
from ideas_hub.votes import Vote, cast_vote
from tests import make
from tests.journeys.conftest import OUTAGE
from tests.journeys.conftest import Watcher as Page
from tests.live.test_protocol import SAYS_ITSELF, cookie
from tests.live.watcher import Watcher
from tests.servers.conftest import start_together
from tests.support import whole_file
from tests.support.browser import CSRF_TOKEN, Visitors
from tests.support.hub import Server
from tests.support.playing import lines_until, playing
from tests.support.processes import free_port
from tests.support.services import Nginx, Redis
from tests.support.witness import entries
from web.cli import demo, minutes

pytestmark = [pytest.mark.postgresql_only, pytest.mark.timeout(240)]  # a busy machine takes long to start four servers
database_url, hub = whole_file.database_url, whole_file.hub

MOST_STALE, RIGHT_AGAIN = 3.0, 5.0  # seconds
SHOWN = """idea => {
  const sign = document.querySelector("[data-live-sign]");
  return [
    Number(document.querySelector(`[data-topic='idea:${idea}'] [data-fact=votes]`).textContent),
    ["on", "catching", "off"].find(name => sign.classList.contains(`live--${name}`)),
  ];
}"""

TALLIES = """() => [
  ["on", "catching", "off"].find(name => document.querySelector("[data-live-sign]").classList.contains(`live--${name}`)),
  [...document.querySelectorAll("[data-topic^='idea:']")].map(
    idea => [idea.dataset.topic.slice(5), Number(idea.querySelector("[data-fact=votes]").textContent.replace(",", ""))]
  ),
]"""
LIKE_NEW = """async place => {
  const links = page => [...page.querySelectorAll(`${place} a`)].map(link => link.getAttribute("href")).join();
  const anew = await (await fetch(location.href)).text();
  return links(document) === links(new DOMParser().parseFromString(anew, "text/html"));
}"""


class Hub:
    """What the people of a council have: an address. Behind it four servers, each of which may be ended and started."""

    def __init__(self, nginx: Nginx, servers: list[Server]):
        self.nginx, self.servers = nginx, servers
        self.url = nginx.url

    def all_answer(self) -> None:
        start_together([server for server in self.servers if server.process is None])


@pytest.fixture(scope="module")
def four(hub: db.Database, database_url: str, redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("four")
    ports = [free_port() for _ in range(4)]
    nginx = Nginx(folder / "nginx", ports)
    settings = {"BASE_URL": nginx.url, "TRUSTED_PROXIES": 1, "REDIS_URL": redis.url}
    servers = [Server(folder / f"server-{port}", database_url, port=port, **settings) for port in ports]
    try:
        nginx.start()
        start_together(servers)
        yield Hub(nginx, servers)
    finally:
        for process in (nginx, *servers):
            process.kill()


def token(who: Actor | None = None) -> str:
    return sessions.make_token(make.address(who or make.person()), 1)


def ask(url: str, method: str, path: str, token: str, body: object = None, **headers: str) -> dict:
    """What the API answers; raises requests.RequestException where it refuses, or nobody answers."""
    headers |= {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, f"{url}/api/v1{path}", json=body, headers=headers, timeout=10)
    answer.raise_for_status()
    return answer.json()


# Without stickiness


def test_a_person_signs_in_once_and_acts_through_whichever_server(four: Hub):
    person, idea = make.person(), make.idea()
    urls = [f"http://127.0.0.1:{server.port}" for server in four.servers]
    browser = requests.Session()

    def form(page: str, url: str) -> dict[str, str]:
        found = CSRF_TOKEN.search(browser.get(page).text)
        assert found
        return {"csrf_token": found[1]}

    one, two, three, last = urls
    answer = browser.post(f"{two}/sign-in", {"person": person.ref, **form(f"{one}/sign-in", one)}, allow_redirects=False)
    assert answer.status_code == 303
    voted = browser.post(f"{last}/ideas/{idea}/vote", form(f"{three}/ideas/{idea}", three), allow_redirects=False)
    assert voted.status_code == 303
    cursor = browser.get(f"{one}/api/v1/events", params={"topics": f"idea:{idea}"}).json()["cursor"]
    ask(two, "POST", f"/ideas/{idea}/comments", token(), {"body": "Through the second."})
    told = browser.get(f"{three}/api/v1/events", params={"topics": f"idea:{idea}", "after": cursor}).json()
    assert (told["mode"], [event["data"]["body"] for event in told["events"]]) == ("resume", ["Through the second."])


# Through nginx


class From(HTTPAdapter):
    """Requests that come from this address."""

    def __init__(self, address: str):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        return super().init_poolmanager(*arguments, source_address=(self.address, 0), **options)


def test_polling_stays_with_one_server_and_neighbours_are_spread_over_all(four: Hub):
    """Twelve networks; each polls, and each is told everything. A request at another server would end its connection."""
    idea = make.idea()
    watchers = []
    for number in range(1, 13):
        session = requests.Session()
        session.mount("http://", From(f"127.0.{number}.1"))
        watchers.append(Watcher(four.url, transports=["polling"], http_session=session))
        watchers[-1].watch(f"idea:{idea}")
    for number in range(3):
        ask(four.url, "POST", f"/ideas/{idea}/comments", token(), {"body": f"Comment {number}"})
    for watcher in watchers:
        watcher.wait(lambda watcher=watcher: len(watcher.events) == 3)
        assert not watcher.of("disconnect")
        watcher.leave()


def test_a_websocket_and_polling_that_becomes_one_pass(four: Hub):
    idea = make.idea()
    straight, upgraded = Watcher(four.url), Watcher(four.url, transports=["polling", "websocket"])
    for watcher in (straight, upgraded):
        watcher.watch(f"idea:{idea}")
        assert watcher.client.transport() == "websocket"
    cast_vote(make.person(), idea)
    for watcher in (straight, upgraded):
        watcher.wait_for_fact(f"idea:{idea}", votes=1)
        watcher.leave()


def test_during_maintenance_people_get_a_page_and_scripts_a_problem(four: Hub):
    four.nginx.maintenance.touch()
    try:
        for path, headers, kind in (
            ("/", {"Accept": "text/html"}, "text/html; charset=utf-8"),
            ("/api/v1/ideas", {}, "application/problem+json"),
            ("/ideas", {"Accept": "application/json"}, "application/problem+json"),
        ):
            answer = requests.get(four.url + path, headers=headers, timeout=10)
            assert answer.status_code == 503
            assert (answer.headers["Content-Type"], answer.headers["Retry-After"]) == (kind, "5")
    finally:
        four.nginx.maintenance.unlink()


# Under load


class Load:
    """People who vote and comment through nginx, some thirty times a second, each until they are told that it is done."""

    def __init__(self, hub: Hub):
        self.hub = hub
        self.tokens = [token() for _ in range(60)]
        self.ideas = [make.idea(votes=0) for _ in range(12)]
        self.votes: Counter[str] = Counter()  # by idea: what was acknowledged
        self.comments: Counter[str] = Counter()
        self.failures: list[str] = []
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self._act, args=(part,)) for part in range(4)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _act(self, part: int) -> None:
        for number, who in enumerate(self.tokens[part::4] * len(self.ideas)):
            idea = self.ideas[number // len(self.tokens[part::4])]
            self._until_done("PUT", f"/ideas/{idea}/vote", who)
            self.votes[idea] += 1
            if number % 5 == 0:
                key = {"Idempotency-Key": f"{part}-{number}"}
                self._until_done("POST", f"/ideas/{idea}/comments", who, {"body": f"Comment {part}-{number}"}, **key)
                self.comments[idea] += 1
            if self.ended.wait(0.1) or self.failures:
                return

    def _until_done(self, method: str, path: str, who: str, body: object = None, **headers: str) -> None:
        for _ in range(60):
            try:
                ask(self.hub.url, method, path, who, body, **headers)
                return
            except requests.HTTPError as refusal:
                if refusal.response.status_code not in (503, 409):  # away; still at work on what we sent before
                    break
            except requests.RequestException:
                pass  # the line broke
            time.sleep(0.2)
        self.failures.append(f"{method} {path}")

    def is_all_there(self) -> None:
        """Each acknowledged vote and comment, once, and no other."""
        assert not self.failures
        with db.reading() as session:
            for idea in self.ideas:
                row = session.scalars(sa.select(Idea).where(Idea.ref == idea)).one()
                votes = session.scalar(sa.select(sa.func.count()).where(Vote.idea_id == row.id))
                comments = session.scalar(sa.select(sa.func.count()).where(Comment.idea_id == row.id))
                assert votes == row.votes == self.votes[idea]
                assert comments == self.comments[idea]


def test_a_rolling_restart_loses_nothing(four: Hub):
    with Load(four) as load:
        for half in (four.servers[:2], four.servers[2:]):
            for server in half:
                assert server.stop() == 0
            start_together(half)
    assert sum(load.votes.values()) > 20
    load.is_all_there()


def test_two_of_four_servers_are_killed_and_no_page_is_stale_without_saying_so(four: Hub, visitor: Visitors):
    for words in (*OUTAGE, "503 (Service Unavailable)"):
        visitor.forgive(words)
    load = Load(four)
    watched = load.ideas[0]
    pages = [Page(visitor(four.url, make.person().ref), path) for path in (f"/ideas/{watched}", f"/ideas/{watched}", "/board")]
    acknowledged: list[tuple[float, int]] = []  # when, and how many votes of the watched idea

    def look(until: float) -> None:
        while time.monotonic() < until:
            acknowledged.append((time.monotonic(), load.votes[watched]))
            for page in pages[:2]:
                shown, sign = page.page.evaluate(SHOWN, watched)
                due = max((votes for moment, votes in acknowledged if moment < time.monotonic() - MOST_STALE), default=0)
                assert sign != "on" or shown >= due, f"shows {shown} as live, and {due} were acknowledged long ago"
            time.sleep(0.05)

    with load:
        look(time.monotonic() + 1.5)
        for server in four.servers[::2]:
            server.kill()
        look(time.monotonic() + 3)
        four.all_answer()
        look(time.monotonic() + 1)
    load.is_all_there()
    for page in pages:
        page.until_live(within=RIGHT_AGAIN)
    for page in pages[:2]:
        page.until_votes(watched, load.votes[watched])
        assert not page.was_reloaded


# The demo council at work


DID = {
    "voted": re.compile(r"^\d\d:\d\d .+ voted for “(.+)”: \d+$"),
    "took back": re.compile(r"^\d\d:\d\d .+ took back a vote for “(.+)”: \d+$"),
    "commented": re.compile(r"^\d\d:\d\d (.+), \w+, on “.+”: (.+)$"),
    "posted": re.compile(r"^\d\d:\d\d .+ posted “(.+)”$"),
}


class Council:
    """Its people, with a few ideas of others. What they say that they did, and what stands in the hub since."""

    def __init__(self) -> None:
        council = demo.Council(one_in=10)
        demo.move_in(council)
        demo.add_themes(council, minutes.themes(str))
        settings.change_settings(council=demo.COUNCIL)
        for _ in range(12):
            make.idea(votes=2)
        self.before = self._standing()

    def did(self, lines: list[str]) -> dict[str, Counter]:
        found: dict[str, Counter] = {what: Counter() for what in DID}
        for line in lines:
            for what, pattern in DID.items():
                if said := pattern.match(line):
                    found[what][said.groups()] += 1
                    break
        return found

    def is_all_there(self, lines: list[str]) -> None:
        """Each act that was acknowledged to them, once, and no other."""
        did, here = self.did(lines), self._standing()
        votes = Counter(did["voted"])
        votes.subtract(did["took back"])
        for what, acts in (("votes", votes), ("comments", did["commented"]), ("ideas", did["posted"])):
            since = Counter(here[what])
            since.subtract(self.before[what])
            assert {act: n for act, n in since.items() if n} == {act: n for act, n in acts.items() if n}, what

    @staticmethod
    def _standing() -> dict[str, Counter]:
        with db.reading() as session:
            ideas = session.scalars(sa.select(Idea)).all()
            names = {idea.id: idea.short_title or idea.title for idea in ideas}
            for idea, counted in session.execute(sa.select(Vote.idea_id, sa.func.count()).group_by(Vote.idea_id)).all():
                assert counted == next(row.votes for row in ideas if row.id == idea)
            votes: Counter = Counter()
            for idea in ideas:
                votes[(names[idea.id],)] += idea.votes
            comments = session.execute(sa.select(Person.name, Comment.body).join(Person, Person.id == Comment.author_id))
            return {
                "votes": votes,
                "comments": Counter((name, body) for name, body in comments),
                "ideas": Counter((name,) for name in names.values()),
            }


def tallies() -> dict[str, list[tuple[datetime, int]]]:
    """How many votes each idea has had, and since when, by the log."""
    found: dict[str, list[tuple[datetime, int]]] = {}
    for entry in entries():
        if isinstance(entry.event, VoteCast | VoteWithdrawn):
            past = found.setdefault(entry.event.idea, [(datetime.min.replace(tzinfo=UTC), 0)])
            past.append((entry.at, past[-1][1] + (1 if isinstance(entry.event, VoteCast) else -1)))
    return found


def test_two_of_four_servers_are_killed_while_the_council_is_at_work(
    four: Hub, visitor: Visitors, database_url: str, tmp_path: Path
):
    """`flask demo --play`: what it was told is done is there, and the board never shows old numbers as live."""
    for words in (*OUTAGE, "503 (Service Unavailable)"):
        visitor.forgive(words)
    council = Council()
    board, home = Page(visitor(four.url), "/board"), Page(visitor(four.url), "/")
    shown: list[tuple[datetime, dict[str, int]]] = []  # when the board said that it was live, and the votes on it

    def look(until: float) -> None:
        while time.monotonic() < until:
            sign, votes = board.page.evaluate(TALLIES)
            if sign == "on":
                shown.append((now(), dict(votes)))
            time.sleep(0.05)

    with playing(database_url, four.url, tmp_path, "--speed", "400", "--minutes", "0.2") as process:
        lines = lines_until(process, " voted for “")
        hearing = threading.Thread(target=lambda: lines.extend(line.rstrip() for line in process.stdout))
        hearing.start()
        look(time.monotonic() + 2)
        killed = len(lines)
        for server in four.servers[::2]:
            server.kill()
        look(time.monotonic() + 4)
        four.all_answer()
        look(time.monotonic() + 1)
        hearing.join(30)
    assert "go home" in lines[-1], lines[-5:]
    assert any(council.did(lines[killed:]).values()), "nobody did anything with two servers gone"
    council.is_all_there(lines)
    past = tallies()
    for moment, votes in shown:
        for idea, number in votes.items():
            known = past.get(idea, [(moment, 0)])
            since = max((at for at, _ in known if at <= moment - timedelta(seconds=MOST_STALE)), default=moment)
            assert number in {tally for at, tally in known if since <= at <= moment}, f"{idea} at {moment}: {number} as live"
    for page, places in ((board, ("#columns", "#figures")), (home, ("#now", "#waiting", "#year"))):
        page.until_live(within=RIGHT_AGAIN)
        for place in places:
            page.until(LIKE_NEW, place)
        assert not page.was_reloaded


# Rights


def test_a_role_and_a_session_that_are_taken_away_end_on_pages_and_sockets_of_every_server_within_two_seconds(four: Hub):
    demoted, leaving = make.leader(), make.leader()
    secret = make.idea(audience="leadership", title="Close the east wing")
    urls = [f"http://127.0.0.1:{server.port}" for server in four.servers]
    known = {who: {"Cookie": cookie(sessions.start_session(who.ref or ""))} for who in (demoted, leaving)}

    def watchers(who: Actor) -> list[Watcher]:
        headers = known[who] | {"Origin": four.url}
        return [Watcher(url, headers=headers, websocket_extra_options=SAYS_ITSELF) for url in urls]

    def pages(who: Actor) -> set[int]:
        return {requests.get(f"{url}/ideas/{secret}", headers=known[who], timeout=10).status_code for url in urls}

    sockets = {who: watchers(who) for who in known}
    everybody = [watcher for those in sockets.values() for watcher in those]
    try:
        assert {tuple(watcher.watch("board", f"idea:{secret}")["refused"]) for watcher in everybody} == {()}
        assert pages(demoted) == pages(leaving) == {200}
        taken = time.monotonic()
        make.changed(demoted)
        sessions.end_others(leaving, "none of them")
        assert pages(demoted) == pages(leaving) == {404}
        for watcher in sockets[demoted]:
            watcher.wait(lambda watcher=watcher: watcher.of("reset") == [{"why": "rights"}], within=2)
        for watcher in sockets[leaving]:
            watcher.wait(lambda watcher=watcher: watcher.of("disconnect"), within=2)
        assert time.monotonic() - taken < 2
        make.comment(secret)
        time.sleep(1)  # for what must not come
        assert [watcher.types for watcher in everybody] == [[]] * len(everybody)
    finally:
        for watcher in everybody:
            watcher.leave()
