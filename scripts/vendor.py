"""Fill web/static/vendor/ with what pages load: other people's files from node_modules, and our style sheets as one.

`hub.css` is every file below web/static/css/ after govuk-frontend. Each file says its own `@layer`, and the order of
layers is decided here, so the order of files does not matter and a new component needs no entry anywhere.
"""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ROOT / "node_modules"
SHEETS = ROOT / "web/static/css"
VENDOR = ROOT / "web/static/vendor"

FILES = [
    "@fontsource-variable/atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-latin-wght-normal.woff2",
    "@fontsource-variable/atkinson-hyperlegible-next/files/atkinson-hyperlegible-next-latin-ext-wght-normal.woff2",
    "@fontsource-variable/bricolage-grotesque/files/bricolage-grotesque-latin-opsz-normal.woff2",
    "@fontsource-variable/bricolage-grotesque/files/bricolage-grotesque-latin-ext-opsz-normal.woff2",
    "socket.io-client/dist/socket.io.esm.min.js",
]
LAYERS = "@layer govuk, tokens, base, layout, components;"


def style_sheet() -> str:
    # govuk-frontend ships unlayered, and unlayered rules beat every layer: in the lowest one our files override it
    # without `!important`. Its font is the government's own, which a council may not use.
    govuk = (PACKAGES / "govuk-frontend/dist/govuk/govuk-frontend.min.css").read_text()
    govuk = re.sub(r'@charset "UTF-8";|@font-face\{[^}]*\}|/\*# sourceMappingURL=.*?\*/', "", govuk)
    ours = [sheet.read_text() for sheet in sorted(SHEETS.rglob("*.css"))]
    return "\n".join(['@charset "UTF-8";', LAYERS, f"@layer govuk {{{govuk.strip()}}}", *ours])


VENDOR.mkdir(exist_ok=True)
for file in FILES:
    shutil.copy(PACKAGES / file, VENDOR)
(VENDOR / "hub.css").write_text(style_sheet())  # last: make takes it for the sign that all is there
