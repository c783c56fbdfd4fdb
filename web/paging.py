"""Where the next piece of a list begins, as an opaque text. Signed: a made-up one is refused before it can reach a query."""

from datetime import datetime
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from ideas_hub.errors import Invalid, _

WRONG = _("This is not a place in this list. Go back to its beginning.")


def encode_cursor(scope: str, key: Any, ref: str | int) -> str:
    """The cursor after the row with this sort key and reference. `scope` names the list and its order: it fits no other."""
    kind, plain = ("at", key.isoformat()) if isinstance(key, datetime) else ("is", key)
    return str(_serializer(scope).dumps([kind, plain, ref]))


def decode_cursor(scope: str, text: str) -> tuple[Any, Any]:
    """The sort key and the reference that `encode_cursor` was given. Raises Invalid for what it never gave for that list."""
    try:
        kind, plain, ref = _serializer(scope).loads(text)
    except (BadData, ValueError, TypeError) as wrong:
        raise Invalid.field("cursor", WRONG) from wrong
    return (datetime.fromisoformat(plain) if kind == "at" else plain), ref


def _serializer(scope: str) -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=f"list of {scope}")
