"""Signing in and out. Staff come by what the council has already (`staff.py`); in demo mode one chooses somebody by name."""

from flask import Blueprint, Flask, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ideas_hub.errors import Invalid, Missing, _
from ideas_hub.people import Actor, Kind, Role, everybody
from web import session
from web.forms import Form, done, next_path, own_path, sent, wants_json
from web.session import actor

blueprint = Blueprint("sign_in", __name__)

GROUPS: tuple[tuple[str, frozenset[Role]], ...] = (
    (_("Leaders"), frozenset({Role.LEADER})),
    (_("Sponsors"), frozenset({Role.SPONSOR})),
    (_("Moderators"), frozenset({Role.MODERATOR})),
    (_("Other roles"), frozenset({Role.SAFEGUARDING, Role.ADMIN})),
)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> ResponseReturnValue:
    if request.method == "GET":
        return page(Form("sign-in"))
    if not _is_demo():
        raise Missing
    form = sent("sign-in")
    try:
        session.sign_in(form.text("person"))
    except Missing:
        return page(form.refused(Invalid.field("person", _("Choose somebody from the list."))), 422)
    landing = "/me" if actor().kind is Kind.STAFF else "/ideas"
    return done(own_path(form.value("next")) or landing)


@blueprint.route("/sign-out", methods=["GET", "POST"])
def sign_out() -> ResponseReturnValue:
    """GET asks, since it must not write."""
    if request.method == "GET":
        return render_template("sign_in/out.html") if actor().is_somebody else redirect("/sign-in", 303)
    by_staff = session.came_by_staff() and current_app.extensions["staff_sign_in"]
    session.sign_out()
    return done(url_for("staff.signed_out") if by_staff else "/")


def _is_demo() -> bool:
    return bool(current_app.extensions["ideas_hub"].config.demo)


def page(form: Form, status: int = 200) -> ResponseReturnValue:
    """The ways to sign in; where one of their forms was refused, with what is wrong in it."""
    if form.is_refused and wants_json():
        raise Invalid(form.errors)
    groups = _groups(everybody()) if _is_demo() else []
    return render_template("sign_in/page.html", form=form, groups=groups, demo=_is_demo(), next=next_path()), status


def _groups(people: list[Actor]) -> list[tuple[str, list[Actor]]]:
    """Everybody once, under the first group that they belong to."""
    groups: dict[str, list[Actor]] = {}
    for person in people:
        rest = _("Residents") if person.kind is Kind.RESIDENT else _("Other staff")
        label = next((label for label, roles in GROUPS if person.roles & roles), rest)
        groups.setdefault(label, []).append(person)
    order = [label for label, _roles in GROUPS] + [_("Other staff"), _("Residents")]
    return [(label, groups[label]) for label in order if label in groups]
