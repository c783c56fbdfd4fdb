"""For admins: people, the parts of the council, themes and settings, and the audit log."""

import re
from typing import Any

import marshmallow as ma
from flask import Response

from events.catalogue import VIEWS
from ideas_hub import administration, organisation
from ideas_hub.administration import (
    PersonFile,
    change_person,
    find_people,
    lift_suspension,
    person_file,
)
from ideas_hub.audit import TYPES, AuditLine, audit
from ideas_hub.errors import Missing
from ideas_hub.joining import join_people
from ideas_hub.live import person_json
from ideas_hub.people import Kind, Role
from ideas_hub.permissions import require
from ideas_hub.settings import RANGES, current_settings
from web.api.asking import REASON, Blueprint, Body, NoQuery, Piece, Text, Word, words_of
from web.api.people import Person
from web.api.replying import listing, reply, time_json
from web.paging import decode_cursor, encode_cursor
from web.session import actor
from web.text import translate

blueprint = Blueprint("admin")

# What is answered


class Suspended(ma.Schema):
    reason = ma.fields.String(required=True)
    by = ma.fields.Nested(Person, required=True, allow_none=True)
    at = ma.fields.AwareDateTime(required=True)
    lifted_at = ma.fields.AwareDateTime(required=True, allow_none=True)
    lift_reason = ma.fields.String(required=True)


class PersonOfAdmins(Person):
    """A person as admins see them; their address stands on pages for admins only."""

    roles = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(words_of(Role))), required=True)
    directorate = ma.fields.String(required=True, allow_none=True)
    since = ma.fields.AwareDateTime(required=True, allow_none=True)
    suspended = ma.fields.Boolean(required=True)
    joined = ma.fields.Nested(Person, required=True, allow_none=True, metadata={"description": "Who they were found to be"})


class WholePerson(PersonOfAdmins):
    suspensions = ma.fields.List(ma.fields.Nested(Suspended), required=True)


class People(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(PersonOfAdmins), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class Team(ma.Schema):
    id = ma.fields.Integer(required=True)
    name = ma.fields.String(required=True)
    people = ma.fields.Integer(required=True)


class Directorate(ma.Schema):
    id = ma.fields.Integer(required=True)
    name = ma.fields.String(required=True)
    lead = ma.fields.Nested(Person, required=True, allow_none=True)
    teams = ma.fields.List(ma.fields.Nested(Team), required=True)


class Directorates(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(Directorate), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class ThemeOfAdmins(ma.Schema):
    slug = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    directorate = ma.fields.String(required=True, allow_none=True)


class Themes(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(ThemeOfAdmins), required=True)
    next = ma.fields.String(required=True, allow_none=True)


class VotesThatOblige(ma.Schema):
    """How many votes oblige an answer, by the idea's audience."""

    public = ma.fields.Integer(required=True)
    staff = ma.fields.Integer(required=True)
    leadership = ma.fields.Integer(required=True)


class SettingsOfHub(ma.Schema):
    council = ma.fields.String(required=True)
    answer_votes = ma.fields.Nested(VotesThatOblige, required=True)
    answer_days = ma.fields.Integer(required=True)
    newcomer_days = ma.fields.Integer(required=True)
    burst_votes = ma.fields.Integer(required=True)
    rush_votes = ma.fields.Integer(required=True)
    burst_minutes = ma.fields.Integer(required=True)


class AuditEntry(ma.Schema):
    """What an admin or moderator did. `by` is null where it was done at the console, or by the council's sign-in."""

    position = ma.fields.Integer(required=True)
    at = ma.fields.AwareDateTime(required=True)
    type = ma.fields.String(required=True, validate=ma.validate.OneOf(TYPES))
    by = ma.fields.Nested(Person, required=True, allow_none=True)
    sentence = ma.fields.String(required=True)
    reason = ma.fields.String(required=True)
    data = ma.fields.Dict(keys=ma.fields.String(), required=True, metadata={"description": "The fact, as the ledger has it"})


class Audit(ma.Schema):
    items = ma.fields.List(ma.fields.Nested(AuditEntry), required=True)
    next = ma.fields.String(required=True, allow_none=True)


# What is asked


class PeopleQuery(Piece):
    q = Text(most=200, load_default="")
    kind = Word(words_of(Kind))
    role = Word(words_of(Role))


class AuditQuery(Piece):
    who = Text(most=16, load_default="")
    what = Word({type: type for type in TYPES})


class WholeNumber(ma.fields.Integer):
    """A whole number of a body, as JSON has it."""

    def __init__(self, low: int, high: int, **options: Any) -> None:
        told = {"minimum": low, "maximum": high}
        super().__init__(strict=True, validate=ma.validate.Range(low, high), metadata=told, **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


MOST = 2_000_000_000


class PersonChange(Body):
    name = Text(size=120)
    kind = Word(words_of(Kind))
    team = WholeNumber(0, MOST)
    roles = ma.fields.List(Word(words_of(Role)))


class ReasonOfAdmin(Body):
    reason = Text(required=True, size=REASON)


class Join(ReasonOfAdmin):
    into = Text(required=True)


class NewDirectorate(Body):
    name = Text(required=True, size=120)
    lead = Text()


class NewTeam(Body):
    name = Text(required=True, size=120)
    directorate = WholeNumber(1, MOST, required=True)


class ThemeChange(Body):
    name = Text(required=True, size=80)
    directorate = Text()


class VotesThatObligeChange(ma.Schema):
    class Meta:
        unknown = ma.RAISE

    public = WholeNumber(1, MOST, required=True)
    staff = WholeNumber(1, MOST, required=True)
    leadership = WholeNumber(1, MOST, required=True)


class SettingsChange(Body):
    council = Text(size=120)
    answer_votes = ma.fields.Nested(VotesThatObligeChange)
    answer_days = WholeNumber(*RANGES["answer_days"][:2])
    newcomer_days = WholeNumber(*RANGES["newcomer_days"][:2])
    burst_votes = WholeNumber(*RANGES["burst_votes"][:2])
    rush_votes = WholeNumber(*RANGES["rush_votes"][:2])
    burst_minutes = WholeNumber(*RANGES["burst_minutes"][:2])


# People


@blueprint.get("/admin/people")
@blueprint.gives(200, People)
@blueprint.arguments(PeopleQuery, location="query")
def people(query: dict[str, Any]) -> Response:
    """People by a part of their name or address (`q`), of a kind, or with a role, by name."""
    asked = (query["q"], query.get("kind"), query.get("role"))
    scope = f"api people {asked}"
    after = decode_cursor(scope, query["cursor"]) if "cursor" in query else None
    question, kind, role = asked
    found, following = find_people(actor(), question=question, kind=kind, role=role, after=after, limit=query["limit"])
    return listing([_person(file) for file in found], following and encode_cursor(scope, *following))


@blueprint.get("/admin/people/<person>")
@blueprint.gives(200, WholePerson)
@blueprint.arguments(NoQuery, location="query")
def person(query: dict[str, Any], person: str) -> Response:
    """One person, and when they were suspended."""
    return _whole_reply(person)


@blueprint.patch("/admin/people/<person>")
@blueprint.gives(200, WholePerson)
@blueprint.arguments(PersonChange)
def change(body: dict[str, Any], person: str) -> Response:
    """Change what is given: the roles to those named and no others, the team by its id (0: none)."""
    change_person(actor(), person, **body)
    return _whole_reply(person)


@blueprint.put("/admin/people/<person>/suspension")
@blueprint.gives(200, WholePerson)
@blueprint.arguments(ReasonOfAdmin)
def suspend(body: dict[str, Any], person: str) -> Response:
    """The person may not act or sign in. Twice is harmless."""
    administration.suspend(actor(), person, **body)
    return _whole_reply(person)


@blueprint.delete("/admin/people/<person>/suspension")
@blueprint.gives(200, WholePerson)
@blueprint.arguments(ReasonOfAdmin)
def lift(body: dict[str, Any], person: str) -> Response:
    """The person may act again. Twice is harmless."""
    lift_suspension(actor(), person, **body)
    return _whole_reply(person)


@blueprint.put("/admin/people/<person>/joined")
@blueprint.gives(200, WholePerson)
@blueprint.arguments(Join)
def join(body: dict[str, Any], person: str) -> Response:
    """The person becomes another one, `into`, for good: they are the same human. Answers with the one who stays."""
    join_people(actor(), person, **body)
    return _whole_reply(body["into"])


# The parts of the council


@blueprint.get("/admin/directorates")
@blueprint.gives(200, Directorates)
@blueprint.arguments(NoQuery, location="query")
def directorates(query: dict[str, Any]) -> Response:
    """The directorates with their leads and teams, by name."""
    return listing([_directorate(place) for place in organisation.directorates(actor())], None)


@blueprint.put("/admin/directorates")
@blueprint.gives(200, Directorate)
@blueprint.arguments(NewDirectorate)
def add_directorate(body: dict[str, Any]) -> Response:
    """Have a directorate of that name, with that lead."""
    known = {place.name: place.id for place in organisation.directorates(actor())}
    return _directorate_reply(organisation.put_directorate(actor(), id=known.get(body["name"]), **body))


@blueprint.put("/admin/directorates/<directorate>")
@blueprint.gives(200, Directorate)
@blueprint.arguments(NewDirectorate)
def change_directorate(body: dict[str, Any], directorate: str) -> Response:
    """Rename a directorate, or give it another lead ("": nobody)."""
    return _directorate_reply(organisation.put_directorate(actor(), id=_id(directorate), **body))


@blueprint.put("/admin/teams/<team>")
@blueprint.gives(200, Directorate)
@blueprint.arguments(NewTeam)
def change_team(body: dict[str, Any], team: str) -> Response:
    """Rename a team, or move it; with the id 0 add one. Answers with its directorate."""
    organisation.put_team(actor(), id=_id(team) or None, **body)
    return _directorate_reply(body["directorate"])


# Themes and settings


@blueprint.get("/admin/themes")
@blueprint.gives(200, Themes)
@blueprint.arguments(NoQuery, location="query")
def themes(query: dict[str, Any]) -> Response:
    """The themes, and whose lead answers for each."""
    return listing([_theme(theme) for theme in organisation.theme_files(actor())], None)


@blueprint.put("/admin/themes/<theme>")
@blueprint.gives(200, ThemeOfAdmins)
@blueprint.arguments(ThemeChange)
def put_theme(body: dict[str, Any], theme: str) -> Response:
    """Have a theme of that slug, with that name and the directorate of that name."""
    organisation.set_theme(actor(), theme, **body)
    return reply(next(_theme(each) for each in organisation.theme_files(actor()) if each.slug == theme))


@blueprint.get("/admin/settings")
@blueprint.gives(200, SettingsOfHub)
@blueprint.arguments(NoQuery, location="query")
def settings(query: dict[str, Any]) -> Response:
    """What the hub is set to."""
    require(actor(), "set_up", None)
    return _settings_reply()


@blueprint.patch("/admin/settings")
@blueprint.gives(200, SettingsOfHub)
@blueprint.arguments(SettingsChange)
def change_settings(body: dict[str, Any]) -> Response:
    """Set what is named; the rest stays."""
    organisation.set_settings(actor(), body)
    return _settings_reply()


# The audit log


@blueprint.get("/admin/audit")
@blueprint.gives(200, Audit)
@blueprint.arguments(AuditQuery, location="query")
def audit_log(query: dict[str, Any]) -> Response:
    """What admins and moderators did, the newest first: by or to somebody (`who`), of one type (`what`)."""
    who, what = query["who"], query.get("what", "")
    scope = f"api audit {who} {what}"
    before = decode_cursor(scope, query["cursor"])[0] if "cursor" in query else None
    lines, following = audit(actor(), who=who, what=what, before=before, limit=query["limit"])
    return listing([_line(line) for line in lines], encode_cursor(scope, following, 0) if following else None)


# From values to JSON


def _person(file: PersonFile) -> dict[str, Any]:
    return {
        **(person_json(file.card) or {}),
        "roles": sorted(file.roles),
        "directorate": file.directorate,
        "since": file.since and time_json(file.since),
        "suspended": file.suspended,
        "joined": person_json(file.joined),
    }


def _whole_reply(ref: str) -> Response:
    file = person_file(actor(), ref)
    suspensions = [
        {
            "reason": each.reason,
            "by": person_json(each.by),
            "at": time_json(each.at),
            "lifted_at": each.lifted_at and time_json(each.lifted_at),
            "lift_reason": each.lift_reason,
        }
        for each in file.suspensions
    ]
    return reply(_person(file) | {"suspensions": suspensions})


def _id(text: str) -> int:
    """The number that stands in an address. Raises Missing for anything else."""
    require(actor(), "arrange", None)
    if not re.fullmatch("[0-9]{1,9}", text, re.ASCII):
        raise Missing
    return int(text)


def _directorate(place: organisation.DirectorateCard) -> dict[str, Any]:
    teams = [{"id": team.id, "name": team.name, "people": team.people} for team in place.teams]
    return {"id": place.id, "name": place.name, "lead": person_json(place.lead), "teams": teams}


def _directorate_reply(id: int) -> Response:
    return reply(next(_directorate(place) for place in organisation.directorates(actor()) if place.id == id))


def _theme(theme: organisation.ThemeFile) -> dict[str, Any]:
    return {"slug": theme.slug, "name": theme.name, "directorate": theme.directorate}


def _settings_reply() -> Response:
    found = current_settings()
    votes = {view.word: found.answer_votes[view.word] for view in VIEWS}
    return reply({"council": found.council, "answer_votes": votes, **{name: getattr(found, name) for name in RANGES}})


def _line(line: AuditLine) -> dict[str, Any]:
    return {
        "position": line.position,
        "at": time_json(line.at),
        "type": line.type,
        "by": person_json(line.by),
        "sentence": translate(line.sentence),
        "reason": line.reason,
        "data": dict(line.data),
    }
