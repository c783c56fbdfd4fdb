"""What the demo council says and does, read from its files in `council/`.

`people.toml` names its people. Each file of `ideas/` is a theme with its ideas, and an idea has `minutes`: one entry for each
thing that somebody did, in its order.

    -90 Priya Nair sponsors.
    -86 Marcus Bell doubts (staff): Before this goes further, …
    -85 Priya Nair replies to Marcus Bell: Noted.
    -58 Priya Nair answers, moving to trial until -4: Yes, we will try it.
        hypothesis: If three minibuses can be booked, …

An entry begins at the edge with its day; indented lines go on, and one that begins with a word of `FIELDS` and a colon is that
field of it. A day is counted in working days from today: 0 is now, -1 the last one, 1 the next; so the year always ends today.
`{+15}` in a text becomes the date of that day. `votes = [[-22, -12, 140], …]`: so many votes between those days.
"""

import random
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "council"
SEED = "Calder Vale"
FIELDS = ("reason", "hypothesis", "test", "measure", "lesson", "title", "problem", "proposal", "gain", "cost_of_inaction")
KINDS = {"builds": "build", "asks": "question", "doubts": "concern", "thanks": "thanks"}

_HEAD = re.compile(
    r"(?P<day>0|-\d+) (?P<by>.+?) (?P<does>builds|asks|doubts|thanks|replies to|sponsors|names|moves to|answers|revises|opens|"
    r"hides|withdraws)(?: \((?P<audience>staff|leadership)\)|,? moving to)?(?: (?P<what>[^:.,]+?))?"
    r"(?: (?P<how>until|into) (?P<where>\S+?))?[:.](?:\s+|$)(?P<text>.*)",
    re.DOTALL,
)
_FIELD = re.compile(rf"\s+(?:{'|'.join(FIELDS)}): ")


@dataclass(frozen=True, slots=True)
class Entry:
    """On that day, somebody does something; `said` is what it takes, with days as numbers."""

    day: int
    by: str
    does: str
    said: dict[str, Any]


# People


@cache
def people() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "people.toml").read_text())


@cache
def residents() -> tuple[str, ...]:
    """Those of the stories, and as many others."""
    said, chance = people()["residents"], random.Random(SEED)  # noqa: S311
    names = dict.fromkeys(said["named"])
    while len(names) < len(said["named"]) + said["others"]:
        names[f"{chance.choice(said['given'])} {chance.choice(said['family'])}"] = None
    return tuple(names)


# Ideas


def themes(date_of: Callable[[int], str], *, most: int | None = None) -> list[dict[str, Any]]:
    """Every theme with its ideas (`most`: only its first ones), lines joined to paragraphs, days turned to dates, minutes to
    entries."""
    found = []
    for file in sorted(FOLDER.glob("ideas/*.toml")):
        theme = _worded(tomllib.loads(file.read_text()), date_of)
        found.append({"slug": file.stem, **theme, "ideas": dict(islice(theme["ideas"].items(), most))})
    return found


def _worded(value: Any, date_of: Callable[[int], str]) -> Any:
    if isinstance(value, dict):
        read = {"minutes": lambda minutes, date_of: list(_entries(minutes, date_of))}
        return {name: read.get(name, _worded)(inner, date_of) for name, inner in value.items()}
    if isinstance(value, list):
        return [_worded(inner, date_of) for inner in value]
    return paragraphs(value, date_of) if isinstance(value, str) else value


def paragraphs(text: str, date_of: Callable[[int], str]) -> str:
    """The text with its lines joined to paragraphs, and `{+15}` turned to a date."""
    dated = re.sub(r"\{([+-]\d+)\}", lambda found: date_of(int(found[1])), text)
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", dated.strip()))


def _entries(minutes: str, date_of: Callable[[int], str]) -> Iterator[Entry]:
    for entry in re.split(r"\n(?=\S)", minutes.strip()):
        head, *fields = re.split(rf"(?=\n{_FIELD.pattern})", entry)
        found = _HEAD.fullmatch(head)
        if found is None:
            raise ValueError(f"these minutes cannot be read: {head[:80]!r}")
        said = {}
        for field in fields:
            name, text = field.strip().split(": ", 1)
            said[name] = paragraphs(text, date_of)
        yield _entry(found, paragraphs(found["text"], date_of), said)


def _entry(found: re.Match[str], text: str, said: dict[str, Any]) -> Entry:
    does, what = found["does"], found["what"]
    if found["audience"]:
        said["audience"] = found["audience"]
    if does in KINDS:
        does, said["body"] = KINDS[does], text
    elif does == "replies to":
        does, said["to"], said["body"] = "reply", what, text
    elif does == "names":
        said |= {"person": what, "reason": text}
    elif does == "moves to":
        does, said["to"] = "move", what
        said.setdefault("reason", text)
    elif does == "answers":
        said["text"] = text
        if what:
            said["to"] = what
    elif does == "hides":
        does, said["reason"] = ("hide_comment" if what else "hide"), text
        if what:
            said["whom"] = what
    if found["how"] == "into":
        said["into"] = found["where"]
    elif found["how"] == "until":
        said["review_on" if what == "parked" else "ends"] = int(found["where"])
    return Entry(int(found["day"]), found["by"], does, said)
