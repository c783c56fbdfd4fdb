"""Fill web/static/vendor/ with what pages load: other people's files from node_modules, and our style sheets as one.

`hub.css` is every file below web/static/css/ after govuk-frontend. Each file says its own `@layer`, and the order of
layers is decided here, so the order of files does not matter and a new component needs no entry anywhere. Of govuk-frontend
stands in it what our templates use: the first page is to open at once, on a phone, on a slow line.
"""

import re
import shutil
from pathlib import Path

import govuk_frontend_jinja
from fontTools.subset import Subsetter
from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

ROOT = Path(__file__).parent.parent
PACKAGES = ROOT / "node_modules"
SHEETS = ROOT / "web/static/css"
VENDOR = ROOT / "web/static/vendor"

FILES = [
    "socket.io-client/dist/socket.io.esm.min.js",
]
BRICOLAGE = "@fontsource-variable/bricolage-grotesque/files/bricolage-grotesque-{}-opsz-normal.woff2"
ATKINSON = "@fontsource-variable/atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-{}-wght-normal.woff2"
WELSH = {*range(0x174, 0x178), *range(0x1E80, 0x1E86), 0x1EF2, 0x1EF3}  # the letters that Welsh has beyond those of Latin 1
SIZE, WEIGHTS = 36, (400, 750)  # drawn for headings of that size: half of the file is how it changes with the size
MACROS = Path(govuk_frontend_jinja.__file__).parent / "templates/components"
LAYERS = "@layer govuk, tokens, base, layout, components;"


def style_sheet() -> str:
    # govuk-frontend ships unlayered, and unlayered rules beat every layer: in the lowest one our files override it
    # without `!important`. Its font is the government's own, which a council may not use.
    govuk = (PACKAGES / "govuk-frontend/dist/govuk/govuk-frontend.min.css").read_text()
    govuk = re.sub(r'@charset "UTF-8";|@font-face\{[^}]*\}|/\*# sourceMappingURL=.*?\*/', "", govuk)
    govuk = what_is_used(re.sub(r"/\*.*?\*/", "", govuk, flags=re.DOTALL), classes_in_use())
    ours = [sheet.read_text() for sheet in sorted(SHEETS.rglob("*.css"))]
    return "\n".join(['@charset "UTF-8";', LAYERS, f"@layer govuk {{{govuk.strip()}}}", *ours])


def classes_in_use() -> set[str]:
    """Every class of govuk-frontend that our files name, or the macros that they import; `govuk-label--` stands for its kinds."""
    ours = [file.read_text() for kind in ("templates/**/*.html", "static/js/*.js", "*.py") for file in (ROOT / "web").glob(kind)]
    macros = set(re.findall(r"govuk_frontend_jinja/components/([\w-]+)", "".join(ours)))
    macros |= {"label", "hint", "error-message", "fieldset", "character-count"}  # those that the others import
    theirs = [file.read_text() for name in macros for file in (MACROS / name).glob("*.html")]
    return set(re.findall(r"govuk-[\w-]+", "".join(ours + theirs)))


def what_is_used(css: str, used: set[str]) -> str:
    """The style sheet without the rules for classes that nobody uses."""
    kinds = tuple(name for name in used if name.endswith("-"))

    def is_used(selector: str) -> bool:
        return all(name in used or name.startswith(kinds) for name in re.findall(r"\.(govuk-[\w-]+)", selector))

    kept, at = [], 0
    while (opening := css.find("{", at)) >= 0:
        closing, depth = opening + 1, 1
        while depth:
            depth += {"{": 1, "}": -1}.get(css[closing], 0)
            closing += 1
        head, body = css[at:opening], css[opening + 1 : closing - 1]
        if head.startswith("@"):
            body = what_is_used(body, used)
        else:
            head = ",".join(filter(is_used, re.split(r",(?![^(]*\))", head)))
        if head and body:
            kept.append(f"{head}{{{body}}}")
        at = closing
    return "".join(kept)


def face(name: str, letters: str, **limits: object) -> None:
    """A typeface of ours, with no more weights and sizes in it than we use."""
    font = TTFont(PACKAGES / name.format(letters))
    instantiateVariableFont(font, limits, inplace=True)
    font.save(VENDOR / Path(name.format(letters)).name)


def welsh_letters(of: Path, into: str) -> None:
    """The few letters of Welsh in a file of their own: a page needs them often, and their thousand neighbours never."""
    font = TTFont(of)
    subsetter = Subsetter()
    subsetter.populate(unicodes=WELSH)
    subsetter.subset(font)
    font.flavor = "woff2"
    font.save(VENDOR / into)


VENDOR.mkdir(exist_ok=True)
for file in FILES:
    shutil.copy(PACKAGES / file, VENDOR)
for letters in ("latin", "latin-ext"):
    face(BRICOLAGE, letters, opsz=SIZE, wght=WEIGHTS)
    face(ATKINSON, letters, wght=WEIGHTS)
welsh_letters(VENDOR / Path(BRICOLAGE.format("latin-ext")).name, "bricolage-grotesque-welsh.woff2")
welsh_letters(VENDOR / Path(ATKINSON.format("latin-ext")).name, "atkinson-hyperlegible-next-welsh.woff2")
(VENDOR / "hub.css").write_text(style_sheet())  # last: make takes it for the sign that all is there
