"""What the list of ideas is asked for by its address: filters that combine, and the same list with one more or less of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import url_for
from werkzeug.datastructures import MultiDict

from events.catalogue import View
from ideas_hub.errors import Invalid, _
from ideas_hub.ideas import Stage, place_key
from ideas_hub.lists import MOST_PLACES, Owed, Sort, Wanted
from ideas_hub.stages import STAGE_LABELS
from web.forms import FROM_LIST, Form
from web.pages import AUDIENCE_LABELS
from web.text import translate

OWED_LABELS = {
    Owed.LATE: _("Late"),
    Owed.DUE: _("Due, in time"),
    Owed.ANSWERED: _("Answered"),
    Owed.NONE: _("Not owed yet"),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """Something that was chosen, and the list without it."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What somebody asked the list for. `sort` is None for what fits the question best."""

    sort: Sort | None
    stages: tuple[Stage, ...]
    themes: tuple[str, ...]
    answers: tuple[Owed, ...]
    places: tuple[str, ...]
    audience: View | None
    q: str

    @property
    def wanted(self) -> Wanted:
        return Wanted(
            self.sort,
            frozenset(self.stages),
            frozenset(self.themes),
            frozenset(self.answers),
            frozenset(self.places),
            self.audience,
            self.q,
        )

    @property
    def scope(self) -> str:
        return f"ideas, {self.sort or 'best first'}"

    @property
    def chosen(self) -> int:
        """How many filters are set."""
        return len(self.stages + self.themes + self.answers + self.places) + (self.audience is not None)

    @property
    def is_filtered(self) -> bool:
        return bool(self.chosen or self.q)

    @property
    def counts_the_board(self) -> bool:
        """Are the stages counted as the board counts them? Then its live counts keep them true."""
        return not (
            self.q or self.themes or self.answers or self.places or self.audience is not None or self.sort is Sort.WAITING
        )

    def query(self, *without: str) -> list[tuple[str, str]]:
        """It as query parameters, but for some."""
        pairs = [("q", self.q), ("sort", self.sort or "")]
        pairs += [*(("stage", stage.value) for stage in self.stages), *(("theme", slug) for slug in self.themes)]
        pairs += [*(("answer", state.value) for state in self.answers), *(("place", place) for place in self.places)]
        pairs += [("audience", self.audience.word if self.audience is not None else "")]
        return [(name, value) for name, value in pairs if value and name not in without]

    @property
    def feed(self) -> dict[str, Any]:
        """What of it a feed can be asked for: that is in the order of time, and for everybody."""
        return MultiDict(self.query("sort", "audience")).to_dict(flat=False)

    def url(self, sort: Sort | None = None, cursor: str | None = None) -> str:
        asked: dict[str, Any] = MultiDict(replace(self, sort=sort or self.sort).query()).to_dict(flat=False)
        return url_for("ideas.index", **asked, cursor=cursor)

    @property
    def by_fit(self) -> str:
        """The address of the same list, with what fits best first."""
        return replace(self, sort=None).url()

    def is_at(self, place: str) -> bool:
        return place_key(place) in map(place_key, self.places)

    def chips(self, names: Mapping[str, str]) -> list[Chip]:
        """One for each filter that was chosen. `names`: of the themes, by their slugs."""
        found = []
        for field, labels in (("stages", STAGE_LABELS), ("themes", names), ("answers", OWED_LABELS), ("places", {})):
            chosen: tuple[Any, ...] = getattr(self, field)
            for value in chosen:
                rest: dict[str, Any] = {field: tuple(other for other in chosen if other != value)}
                found.append(Chip(translate(labels.get(value, value)), replace(self, **rest).url()))
        if self.audience is not None:
            found.append(Chip(translate(AUDIENCE_LABELS[self.audience]), replace(self, audience=None).url()))
        return found

    def without(self, name: str) -> str:
        """The address of the list without a filter, by its field, or without the words."""
        empty: dict[str, dict[str, Any]] = {"question": {"q": ""}, "audience": {"audience": None}}
        return replace(self, **empty.get(name, {name: ()})).url()

    def asking(self, q: str) -> str:
        """The address of the list for other words."""
        return replace(self, q=q).url()


def listing(args: MultiDict[str, str], known: frozenset[str]) -> Listing:
    """What the query asks for; more is ignored. Raises Invalid for a sort, stage, theme, answer or audience there is none of."""
    asked = Form("", args)
    sort, q = asked.word("sort", Sort), " ".join(asked.value("q").split())
    names = ("stage", "theme", "answer", "place")
    stages, slugs, states, places = (tuple(dict.fromkeys(filter(None, map(str.strip, asked.chosen(name))))) for name in names)
    choices = (("stage", stages, set(Stage)), ("theme", slugs, known), ("answer", states, set(Owed)))
    wrong = {
        name: Invalid.field(name, FROM_LIST).errors[name] for name, chosen, possible in choices if not set(chosen) <= possible
    }
    if wrong:
        raise Invalid(wrong)
    stage, state = tuple(map(Stage, stages)), tuple(map(Owed, states))
    return Listing(sort or (None if q else Sort.NEW), stage, slugs, state, places[:MOST_PLACES], asked.audience(), q)
