"""The papers of the API for people: what both documents say, and how it is done in three languages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from ideas_hub.errors import Sentence, _
from web.api.document import openapi
from web.api.live import DATA, IDEA_TOPIC, REASONS, asyncapi
from web.api.replying import address

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"  # each is run by a test
LANGUAGES = {"sh": "curl", "py": "Python", "mjs": "JavaScript"}
PATTERNS = {IDEA_TOPIC: "idea:<id>"}
WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
TASKS = {
    "read": _("Read ideas"),
    "post": _("Post an idea or a comment"),
    "vote": _("Vote"),
    "follow": _("Follow what happens"),
}

blueprint = Blueprint("developers", __name__)

Json = Mapping[str, Any]


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@dataclass(frozen=True, slots=True)
class Field:
    """A line of a table: what may be sent or is answered, and what it is."""

    name: str
    kind: str
    shape: str | None
    is_needed: bool
    about: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: str
    about: str
    shape: str | None
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    about: str
    needs_somebody: bool
    parameters: list[Field]
    body: str | None
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Example:
    task: Sentence
    code: list[tuple[str, str]]  # language and program


@blueprint.get("/developers")
def page() -> ResponseReturnValue:
    http, live = openapi(), asyncapi(address(""))
    messages = live["components"]["messages"]
    shapes = {name: schema for name, schema in live["components"]["schemas"].items() if name not in DATA}
    shapes = dict(sorted((shapes | http["components"]["schemas"]).items()))
    return render_template(
        "developers/page.html",
        http=http,
        live=live,
        groups=[(tag, _operations(http, tag["name"])) for tag in http["tags"]],
        shapes=[(name, schema, _fields(http, schema)) for name, schema in shapes.items()],
        messages=[(name, said, _fields(live, said["payload"])) for name, said in messages.items() if name not in DATA],
        events=[(kind, messages[kind], _data(live, kind)) for kind in DATA],
        reasons=REASONS,
        examples=list(_examples()),
        hub=address(""),
    )


def _examples() -> Iterator[Example]:
    for task, said in TASKS.items():
        files = [(label, EXAMPLES / f"{task}.{ending}") for ending, label in LANGUAGES.items()]
        yield Example(Sentence(said), [(label, file.read_text()) for label, file in files])


def _operations(document: Json, tag: str) -> list[Operation]:
    return [
        _operation(document, path, method, told, methods.get("parameters", []))
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if method != "parameters" and tag in told["tags"]
    ]


def _operation(document: Json, path: str, method: str, told: Json, shared: list[Json]) -> Operation:
    parameters = [_resolved(document, parameter) for parameter in [*shared, *told.get("parameters", [])]]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return Operation(
        told["operationId"],
        method.upper(),
        path,
        told["summary"],
        told["description"],
        {} not in told["security"],
        [
            _field(parameter["name"], parameter["schema"], bool(parameter.get("required")), parameter.get("description", ""))
            for parameter in parameters
        ],
        _name(body),
        [_answer(status, _resolved(document, answer)) for status, answer in told["responses"].items()],
    )


def _answer(status: str, told: Json) -> Answer:
    shape = next((_name(content["schema"]) for content in told.get("content", {}).values()), None)
    return Answer(status, told["description"], shape, tuple(told.get("headers", {})))


def _data(document: Json, kind: str) -> list[Field]:
    own = document["components"]["schemas"][kind]["allOf"][1]["properties"]["data"]
    return _fields(document, own)


def _fields(document: Json, schema: Json) -> list[Field]:
    schema = _resolved(document, schema)
    needed = set(schema.get("required", []))
    named = schema.get("properties", {}) | schema.get("patternProperties", {})
    return [_field(PATTERNS.get(name, name), part, name in needed, part.get("description", "")) for name, part in named.items()]


def _field(name: str, schema: Json, is_needed: bool, about: str) -> Field:
    return Field(name, _kind(schema), _shape(schema), is_needed, about)


def _kind(schema: Json) -> str:
    """What a value is, in a few words."""
    if "const" in schema:
        return str(schema["const"]).lower() if isinstance(schema["const"], bool) else f"“{schema['const']}”"
    if options := [option for option in schema.get("anyOf", []) if option != {"type": "null"}]:
        return ", ".join(_kind(option) for option in options) + ", or null"
    types = schema["type"] if isinstance(schema.get("type"), list) else [schema.get("type")]
    words = [str(kind) for kind in types if kind not in (None, "null")]
    said = ", ".join(WORDS.get(word, word) for word in words)
    if "enum" in schema:
        said = "one of: " + ", ".join(word or "nothing" for word in schema["enum"])
    elif words == ["array"]:
        said = f"list, each {_kind(schema.get('items', {}))}".removesuffix(", each ") or "list"
        said += f", at most {schema['maxItems']:,}" if "maxItems" in schema else ""
    elif schema.get("format"):
        said = f"{said}, {schema['format']}"
    if schema.get("maxLength"):
        said += f", {schema.get('minLength', 0)} to {schema['maxLength']:,} characters"
    elif schema.get("maxLength") == 0:
        said = "nothing yet"
    if "maximum" in schema:
        said += f", {schema['minimum']} to {schema['maximum']}"
    return said + (", or null" if "null" in types and said != "nothing yet" else "")


def _shape(schema: Json) -> str | None:
    """The schema that a value, or each of a list, has by name."""
    places = [schema, schema.get("items", {}), *schema.get("anyOf", [])]
    return next((name for place in places if (name := _name(place))), None)


def _name(schema: Json) -> str | None:
    return str(schema["$ref"]).rpartition("/")[2] if "$ref" in schema else None


def _resolved(document: Json, part: Json) -> Json:
    if "$ref" not in part:
        return part
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found
