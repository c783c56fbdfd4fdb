"""What is sent twice is done once: by the `Idempotency-Key` of a script, or by the hidden `once` field of a form."""

import hashlib
import re

from flask import Flask, request

from ideas_hub.claims import LONGEST_KEY, Asked, claim
from ideas_hub.db import new_ref
from ideas_hub.errors import Invalid, _
from web.session import actor

FIELD = "once"
KEY = re.compile(rf"[\x20-\x7e]{{1,{LONGEST_KEY}}}")
NOT_ASKED = {FIELD, "csrf_token", "back", "draft"}  # what may differ between two forms that ask for the same


def init_app(app: Flask) -> None:
    app.before_request(_claim)
    app.teardown_request(lambda error: claim(None))
    app.jinja_env.globals.update(once_key=lambda: new_ref() + new_ref())


def _claim() -> None:
    """Raises Invalid for a key that is none."""
    person = actor().person_id if request.method == "POST" and request.endpoint else None
    if person is None:
        return
    if request.path.startswith("/api/"):
        key = request.headers.get("Idempotency-Key")
        if key is not None and not KEY.fullmatch(key):
            raise Invalid.field("Idempotency-Key", _("Send 1 to %(most)d visible characters."), most=LONGEST_KEY)
        if key is not None:
            claim(Asked(person, key, _hash(request.path.encode(), request.get_data())))
    elif key := request.form.get(FIELD):
        # Who steps back and writes something else means something else: it is another key then.
        sent = sorted((name, value) for name, value in request.form.items(multi=True) if name not in NOT_ASKED)
        asked = _hash(request.path.encode(), repr(sent).encode(errors="replace"), key.encode(errors="replace"))
        claim(Asked(person, f"form {asked}", asked))


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
