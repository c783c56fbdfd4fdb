"""Signing in by a link that comes by mail, or by the code beside it, in the browser that asked.

The link's page changes nothing by being opened, for mail scanners follow links: it has one button. Who presses it is signed in in
that browser, and in no other. The browser that asked goes on as it was, unless the code is typed there.
"""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, current_app, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue

from ideas_hub.cards import IdeaCard
from ideas_hub.errors import Invalid, Missing, RuleBroken
from ideas_hub.links import Asked, State, ask_for_link, asked_in, link_with, renew_link
from ideas_hub.pending import Confirmed, What, confirm, confirm_by_code, name_of
from ideas_hub.people import NOBODY, Kind
from ideas_hub.whole import whole_idea
from web import mail, outbox, sign_in
from web import session as sessions
from web.forms import Form, done, next_path, own_path, sent, wants_json
from web.pages import stream, watched
from web.session import actor

ASKED = "asked"  # under which the browser's cookie keeps what proves that it asked

blueprint = Blueprint("link", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


def key() -> str:
    """The key of this installation, from which links and codes are made."""
    return str(current_app.secret_key)


def staff_may() -> bool:
    """May staff come by mail as well? Only where the council has no sign-in of its own, which may ask more of them."""
    return current_app.extensions["ideas_hub"].config.staff is None


def on_its_way(browser: str) -> ResponseReturnValue:
    """A link was asked for in this browser: remember that, have the mail sent, and say so."""
    session[ASKED] = browser
    mail.postman().nudge()
    return done("/sign-in/sent")


@blueprint.post("/sign-in/email")
def ask() -> ResponseReturnValue:
    form = sent("by-email")
    try:
        return on_its_way(ask_for_link(form.text("email"), key=key(), then=next_path()))
    except Invalid as refusal:
        return sign_in.page(form.refused(refusal), 422)


# In the browser that asked


@blueprint.get("/sign-in/sent")
def on_the_way() -> ResponseReturnValue:
    """What was sent, where the code is typed, and the idea that it is about: its numbers move when it is confirmed elsewhere."""
    return _sent(Form("code"))


@blueprint.post("/sign-in/code")
def code() -> ResponseReturnValue:
    form = sent("code")
    try:
        confirmed = confirm_by_code(session.get(ASKED, ""), form.text("code"), key=key(), staff=staff_may())
    except Invalid as refusal:
        return _sent(form.refused(refusal), 422)
    except Missing:
        return redirect("/sign-in", 303)
    return _signed_in(confirmed)


def _sent(form: Form, status: int = 200) -> ResponseReturnValue:
    if form.is_refused and wants_json():
        raise Invalid(form.errors)
    head = stream().head()
    try:
        asked = asked_in(session.get(ASKED, ""))
        about = whole_idea(NOBODY, asked.act["idea"]).card if "idea" in asked.act else None
    except Missing:
        return redirect("/sign-in", 303)
    page = render_template(
        "sign_in/sent.html",
        form=form,
        asked=asked,
        about=about,
        demo_mail=outbox.is_shown(),
        watched=watched(head, ideas=[about.ref] if about else []),
        State=State,
    )
    return page, status


# In the browser that opens the link


@blueprint.route("/sign-in/link/<token>", methods=["GET", "POST"])
def open_link(token: str) -> ResponseReturnValue:
    asked = link_with(token)
    if sessions.is_safe():
        return _link(asked, token)
    try:
        confirmed = confirm(token, key=key(), staff=staff_may())
    except RuleBroken:
        asked = link_with(token)
        if asked.state is State.OPEN:  # it is not the link that is in the way
            raise
        return _link(asked, token, 409)
    return _signed_in(confirmed)


@blueprint.post("/sign-in/link/<token>/again")
def again(token: str) -> ResponseReturnValue:
    """A link that came too late is sent anew. Which browser asked is as it was."""
    renew_link(token, key=key())
    mail.postman().nudge()
    return render_template("sign_in/again.html")


def _link(asked: Asked, token: str, status: int = 200) -> ResponseReturnValue:
    about = _about(asked.act) if asked.state is State.OPEN else None
    name = name_of(asked.email) or asked.name
    page = render_template("sign_in/link.html", asked=asked, about=about, name=name, token=token, State=State)
    # What the page loads names it in no log: who found its address there could use it.
    headers = {"Referrer-Policy": "strict-origin"}
    return page, 410 if asked.state is not State.OPEN and status == 200 else status, headers


def _about(act: Mapping[str, Any]) -> IdeaCard | None:
    """The idea that was voted for or commented on; None where there was none, or it went meanwhile."""
    try:
        return whole_idea(NOBODY, act["idea"]).card if "idea" in act else None
    except Missing:
        return None


def _signed_in(confirmed: Confirmed) -> ResponseReturnValue:
    sessions.sign_in(confirmed.person)
    if confirmed.refused is not None:
        return render_template("sign_in/not_done.html", confirmed=confirmed, about=_about(confirmed.act)), 409
    return done(_landing(confirmed))


def _landing(confirmed: Confirmed) -> str:
    match confirmed.act.get("what"):
        case What.VOTE:
            return f"/ideas/{confirmed.made}#vote"
        case What.COMMENT:
            return f"/ideas/{confirmed.act['idea']}?comment={confirmed.made}#comment-{confirmed.made}"
        case What.IDEA:
            return f"/ideas/{confirmed.made}"
    return own_path(confirmed.act.get("then", "")) or ("/me" if actor().kind is Kind.STAFF else url_for("ideas.index"))
