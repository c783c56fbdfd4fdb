"""What people read: our sentences in their language, and what people wrote, as safe HTML."""

from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import nh3
from babel.dates import format_date, format_time
from flask import Flask
from flask_babel import Babel, get_locale, gettext
from markdown_it import MarkdownIt
from markupsafe import Markup

from ideas_hub.clock import now, today
from ideas_hub.errors import Sentence

TAGS = {"p", "br", "em", "strong", "a", "ul", "ol", "li", "blockquote", "code", "pre", "hr"}
LINKS = {"http", "https", "mailto"}
HERE = ZoneInfo("Europe/London")

_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True}).disable(["image", "heading", "lheading"])


def init_app(app: Flask) -> None:
    Babel(app, default_locale="en", default_timezone="Europe/London")
    app.jinja_env.filters.update(day=day, month=month, moment=moment, lately=lately, sentence=translate)
    app.jinja_env.filters.update(markdown=lambda text: Markup(render(text)))  # noqa: S704  safe by nh3


@lru_cache(maxsize=2048)
def render(text: str) -> str:
    """Markdown as HTML that can do no harm: no raw HTML, no images, links that leave are marked as such."""
    return nh3.clean(
        _markdown.render(text),
        tags=TAGS,
        attributes={"a": {"href", "title"}},
        url_schemes=LINKS,
        link_rel="nofollow noopener noreferrer ugc",
    )


def translate(said: Sentence | str) -> str:
    """A marked sentence in the reader's language, its places filled in."""
    if isinstance(said, str):
        return gettext(said)
    return gettext(said.text, **{name: spoken(value) for name, value in said.values.items()})


def spoken(value: Any) -> Any:
    """What fills a place of a sentence, as that is said: a sentence in the reader's language, a date as a day."""
    if isinstance(value, Sentence):
        return translate(value)
    return day(value) if isinstance(value, date) else value


def day(value: date | datetime, *, year: bool | None = None) -> str:
    """A day as people say it: 14 December, with the year where it is another one."""
    on = value.astimezone(HERE).date() if isinstance(value, datetime) else value
    with_year = on.year != today().year if year is None else year
    return format_date(on, "d MMMM yyyy" if with_year else "d MMMM", locale=get_locale() or "en")


def month(value: date) -> str:
    """A month of a year: November 2025."""
    return format_date(value, "MMMM yyyy", locale=get_locale() or "en")


def lately(value: datetime) -> str:
    """The time of day, or the day where that is another one: 10:42, 21 Nov."""
    on = value.astimezone(HERE).date()
    return moment(value) if on == now().astimezone(HERE).date() else format_date(on, "d MMM", locale=get_locale() or "en")


def moment(value: datetime) -> str:
    """A time of day: 10:42."""
    return format_time(value.astimezone(HERE), "H:mm", locale=get_locale() or "en")
