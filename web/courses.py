"""The year as a picture: one line for each course, through the stages from the left to the right.

A line ends in a dot where its idea stands today, leaves downwards where it was parked, declined or merged, and runs out at
the right as adopted or learned. Lines of one kind are one path, so that the picture is small and quick to draw.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ideas_hub.home import Course, Way, Year
from ideas_hub.ideas import Stage

WIDTH, HEIGHT = 1440, 430
POSTED, EXPLORED, TRIED, ENDED = 0, 389, 763, 1094  # where the lines stand beside each other, from left to right
OFF = "off"
KINDS = (OFF, Stage.NEW, Stage.EXPLORING, Stage.LEARNED, Stage.ADOPTED, Stage.TRIAL)  # the last is drawn on top
FEW, SOME = 25, 90  # lines, which are drawn thicker


@dataclass(frozen=True, slots=True)
class Band:
    """Where lines stand beside each other: around a middle, so far apart, and together no higher than that."""

    middle: float
    apart: float
    most: float

    def __call__(self, place: int, many: int) -> float:
        apart = min(self.apart, self.most / many)
        return round(self.middle + (place - (many - 1) / 2) * apart, 1)


BANDS = {POSTED: Band(358, 5, 124), EXPLORED: Band(363, 6, 136), TRIED: Band(226, 7, 114)}
RUN_OUT = {Stage.ADOPTED: Band(92, 7, 124), Stage.LEARNED: Band(238, 7, 96)}
FROM_THE_TOP = {Stage.ADOPTED: 0, Stage.LEARNED: 1, Stage.TRIAL: 2, Stage.EXPLORING: 3, Stage.NEW: 5}


@dataclass(frozen=True, slots=True)
class Lines:
    """All lines of a kind, as one path, and the dots at their ends."""

    kind: str
    path: str
    dots: str


@dataclass(frozen=True, slots=True)
class Picture:
    size: str  # "few", "some" or "many" lines
    lines: tuple[Lines, ...]


@lru_cache(maxsize=16)
def picture(year: Year) -> Picture:
    """The drawing of that year. It is kept, and as good as new: the same year is the same picture."""
    courses = year.courses
    at = {x: _places(courses, x) for x in (POSTED, EXPLORED, TRIED)}
    out = {stage: _places(courses, ENDED, stage) for stage in RUN_OUT}
    paths: dict[str, list[str]] = defaultdict(list)
    dots: dict[str, list[str]] = defaultdict(list)
    for n, course in enumerate(courses):
        stations = [(x, places[n]) for x, places in at.items() if n in places]
        path, dot = _line(course, stations, out.get(course.way.stage, {}).get(n))
        paths[_kind(course.way)].append(path)
        dots[_kind(course.way)].append(dot)
    size = "few" if len(courses) <= FEW else "some" if len(courses) <= SOME else "many"
    return Picture(size, tuple(Lines(kind, "".join(paths[kind]), "".join(dots[kind])) for kind in KINDS if kind in paths))


def _kind(way: Way) -> str:
    return OFF if way.stage in (Stage.PARKED, Stage.DECLINED, Stage.MERGED) else way.stage


def _places(courses: Sequence[Course], x: int, stage: Stage | None = None) -> dict[int, float]:
    """How high each line stands that passes there, by the number of its course."""
    passes: Callable[[Way], bool] = {
        POSTED: lambda way: True,
        EXPLORED: lambda way: way.explored,
        TRIED: lambda way: way.tried,
        ENDED: lambda way: way.stage is stage,
    }[x]
    # What gets furthest stands highest. Where all begin, nobody knows yet: there the lines of all kinds are mixed a little.
    mixed = 2.6 if x == POSTED else 0.0
    order = sorted(
        (n for n, course in enumerate(courses) if passes(course.way)),
        key=lambda n: (FROM_THE_TOP.get(courses[n].way.stage, 4) + mixed * (n * 0.618 % 1), n),
    )
    band = RUN_OUT[stage] if stage else BANDS[x]
    return {n: band(place, len(order)) for place, n in enumerate(order)}


def _line(course: Course, stations: Sequence[tuple[int, float]], out: float | None) -> tuple[str, str]:
    """The path of a line from station to station, and the dot where it ends, if it does."""
    (x, y), drawn = stations[0], [f"M{stations[0][0]} {stations[0][1]}"]
    for to, height in [*stations[1:], *([(ENDED, out)] if out is not None else [])]:
        middle = (x + to) // 2
        drawn.append(f"C{middle} {y} {middle} {height} {to} {height}")
        x, y = to, height
    if out is not None:
        return "".join(drawn) + f"H{WIDTH}", ""
    far = x + 62 + round(260 * course.days / (course.days + 60))
    if _kind(course.way) != OFF:
        return "".join(drawn) + f"H{far}", f"M{far} {y}h.01"
    leaves, lower = x + round((far - x) * 0.6), round(y + (HEIGHT - y) * 0.25, 1)
    return "".join(drawn) + f"C{leaves} {y} {far - 22} {lower} {far} {HEIGHT + 14}", ""
