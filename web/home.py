"""The first page: what the hub is for, what happens in it now, and what became of the ideas of a year."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from markupsafe import Markup

from events.catalogue import BOARD, IDEAS
from ideas_hub.finding import list_ideas
from ideas_hub.home import endings, owed_longest, year
from ideas_hub.lists import Sort, Wanted
from ideas_hub.live import NEWS, News, news
from web.courses import picture
from web.pages import stream, watched
from web.session import actor
from web.text import spoken

blueprint = Blueprint("home", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.jinja_env.filters.update(news_line=_in_words)
    app.jinja_env.globals.update(NEWS_TYPES=" ".join(sorted({name.split()[0] for name in NEWS})))


@blueprint.get("/")
def home() -> ResponseReturnValue:
    head = stream().head()
    trending, newest = (
        list_ideas(actor(), Wanted(sort=sort), limit=limit).items for sort, limit in ((Sort.TRENDING, 3), (Sort.NEW, 4))
    )
    shown = {name: value for part in PARTS.values() for name, value in part().items()}
    others = [*(waiting.idea for waiting in shown["owed"]), *shown["waiting"], *(ending.idea for ending in shown["endings"])]
    refs = [*(card.ref for card in (*trending, *newest, *others)), *(line.idea for line in shown["news"])]
    return render_template(
        "home/page.html", trending=trending, newest=newest, watched=watched(head, IDEAS, BOARD, ideas=refs), **shown
    )


@blueprint.get("/home/<any(now, year, waiting, endings):part>")
def part(part: str) -> ResponseReturnValue:
    return render_template(f"home/_{part}.html", **PARTS[part]())


def _year() -> dict[str, Any]:
    shown = year(actor())
    return {"year": shown, "picture": picture(shown)}


def _waiting() -> dict[str, Any]:
    """Who is owed an answer; where nobody is, the ideas that stand longest without one."""
    owed = owed_longest(actor())
    return {"owed": owed, "waiting": () if owed else list_ideas(actor(), Wanted(sort=Sort.WAITING), limit=3).items}


def _in_words(line: News) -> Markup:
    """What happened as a sentence in the reader's language, with a link to the idea in its place."""
    title = Markup('<a href="{}" lang="{}" dir="auto">{}</a>').format(url_for("ideas.page", ref=line.idea), line.lang, line.title)
    return Markup(gettext(line.sentence.text)) % ({name: spoken(v) for name, v in line.sentence.values.items()} | {"idea": title})  # noqa: S704  ours


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "now": lambda: {"news": news(stream(), actor())},
    "year": _year,
    "waiting": _waiting,
    "endings": lambda: {"endings": endings(actor())},
}
