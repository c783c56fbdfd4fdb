"""Lists: which ideas somebody asks for, and how many there are beside each filter.

At most `MOST_READ` ideas are counted. Of a longer list the numbers are those of as many: there are so many at the least, and no
page ever reads the whole hub to say how large it is.

**How ideas are found.** A filter that few ideas pass is where to begin: those few are read. Where many pass, the list is read in
its order until the page is full. Which of the two, is known here by counts that cost little; SQLite does not know, and would read
half the hub for a stage that half of it is in. So what is no good place to begin is withheld from its planner (`Withheld`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement

from events.catalogue import VIEWS, View
from ideas_hub.clock import today
from ideas_hub.ideas import Idea, IdeaTheme, Stage, place_key, stage_counts
from ideas_hub.people import Actor
from ideas_hub.permissions import visible_to
from ideas_hub.settings import Theme

MOST_READ = 1000
FEW = 2000  # ideas that pass a filter, and are read to find those that pass the others
MOST_PLACES = 12


class Sort(StrEnum):
    """`new`: posted, newest first. `top`: votes. `trending`: hot score. `waiting`: without an answer, oldest first."""

    NEW = "new"
    TOP = "top"
    TRENDING = "trending"
    WAITING = "waiting"


class Owed(StrEnum):
    """How it stands with the answer to an idea."""

    LATE = "late"
    DUE = "due"
    ANSWERED = "answered"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which ideas somebody asks for. Without stages: every one but `merged`. `question`: words that must be in them."""

    sort: Sort | None = None
    stages: frozenset[Stage] = frozenset()
    themes: frozenset[str] = frozenset()
    answers: frozenset[Owed] = frozenset()
    places: frozenset[str] = frozenset()
    audience: View | None = None
    question: str = ""

    def without(self, *names: str) -> "Wanted":
        """The same, but for those filters."""
        nothing: dict[str, Any] = {field.name: field.default for field in fields(self)}
        return replace(self, **{name: nothing[name] for name in names})


@dataclass(frozen=True, slots=True)
class Counts:
    """How many ideas there are under a filter's other filters, by each of its values.

    `cut`: the filters under whose others there are more than `MOST_READ`. Their numbers say how many there are at the least.
    """

    total: int
    stages: Mapping[Stage, int]
    themes: Mapping[str, int]
    answers: Mapping[Owed, int]
    places: Mapping[str, int]  # the most frequent ones, and those that were chosen
    audiences: Mapping[View, int]
    cut: frozenset[str]

    @property
    def is_whole(self) -> bool:
        """Is `total` all of them?"""
        return self.total <= MOST_READ


ANY_STAGE = frozenset(Stage)
FILTERS = ("stages", "themes", "answers", "places", "audience")


# Conditions


class Withheld(FunctionElement[Any]):
    """A column whose index SQLite is not to use; PostgreSQL keeps statistics, and chooses well by itself."""

    inherit_cache = True

    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(Withheld)
def _as_it_is(element: Withheld, compiler: Any, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(Withheld, "sqlite")
def _without_its_index(element: Withheld, compiler: Any, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def conditions(
    actor: Actor, wanted: Wanted, found: Collection[int] | None = None, *, withheld: Collection[str] = ()
) -> list[ColumnElement[bool]]:
    """What is true of the ideas that somebody asks for.

    `found`: the ids that have the words of the question. `withheld`: the filters that are no place to begin.
    """
    told: list[ColumnElement[bool]] = [visible_to(actor, Idea)]
    stage, id = (
        Withheld(column) if name in withheld else column for name, column in (("stages", Idea.stage), ("themes", Idea.id))
    )
    if found is not None:
        told.append(Idea.id.in_(found))
    if wanted.sort is Sort.WAITING:
        told += [stage.in_((Stage.NEW, Stage.EXPLORING)), Idea.answered_at.is_(None)]
    if wanted.stages != ANY_STAGE:
        told.append(stage.in_(wanted.stages) if wanted.stages else stage != Stage.MERGED)
    if wanted.themes:
        told.append(id.in_(_about(wanted.themes)))
    if wanted.answers:
        told.append(_is_any(wanted.answers))
    if wanted.places:
        told.append(Idea.place_key.in_([place_key(place) for place in wanted.places]))
    if wanted.audience is not None:
        told.append(Idea.effective_audience == wanted.audience)
    return told


def is_owed(state: Owed) -> ColumnElement[bool]:
    """The condition that it stands so with an idea's answer."""
    if state is Owed.ANSWERED:
        return Idea.answered_at.is_not(None)
    clock = {
        Owed.LATE: Idea.answer_due < today(),
        Owed.DUE: Idea.answer_due >= today(),
        Owed.NONE: Idea.answer_due.is_(None),
    }
    return sa.and_(Idea.answered_at.is_(None), clock[state])


def _is_any(states: Collection[Owed]) -> ColumnElement[bool]:
    """The condition that it stands so or so. Whether an answer is owed at all is one range of days, and found as one."""
    if {Owed.LATE, Owed.DUE} <= set(states):
        owed = sa.and_(Idea.answered_at.is_(None), Idea.answer_due >= date.min)
        return sa.or_(owed, *map(is_owed, sorted(set(states) - {Owed.LATE, Owed.DUE})))
    return sa.or_(*map(is_owed, sorted(states)))


def _about(themes: Iterable[str]) -> sa.Select[Any]:
    return select(IdeaTheme.idea_id).join(Theme, Theme.id == IdeaTheme.theme_id).where(Theme.slug.in_(themes))


# Queries


def in_order(session: Session, actor: Actor, wanted: Wanted) -> frozenset[str]:
    """The filters to withhold where a list is read in its order: those that many ideas pass."""
    many: set[str] = set()
    stages = wanted.stages or (ANY_STAGE - {Stage.MERGED})
    if wanted.sort is Sort.WAITING:
        stages = stages & {Stage.NEW, Stage.EXPLORING}
    counted = stage_counts(session, actor.view)
    is_by_votes = wanted.sort is Sort.TOP and len(stages) == 1  # for which there is an index in that order
    if not is_by_votes and sum(counted[stage] for stage in stages) > FEW:
        many.add("stages")
    if wanted.themes:
        some = _about(wanted.themes).limit(FEW + 1).subquery()
        if (session.scalar(select(func.count()).select_from(some)) or 0) > FEW:
            many.add("themes")
        else:
            many.add("stages")
    return frozenset(many)


def in_any_order(wanted: Wanted) -> frozenset[str]:
    """The filters to withhold where ideas are counted: stages, for every other filter lets fewer through."""
    return frozenset({"stages"}) if wanted.themes or wanted.places or wanted.answers else frozenset()


def count(session: Session, actor: Actor, wanted: Wanted, found: Collection[int] | None = None) -> int:
    """How many ideas those are; `MOST_READ` + 1 where there are more."""
    where = conditions(actor, wanted, found, withheld=in_any_order(wanted))
    some = select(Idea.id).where(*where).limit(MOST_READ + 1)
    return session.scalar(select(func.count()).select_from(some.subquery())) or 0


def counts(session: Session, actor: Actor, wanted: Wanted, found: Collection[int] | None = None) -> Counts:
    """How many ideas somebody would find by each value of each filter, the other filters as they are."""
    read: dict[Wanted, Sequence[Any]] = {}
    kept = _kept(session, actor, wanted, found)

    def others(filter: str) -> Wanted:
        """What is asked for but for one filter. Among the stages, ideas that were merged are counted as well."""
        return replace(wanted, stages=ANY_STAGE) if filter == "stages" else wanted.without(filter)

    def groups(asked: Wanted) -> Sequence[Any]:
        if asked not in read:
            all_stages = replace(asked, stages=ANY_STAGE)
            if not asked.stages and not kept and total(groups(all_stages)) <= MOST_READ:
                read[asked] = [group for group in read[all_stages] if group.stage is not Stage.MERGED]
            else:
                read[asked] = _groups(session, actor, asked, found)
        return read[asked]

    def total(groups: Sequence[Any]) -> int:
        return sum(group.number for group in groups)

    def by(filter: str, values: Iterable[Any], column: str) -> dict[Any, int]:
        numbers: Counter[Any] = Counter()
        for group in groups(others(filter)):
            numbers[getattr(group, column)] += group.number
        return {value: numbers[value] for value in values}

    names = _place_names(wanted, groups(others("places")))
    views = [view for view in VIEWS if view <= actor.view] if actor.view > View.PUBLIC else []
    return Counts(
        total=total(groups(wanted)),
        stages=kept or by("stages", Stage, "stage"),
        themes=_themes(session, actor, others("themes"), found),
        answers=by("answers", Owed, "owed"),
        places={names[key]: number for key, number in by("places", names, "place_key").items()},
        audiences=by("audience", views, "effective_audience"),
        cut=frozenset(name for name in FILTERS if not (name == "stages" and kept) and total(groups(others(name))) > MOST_READ),
    )


def _groups(session: Session, actor: Actor, wanted: Wanted, found: Collection[int] | None) -> Sequence[Any]:
    """Ideas by all that filters ask about, at most one more than `MOST_READ` of them."""
    owed = sa.case(*((is_owed(state), state.value) for state in Owed)).label("owed")
    told = select(Idea.stage, owed, Idea.place_key, Idea.place, Idea.effective_audience)
    where = conditions(actor, wanted, found, withheld=in_any_order(wanted))
    some = told.where(*where).limit(MOST_READ + 1).subquery()
    columns = (some.c.stage, some.c.owed, some.c.place_key, some.c.effective_audience)
    grouped = select(*columns, func.max(some.c.place).label("place"), func.count().label("number")).group_by(*columns)
    return session.execute(grouped).all()


def _kept(session: Session, actor: Actor, wanted: Wanted, found: Collection[int] | None) -> dict[Stage, int] | None:
    """Where nothing else is asked for, the counts that are kept anyway; None where they would not do."""
    is_all = found is None and wanted.sort is not Sort.WAITING and wanted.without("stages", "sort") == Wanted()
    return stage_counts(session, actor.view) if is_all else None


def _themes(session: Session, actor: Actor, others: Wanted, found: Collection[int] | None) -> dict[str, int]:
    themes = {row.id: row.slug for row in session.execute(select(Theme.id, Theme.slug))}
    where = conditions(actor, others, found, withheld=in_any_order(others))
    some = select(Idea.id).where(*where).limit(MOST_READ + 1).subquery()
    about = select(IdeaTheme.theme_id, func.count()).join(some, some.c.id == IdeaTheme.idea_id).group_by(IdeaTheme.theme_id)
    numbers = {row[0]: row[1] for row in session.execute(about)}
    return {slug: numbers.get(theme, 0) for theme, slug in themes.items()}


def _place_names(wanted: Wanted, groups: Sequence[Any]) -> dict[str, str]:
    """The places to choose from, as they are written: the most frequent of what was read, and those chosen."""
    often: Counter[str] = Counter()
    names: dict[str, str] = {}
    for group in groups:
        if group.place_key:
            often[group.place_key] += group.number
            names[group.place_key] = max(group.place, names.get(group.place_key, ""))
    offered = sorted(often, key=lambda key: (-often[key], key))[:MOST_PLACES]
    chosen = {place_key(place): place for place in sorted(wanted.places)}
    return {key: names.get(key, chosen.get(key, "")) for key in sorted({*offered, *chosen})}
