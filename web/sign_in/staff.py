"""Staff, signed in by what the council has already: an identity provider, or a proxy of the intranet that knows who asks."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

from flask import Blueprint, Flask, Response, current_app, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from ideas_hub.errors import Missing, Sentence, _
from ideas_hub.sign_on import end_sign_ons, sign_on
from web.config import Config, Issuer, SigningProxy
from web.errors import SAID, problem
from web.forms import next_path
from web.session import actor, adopt
from web.sign_in.provider import Away, NotVouched, Provider
from web.sign_in.proxy import Proxy
from web.whence import whence

BEGUN = "begun"  # under which the browser's cookie keeps the sign-ins that it began
MOST_BEGUN, BEGUN_LASTS = 4, 60 * 60  # in tabs of one browser, and seconds: somebody may have to find their phone first
PATIENCE = 12.0  # seconds for all that is asked of the provider over one request, however it spreads its answers
STATUS = {Away: 503, NotVouched: 403}

SAID_OF = {
    400: _("This sign-in was not begun in this browser, or it was used already. Begin it again."),
    403: _("What your council's sign-in said could not be believed. Try again, and tell your IT team if this stays."),
    503: _("The council's sign-in does not answer. What everybody may see is still here; try again in a minute."),
}
STOPPED = _("The sign-in was stopped. You can begin it again.")

blueprint = Blueprint("staff", __name__)
logger = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    settings: Config = app.extensions["ideas_hub"].config
    by: Provider | Proxy | None = None
    if isinstance(settings.staff, Issuer):
        by = Provider(settings, settings.staff)
    elif isinstance(settings.staff, SigningProxy):
        by = Proxy(settings, settings.staff)
    app.extensions["staff_sign_in"] = by
    app.extensions.setdefault("in_time", lambda _seconds, _error: nullcontext())
    app.jinja_env.globals.update(staff_sign_in=by is not None)
    app.register_blueprint(blueprint)


def _by() -> Provider | Proxy:
    """What staff are signed in by. Raises Missing where that was not set."""
    by = current_app.extensions["staff_sign_in"]
    if by is None:
        raise Missing
    return cast(Provider | Proxy, by)


def _in_time() -> AbstractContextManager[object]:
    """Raises Away where what stands in it takes too long. Only a server can cut it short: it knows how its requests wait."""
    in_time: Callable[[float, Exception], AbstractContextManager[object]] = current_app.extensions["in_time"]
    return in_time(PATIENCE, Away(f"it takes more than {PATIENCE:g} seconds"))


@blueprint.get("/sign-in/staff")
def begin() -> ResponseReturnValue:
    """Where the intranet leads to. Nothing is written: what the callback needs, the browser keeps."""
    by = _by()
    try:
        with _in_time():
            begun = by.begin()
    except Away as away:
        return _refused(503, away)
    others = list(_begun().items())[-(MOST_BEGUN - 1) :]
    kept = {
        "verifier": begun.verifier,
        "nonce": begun.nonce,
        "next": next_path(),
        "at": int(time.time()),
    }
    session[BEGUN] = dict(others) | {begun.state: kept}
    return redirect(begun.url)


@blueprint.get("/sign-in/callback")
def callback() -> ResponseReturnValue:
    """The one GET that writes, for the provider knows no other way back: a sign-in that this browser began ends here, once."""
    by = _by()
    begun = _begun().get(request.args.get("state", "")) if request.method == "GET" else None
    if begun is None or request.args.get("iss", by.issuer_url) != by.issuer_url:
        return _refused(400)
    session[BEGUN] = others = {state: kept for state, kept in _begun().items() if kept is not begun}
    if error := request.args.get("error"):
        return _refused(403, f"the provider answered {error!r}"[:200], STOPPED)
    try:
        with _in_time():
            voucher = by.vouch(request.args.get("code", ""), verifier=begun["verifier"], nonce=begun["nonce"])
    except (Away, NotVouched) as refusal:
        return _refused(STATUS[type(refusal)], refusal)
    adopt(sign_on(voucher, whence(), key=str(current_app.secret_key)), staff=voucher.subject)
    session[BEGUN] = others  # which other tabs go on with
    return redirect(begun["next"] or url_for("me.page"))


@blueprint.get("/sign-out/staff")
def signed_out() -> ResponseReturnValue:
    """For who has just signed out of the hub: they may want to sign out of the council's sign-in as well."""
    by = _by()
    if actor().is_somebody:
        return redirect(url_for("sign_in.sign_out"))
    return render_template("sign_in/signed_out.html", everywhere=_sign_out_url(by))


@blueprint.post("/sign-in/ended")
def ended() -> ResponseReturnValue:
    """The provider says, by a token that it signed, that somebody signed out there: their sessions here end too."""
    by = _by()
    if not isinstance(by, Provider):
        raise Missing
    try:
        with _in_time():
            subject, there, begun_before = by.ended(request.form.get("logout_token", ""))
    except Away as away:
        logger.warning("a sign-out over there could not be checked: %s", away)
        return problem(503, Sentence(SAID[503]))
    except NotVouched as wrong:
        logger.warning("somebody sent a sign-out that cannot be believed: %s", wrong)
        return problem(400, Sentence(SAID[400]))
    end_sign_ons(by.issuer_url, subject=subject, session_there=there, begun_before=begun_before)
    return "", 200


def _sign_out_url(by: Provider | Proxy) -> str | None:
    """Where one signs out over there; None where there is no such place, or it cannot be asked."""
    try:
        with _in_time():
            return by.sign_out_url()
    except Away:
        return None


def _begun() -> dict[str, dict[str, Any]]:
    """What this browser began and may still end."""
    since = time.time() - BEGUN_LASTS
    return {state: kept for state, kept in session.get(BEGUN, {}).items() if kept["at"] > since}


def _refused(status: int, why: object = None, said: str | None = None) -> ResponseReturnValue:
    if why:  # anybody can cause the others, as often as they like
        logger.warning("a member of staff could not be signed in: %s", why)
    page = render_template("sign_in/refused.html", status=status, sentence=Sentence(said or SAID_OF[status]))
    return Response(page, status, headers={"Retry-After": "10"} if status == 503 else {}, mimetype="text/html")
