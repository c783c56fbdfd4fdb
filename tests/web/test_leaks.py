"""A marker is planted in everything that is not for everybody, and looked for behind every door of the hub, as six people.

The doors are the routes themselves, so a new one is looked behind from its first day. Sockets tell what `/api/v1/events` tells:
the same `Stream` and the same `Live`; `tests/live` watches them.
"""

import re
from dataclasses import dataclass

import pytest

from events import log
from events.catalogue import View
from events.stream import Cursor
from ideas_hub import audiences, comments, moves, votes
from ideas_hub.db import reading
from ideas_hub.ideas import Stage
from ideas_hub.people import NOBODY, Actor
from tests import make
from tests.web.test_access import addresses

MARKER = "Quetzalcoatlus"
WORDS = {name: f"{MARKER} {name}" for name in ("title", "problem", "proposal", "gain", "cost_of_inaction", "place")}


@dataclass
class Planted:
    """What was planted, and the references of all that bears the marker, by the audience that may see it."""

    open_idea: str
    once_open: set[str]  # what was public before: a tombstone tells the reference of these, and nothing else
    refs: dict[str, View]
    comments: dict[str, tuple[str, View]]


def a_whole_life(idea: str, overseer: Actor, audience: View) -> list[str]:
    """Everything that can hold words, for an idea that is not for everybody; its comments' references."""
    posted = [comments.post_comment(overseer, idea, body=f"{MARKER} comment", audience=audience)]
    posted.append(comments.post_comment(overseer, idea, body=f"{MARKER} reply", parent=posted[0]))
    make.sponsored(idea, by=make.person(kind="staff", roles=["leader"]))
    needs = make.needs(Stage.TRIAL, hypothesis=f"{MARKER} hypothesis", test=f"{MARKER} test", measure=f"{MARKER} measure")
    leader = make.regular("leader")
    moves.move_idea(leader, idea, to=Stage.EXPLORING, reason=f"{MARKER} reason")
    moves.move_idea(leader, idea, to=Stage.TRIAL, reason=f"{MARKER} reason", **needs)
    moves.move_idea(leader, idea, to=Stage.LEARNED, reason=f"{MARKER} reason", lesson=f"{MARKER} lesson")
    return posted


@pytest.fixture
def planted(hub) -> Planted:
    overseer = make.overseer()
    make.theme("parks")
    open_idea = make.idea(title="Benches", themes=["parks"], votes=2)
    refs: dict[str, View] = {}
    found: dict[str, tuple[str, View]] = {}
    for audience in (View.STAFF, View.LEADERSHIP):
        idea = make.idea(overseer, audience=audience.word, themes=["parks"], **WORDS)
        votes.cast_vote(make.leader(), idea)
        refs[idea] = audience
        found |= dict.fromkeys(a_whole_life(idea, overseer, audience), (idea, audience))
        aside = comments.post_comment(overseer, open_idea, body=f"{MARKER} aside", audience=audience)
        found[aside] = (open_idea, audience)
    restricted = make.idea(themes=["parks"], votes=1, **WORDS)
    found[make.comment(restricted, body=f"{MARKER} comment")] = (restricted, View.STAFF)
    audiences.change_idea(overseer, restricted, audience=View.STAFF)
    refs[restricted] = View.STAFF
    hidden = make.idea(themes=["parks"], hidden=True, **WORDS)
    refs[hidden] = View.PUBLIC  # hidden from all but moderators, who are looked after below
    return Planted(open_idea, {restricted, hidden}, refs, found)


def everybody() -> dict[str, Actor]:
    return {
        "nobody": NOBODY,
        "resident": make.resident(),
        "staff": make.staff(),
        "sponsor": make.sponsor(),
        "safeguarding": make.safeguarding(),
        "leader": make.leader(),
    }


def may_see(actor: Actor, planted: Planted) -> bool:
    return any(actor.view >= audience > View.PUBLIC for audience in planted.refs.values())


def test_no_door_shows_what_is_not_for_who_knocks(app, visit, planted):
    """Residents and nobody find the marker nowhere; staff find nothing that is for leaders, and nothing that is hidden."""
    unseen = {View.PUBLIC: planted.refs, View.STAFF: {r: a for r, a in planted.refs.items() if a is View.LEADERSHIP}}
    for name, actor in everybody().items():
        browser = visit(actor)
        for path, ref in every_address(app, planted).items():
            for query in queries(path):
                text = browser.get(path, query_string=query).data.decode(errors="replace")  # a card is no text
                if actor.view is View.PUBLIC:
                    assert MARKER.lower() not in text.lower(), (name, path, query)
                for secret in unseen.get(actor.view, ()):
                    buried = path == "/api/v1/events" and secret in planted.once_open
                    if secret != ref and not buried:  # one's own question may come back in a form
                        assert secret not in text, (name, path, query)


def every_address(app, planted: Planted) -> dict[str, str]:
    """Every address that can be got, once, and the reference that stands in it, if one does."""
    comment = next(iter(planted.comments))
    return {
        path: ref if ref in path else ""
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint != "static"
        for ref in (planted.open_idea, *planted.refs)
        for path in addresses(rule, ref=ref, idea=ref, comment=comment)
    }


def queries(path: str) -> list[dict[str, str]]:
    """What to ask behind a door: nothing, and, where it searches, for the marker itself (in other letters) and its neighbours."""
    if path.endswith("/similar"):
        return [{"text": "quetzalcoatluş"}, {"text": "benches"}]
    if path in ("/ideas", "/api/v1/ideas"):
        sorts = [{"sort": sort} for sort in ("new", "top", "trending", "waiting")]
        stages = [{"stage": stage} for stage in ("learned", "new", "merged")]
        return [{}, {"q": "quetzal"}, {"theme": "parks"}, *sorts, *stages]
    if path == "/api/v1/events":
        with reading() as session:
            epoch = log.head(session).epoch
        topics = "board,ideas"
        return [{}, *({"after": str(Cursor(view, epoch, 0)), "topics": topics, "limit": "100"} for view in View)]
    return [{}]


@pytest.mark.sqlite_only  # what the database answers is compared on both in `ideas_hub/test_leaks.py`
def test_every_refusal_is_the_same_as_for_what_does_not_exist(app, visit, planted):
    """What a resident may not see answers every method of every route as a reference that was never given out does."""
    resident = visit(make.resident(), ours=True)
    aside = next(ref for ref, (idea, _) in planted.comments.items() if idea == planted.open_idea)
    for rule in app.url_map.iter_rules():
        if not {"ref", "idea"} & rule.arguments:
            continue
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            for ref in planted.refs:
                for path in addresses(rule, ref=ref, idea=ref):
                    compare(resident, method, path, ref)
            if "comment>" in rule.rule:
                for path in addresses(rule, ref=planted.open_idea, idea=planted.open_idea, comment=aside):
                    compare(resident, method, path, aside)


def compare(browser, method: str, path: str, ref: str) -> None:
    never = "wwwwwwww"
    sent = (
        {"json": {"reason": "x", "to": "parked", "review_on": "2090-01-01", "body": "x", "text": "x"}} if "/api/" in path else {}
    )
    secret = browser.open(path, method=method, **sent)
    missing = browser.open(path.replace(ref, never), method=method, **sent)
    assert secret.status_code == missing.status_code, (method, path)
    # What is wrong with a form is said before it is looked whose it is; a form's address leads to the idea's, whatever it is.
    assert secret.status_code in (303, 404, 405, 422), (method, path)
    assert timeless(secret.text).replace(ref, never) == timeless(missing.text), (method, path)
    assert (secret.location or "").replace(ref, never) == (missing.location or ""), (method, path)


def timeless(page: str) -> str:
    """The page without the token of its forms, which holds the second in which it was made."""
    return re.sub(r'(csrf[-_]token" (?:content|value)=)"[^"]*"', r"\1", page)


def test_counts_count_what_the_asker_may_see(app, visit, planted):
    counted = {name: visit(actor).get("/api/v1/board").json["columns"] for name, actor in everybody().items()}
    new = {name: next(c["count"] for c in columns if c["stage"] == "new") for name, columns in counted.items()}
    learned = {name: next(c["count"] for c in columns if c["stage"] == "learned") for name, columns in counted.items()}
    assert new == {"nobody": 1, "resident": 1, "staff": 2, "sponsor": 2, "safeguarding": 2, "leader": 2}
    assert learned == {"nobody": 0, "resident": 0, "staff": 1, "sponsor": 1, "safeguarding": 1, "leader": 2}
    told = {name: visit(actor).get(f"/api/v1/ideas/{planted.open_idea}").json["comments"] for name, actor in everybody().items()}
    assert told == {"nobody": 0, "resident": 0, "staff": 1, "sponsor": 1, "safeguarding": 1, "leader": 2}


def test_those_who_may_see_it_do(app, visit, planted):
    """The marker is really there: a test that looks in the wrong place would pass for ever."""
    for name, actor in everybody().items():
        text = visit(actor).get("/api/v1/ideas", query_string={"q": MARKER, "limit": "100"}).text
        assert (MARKER in text) == may_see(actor, planted), name
    hidden = next(ref for ref, audience in planted.refs.items() if audience is View.PUBLIC)
    assert MARKER in visit(make.moderator()).get(f"/ideas/{hidden}").text


def test_a_resident_cannot_vote_their_way_to_a_secret(visit, planted):
    resident = make.resident()
    for ref in planted.refs:
        with pytest.raises(Exception, match="could not find"):
            votes.cast_vote(resident, ref)
