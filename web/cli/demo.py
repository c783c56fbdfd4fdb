"""The demo council: its people, and the year they had, played by the hub's own commands, each at its own time.

What is said stands in `council/`, and `minutes.py` reads it. Whatever chance decides is the same each time. Votes are counted
together: each evening, before anything is decided about their idea, and every quarter of an hour since yesterday.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any

import click
from sqlalchemy import select

from events.catalogue import View
from ideas_hub import answers, audiences, cards, clock, comments, db, ideas, moves, people, settings, sponsors, votes
from ideas_hub.comments import CommentKind
from ideas_hub.errors import RuleBroken
from ideas_hub.ideas import Stage
from ideas_hub.people import HUB, Kind, Person, Role
from ideas_hub.search import fold
from web.cli import minutes
from web.cli.minutes import SEED, Entry

COUNCIL = "Calder Vale Council"
BEGINNING = -241
OBLIGE = {"public": 300, "staff": 12, "leadership": 2}
COUNTS_AS = {"move": "decisions", "answers": "decisions", "reply": "comments"}
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
    return {actor.name for actor in everybody} <= {*minutes.people()["staff"], *minutes.residents()}


def fill(*, small: bool = False) -> None:
    """Fill the hub, which must be empty, and say how it comes along.

    `small`: one in ten of the residents and their votes, and five ideas of each theme, for tests.
    """
    calendar, council, letters = Calendar(clock.now()), Council(10 if small else 1), random.Random(SEED)  # noqa: S311
    db.replace_new_ref(lambda: "".join(letters.choices(db.LETTERS, k=8)))
    try:
        _turn_clock_to(calendar.begins(BEGINNING))
        move_in(council)
        themes = minutes.themes(calendar.named, most=5 if small else None)
        add_themes(council, themes)
        _play(_year(council, calendar, themes))
        settings.change_settings(council=COUNCIL)
    finally:
        clock.replace_now(None)
        db.replace_new_ref(None)


# Time


def _turn_clock_to(moment: datetime) -> None:
    clock.replace_now(lambda: moment)


class Calendar:
    """The working days around today, and moments in them."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.chance = random.Random(SEED)  # noqa: S311
        self.day = cache(self._day)

    def _day(self, number: int) -> date:
        """That working day after today, or before it."""
        if number == 0:
            return self.now.date()
        step = 1 if number > 0 else -1
        day = self.day(number - step) + timedelta(days=step)
        while not clock.is_working_day(day):
            day += timedelta(days=step)
        return day

    def named(self, number: int) -> str:
        day = self.day(number)
        return f"{day.day} {day:%B}"

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

    def votes(self, first: int, last: int, number: int, *, after: datetime) -> Iterator[datetime]:
        """So many moments from the evening of one day to the morning of another, behind a third one; rarely at night.

        Somebody shares the idea once in that time, and two in five votes come in the two days that follow.
        """
        start = max(self.begins(first) + timedelta(hours=9), after)
        end = max(self.now if last == 0 else self.begins(last), start)
        shared = start + self.chance.random() * (end - start)
        for _ in range(number):
            if self.chance.random() < 0.4:
                moment = min(shared + timedelta(hours=self.chance.expovariate(1 / 16)), end)
            else:
                moment = start + self.chance.random() * (end - start)
            evening = moment - timedelta(hours=8)
            yield evening if moment.hour < 6 and evening > start else moment

    def counts(self) -> Iterator[datetime]:
        """The moments at which votes are counted."""
        moment = self.begins(BEGINNING).replace(hour=20)
        while moment < self.now:
            yield moment
            moment += timedelta(minutes=15) if self.now - moment < timedelta(days=1) else timedelta(days=1)

    def _minutes(self, least: int, most: int) -> timedelta:
        return timedelta(minutes=self.chance.randint(least, most), seconds=self.chance.randrange(60))


# Who is there


class Council:
    """People by their names, and what they posted: ideas by their keys, comments by idea and author."""

    def __init__(self, one_in: int) -> None:
        self.one_in = one_in
        self.people: dict[str, Person] = {}
        self.eager: dict[str, float] = {}  # how much more often than others somebody votes
        self.ideas: dict[str, str] = {}
        self.audiences: dict[str, View] = {}
        self.crowds: dict[str, list[Person]] = {}  # who has not voted for an idea yet, the next one last
        self.cast: Counter[str] = Counter()  # votes that were cast and not counted yet
        self.comments: dict[tuple[str, str], str] = {}

    def meet(self) -> None:
        """Get to know everybody in the hub. A few vote for nearly everything, and most now and then."""
        chance = random.Random(SEED)  # noqa: S311
        with db.reading() as session:
            for person in session.scalars(select(Person).order_by(Person.id)):
                self.people[person.name] = person
                self.eager[person.name] = min(chance.paretovariate(0.9), 60)

    def post(self, key: str, *, by: list[str], audience: str = "public", short_title: str = "", **said: Any) -> None:
        authors = [self.people[name] for name in by]
        actor, seen_by = authors[0].actor(), View.named(audience)
        ref = ideas.post_idea(actor, audience=seen_by, co_authors=authors[1:], **said)
        if short_title:
            audiences.change_idea(actor, ref, short_title=short_title)
        self.ideas[key], self.audiences[key] = ref, seen_by
        chance = random.Random(f"{SEED} {key}")  # noqa: S311
        order = {name: chance.random() ** (1 / eager) for name, eager in self.eager.items()}
        self.crowds[key] = [self.people[name] for name in sorted(order, key=order.__getitem__) if name not in by]

    def count_votes(self, keys: Iterable[str]) -> int:
        """What was cast for these ideas is counted: the next ones of the crowd who may see the idea vote for it."""
        ballots = {self.ideas[key]: self._voters(key, self.cast.pop(key)) for key in list(keys) if self.cast[key]}
        return votes.cast_votes(ballots) if ballots else 0

    def _voters(self, key: str, number: int) -> list[people.Actor]:
        crowd = self.crowds[key]
        found: list[Person] = []
        others: list[Person] = []
        while len(found) < number:
            person = crowd.pop()
            (found if person.actor().view >= self.audiences[key] else others).append(person)
        crowd += reversed(others)
        return [person.actor() for person in found]

    def act(self, key: str, entry: Entry) -> None:
        """Somebody does something to an idea."""
        actor, ref, said = self.people[entry.by].actor(), self.ideas[key], dict(entry.said)
        if COUNTS_AS.get(entry.does) != "comments":
            self.count_votes([key])
        if "into" in said:
            self.count_votes([said["into"]])
            said["into"] = self.ideas[said["into"]]
        match entry.does:
            case "sponsors":
                sponsors.take_on(actor, ref)
            case "names":
                sponsors.name_sponsor(actor, ref, person=self.people[said["person"]].ref, reason=said["reason"])
            case "move":
                moves.move_idea(actor, ref, **said)
            case "answers":
                moves.answer_idea(actor, ref, **said)
            case "revises":
                audiences.change_idea(actor, ref, texts=said)
            case "opens":
                audiences.change_idea(actor, ref, audience=View.PUBLIC)
                self.audiences[key] = View.PUBLIC
            case "hide":
                audiences.hide_idea(actor, ref, **said)
            case "hide_comment":
                audiences.hide_comment(actor, ref, self.comments[key, said["whom"]], reason=said["reason"])
            case "reply":
                parent = self.comments[key, said["to"]]
                comments.post_comment(actor, ref, body=said["body"], parent=parent, audience=said.get("audience"))
            case "withdraws":
                comments.withdraw_comment(actor, ref, self.comments[key, entry.by])
            case kind:
                self.comments[key, entry.by] = comments.post_comment(actor, ref, kind=CommentKind(kind), **said)


def address(name: str) -> str:
    """Where a person of the demo council is written to."""
    return re.sub(r"[^a-z]+", ".", fold(name)) + "@example.org"


def move_in(council: Council) -> None:
    most = {audience: number // council.one_in if audience == "public" else number for audience, number in OBLIGE.items()}
    settings.change_settings(answer_votes=most, answer_days=15)
    said = minutes.people()
    residents = minutes.residents()[: len(said["residents"]["named"]) + said["residents"]["others"] // council.one_in]
    for name, at_work in said["staff"].items():
        roles = [Role(role) for role in at_work.get("roles", ())]
        place = {"team": at_work["team"], "directorate": said["teams"][at_work["team"]]}
        people.add_person(address(name), name=name, kind=Kind.STAFF, roles=roles, **place)
    people.add_residents({address(name): name for name in residents})
    for directorate, lead in said["directorates"].items():
        people.name_lead(directorate, address(lead))
    council.meet()
    click.echo(f"People: {len(said['staff'])} staff in {len(said['teams'])} teams, {len(residents)} residents")


def add_themes(council: Council, themes: Sequence[dict[str, Any]]) -> None:
    for theme in themes:
        settings.add_theme(theme["slug"], theme["name"], directorate=theme["directorate"])
    click.echo(f"Themes: {len(themes)}, for which {len({theme['directorate'] for theme in themes})} directorates answer")


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
    acts += [Act(moment, "", lambda: council.count_votes(council.ideas)) for moment in (*calendar.counts(), calendar.now)]
    return sorted(acts, key=lambda act: act.at)


def _story(council: Council, calendar: Calendar, theme: str, key: str, idea: dict[str, Any]) -> Iterator[Act]:
    """What happens to an idea, from its posting on."""
    said = {name: value for name, value in idea.items() if name not in ("day", "votes", "minutes")}
    said["themes"] = [theme, *idea.get("themes", ())]
    posted = moment = calendar.during(idea["day"])
    yield Act(posted, "ideas", lambda: council.post(key, **said))
    for first, last, number in idea["votes"]:
        some = number if "audience" in idea else number // council.one_in
        for cast in calendar.votes(first, last, some, after=posted + timedelta(minutes=5)):
            yield Act(cast, "votes", lambda: council.cast.update([key]))
    for entry in idea.get("minutes", ()):
        moment = calendar.during(entry.day, after=moment)
        yield Act(moment, COUNTS_AS.get(entry.does, ""), _do(council, calendar, key, entry))


def _do(council: Council, calendar: Calendar, key: str, entry: Entry) -> Callable[[], None]:
    said = dict(entry.said)
    for name, read in (("ends", calendar.day), ("review_on", calendar.day), ("audience", View.named)):
        if name in said:
            said[name] = read(said[name])
    if entry.does in ("move", "answers") and "to" in said:
        said["to"] = Stage(said["to"])
    return lambda: council.act(key, Entry(entry.day, entry.by, entry.does, said))


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
