"""A burst of 300 votes from one network on one idea, over HTTP, on one server with SQLite and on four with PostgreSQL."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import sqlalchemy as sa

from events.catalogue import View
from ideas_hub import db
from ideas_hub.clock import today
from ideas_hub.people import add_residents
from ideas_hub.sessions import make_token
from ideas_hub.verify import verify
from ideas_hub.votes import VoteDay
from tests import make
from tests.live.watcher import Watcher
from tests.servers.conftest import Servers
from tests.support.hub import Server
from tests.support.told import story

FARM, RULE, MANY = "203.0.113.66", 20, 300

pytestmark = pytest.mark.timeout(240)


def people(number: int) -> list[str]:
    """The tokens of so many residents who are new."""
    add_residents({f"puppet{n}@example.net": f"Puppet {n}" for n in range(number)})
    return [make_token(f"puppet{n}@example.net", 1) for n in range(number)]


def voting(servers: list[Server], idea: str) -> Callable[[int, str, str], dict]:
    def vote(number: int, token: str, address: str) -> dict:
        url = f"{servers[number % len(servers)].url}/api/v1/ideas/{idea}/vote"
        answer = requests.put(url, headers={"Authorization": f"Bearer {token}", "X-Forwarded-For": address}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return vote


def test_three_hundred_votes_from_one_network_alert_are_held_by_the_rule_and_are_counted_when_they_are_released(
    hub: db.Database, servers: Servers, database_url: str
) -> None:
    idea, moderator, others = make.idea(title="A bridge"), make.moderator(), 12
    tokens, boss = people(MANY + others), make_token(make.address(moderator), 1)
    started = servers(1 if database_url.startswith("sqlite") else 4, TRUSTED_PROXIES=1)
    vote, url = voting(started, idea), started[-1].url
    desk, public = Watcher(url, token=boss), Watcher(url)
    desk.watch("board")
    public.watch(f"idea:{idea}")

    with ThreadPoolExecutor(16) as crowd:
        told = list(crowd.map(lambda n: vote(n, tokens[n], FARM), range(MANY)))
        free = list(crowd.map(lambda n: vote(n, tokens[MANY + n], f"198.51.100.{n}"), range(others)))
    assert Counter(tally["held"] for tally in told) == {True: MANY - RULE, False: RULE}
    assert all(tally["voted"] for tally in free), "who comes from elsewhere counts meanwhile"

    # It alerts, and says so in public.
    desk.wait_for("idea.votes_held")
    public.wait_for("idea.votes_held")
    public.wait_for_fact(f"idea:{idea}", votes=RULE + others, votes_held=MANY - RULE)
    assert desk.types.count("idea.votes_held") == 1
    page = " ".join(requests.get(f"{url}/ideas/{idea}", timeout=10).text.split())
    assert f'data-fact="votes_held">{MANY - RULE}</b>' in page
    assert "Puppet" not in page

    # A moderator releases them.
    mine = requests.Session()
    mine.headers["Authorization"] = f"Bearer {boss}"
    (burst,) = mine.get(f"{url}/api/v1/moderation/votes", timeout=60).json()["items"]
    assert (burst["votes"], burst["counted"], burst["largest"]) == (MANY - RULE, RULE, MANY - RULE)
    decision = {"to": "released", "reason": "The farm had a meeting about it."}
    done = mine.put(f"{url}/api/v1/moderation/votes/{burst['id']}/decision", json=decision, timeout=60)
    assert done.json()["fate"] == "released"
    public.wait_for_fact(f"idea:{idea}", votes=MANY + others, votes_held=0)
    said = [(kind, data) for kind, data in story(idea, View.PUBLIC) if "votes" in kind]
    assert said == [("idea.votes_held", {"idea": idea}), ("idea.votes_released", {"idea": idea, "votes": MANY - RULE})]

    # The recount agrees to the vote, on the desk and for the whole hub.
    count = mine.get(f"{started[0].url}/api/v1/ideas/{idea}/recount", timeout=60).json()
    assert count["shown"] == count["rows"] == count["ledger"] == {"votes": MANY + others, "held": 0, "refused": 0}
    assert count["complaints"] == []
    with db.reading() as session:
        assert session.execute(sa.select(VoteDay.day, VoteDay.residents)).all() == [(today(), MANY + others)]
    assert [(check.name, check.first) for check in verify() if check.wrong] == []
    for watcher in (desk, public):
        watcher.leave()
