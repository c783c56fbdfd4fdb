"""What the OpenAPI document says of all routes alike: how one is known, what may be sent beside the body, every status and
header of an answer. The rest of it comes from the schemas and docstrings of the routes themselves.

A new route needs nothing here. Examples are the exception: `EXAMPLES` has one for each body that can be sent.
"""

import re
from collections.abc import Mapping
from typing import Any

from ideas_hub.drafts import FORM
from web.errors import SAID

Json = dict[str, Any]

PROBLEM = "application/problem+json"
REF = {"type": "string", "pattern": "^[0-9a-z]{1,16}$", "examples": ["7kq2m9xv"]}
ROW = {"type": "string", "pattern": "^[0-9]{1,9}$", "examples": ["3"]}
PATHS: dict[str, dict[str, Any]] = {  # what in an address is no public id
    "directorate": {"schema": ROW, "description": "A directorate's number."},
    "team": {"schema": ROW, "description": "A team's number; 0 for a new one."},
    "theme": {
        "schema": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 40, "examples": ["streets"]},
        "description": "A theme's slug.",
    },
    "draft": {
        "schema": {"type": "string", "pattern": f"^(?:{FORM.pattern})$", "examples": ["post"]},
        "description": "Of which form.",
    },
}
CONCEPTS = {
    "ideas": "Ideas: posting, finding, reading and changing them.",
    "votes": "One a person and idea, cast and withdrawn.",
    "moderation": "For moderators: votes that are held, the decision about them, and a recount.",
    "comments": "Words under an idea, with replies one level deep.",
    "sponsors": "Who answers for an idea.",
    "moves": "An idea goes to another stage, always with a reason.",
    "answers": "What the sponsor, or whom the answer clock names, says to an idea.",
    "audiences": "For moderators: taken out of sight, and shown again.",
    "events": "What happened: the live stream over plain HTTP, and the timelines of ideas.",
    "board": "The pipeline as it is now.",
    "people": "Who asks.",
    "authors": "Who writes an idea together, and who is asked to join.",
    "drafts": "What one has typed and not sent, kept for oneself alone.",
    "admin": "For admins: people, the parts of the council, themes and settings, and the audit log.",
    "document": "These papers.",
}
ABOUT = """Everything that pages do, for scripts and other systems. JSON in UTF-8; times are ISO 8601 in UTC; public ids are
short and random. Of everything one is told what one may see: what one may not see is answered exactly like what does not exist.

Texts are trimmed, then measured in characters. They hold no control character but tab and line break; a line break counts as
one character. Unknown fields and parameters are refused by name. Nothing is ever half done.

The live stream itself, over Socket.IO, is described by `/api/v1/asyncapi.json`; both are told for people at `/developers`."""

FOR_SOME = re.compile(r"\}/invitations$|/recount$|/moderation/|/admin/")  # what is read there is for some only

SCHEMES: Json = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of `flask token EMAIL`. No CSRF token is needed."},
    "session": {"type": "apiKey", "in": "cookie", "description": "The session of a browser."},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRFToken",
        "description": 'With a session, from `<meta name="csrf-token">` of any page.',
    },
}
SEEN_BY: list[Json] = [{}, {"token": []}, {"session": []}]
DONE_BY: list[Json] = [{"token": []}, {"session": [], "csrf": []}]


def _header(description: str, schema: Json | None = None, *, required: bool = False) -> Json:
    return {"description": description, "schema": schema or {"type": "string"}, **({"required": True} if required else {})}


SECONDS = {"type": "string", "pattern": "^[0-9]{1,5}$"}
HEADERS: Json = {
    "ETag": _header("A mark of what is answered, for `If-None-Match`; that of an idea also for `If-Match`.", required=True),
    "Link": _header('The address of the next piece, as `<…>; rel="next"`, while there is one.'),
    "Location": _header("The address of what was made.", {"type": "string", "format": "uri"}, required=True),
    "Retry-After": _header("After how many seconds to ask again.", SECONDS, required=True),
    "RetryOfKey": _header("Where the same key is being worked on: after how many seconds to ask again.", SECONDS),
    "WWW-Authenticate": _header("`Bearer`.", required=True),
}
SENT: Json = {
    "IfNoneMatch": {
        "in": "header",
        "name": "If-None-Match",
        "description": "Marks that one has: 304 if one of them still fits.",
        "schema": {"type": "string", "maxLength": 200, "examples": ['"5d41402abc4b2a76b971"']},
    },
    "IfMatch": {
        "in": "header",
        "name": "If-Match",
        "description": "The `ETag` of the idea as it was read: 412 if its texts were changed since.",
        "schema": {"type": "string", "maxLength": 200, "examples": ['"r1-5d41402abc4b2a76b971"']},
    },
    "IdempotencyKey": {
        "in": "header",
        "name": "Idempotency-Key",
        "description": "Made up anew for each thing that is posted, and sent again with it where the answer was lost: for 24 "
        "hours it is done once, and answered with what it made, as it is now. With another body: 422. While it is done: 409.",
        "schema": {
            "type": "string",
            "pattern": "^[\\x20-\\x7e]{1,255}$",
            "minLength": 1,
            "maxLength": 255,
            "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"],
        },
    },
}
MEANS = {  # where it says more here than to people
    401: "A token that is no good, or nobody is signed in where somebody has to be.",
    403: "One may see it, but not do this.",
    404: "Not there, or not visible to you: the two are not to be told apart.",
    409: "A rule of the hub, or somebody else's change, stands in the way.",
    412: "It was changed since it was read.",
}
EXAMPLES: Json = {
    "NewIdea": {
        "title": "Benches on the hospital hill",
        "problem": "It is 400 metres uphill from the bus stop, and there is nowhere to sit.",
        "proposal": "Put three benches where the old railings are.",
        "themes": [],
    },
    "IdeaChange": {"proposal": "Put three benches with arm rests where the old railings are."},
    "NewComment": {"body": "There is a wall by the chapel that would do for one.", "kind": "build"},
    "Move": {
        "to": "trial",
        "reason": "Cheap enough to try on one street.",
        "hypothesis": "People who turned back will walk the whole way.",
        "test": "Two benches for a summer.",
        "measure": "How many sit down, counted on four days.",
        "ends": "2090-09-30",
    },
    "NewAnswer": {"text": "Yes. Two benches come before the summer, and we count who sits on them."},
    "NewSponsor": {"person": "b4xk9wqm", "reason": "Parks look after the hill."},
    "Reason": {"reason": "It names a private person."},
    "PersonChange": {"roles": ["sponsor"]},
    "ReasonOfAdmin": {"reason": "They threatened a neighbour under three ideas."},
    "Join": {"into": "b4xk9wqm", "reason": "They told us so on the telephone."},
    "NewDirectorate": {"name": "Streets", "lead": "b4xk9wqm"},
    "NewTeam": {"name": "Potholes", "directorate": 3},
    "ThemeChange": {"name": "Streets and waste", "directorate": "Streets"},
    "SettingsChange": {"answer_days": 10},
    "NewDecision": {"to": "released", "reason": "The library had a stall that afternoon."},
    "NewInvitation": {"email": "neighbour@example.org"},
    "NewDraft": {"values": {"title": ["Benches on the hospital hill"]}, "version": 0},
    "MaybeReason": {},
    "NoBody": {},
}


def complete(document: Json, url: str, cookie: str, names: Mapping[tuple[str, str], str]) -> Json:
    """The document of the routes, with what holds for all of them. `names` are those of routes, by method and path."""
    document["info"] |= {"description": ABOUT, "summary": "The API of the Ideas Hub"}
    document["servers"] = [{"url": url}]
    schemas = document["components"]["schemas"]
    asked = {name for operation in _operations(document) for name in _body_of(operation[2])}
    for name, schema in schemas.items():
        _mend(schema)
        if name not in asked:  # resources grow: what reads them must not mind
            schema.pop("additionalProperties", None)
        if name in EXAMPLES:
            schema["examples"] = [EXAMPLES[name]]
    schemas["Problem"]["properties"]["errors"]["additionalProperties"] = {"type": "array", "items": {"type": "string"}}
    document["components"] = {
        "schemas": schemas,
        "parameters": SENT,
        "headers": HEADERS,
        "responses": {f"Refused{status}": _refusal(status) for status in sorted({*SAID, *MEANS} - {405, 500})},
        "securitySchemes": SCHEMES | {"session": SCHEMES["session"] | {"name": cookie}},
    }
    lists = {f"#/components/schemas/{name}" for name, schema in schemas.items() if "next" in schema.get("properties", {})}
    for path, method, operation in _operations(document):
        operation["operationId"] = names[method, path]
        _complete(operation, path, method, lists)
    for methods in document["paths"].values():
        for parameter in methods.get("parameters", []):
            parameter |= PATHS.get(parameter["name"], {"schema": REF, "description": "A public id."})
    used = {tag for _path, _method, operation in _operations(document) for tag in operation["tags"]}
    document["tags"] = [{"name": name, "description": about} for name, about in CONCEPTS.items() if name in used]
    document["tags"] += [{"name": name} for name in sorted(used - CONCEPTS.keys())]
    _drop_unused(document, "schemas")
    _drop_unused(document, "responses")
    return document


def _operations(document: Json) -> list[tuple[str, str, Json]]:
    return [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def _complete(operation: Json, path: str, method: str, lists: set[str]) -> None:
    concept = operation["tags"][0].removeprefix("api_")
    said = f"{operation.pop('summary', '')} {operation.pop('description', '')}".strip()
    first, stop, rest = said.partition(". ")
    operation |= {"tags": [concept], "summary": first.rstrip(".") + "." if first else "", "description": rest if stop else ""}
    operation["security"] = SEEN_BY if method == "get" else DONE_BY
    parameters: list[Json] = operation.setdefault("parameters", [])
    for parameter in parameters:
        if parameter.get("in") == "query":
            _mend(parameter["schema"])
    for name, fits in (("IfNoneMatch", method == "get"), ("IfMatch", method == "patch"), ("IdempotencyKey", method == "post")):
        if fits:
            parameters.append({"$ref": f"#/components/parameters/{name}"})
    answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    for status, answer in answers.items():
        _name_headers(answer, path, method, status, lists)
    if method == "get":
        answers["304"] = {"description": "What one has already still fits.", "headers": _headers("ETag")}
    for refused in _refusals(path, method):
        answers[str(refused)] = {"$ref": f"#/components/responses/Refused{refused}"}
    operation["responses"] = dict(sorted(answers.items()))


def _refusals(path: str, method: str) -> list[int]:
    """What a route may refuse with. A method that is not offered (405), and what is broken on our side (500), is of no route."""
    every = [401, 414, 422, 429, 503] + ([404] if "{" in path else [])
    if method == "get":  # of what is for some only, and who else asks is told so
        return [*every, 403] if FOR_SOME.search(path) else every
    has_versions = method == "patch" or (method == "put" and "/drafts/" in path)
    return [*every, 400, 403, 409, 413, 415, 507] + ([412] if has_versions else [])


def _name_headers(answer: Json, path: str, method: str, status: str, lists: set[str]) -> None:
    named: list[str] = []
    shape = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    makes_idea = shape.endswith("/Idea")
    if method == "get" or makes_idea:
        named.append("ETag")
    if method == "get" and shape in lists:
        named.append("Link")
    if status == "201" and path.endswith("/ideas"):
        named.append("Location")
    if named:
        answer["headers"] = _headers(*named)


def _headers(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refusal(status: int) -> Json:
    answer: Json = {
        "description": MEANS[status] if status in MEANS else SAID[status],
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        answer["headers"] = _headers("Retry-After")
    if status == 409:
        answer["headers"] = {"Retry-After": {"$ref": "#/components/headers/RetryOfKey"}}
    if status == 401:
        answer["headers"] = _headers("WWW-Authenticate")
    return answer


def _body_of(operation: Json) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {})
    return [shape["schema"]["$ref"].rpartition("/")[2] for shape in content.values() if "$ref" in shape["schema"]]


def _mend(schema: Any) -> None:
    """What marshmallow calls otherwise than JSON Schema does."""
    if isinstance(schema, dict):
        if schema.get("format") == "url":
            schema["format"] = "uri"
        for part in schema.values():
            _mend(part)
    elif isinstance(schema, list):
        for part in schema:
            _mend(part)


def _drop_unused(document: Json, kind: str) -> None:
    while unused := set(document["components"][kind]) - _named(document, f"#/components/{kind}/"):
        for name in unused:
            del document["components"][kind][name]


def _named(part: Any, prefix: str) -> set[str]:
    """The components of a kind that are referred to anywhere below."""
    if isinstance(part, dict):
        here = {part["$ref"].removeprefix(prefix)} if str(part.get("$ref", "")).startswith(prefix) else set()
        return here.union(*(_named(value, prefix) for value in part.values()))
    if isinstance(part, list):
        return set().union(*(_named(value, prefix) for value in part))
    return set()
