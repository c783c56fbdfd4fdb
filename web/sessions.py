"""Where one is signed in, and which scripts may act as oneself: seen, made and taken back on one's own page."""

from flask import Blueprint, Flask, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from ideas_hub.errors import Invalid
from ideas_hub.sessions import LONGEST_TOKEN, Means, credentials_of, end_others, end_own, make_own_token, new_secret, ref_of
from ideas_hub.sign_on import SEEN_WITHIN
from web import session
from web.forms import Form, done, sent, wants_json

DAYS = (7, 30, 90, LONGEST_TOKEN)

blueprint = Blueprint("sessions", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/me/sessions")
def page() -> ResponseReturnValue:
    return _page(Form("token"))


@blueprint.post("/me/tokens")
def make_token() -> ResponseReturnValue:
    """The one page that shows the token. Sent again, the form makes no other one, and the page shows none."""
    me, form, secret = session.in_a_browser(), sent("token"), new_secret()
    try:
        made = make_own_token(me, secret, name=form.text("name"), days=form.number("days") or 0)
    except Invalid as refusal:
        if wants_json():
            raise
        return _page(form.refused(refusal)), 422
    return _page(Form("token"), made=form.text("name"), secret=secret if made == ref_of(secret) else None), 201


@blueprint.post("/me/sessions/<ref:credential>/end")
def end(credential: str) -> ResponseReturnValue:
    me = session.in_a_browser()
    if credential == ref_of(session.own_secret()):
        session.sign_out()
        return done("/")
    end_own(me, credential)
    return done(url_for("sessions.page"))


@blueprint.post("/me/sessions/end-others")
def end_all_others() -> ResponseReturnValue:
    end_others(session.in_a_browser(), session.own_secret())
    return done(url_for("sessions.page"))


def _page(form: Form, **made: str | None) -> str:
    found = credentials_of(session.in_a_browser(), session.own_secret())
    return render_template(
        "sessions/page.html",
        form=form,
        days_offered=[(str(days), ngettext("%(num)s day", "%(num)s days", days)) for days in DAYS],
        sessions=[each for each in found if each.means is Means.SESSION],
        tokens=[each for each in found if each.means is Means.TOKEN],
        came_by_staff=session.came_by_staff(),
        token_needs_days=SEEN_WITHIN.days,
        **made,
    )
