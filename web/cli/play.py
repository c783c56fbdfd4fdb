"""The demo council at work: its people act on a running hub over HTTP, at a human pace, until they are told to stop.

What they post stands in `council/play.toml`. They are known by tokens, made with this console's own access to the database and
void again at the end; what they do goes through the hub's own API and nowhere else. A hub that does not answer is waited for,
and what was under way is sent again under its `Idempotency-Key`, so that it happens once.
"""

import json
import random
import time
import tomllib
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click

from ideas_hub import people, sessions, settings
from ideas_hub.cards import first_sentence
from ideas_hub.clock import now, today
from ideas_hub.errors import RuleBroken, _
from web.cli import demo, minutes
from web.cli.minutes import FOLDER, KINDS

PAUSE = 8.0  # seconds between two acts, on average
LONGEST_WAIT = 60.0
LOOKS = "Angharad Cole"  # who sees every idea
ACTS = {"vote": 62, "comment": 22, "post": 6, "sponsor": 4, "decide": 6}  # how often each, of a hundred


class Refused(Exception):
    """The hub said no, and why."""


class Hub:
    """The running hub, as its people reach it. Nothing else is ever asked: neither a proxy nor another address."""

    def __init__(self, base_url: str) -> None:
        self.base = f"{base_url}/api/v1"
        self.opener = urllib.request.OpenerDirector()
        for handler in (urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(), urllib.request.HTTPErrorProcessor()):
            self.opener.add_handler(handler)
        self.opener.add_handler(urllib.request.HTTPDefaultErrorHandler())
        self.tokens: dict[str, str] = {}

    def ask(self, who: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send it until it is answered. Raises Refused."""
        headers = {"Authorization": f"Bearer {self._token(who)}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.base}{path}", data=data, headers=headers, method=method)  # noqa: S310
        away = False
        while True:
            try:
                with self.opener.open(request, timeout=30) as answer:
                    if away:
                        say("The hub answers again.")
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as refusal:
                wait = refusal.headers.get("Retry-After", "")
                if refusal.code in (429, 503) and wait.isdecimal():
                    say(f"The hub asks to wait for {wait} seconds.")
                    time.sleep(min(float(wait), LONGEST_WAIT))
                elif refusal.code not in (502, 504):
                    raise Refused(_reason(refusal)) from refusal
                else:
                    away = self._wait_for_it(away)
            except (urllib.error.URLError, ConnectionError, TimeoutError, OSError):
                away = self._wait_for_it(away)

    def leave(self) -> None:
        """Every token is void again."""
        while self.tokens:
            sessions.end(self.tokens.popitem()[1])

    def _token(self, who: str) -> str:
        if who not in self.tokens:
            self.tokens[who] = sessions.make_token(demo.address(who), 1)
        return self.tokens[who]

    def _wait_for_it(self, away: bool) -> bool:
        if not away:
            say(f"The hub at {self.base} does not answer (IDEAS_HUB_PORT or IDEAS_HUB_BASE_URL says where it is). Trying again.")
        time.sleep(1)
        return True


class Council:
    """Its people, what they have still to say, and what they did last."""

    def __init__(self, hub: Hub, chance: random.Random) -> None:
        self.hub, self.chance = hub, chance
        said = store()
        self.ideas = Deck(said["ideas"], chance)
        self.decks = {kind: Deck(said["comments"][verb], chance) for verb, kind in KINDS.items()}
        self.reasons = {name: Deck(said[name], chance) for name in ("explore", "answer", "trial", "decline")}
        staff = minutes.people()["staff"]
        self.staff = list(staff)
        self.sponsors = [name for name, at_work in staff.items() if "sponsor" in at_work.get("roles", ())]
        named = set(minutes.people()["residents"]["named"])
        everybody = {actor.name for actor in people.everybody()}
        self.residents = [name for name in minutes.residents() if name in everybody]
        self.talkers = [name for name in self.residents if name in named] + self.staff
        self.places = {theme["slug"]: theme["directorate"] for theme in minutes.themes(str)}
        self.places |= {name: minutes.people()["teams"][staff[name]["team"]] for name in staff}
        self.decisions = list(said["decisions"])
        self.posted: set[str] = set()
        self.coming: list[tuple[str, str]] = []  # what is about to be said about an idea that was posted here

    def act(self) -> str:
        """Somebody does something; return what, in one line. Raises Refused."""
        if self.coming and self.chance.random() < 0.3:
            ref, entry = self.coming.pop(0)
            return self._say(ref, entry)
        does: dict[str, Callable[[], str]] = {
            "vote": self._vote,
            "comment": self._comment,
            "post": self._post,
            "sponsor": self._sponsor,
            "decide": self._decide,
        }
        return does[self.chance.choices(list(ACTS), list(ACTS.values()))[0]]()

    def _ideas(self, who: str, query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.hub.ask(who, "GET", f"/ideas?limit=60&{query}")["items"]
        return found

    def _some(self, who: str) -> dict[str, Any]:
        """An idea that is open to votes: most often one of those that stand high on the board."""
        order = self.chance.choice(("trending", "trending", "new", "waiting"))
        ideas = self._ideas(who, f"sort={order}&stage=new&stage=exploring&stage=trial&stage=parked")
        if not ideas:
            raise Refused("No idea is open to votes.")
        return ideas[min(int(self.chance.expovariate(1 / 9)), len(ideas) - 1)]

    def _vote(self) -> str:
        who = self.chance.choice(self.residents if self.chance.random() < 0.85 else self.staff)
        idea = self._some(who)
        if idea["voted"] and self.chance.random() < 0.8:
            raise Refused("")  # nothing to tell: who has voted walks by
        tally = self.hub.ask(who, "DELETE" if idea["voted"] else "PUT", f"/ideas/{idea['id']}/vote")
        return f"{who} {'took back a vote' if idea['voted'] else 'voted'} for {_named(idea)}: {tally['votes']}"

    def _comment(self) -> str:
        who = self.chance.choice(self.talkers)
        idea, kind = self._some(who), self.chance.choices(list(self.decks), (30, 30, 30, 10))[0]
        return self._say_it(who, idea["id"], _named(idea), kind, self.decks[kind].draw())

    def _say(self, ref: str, entry: str) -> str:
        who, verb = next((who, verb) for who in self.talkers for verb in KINDS if entry.startswith(f"{who} {verb}: "))
        idea = self.hub.ask(who, "GET", f"/ideas/{ref}")
        return self._say_it(who, ref, _named(idea), KINDS[verb], entry.split(": ", 1)[1])

    def _say_it(self, who: str, ref: str, name: str, kind: str, body: str) -> str:
        self.hub.ask(who, "POST", f"/ideas/{ref}/comments", {"body": body, "kind": kind})
        return f"{who}, {kind}, on {name}: {body}"

    def _post(self) -> str:
        said = dict(self.ideas.draw())
        who, answers = said.pop("by"), said.pop("comments")
        if who in self.staff:
            said.setdefault("audience", "public")
        idea = self.hub.ask(who, "POST", "/ideas", said)
        self.posted.add(idea["id"])
        self.coming += [(idea["id"], entry) for entry in answers]
        return f"{who} posted {_named(idea)}"

    def _sponsor(self) -> str:
        """Somebody takes on a new idea that belongs to their directorate."""
        who = self.chance.choice(self.sponsors)
        free = [idea for idea in self._ideas(who, "sort=top&stage=new") if not idea["sponsor"]]
        theirs = [idea for idea in free if self.places[who] in {self.places[theme] for theme in idea["themes"]}]
        if not theirs:
            raise Refused("")
        idea = theirs[min(int(self.chance.expovariate(1 / 3)), len(theirs) - 1)]
        self.hub.ask(who, "PUT", f"/ideas/{idea['id']}/sponsor", {})
        return f"{who} sponsors {_named(idea)}"

    def _decide(self) -> str:
        """A sponsor says what is written for an idea of the council; or explores, then answers, one that was posted here."""
        ideas = [idea for idea in self._ideas(LOOKS, "sort=top") if idea["sponsor"] or idea["answer_due"]]
        by_name = {idea["short_title"] or idea["title"]: idea for idea in ideas if idea["sponsor"]}
        open_still = [said for said in self.decisions if _awaits(by_name.get(said["idea"]), said.get("to"))]
        if open_still and self.chance.random() < 0.5:
            decision = self.chance.choice(open_still)
            return self._answer(by_name[decision["idea"]], {name: value for name, value in decision.items() if name != "idea"})
        ours = [idea for idea in ideas if idea["id"] in self.posted and idea["sponsor"]]
        if not ours:
            raise Refused("")
        idea = self.chance.choice(ours)
        who = idea["sponsor"]["name"]
        if idea["stage"] == "new":
            body = {"to": "exploring", "reason": self.reasons["explore"].draw()}
            self.hub.ask(who, "POST", f"/ideas/{idea['id']}/moves", body)
            return f"{who} explores {_named(idea)}"
        self.posted.discard(idea["id"])
        how = self.chance.choices(("answer", "trial", "decline"), (5, 3, 2))[0]
        said = self.reasons[how].draw()
        body = {"text": said} if isinstance(said, str) else {**said, "to": "trial", "days": 42}
        return self._answer(idea, body | ({"to": "declined"} if how == "decline" else {}))

    def _answer(self, idea: dict[str, Any], said: dict[str, Any]) -> str:
        who = idea["sponsor"]["name"]
        if days := said.pop("days", None):
            said["ends"] = (today() + timedelta(days=days)).isoformat()
        self.hub.ask(who, "POST", f"/ideas/{idea['id']}/answers", said)
        return f"{who} answered {_named(idea)}: {first_sentence(said['text'])}"


def store() -> dict[str, Any]:
    """All that there is to say."""
    return tomllib.loads((FOLDER / "play.toml").read_text())


class Deck:
    """Things to say, each once before any comes again."""

    def __init__(self, cards: list[Any], chance: random.Random) -> None:
        self.cards, self.chance = cards, chance
        self.left: list[Any] = []

    def draw(self) -> Any:
        if not self.left:
            self.left = self.chance.sample(self.cards, len(self.cards))
        return self.left.pop()


def play(base_url: str, *, speed: float, most_minutes: float | None) -> None:
    """Act until the time is over or Ctrl-C ends it. Raises RuleBroken where the hub is not the demo council's."""
    if settings.current_settings().council != demo.COUNCIL or not _all_there():
        raise RuleBroken(_("The people of the demo council are not in this hub: `flask demo` makes them, in an empty one."))
    hub = Hub(base_url)
    council = Council(hub, random.Random())  # noqa: S311
    done, end = 0, None if most_minutes is None else time.monotonic() + most_minutes * 60
    say(f"Calder Vale comes to {base_url}. Ctrl-C ends it.")
    try:
        me = hub.ask(council.staff[0], "GET", "/me")["person"]
        if me is None or me["name"] != council.staff[0]:
            raise RuleBroken(_("The hub at that address does not work on the database of this console."))
        while end is None or time.monotonic() < end:
            try:
                say(council.act())
                done += 1
            except Refused as refusal:
                if str(refusal):
                    say(f"Not done: {refusal}")
            rest = council.chance.expovariate(speed / PAUSE)
            time.sleep(rest if end is None else max(0.0, min(rest, end - time.monotonic())))
    except Refused as refusal:
        raise RuleBroken(_("The hub at that address does not work on the database of this console.")) from refusal
    except KeyboardInterrupt:
        click.echo()
    finally:
        hub.leave()
    say(f"The people of Calder Vale go home. They did {done} things.")


def say(line: str) -> None:
    click.echo(f"{now():%H:%M} {line}")


def _all_there() -> bool:
    return {actor.name for actor in people.everybody()} >= set(minutes.people()["staff"])


def _named(idea: dict[str, Any]) -> str:
    return f"“{idea['short_title'] or idea['title']}”"


def _awaits(idea: dict[str, Any] | None, to: str | None) -> bool:
    """Is it still to be answered so?"""
    if idea is None:
        return False
    return (
        idea["stage"] == "trial" if to == "adopted" else idea["answer"] is None and (to is None or idea["stage"] == "exploring")
    )


def _reason(refusal: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(refusal.read())
    except ValueError:
        return f"{refusal.code}"
    return str(said.get("errors") or said.get("detail") or refusal.code)
