"""The demo council: its people, and the year they had, played by the hub's own commands, each at its own time.

All that is said stands in `council/`: `people.toml`, and for each theme a file with its ideas. A `day` there is counted in
working days from today: 0 is now, -1 the last one, 1 the next; so the year always ends today. `{+15}` in a text becomes the
date of that day. `votes = [[-22, -12, 14], …]`: so many votes between those days. Whatever chance decides is the same each time.
"""

import random
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import click

from events.catalogue import View
from ideas_hub import answers, audiences, cards, clock, comments, db, ideas, moves, people, settings, sponsors, votes
from ideas_hub.comments import CommentKind
from ideas_hub.errors import RuleBroken
from ideas_hub.ideas import Stage
from ideas_hub.people import HUB, Kind, Person, Role
from ideas_hub.search import fold

FOLDER = Path(__file__).parent / "council"
COUNCIL = "Calder Vale Council"
BEGINNING = -241
SEED = "Calder Vale"
COUNTS_AS = {"move": "decisions", "answer": "decisions", "reply": "comments"}
COUNTS_AS |= {kind.value: "comments" for kind in CommentKind}


def is_empty() -> bool:
    """Is there nobody and nothing in this hub? Raises RuleBroken where an earlier `fill` did not come to its end."""
    everybody = people.everybody()
    # The council gets its name last.
    if everybody and settings.current_settings().council == settings.Settings().council and _is_ours(everybody):
        raise RuleBroken(
            "An earlier `flask demo` was interrupted, so this hub is half filled. Remove the database (%(name)s), then run "
            "`flask migrate` and `flask demo` again.",
            name=db.database().url.database,
        )
    return not everybody and not sum(cards.counts(HUB).values())


def _is_ours(everybody: Iterable[people.Actor]) -> bool:
    return {actor.name for actor in everybody} <= {*_people()["staff"], *_residents()}


def fill() -> None:
    """Fill the hub, which must be empty, and say how it comes along."""
    calendar, council, letters = Calendar(clock.now()), Council(), random.Random(SEED)  # noqa: S311
    db.replace_new_ref(lambda: "".join(letters.choices(db.LETTERS, k=8)))
    try:
        _turn_clock_to(calendar.begins(BEGINNING))
        _move_in(council)
        themes = [_read(file, calendar) for file in sorted((FOLDER / "ideas").glob("*.toml"))]
        _add_themes(council, themes)
        _play(_year(council, calendar, themes))
    finally:
        clock.replace_now(None)
        db.replace_new_ref(None)
    settings.change_settings(council=COUNCIL)


# Time


def _turn_clock_to(moment: datetime) -> None:
    clock.replace_now(lambda: moment)


class Calendar:
    """The working days around today, and moments in them."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.chance = random.Random(SEED)  # noqa: S311

    def day(self, number: int) -> date:
        """That working day after today, or before it."""
        day, step = self.now.date(), timedelta(days=1 if number > 0 else -1)
        for _ in range(abs(number)):
            day += step
            while not clock.is_working_day(day):
                day += step
        return day

    def begins(self, number: int) -> datetime:
        return datetime.combine(self.day(number), time(8, 30), UTC)

    def during(self, number: int, *, after: datetime | None = None) -> datetime:
        """A moment in the office hours of that day, behind another one; of today in the last three hours."""
        hours = 3 if number == 0 else 8
        start = self.now - timedelta(hours=hours) if number == 0 else self.begins(number)
        moment = start + self._minutes(5, hours * 60 - 20)
        if after is not None:
            moment = max(moment, after + self._minutes(7, 50))
        return min(moment, self.now - timedelta(minutes=1))

    def between(self, first: int, last: int, *, after: datetime) -> datetime:
        """A moment from the evening of one day to the morning of another, behind a third one; rarely at night."""
        start = max(self.begins(first) + timedelta(hours=9), after)
        end = self.now if last == 0 else self.begins(last)
        moment = start + self.chance.random() * (end - start)
        evening = moment - timedelta(hours=8)
        return evening if moment.hour < 6 and evening > start else moment

    def _minutes(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self.chance.randint(least, most), seconds=self.chance.randrange(60))


# What is said


def _people() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "people.toml").read_text())


def _residents() -> list[str]:
    """Those of the stories, and as many others."""
    said, chance = _people()["residents"], random.Random(SEED)  # noqa: S311
    names = dict.fromkeys(said["named"])
    while len(names) < len(said["named"]) + said["others"]:
        names[f"{chance.choice(said['given'])} {chance.choice(said['family'])}"] = None
    return list(names)


def _read(file: Path, calendar: Calendar) -> dict[str, Any]:
    """A theme with its ideas; lines joined to paragraphs, days turned to dates."""

    def date_of(found: re.Match[str]) -> str:
        day = calendar.day(int(found[1]))
        return f"{day.day} {day:%B}"

    def worded(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: worded(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [worded(inner) for inner in value]
        if isinstance(value, str):
            text = re.sub(r"\{([+-]\d+)\}", date_of, value)
            return "\n\n".join(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text))
        return value

    theme = worded(tomllib.loads(file.read_text()))
    return {"slug": file.stem, **theme}


# Who is there


class Council:
    """People by their names, and what they posted: ideas by their keys, comments by idea and author."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}
        self.leads: dict[str, Person] = {}
        self.ideas: dict[str, str] = {}
        self.audiences: dict[str, View] = {}
        self.crowds: dict[str, list[Person]] = {}  # who may still vote for an idea
        self.comments: dict[tuple[str, str], str] = {}

    def add_person(self, name: str, **given: Any) -> None:
        ref = people.add_person(address(name), name=name, **given)
        with db.reading() as session:
            self.people[name] = people.person_by_ref(session, ref)

    def post(self, key: str, *, by: list[str], audience: str = "public", short_title: str = "", **said: Any) -> None:
        authors = [self.people[name] for name in by]
        actor, seen_by = authors[0].actor(), View.named(audience)
        ref = ideas.post_idea(actor, audience=seen_by, co_authors=authors[1:], **said)
        if short_title:
            audiences.change_idea(actor, ref, short_title=short_title)
        self.ideas[key], self.audiences[key] = ref, seen_by
        self.crowds[key] = [person for person in self.people.values() if person not in authors]
        random.Random(f"{SEED} {key}").shuffle(self.crowds[key])  # noqa: S311

    def vote(self, key: str) -> None:
        """The next one of the crowd who may see the idea votes for it."""
        crowd = self.crowds[key]
        person = next(person for person in crowd if person.actor().view >= self.audiences[key])
        crowd.remove(person)
        votes.cast_vote(person.actor(), self.ideas[key])

    def act(self, key: str, *, by: str, does: str, **said: Any) -> None:
        """Somebody does something to an idea."""
        actor, ref = self.people[by].actor(), self.ideas[key]
        if "into" in said:
            said["into"] = self.ideas[said["into"]]
        match does:
            case "take_on":
                sponsors.take_on(actor, ref)
            case "name_sponsor":
                sponsors.name_sponsor(actor, ref, person=self.people[said["person"]].ref, reason=said["reason"])
            case "move":
                moves.move_idea(actor, ref, **said)
            case "answer":
                moves.answer_idea(actor, ref, **said)
            case "revise":
                audiences.change_idea(actor, ref, texts=said)
            case "open":
                audiences.change_idea(actor, ref, audience=View.PUBLIC)
                self.audiences[key] = View.PUBLIC
            case "hide":
                audiences.hide_idea(actor, ref, **said)
            case "reply":
                comments.post_comment(actor, ref, body=said["body"], parent=self.comments[key, said["to"]])
            case "withdraw_comment":
                comments.withdraw_comment(actor, ref, self.comments[key, by])
            case kind:
                self.comments[key, by] = comments.post_comment(actor, ref, kind=CommentKind(kind), **said)


def address(name: str) -> str:
    """Where a person of the demo council is written to."""
    return re.sub(r"[^a-z]+", ".", fold(name)) + "@example.org"


def _move_in(council: Council) -> None:
    settings.change_settings(answer_votes={"public": 40, "staff": 12, "leadership": 2}, answer_days=15)
    said, residents = _people(), _residents()
    for name, at_work in said["staff"].items():
        roles = [Role(role) for role in at_work.get("roles", ())]
        place = {"team": at_work["team"], "directorate": said["teams"][at_work["team"]]}
        council.add_person(name, kind=Kind.STAFF, roles=roles, **place)
    for name in residents:
        council.add_person(name, kind=Kind.RESIDENT)
    for directorate, lead in said["directorates"].items():
        people.name_lead(directorate, address(lead))
        council.leads[directorate] = council.people[lead]
    click.echo(f"People: {len(said['staff'])} staff in {len(said['teams'])} teams, {len(residents)} residents")


def _add_themes(council: Council, themes: Sequence[dict[str, Any]]) -> None:
    for theme in themes:
        settings.add_theme(theme["slug"], theme["name"], directorate=theme["directorate"])
    click.echo(f"Themes: {len(themes)}, for which {len(council.leads)} directorates answer")


# The year


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done at a moment; `counts_as` is what it adds to."""

    at: datetime
    counts_as: str
    do: Callable[[], object]


def _year(council: Council, calendar: Calendar, themes: Iterable[dict[str, Any]]) -> list[Act]:
    """All that happens, in its order."""
    acts: list[Act] = []
    for theme in themes:
        for key, idea in theme["ideas"].items():
            acts += _story(council, calendar, theme["slug"], key, idea)
    midnight = calendar.begins(BEGINNING).replace(hour=0, minute=1)
    while midnight < calendar.now:
        acts.append(Act(midnight, "", answers.tell_overdue))
        midnight += timedelta(days=1)
    return sorted(acts, key=lambda act: act.at)


def _story(council: Council, calendar: Calendar, theme: str, key: str, idea: dict[str, Any]) -> Iterator[Act]:
    """What happens to an idea, from its posting on."""
    said = {name: value for name, value in idea.items() if name not in ("day", "votes", "history")}
    said["themes"] = [theme, *idea.get("themes", ())]
    posted = moment = calendar.during(idea["day"])
    yield Act(posted, "ideas", lambda: council.post(key, **said))
    for first, last, number in idea["votes"]:
        for _ in range(number):
            yield Act(calendar.between(first, last, after=posted + timedelta(minutes=5)), "votes", lambda: council.vote(key))
    for entry in idea.get("history", ()):
        moment = calendar.during(entry["day"], after=moment)
        yield Act(moment, COUNTS_AS.get(entry["does"], ""), _entry(council, calendar, key, entry))


def _entry(council: Council, calendar: Calendar, key: str, entry: dict[str, Any]) -> Callable[[], None]:
    said = {name: value for name, value in entry.items() if name != "day"}
    for name, read in (("ends", calendar.day), ("review_on", calendar.day), ("audience", View.named)):
        if name in said:
            said[name] = read(said[name])
    if said["does"] in ("move", "answer") and "to" in said:
        said["to"] = Stage(said["to"])
    return lambda: council.act(key, **said)


def _play(year: list[Act]) -> None:
    """Do it all, each act at its own time, and say month by month what was done."""
    done: Counter[str] = Counter()
    for act, following in zip(year, [*year[1:], None], strict=True):
        _turn_clock_to(act.at)
        act.do()
        done[act.counts_as] += 1
        if following is None or following.at.month != act.at.month:
            counts = ", ".join(f"{kind} {done[kind]}" for kind in ("ideas", "votes", "comments", "decisions"))
            click.echo(f"{act.at:%B %Y}: {counts}")
