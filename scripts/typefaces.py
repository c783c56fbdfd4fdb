"""Put the typefaces of the cards for sharing into web/static/vendor/, as what draws these cards can read them.

It reads neither woff2 nor variable fonts, and of two files with one name only the first. So each weight becomes one file.
"""

import logging
from io import BytesIO
from pathlib import Path

from fontTools.merge import Merger
from fontTools.subset import Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

ROOT = Path(__file__).parent.parent
PACKAGES = ROOT / "node_modules/@fontsource-variable"
VENDOR = ROOT / "web/static/vendor"

ATKINSON = "atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-{}-wght-normal.woff2"
BRICOLAGE = "bricolage-grotesque/files/bricolage-grotesque-{}-opsz-normal.woff2"
FIGURES = {ord(figure) for figure in "0123456789"}  # always of Bricolage, as on pages


def typeface(name: str, letters: str, weight: int, *, size: int) -> TTFont:
    """One weight of a typeface, drawn for a size in points, as one font of that name."""
    font = Merger().merge(
        [
            piece(BRICOLAGE.format("latin"), weight, size, figures=True),
            *(piece(letters.format(part), weight, size, figures=False) for part in ("latin", "latin-ext")),
        ]
    )
    for record in font["name"].names:
        if record.nameID in (1, 16):  # its family
            record.string = name
    return font


def piece(file: str, weight: int, size: int, *, figures: bool) -> BytesIO:
    font = TTFont(PACKAGES / file)
    wanted = {"wght": weight, "opsz": size}
    instantiateVariableFont(font, {axis.axisTag: wanted[axis.axisTag] for axis in font["fvar"].axes}, inplace=True)
    font.flavor = None
    letters = set(font.getBestCmap())
    subsetter = Subsetter()
    subsetter.populate(unicodes=letters & FIGURES if figures else letters - FIGURES)
    subsetter.subset(font)
    made = BytesIO()
    font.save(made)
    made.seek(0)
    return made


logging.disable()  # it would tell of every table that a piece does without
VENDOR.mkdir(exist_ok=True)
typeface("Card Text", ATKINSON, 400, size=24).save(VENDOR / "card-text.ttf")
typeface("Card Strong", ATKINSON, 600, size=24).save(VENDOR / "card-strong.ttf")
typeface("Card Head", BRICOLAGE, 700, size=40).save(
    VENDOR / "card-head.ttf"
)  # last: make takes it for the sign that all are there
