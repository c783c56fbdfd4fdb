"""What may be asked, to the letter: each route names what it takes, and everything else is refused by name."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from typing import Any, NoReturn, cast
from urllib.parse import unquote_to_bytes

import flask_smorest
import marshmallow as ma
from flask import Request, json, request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

from events.catalogue import VIEWS
from ideas_hub.errors import Invalid, Sentence, _
from ideas_hub.texts import CONTROL, CONTROL_FOUND

REASON, ANSWER, COMMENT = 2000, 10_000, 4000  # characters; a test holds the document to what is refused
MOST_NAMED = 50  # fields that a refusal names
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
UNKNOWN = _("There is nothing of this name here.")
VIEW_WORDS = {view.word: view for view in VIEWS}


def wrong(text: str, **values: Any) -> ma.ValidationError:
    """A refusal of one field, as a sentence that is translated where it is shown."""
    return ma.ValidationError([Sentence(text, values)])


def words_of(words: type[StrEnum]) -> dict[str, Any]:
    return {word.value: word for word in words}


# Fields


PLAIN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"  # CONTROL, as the document has it


class Text(ma.fields.String):
    """Text without control characters; numbers are no text. Line breaks count as one character.

    `most` is refused here; `size` is what the command measures, trimmed, and is told in the document.
    """

    default_error_messages = {  # noqa: RUF012  as marshmallow has it
        "invalid": _("Send text, in quotation marks."),
        "null": _("Send text, in quotation marks."),
        "required": _("This is needed."),
    }

    def __init__(self, *, most: int | None = None, size: int | None = None, **options: Any) -> None:
        told = {"pattern": PLAIN, "maxLength": size or most, "minLength": 1 if options.get("required") else None}
        given = {name: value for name, value in told.items() if value} | options.pop("metadata", {})
        super().__init__(metadata=given, **options)
        self.most = most

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        text = (text or "").replace("\r\n", "\n")
        if CONTROL.search(text):
            raise wrong(CONTROL_FOUND)
        if self.most is not None and len(text) > self.most:
            raise wrong(_("Send at most %(most)d characters."), most=self.most)
        return text


class Word(Text):
    """One of a few words, as what it stands for. `blank`: nothing at all is None."""

    def __init__(self, words: Mapping[str, Any], *, blank: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.metadata = {"enum": [*words, *([""] if blank else [])]}
        self.words, self.blank = words, blank

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        word = super()._deserialize(value, attr, data, **kwargs)
        if self.blank and not word:
            return None
        if word not in self.words:
            raise wrong(_("Choose one of these: %(words)s."), words=", ".join(self.words))
        return self.words[word]


class Day(ma.fields.Date):
    """A day, written like 2027-02-26."""

    default_error_messages = {"null": _("Write a day like 2027-02-26.")}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            if isinstance(value, str) and DAY.fullmatch(value):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise wrong(_("Write a day like 2027-02-26."))


class Number(ma.fields.Integer):
    """A whole number of a query, from `low` to `high`."""

    def __init__(self, low: int, high: int, **options: Any) -> None:
        super().__init__(metadata={"minimum": low, "maximum": high}, **options)
        self.low, self.high = low, high

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not re.fullmatch(r"[0-9]{1,9}", str(value)) or not self.low <= int(value) <= self.high:
            raise wrong(_("Send a whole number from %(low)d to %(high)d."), low=self.low, high=self.high)
        return int(value)


class NotYet(ma.fields.Field[None]):
    """What the hub does not have yet: nothing may be given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_none=True, metadata={"type": "string", "maxLength": 0}, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> None:
        if value not in (None, ""):
            raise wrong(_("This hub does not have these yet."))


# Schemas


class Asked(ma.Schema):
    class Meta:
        unknown = ma.RAISE

    error_messages = {"unknown": UNKNOWN}  # noqa: RUF012


class Query(Asked):
    """What may be asked in the address."""


class Piece(Query):
    """Which piece of a list."""

    limit = Number(1, 100, load_default=20)
    cursor = Text()


class Body(Asked):
    """What may be sent. A text that is needed and missing is empty: the command says so, after it has said who may."""

    @ma.pre_load
    def _empty_where_missing(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {name: "" for name, field in self.fields.items() if field.required and type(field) is Text} | data


class NoQuery(Query):
    pass


class NoBody(Body):
    pass


# Reading


class Parser(FlaskParser):
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": None, "query": None}  # noqa: RUF012  as the schemas have it: refused

    def parse(self, argmap: Any, req: Request | None = None, **options: Any) -> Any:
        """As the library has it. Where nothing may be sent and nothing is, there is nothing to be read."""
        return super().parse(argmap, req, **options) if argmap.fields or _is_anything_sent() else {}

    def load_json(self, req: Request, schema: ma.Schema) -> Any:
        for name in _parameters():  # what is sent with a change stands in its body
            raise Invalid.field(name, UNKNOWN)
        return _body()

    def load_querystring(self, req: Request, schema: ma.Schema) -> Any:
        found: dict[str, Any] = {}
        for name, values in _parameters().items():
            if isinstance(schema.fields.get(name), ma.fields.List):
                found[name] = [word for value in values for word in value.split(",") if word]
            elif len(values) > 1:
                raise Invalid.field(name, _("Send this once."))
            else:
                found[name] = values[0]
        return found

    def handle_error(self, error: ma.ValidationError, *args: Any, **kwargs: Any) -> NoReturn:
        (found,) = error.normalized_messages().values()  # of the place where it was sent
        raise Invalid({str(name): _first(messages) for name, messages in [*found.items()][:MOST_NAMED]}) from error


class Blueprint(flask_smorest.Blueprint):
    """Routes of one concept under `/api/v1`. `gives` says what a route answers, for the document."""

    ARGUMENTS_PARSER = Parser()

    def __init__(self, concept: str) -> None:
        super().__init__(f"api_{concept}", __name__, url_prefix="/api/v1")

    def arguments(self, schema: type[ma.Schema], **options: Any) -> Callable[..., Any]:
        """As flask-smorest has it; the schema is made once, and not with each request."""
        return cast(Callable[..., Any], super().arguments(schema(), **options))

    def gives(self, status: int, shape: type[ma.Schema] | None = None) -> Callable[..., Any]:
        return cast(Callable[..., Any], self.alt_response(status, schema=shape, success=True))


class Problem(ma.Schema):
    """A refusal (RFC 9457)."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True, metadata={"description": "A sentence for people"})
    errors = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        metadata={"description": "What is wrong, by the name of what was sent"},
    )


def _is_anything_sent() -> bool:
    return bool(request.query_string or request.content_length or "HTTP_TRANSFER_ENCODING" in request.environ)


def _parameters() -> dict[str, list[str]]:
    """What the address asks, by name. Raises Invalid for what is not UTF-8."""
    found: dict[str, list[str]] = {}
    for pair in filter(None, request.query_string.split(b"&")):
        name, _equals, value = (unquote_to_bytes(part.replace(b"+", b" ")) for part in pair.partition(b"="))
        try:
            found.setdefault(name.decode(), []).append(value.decode())
        except UnicodeDecodeError as error:
            raise Invalid.field(name.decode(errors="replace"), _("This is not UTF-8.")) from error
    return found


def _body() -> dict[str, Any]:
    """The JSON object that was sent; an empty one where nothing was. Raises what becomes 400, 413, 415 and 422."""
    length = request.content_length
    if length and not _says_json():  # before anything reads it as something else
        raise UnsupportedMediaType
    raw = request.get_data()
    if length is None and len(raw) >= (request.max_content_length or math.inf):  # it came in chunks, and was cut off there
        raise RequestEntityTooLarge
    if not raw:
        return {}
    if not _says_json():
        raise UnsupportedMediaType
    try:
        body = json.loads(raw.decode("utf-8"), parse_constant=_no_json, object_pairs_hook=_each_name_once)
    except (ValueError, RecursionError) as error:
        raise BadRequest from error
    if not isinstance(body, dict):
        raise Invalid.field("body", _("Send one JSON object, in braces."))
    return body


def _says_json() -> bool:
    return request.mimetype == "application/json" and request.headers.get("Content-Encoding", "identity") == "identity"


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _first(messages: Any) -> Sentence:
    """The first of what marshmallow says about a field, or about what stands in it."""
    while isinstance(messages, dict | list):
        messages = messages[0] if isinstance(messages, list) else next(iter(messages.values()))
    return messages if isinstance(messages, Sentence) else Sentence(messages)
