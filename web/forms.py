"""What a form sent, and how it is answered: 303 where it was done, the same form again where something in it is wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import jsonify, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from events.catalogue import View
from ideas_hub.drafts import DraftCard
from ideas_hub.errors import Invalid, Sentence, _
from ideas_hub.texts import CONTROL, CONTROL_FOUND

W = TypeVar("W", bound=StrEnum)

DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%d %B %Y", "%d %b %Y")  # a date field sends the first; the others are typed
FROM_LIST = _("Choose one from the list.")
LONGEST_NEXT = 400  # characters of an address that is kept over a sign-in: browsers keep no cookie of more than 4 KB


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it is shown: what stands in it, and what is wrong with it. `id` tells it from others on its page."""

    id: str = ""
    values: MultiDict[str, Any] = field(default_factory=MultiDict)
    errors: Mapping[str, Sentence] = field(default_factory=dict)
    draft: DraftCard | None = None  # what of it was kept, where it is kept on the hub

    def field_id(self, name: str) -> str:
        return f"{self.id}-{name}" if self.id else name

    def value(self, name: str) -> str:
        return str(self.values.get(name, "")).replace("\r\n", "\n")

    def chosen(self, name: str) -> list[str]:
        return self.values.getlist(name)

    @property
    def is_refused(self) -> bool:
        return bool(self.errors)

    def refused(self, refusal: Invalid) -> "Form":
        """The same form, with what is wrong in it."""
        return replace(self, errors=refusal.errors)

    # What was sent, as commands take it. Each raises Invalid.

    def text(self, name: str) -> str:
        """What was typed, with line breaks as everybody counts them."""
        typed = self.value(name)
        if CONTROL.search(typed):
            raise Invalid.field(name, CONTROL_FOUND)
        return typed

    def typed(self, *names: str) -> dict[str, str]:
        """Those that were sent, as they are: for commands that measure them, and name all that is wrong at once."""
        return {name: self.value(name) for name in names}

    def texts(self, *names: str) -> dict[str, str]:
        """Those that were sent, all that is wrong with them told at once."""
        found: dict[str, str] = {}
        errors: dict[str, Sentence] = {}
        for name in names:
            try:
                found[name] = self.text(name)
            except Invalid as refusal:
                errors |= refusal.errors
        if errors:
            raise Invalid(errors)
        return found

    def day(self, name: str) -> date | None:
        typed = self.text(name).strip()
        for pattern in DAYS if typed else ():
            try:
                return datetime.strptime(typed, pattern).date()
            except ValueError:
                continue
        if typed:
            raise Invalid.field(name, _("Write a day like 26 February 2027."))
        return None

    def number(self, name: str) -> int | None:
        """A whole number that somebody chose, None where nothing was."""
        typed = self.value(name).strip()
        if typed and not (typed.isascii() and typed.isdecimal() and len(typed) < 10):
            raise Invalid.field(name, _("Write a whole number."))
        return int(typed) if typed else None

    def word(self, name: str, words: type[W]) -> W | None:
        """One of a list, None where nothing was chosen."""
        chosen = self.value(name)
        if chosen and chosen not in set(words):
            raise Invalid.field(name, FROM_LIST)
        return words(chosen) if chosen else None

    def audience(self, name: str = "audience") -> View | None:
        chosen = self.value(name)
        if chosen and chosen not in {view.word for view in View}:
            raise Invalid.field(name, FROM_LIST)
        return View.named(chosen) if chosen else None


def sent(id: str) -> Form:
    """The form of this request."""
    return Form(id, request.form)


def filled(id: str, values: Mapping[str, str], **lists: Sequence[str]) -> Form:
    """A form that is shown with something in it already."""
    entries = MultiDict(values)
    for name, chosen in lists.items():
        entries.setlist(name, list(chosen))
    return Form(id, entries)


def form_of(refused: Form | None, id: str) -> Form:
    """The form of that id on a page: the one that was refused, or an empty one."""
    return refused if refused is not None and refused.id == id else Form(id)


# Answers


def wants_json() -> bool:
    """Does a script ask, which reads JSON?"""
    return request.accept_mimetypes.best == "application/json"


def is_visited() -> bool:
    """Is this a page that somebody opens, where a script would fetch a part? As after a refused form, whose address it shares."""
    return request.headers.get("Sec-Fetch-Mode") == "navigate"


def done(url: str) -> ResponseReturnValue:
    """It was done: go there. What the form says in `back` comes first, where it is a page of ours."""
    url = own_path(request.form.get("back", "")) or url
    return jsonify(location=url) if wants_json() else redirect(url, 303)


def next_path() -> str:
    """The page of ours that this request names to come to after a sign-in; empty where it names none, or one too long to keep."""
    following = own_path(request.values.get("next", "")) or ""
    return following if len(following) <= LONGEST_NEXT else ""


def own_path(address: str) -> str | None:
    """The address, if it is a path of this hub and nothing else."""
    if not address.startswith("/") or address.startswith(("//", "/\\")) or not address.isprintable() or "\\" in address:
        return None
    parts = urlsplit(address)
    return None if parts.scheme or parts.netloc else address
