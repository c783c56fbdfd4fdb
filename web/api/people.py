"""People as the API shows them, and who the asker is."""

from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response

from events.catalogue import View
from ideas_hub.live import person_json
from ideas_hub.people import Kind, Role
from ideas_hub.permissions import ACTS, may
from web.api.asking import VIEW_WORDS, Blueprint, NoQuery, words_of
from web.api.replying import reply
from web.session import actor

blueprint = Blueprint("people")


class Person(ma.Schema):
    """A person as everybody may see them: never their address."""

    id = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(words_of(Kind)))
    team = ma.fields.String(required=True, allow_none=True)


class Me(ma.Schema):
    person = ma.fields.Nested(Person, required=True, allow_none=True)
    roles = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(words_of(Role))), required=True)
    view = ma.fields.String(required=True, validate=ma.validate.OneOf([*VIEW_WORDS]))
    may = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf([*ACTS])), required=True)


@dataclass(frozen=True, slots=True)
class SomebodyElses:
    """An idea or a comment that one has no part in."""

    author_refs: frozenset[str] = frozenset()
    sponsor_ref: str | None = None
    answer_by_ref: str | None = None


ON_AN_AUDIENCE = {"post", "comment"}


@blueprint.get("/me")
@blueprint.gives(200, Me)
@blueprint.arguments(NoQuery, location="query")
def me(query: dict[str, Any]) -> Response:
    """Who asks, what they may see, and what they may do to any idea that is open to them, also to other people's."""
    who = actor()
    return reply(
        {
            "person": person_json(who.card()),
            "roles": sorted(who.roles),
            "view": who.view.word,
            "may": [act for act in ACTS if may(who, act, View.PUBLIC if act in ON_AN_AUDIENCE else SomebodyElses())],
        }
    )
