"""The card that stands for an idea, or for the hub, where somebody shares its address: SVG, drawn as a PNG of 1200 × 630."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from flask import render_template
from fontTools.ttLib import TTFont
from resvg_py import svg_to_bytes

from ideas_hub.errors import Sentence, _
from ideas_hub.ideas import Stage
from ideas_hub.stages import STAGE_LABELS
from ideas_hub.whole import IdeaPage, Step
from web.text import day, translate

WIDTH, HEIGHT, EDGE = 1200, 630, 64
TYPEFACES = {name: Path(__file__).parent / f"static/vendor/card-{name}.ttf" for name in ("text", "strong", "head")}
SIZES = ((60, 3), (48, 4), (40, 5))  # of the title, and how many lines of it there is room for
TITLE_MIDDLE = 234
PLACES = ((150, 484), (440, 510), (730, 503), (1020, 480))  # where the line of an idea passes its stages
PLACE_OF = {Stage.NEW: 0, Stage.EXPLORING: 1, Stage.TRIAL: 2, Stage.ADOPTED: 3, Stage.LEARNED: 3}
FROM_RIGHT = "\u202b{}\u202c"  # what draws cards knows no `direction`
UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn"}  # letters that are drawn as nothing, or as a box


@dataclass(frozen=True, slots=True)
class Node:
    """A place on the line: a stage where the idea has been or is, or one that lies ahead."""

    x: int
    y: int
    stage: Stage
    label: str
    below: str = ""
    is_here: bool = False
    is_ahead: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the title. `x` is where it begins: on the right for what is read from there."""

    text: str
    x: int
    y: float
    is_rtl: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A number and its word in the line below the title, or a word alone."""

    x: float
    number: str
    word: str
    word_x: float


# What is drawn


def idea_card(page: IdeaPage) -> str:
    """The card of an idea as SVG."""
    card = page.idea.card
    facts = [
        (f"{card.votes:,}", translate(_("vote") if card.votes == 1 else _("votes"))),
        (f"{card.comments:,}", translate(_("comment") if card.comments == 1 else _("comments"))),
    ]
    if card.answer_due:
        facts.append(("", translate(Sentence(_("Answer by %(day)s"), {"day": card.answer_due}))))
    elif card.answer:
        facts.append(("", translate(Sentence(_("Answered on %(day)s"), {"day": day(card.answer.at)}))))
    return _card(card.title, card.stage, facts, _way(page.steps), out=_out(card.stage))


def hub_card(title: str, counts: dict[Stage, int]) -> str:
    """The card of the hub itself: how many ideas stand where."""
    total = sum(counts.values()) - counts[Stage.MERGED]
    ends = counts[Stage.ADOPTED] + counts[Stage.LEARNED]
    stages = (Stage.NEW, Stage.EXPLORING, Stage.TRIAL, Stage.ADOPTED)
    labels = [*(translate(STAGE_LABELS[stage]) for stage in stages[:3]), translate(_("Adopted or learned"))]
    numbers = [*(counts[stage] for stage in stages[:3]), ends]
    way = [Node(*PLACES[n], stages[n], f"{numbers[n]:,}", labels[n]) for n in range(4)]
    return _card(title, None, [(f"{total:,}", translate(_("idea") if total == 1 else _("ideas")))], way, out=None)


def _card(title: str, stage: Stage | None, facts: Sequence[tuple[str, str]], way: Sequence[Node], *, out: Stage | None) -> str:
    size, lines = title_lines(title)
    label = translate(STAGE_LABELS[stage]) if stage else ""
    tag_width = 60 + _wide(label, "strong", 28) + 16 if stage else 0
    return render_template(
        "sharing/card.svg",
        lines=lines,
        size=size,
        stage=stage,
        label=label,
        tag_width=tag_width,
        facts=_in_a_row(facts, EDGE + (tag_width + 40 if stage else 0)),
        way=way,
        out=out,
    )


def _way(steps: Sequence[Step]) -> list[Node]:
    """The stages an idea has been in, and those ahead. What left the stream has none ahead."""
    been: dict[int, Step] = {}
    for step in steps:
        if step.stage in PLACE_OF:
            place = PLACE_OF[step.stage]
            been = {earlier: known for earlier, known in been.items() if earlier < place} | {place: step}
    is_out = steps[-1].stage not in PLACE_OF
    nodes = [
        Node(*PLACES[place], step.stage, translate(STAGE_LABELS[step.stage]), day(step.at), step is steps[-1])
        for place, step in been.items()
    ]
    if not is_out:
        ahead = [Stage.NEW, Stage.EXPLORING, Stage.TRIAL, Stage.ADOPTED]
        names = [*(translate(STAGE_LABELS[stage]) for stage in ahead[:3]), translate(_("Adopted or learned"))]
        nodes += [Node(*PLACES[n], ahead[n], names[n], is_ahead=True) for n in range(max(been) + 1, 4)]
    return nodes


def _out(stage: Stage) -> Stage | None:
    return None if stage in PLACE_OF else stage


def _in_a_row(facts: Sequence[tuple[str, str]], x: float) -> list[Part]:
    parts = []
    for number, word in facts:
        word_x = x + (_wide(number, "head", 44) + 10 if number else 0)
        parts.append(Part(x, number, word, word_x))
        x = word_x + _wide(word, "text", 30) + 40
    return parts


# Words in lines


def title_lines(title: str) -> tuple[int, list[Line]]:
    """The size in which a title fits, and its lines; at the smallest size the rest is left out, and said so."""
    words = "".join(letter for letter in title if letter == " " or unicodedata.category(letter) not in UNSHOWN).split()
    for size, most in SIZES:
        lines = _wrapped(words, size)
        if len(lines) <= most:
            break
    else:
        lines = [*lines[: most - 1], lines[most - 1][:-1].rstrip() + "…"]
    height = size * 1.08
    top = TITLE_MIDDLE - height * (len(lines) - 1) / 2 + size * 0.35
    is_rtl = _is_rtl(title)
    x = WIDTH - EDGE if is_rtl else EDGE
    return size, [Line(FROM_RIGHT.format(text) if is_rtl else text, x, top + n * height, is_rtl) for n, text in enumerate(lines)]


def _wrapped(words: Sequence[str], size: int) -> list[str]:
    room = WIDTH - 2 * EDGE
    lines = [""]
    for word in words:
        if lines[-1] and _wide(f"{lines[-1]} {word}", "head", size) <= room:
            lines[-1] += f" {word}"
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:  # a word that fits no line is broken where it must be
            if lines[-1] and _wide(lines[-1] + letter, "head", size) > room and not unicodedata.combining(letter):
                lines.append("")
            lines[-1] += letter
    return lines


def _is_rtl(text: str) -> bool:
    """Is it read from the right? As `dir=auto`: by its first letter that has a direction."""
    ways = (unicodedata.bidirectional(letter) for letter in text)
    return next((way for way in ways if way in ("L", "R", "AL")), "L") != "L"


def _wide(text: str, typeface: str, size: int) -> float:
    """How wide a text is, about: what our typefaces do not have comes from the machine's, of which we know nothing."""
    known = _advances(typeface)
    return sum(known.get(ord(letter)) or _guess(letter) for letter in text) * size


def _guess(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(letter) in "WF" else 0.68


@cache
def _advances(typeface: str) -> dict[int, float]:
    with TTFont(TYPEFACES[typeface]) as font:
        em, widths = font["head"].unitsPerEm, font["hmtx"]
        return {code: widths[glyph][0] / em for code, glyph in font.getBestCmap().items()}


# The picture


@lru_cache(maxsize=128)
def png(svg: str) -> bytes:
    """The card as it looks. Kept by what it shows: nothing that changed or went is ever found here."""
    ours = all(ord(letter) in _advances("head") for letter in svg if not letter.isspace())
    files = [str(file) for file in TYPEFACES.values()]
    return bytes(svg_to_bytes(svg_string=svg, font_files=files, skip_system_fonts=ours, width=WIDTH, height=HEIGHT))
