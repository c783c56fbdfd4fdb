"""The AsyncAPI document of the live stream: what may be said on the socket, and every event with its data.

Types and descriptions come from `events/catalogue.py`. What the hub joins to an event when it is told (`ideas_hub/live.py`)
stands in `DATA`; a test holds every frame of every type against it.
"""

from collections.abc import Mapping
from inspect import getdoc
from typing import Any
from urllib.parse import urlsplit

from events.catalogue import BOARD, IDEAS, LEDGER, TYPES, Event, IdeaEvent, types_on
from events.gateway import MOST_BYTES, MOST_STRIKES, MOST_TOPICS, NAMESPACE
from ideas_hub.comments import CommentKind
from ideas_hub.ideas import Stage
from ideas_hub.people import Kind

Json = dict[str, Any]

ABOUT = f"""What happens, as it happens, of what one may see: over Socket.IO, namespace `{NAMESPACE}`, path `/socket.io`.

Connect with a session cookie, or with `auth: {{"token": …}}`, or as nobody. Say `watch` with topics and, after the first time,
with the cursor of the last thing you heard: you are told what you missed, exactly, or `reset` with its reason, and then you
read anew what you show. Five malformed messages end the connection; a message holds at most {MOST_BYTES // 1024} KB.

The same events come over plain HTTP with `GET /api/v1/events`, and the same cursors serve both."""

REF: Json = {"type": "string", "pattern": "^[0-9a-z]{1,16}$"}
IDEA_TOPIC = "^idea:[0-9a-z]{1,16}$"
TEXT: Json = {"type": "string"}
MAYBE_TEXT: Json = {"type": ["string", "null"], "description": "Null where it is hidden or erased."}
COUNT: Json = {"type": "integer", "minimum": 0}
STAGE: Json = {"type": "string", "enum": [stage.value for stage in Stage]}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(properties: Mapping[str, Json], *, optional: tuple[str, ...] = (), **more: Any) -> Json:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        **more,
    }


SOMEBODY = _maybe(_ref("Person"))
FIELDS: Mapping[str, Json] = {
    "idea": REF,
    "title": MAYBE_TEXT,
    "authors": {"type": "array", "items": _ref("Person")},
    "into": _maybe(REF) | {"description": "The idea that it became part of; null where one may not see that."},
    "merged": REF,
    "from": STAGE,
    "to": STAGE,
    "reason": MAYBE_TEXT,
    "by": SOMEBODY,
    "sponsor": SOMEBODY,
    "co_author": SOMEBODY,
    "text": MAYBE_TEXT,
    "due": {"type": "string", "format": "date"},
    "comment": REF,
    "kind": {"type": "string", "enum": [kind.value for kind in CommentKind]},
    "parent": _maybe(REF),
    "body": MAYBE_TEXT,
    "html": MAYBE_TEXT,
    "author": SOMEBODY,
    "ideas": COUNT,
    "comments": COUNT,
    "votes": COUNT,
}
TOLD, SAID = "title authors", "comment kind parent body html author"
DATA: Mapping[str, str] = {  # beside `idea`; those in brackets are left out where the reader lost the thing
    "idea.posted": TOLD,
    "idea.revised": TOLD,
    "idea.opened_to_public": TOLD,
    "idea.restricted": "[title] [authors]",
    "idea.hidden": "",
    "idea.restored": TOLD,
    "idea.withdrawn": "",
    "idea.merged": f"{TOLD} into",
    "idea.took_in": "merged title by",
    "idea.stage_changed": "from to reason by",
    "idea.co_author_joined": f"{TOLD} co_author",
    "idea.co_author_left": f"{TOLD} co_author",
    "idea.sponsored": "sponsor by reason",
    "idea.sponsor_left": "sponsor by reason",
    "idea.answered": "text by",
    "idea.answer_due": "text due",
    "idea.answer_overdue": "text due",
    "idea.votes_held": "",
    "idea.votes_rushed": "",
    "idea.votes_released": "votes",
    "idea.votes_refused": "votes",
    "comment.posted": SAID,
    "comment.hidden": "comment",
    "comment.restored": SAID,
    "comment.withdrawn": "comment",
    "hub.imported": "ideas comments",
}
TALLIES = _object(dict.fromkeys(("votes", "votes_residents", "votes_staff", "votes_held", "comments", "version"), COUNT))
TOPICS: Json = {
    "type": "array",
    "items": {"type": "string", "minLength": 1, "maxLength": 80},
    "maxItems": MOST_TOPICS,
    "examples": [["idea:7kq2m9xv", "board"]],
    "description": f"At most {MOST_TOPICS} a connection. `idea:<id>`: everything of that idea. `{BOARD}`: all `idea.*`, `hub.*`. "
    f"`{IDEAS}`: {', '.join(f'`{kind}`' for kind in types_on(IDEAS))}. `me`: no events, but one's own numbers.",
}
REASONS = {
    "epoch": "another or a restored database",
    "trimmed": "older than what is kept",
    "too_far": "more than 1,000 events behind",
    "ahead": "ahead of the log",
    "rights": "what you may see has changed",
    "unknown": "not a cursor of this hub",
}
WHY: Json = {
    "type": "string",
    "enum": [*REASONS],
    "description": "; ".join(f"`{why}`: {what}" for why, what in REASONS.items()) + ".",
}
CURSOR: Json = {
    "type": "string",
    "description": "Opaque. Resume after it, on the socket and over HTTP alike, whatever the topics.",
}


def asyncapi(url: str) -> Json:
    """The document for the hub at this address."""
    told = [kind for kind in TYPES.values() if kind not in LEDGER]
    address = urlsplit(url)
    messages = _messages() | {kind.type: _event_message(kind) for kind in told}
    channel = {"$ref": "#/channels/live"}

    def names(*keys: str) -> list[Json]:
        return [{"$ref": f"#/channels/live/messages/{key}"} for key in keys]

    def asked(name: str, answered: str) -> Json:
        reply = {"channel": channel, "messages": names(answered, "refused")}
        return {"action": "receive", "channel": channel, "messages": names(name), "reply": reply}

    def sent(*keys: str) -> Json:
        return {"action": "send", "channel": channel, "messages": names(*keys)}

    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Ideas Hub, live", "version": "1", "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "hub": {
                "host": address.netloc,
                "protocol": "wss" if address.scheme == "https" else "ws",
                "pathname": "/socket.io",
                "description": "Socket.IO: websocket first, polling where a proxy forbids it.",
                "security": [{"$ref": "#/components/securitySchemes/token"}, {"$ref": "#/components/securitySchemes/session"}],
            }
        },
        "channels": {
            "live": {
                "address": NAMESPACE,
                "title": "The live stream",
                "description": f"The Socket.IO namespace `{NAMESPACE}`.",
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
            }
        },
        "operations": {
            "watch": asked("watch", "watched"),
            "unwatch": asked("unwatch", "unwatched"),
            "event": sent(*(kind.type for kind in told)),
            "facts": sent("facts"),
            "head": sent("head"),
            "reset": sent("reset"),
        },
        "components": {
            "messages": messages,
            "schemas": _schemas() | {kind.type: _event_schema(kind) for kind in told},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Or in the handshake, as `auth.token`."},
                "session": {"type": "httpApiKey", "in": "cookie", "name": "session", "description": "The session of a browser."},
            },
        },
    }


def _message(name: str, summary: str, payload: Json) -> Json:
    return {"name": name, "title": name, "summary": summary, "payload": payload}


def _messages() -> Json:
    ok = {"ok": {"const": True}}
    cursor = _maybe(CURSOR)
    watched: dict[str, Json] = {
        **ok,
        "mode": {"type": "string", "enum": ["start", "resume", "reset"]},
        "why": WHY,
        "cursor": CURSOR,
        "events": {"type": "array", "items": _ref("Event"), "description": "What was missed, in order."},
        "facts": _ref("Facts"),
        "refused": {"type": "array", "items": TEXT, "description": "Topics that are not there, or not open to you."},
    }
    return {
        "watch": _message(
            "watch",
            "Adds to what is watched already, and replays for the topics it names.",
            _object({"topics": TOPICS, "cursor": cursor}, optional=("cursor",)),
        ),
        "watched": _message("watched", "The answer (ack) to `watch`.", _object(watched, optional=("why",))),
        "unwatch": _message("unwatch", "Leaves topics.", _object({"topics": TOPICS})),
        "unwatched": _message("unwatched", "The answer (ack) to `unwatch`.", _object(ok)),
        "refused": _message(
            "refused",
            f"The answer (ack) to a malformed message. The {MOST_STRIKES}th ends the connection.",
            _object({"ok": {"const": False}, "error": TEXT}),
        ),
        "facts": _message("facts", "Tallies that changed: the first at once, then ten times a second at most.", _ref("Facts")),
        "head": _message("head", "Every five seconds: you have been sent everything up to here.", _object({"cursor": CURSOR})),
        "reset": _message("reset", "Read anew what you show, then watch again.", _object({"why": WHY})),
    }


def _schemas() -> Json:
    person = {"id": REF, "name": TEXT, "kind": {"type": "string", "enum": [kind.value for kind in Kind]}}
    board = _object({"counts": _object({stage.value: COUNT for stage in Stage}), "version": COUNT})
    event = {
        "specversion": {"const": "1.0"},
        "id": TEXT,
        "source": {"type": "string", "format": "uri"},
        "type": {"type": "string", "enum": [kind.type for kind in TYPES.values() if kind not in LEDGER]},
        "subject": {"type": "string", "pattern": "^ideas/[0-9a-z]{1,16}$"},
        "time": {"type": "string", "format": "date-time"},
        "sequence": {"type": "string", "pattern": "^[0-9]{12}$", "description": "Rises within a view, with holes."},
        "cursor": CURSOR,
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object", "description": "By type: see the schema of that name."},
    }
    return {
        "Person": _object({**person, "team": MAYBE_TEXT}, description="A person: never an e-mail address."),
        "Event": _object(event, optional=("subject",), description="A CloudEvents 1.0 object."),
        "Tallies": TALLIES | {"description": "Of an idea. `version` rises with what your view sees."},
        "BoardFacts": board | {"description": "How many ideas stand in each stage, of what your view sees."},
        "MyFacts": _object({"unread": COUNT, "version": COUNT}),
        "Facts": {
            "type": "object",
            "description": "By topic; the last value wins.",
            "properties": {"board": _ref("BoardFacts"), "me": _ref("MyFacts")},
            "patternProperties": {IDEA_TOPIC: _ref("Tallies")},
        },
    }


def _event_message(kind: type[Event]) -> Json:
    return _message("event", getdoc(kind) or "", _ref(kind.type)) | {"title": kind.type}


def _event_schema(kind: type[Event]) -> Json:
    named = [*(["idea"] if issubclass(kind, IdeaEvent) else []), *DATA[kind.type].split()]
    optional = tuple(name.strip("[]") for name in named if name.startswith("["))
    data = _object({name: FIELDS[name] for name in (part.strip("[]") for part in named)}, optional=optional)
    own = {"type": "object", "properties": {"type": {"const": kind.type}, "data": data}}
    return {"description": getdoc(kind) or "", "allOf": [_ref("Event"), own]}
