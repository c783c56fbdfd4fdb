"""Pages for admins: people, the parts of the council, themes and settings, and the audit log."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request
from flask.typing import ResponseReturnValue

from events.catalogue import View
from ideas_hub import organisation as arranging
from ideas_hub.administration import change_person, find_people, lift_suspension, person_file, suspend
from ideas_hub.audit import TYPES, audit
from ideas_hub.errors import Invalid, Missing, Sentence, _
from ideas_hub.joining import join_people, proposed_join
from ideas_hub.people import Kind, Role
from ideas_hub.permissions import require
from ideas_hub.settings import RANGES
from web.forms import FROM_LIST, Form, done, sent, wants_json
from web.pages import council
from web.paging import decode_cursor, encode_cursor
from web.session import actor

PIECE = 50
KINDS_OF_ACTS = {
    "person.changed": _("Somebody was changed"),
    "person.suspended": _("Somebody was suspended"),
    "person.reinstated": _("A suspension was lifted"),
    "person.joined": _("Two people became one"),
    "hub.directorate_changed": _("A directorate was changed"),
    "hub.team_changed": _("A team was changed"),
    "hub.theme_changed": _("A theme was changed"),
    "hub.setting_changed": _("A setting was changed"),
    "votes.decided": _("Votes that were held were decided about"),
}

blueprint = Blueprint("admin", __name__, url_prefix="/admin")


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(Role=Role)


@blueprint.get("")
def index() -> ResponseReturnValue:
    require(actor(), "see_people", None)
    return redirect("/admin/people", 303)


# People


@blueprint.get("/people")
def people() -> ResponseReturnValue:
    """People, found by a part of their name or address, their kind and their role."""
    asked = Form("find", request.args)
    kind, role = (_known(asked, name, words) for name, words in (("kind", Kind), ("role", Role)))
    question, suspended = asked.value("q"), bool(asked.value("suspended"))
    scope = f"people {question} {kind} {role} {suspended}"
    after = decode_cursor(scope, request.args["cursor"]) if "cursor" in request.args else None
    found, following = find_people(
        actor(), question=question, kind=kind, role=role, suspended=suspended, after=after, limit=PIECE
    )
    more = {**asked.values.to_dict(), "cursor": encode_cursor(scope, *following)} if following else None
    return render_template("admin/people.html", found=found, form=asked, more=more)


@blueprint.get("/people/<ref:person>")
def person(person: str) -> ResponseReturnValue:
    return _person(person, None)


@blueprint.post("/people/<ref:person>")
def change(person: str) -> ResponseReturnValue:
    form = sent("change")

    def act() -> None:
        roles = [role for role in form.chosen("role") if role in set(Role)]
        if len(roles) < len(form.chosen("role")):
            raise Invalid.field("role", FROM_LIST)
        kind, team = form.word("kind", Kind), form.number("team")
        change_person(actor(), person, name=form.text("name"), kind=kind, team=team or 0, roles=[Role(role) for role in roles])

    return _done(form, act, f"/admin/people/{person}", lambda refused: _person(person, refused))


@blueprint.post("/people/<ref:person>/suspend")
def suspend_person(person: str) -> ResponseReturnValue:
    form = sent("suspend")
    there = f"/admin/people/{person}"
    return _done(form, lambda: suspend(actor(), person, reason=form.text("reason")), there, lambda again: _person(person, again))


@blueprint.post("/people/<ref:person>/lift")
def lift(person: str) -> ResponseReturnValue:
    form = sent("lift")
    there = f"/admin/people/{person}"
    work = lambda: lift_suspension(actor(), person, reason=form.text("reason"))  # noqa: E731
    return _done(form, work, there, lambda again: _person(person, again))


@blueprint.get("/people/<ref:person>/join")
def join_page(person: str) -> ResponseReturnValue:
    """Who else it might be; with one of them chosen (`into`), what joining the two would do."""
    return _join(person, request.args.get("into", ""), None)


@blueprint.post("/people/<ref:person>/join")
def join(person: str) -> ResponseReturnValue:
    form = sent("join")
    into = form.value("into")
    work = lambda: join_people(actor(), person, into=into, reason=form.text("reason"))  # noqa: E731
    return _done(form, work, f"/admin/people/{into}", lambda again: _join(person, into, again))


def _person(ref: str, refused: Form | None) -> str:
    file = person_file(actor(), ref)
    places = arranging.directorates(actor())
    return render_template("admin/person.html", file=file, places=places, refused=refused)


def _join(ref: str, into: str, refused: Form | None) -> str:
    file = person_file(actor(), ref)
    question = request.args.get("q", file.card.name)
    others = [] if into else [other for other in find_people(actor(), question=question, limit=20)[0] if other.card.ref != ref]
    proposed = proposed_join(actor(), ref, into) if into else None
    return render_template("admin/join.html", file=file, others=others, proposed=proposed, question=question, refused=refused)


# The parts of the council


@blueprint.get("/organisation")
def organisation() -> ResponseReturnValue:
    return _organisation(None)


@blueprint.post("/directorates")
def directorate() -> ResponseReturnValue:
    """Add a directorate, or change the one whose `id` is sent."""
    form = sent(f"directorate-{request.form.get('id', '')}")
    work = lambda: arranging.put_directorate(actor(), id=form.number("id"), name=form.text("name"), lead=form.text("lead"))  # noqa: E731
    return _done(form, work, "/admin/organisation", _organisation)


@blueprint.post("/teams")
def team() -> ResponseReturnValue:
    """Add a team, or change the one whose `id` is sent."""
    form = sent(f"team-{request.form.get('id', '')}")
    work = lambda: arranging.put_team(  # noqa: E731
        actor(), id=form.number("id"), name=form.text("name"), directorate=form.number("directorate") or 0
    )
    return _done(form, work, "/admin/organisation", _organisation)


def _organisation(refused: Form | None) -> str:
    places, leads = arranging.directorates(actor()), arranging.possible_leads(actor())
    return render_template("admin/organisation.html", places=places, leads=leads, refused=refused)


# Themes and settings


@blueprint.get("/settings")
def settings() -> ResponseReturnValue:
    return _settings(None)


@blueprint.post("/settings")
def set_settings() -> ResponseReturnValue:
    form = sent("settings")

    def act() -> None:
        values: dict[str, Any] = {name: form.number(name) or 0 for name in RANGES}
        values["answer_votes"] = {view.word: form.number(f"answer_votes_{view.word}") or 0 for view in View}
        if not 0 < len(name := " ".join(form.text("council").split())) <= 120:
            raise Invalid.field("council", _("Write a name of 1 to 120 characters."))
        arranging.set_settings(actor(), values | {"council": name})

    return _done(form, act, "/admin/settings", _settings)


@blueprint.post("/themes")
def theme() -> ResponseReturnValue:
    form = sent(f"theme-{request.form.get('was', '')}")
    work = lambda: arranging.set_theme(  # noqa: E731
        actor(), form.text("slug"), name=form.text("name"), directorate=form.text("directorate")
    )
    return _done(form, work, "/admin/settings", _settings)


def _settings(refused: Form | None) -> str:
    places, themes = arranging.directorates(actor()), arranging.theme_files(actor())
    return render_template("admin/settings.html", set=council(), places=places, themes=themes, refused=refused)


# The audit log


@blueprint.get("/audit")
def audit_log() -> ResponseReturnValue:
    """What was done, the newest first; by or to somebody (`who`), of one kind (`what`)."""
    who, what = request.args.get("who", ""), request.args.get("what", "")
    if what and what not in TYPES:
        raise Missing
    scope = f"audit {who} {what}"
    before = decode_cursor(scope, request.args["cursor"])[0] if "cursor" in request.args else None
    lines, following = audit(actor(), who=who, what=what, before=before, limit=PIECE)
    about = person_file(actor(), who) if who else None
    more = {"who": who, "what": what, "cursor": encode_cursor(scope, following, 0)} if following else None
    kinds = [("", Sentence(_("Everything"))), *((type, Sentence(said)) for type, said in KINDS_OF_ACTS.items())]
    return render_template("admin/audit.html", lines=lines, about=about, more=more, kinds=kinds, what=what)


# What all of them do


def _known(form: Form, name: str, words: Any) -> Any:
    """What is chosen of a list in an address; nothing where there is no such word."""
    return words(form.value(name)) if form.value(name) in set(words) else None


def _done(form: Form, act: Callable[[], object], there: str, again: Callable[[Form], str]) -> ResponseReturnValue:
    """Do it and lead there; where something in the form is wrong, show it again."""
    try:
        act()
    except Invalid as refusal:
        if wants_json():
            raise
        return again(form.refused(refusal)), 422
    return done(there)
