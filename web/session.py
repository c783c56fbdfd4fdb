"""Who is acting: by the session of a browser or the token of a script. Everything that writes passes here first."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response, current_app, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_wtf.csrf import CSRFProtect, generate_csrf

from ideas_hub.errors import NotAllowed, SignInNeeded, _
from ideas_hub.people import NOBODY, Actor
from ideas_hub.sessions import Identity, Means, end, identify, start_session
from web.whence import whence

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FROM_MACHINES = frozenset({"staff.ended"})  # which prove what they say in another way than by a form of ours
SHARED = frozenset(  # whose forms stand in pages that are the same for all
    {"appearance.choose", "by_email.vote", "by_email.comment", "by_email.idea"}
)
# Whose forms do the same whoever is signed in: one that was opened before somebody signed in, in another tab, still serves.
OF_ANY_SESSION = SHARED | {"link.ask", "link.open_link", "link.again"}
OPEN_TO_NOBODY = (
    SHARED
    | FROM_MACHINES
    | {  # what nobody may post to
        "sign_in.sign_in",
        "sign_in.sign_out",
        "link.ask",
        "link.on_the_way",
        "link.code",
        "link.open_link",
        "link.again",
    }
)
KEY = "hub"  # under which the browser's cookie keeps the secret of its session
BY_STAFF = "staff"  # under which it keeps whom the council's own sign-in named, where the session began with that

csrf = CSRFProtect()


class Cookies(SecureCookieSessionInterface):
    """What everybody may keep is the same for everybody, and carries nobody's cookie."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if self.get_cookie_name(app) not in request.headers.get("Cookie", ""):
            return self.session_class()  # there is nothing to be checked, and a key takes a while to be made
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if (session.accessed or session.modified) and not response.cache_control.public:
            super().save_session(app, session, response)


def init_app(app: Flask) -> None:
    app.session_interface = Cookies()
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_HEADERS=["X-CSRFToken"])
    csrf.init_app(app)
    app.jinja_env.globals.update(csrf_token=form_token)
    app.context_processor(lambda: {"csrf_token": form_token})
    app.before_request(_guard)


def actor() -> Actor:
    """Who asks; nobody, where nobody is signed in."""
    return identity().actor


def somebody() -> Actor:
    """Who asks. Raises SignInNeeded where nobody is signed in: for pages that are somebody's own."""
    if not actor().is_somebody:
        raise SignInNeeded
    return actor()


def in_a_browser() -> Actor:
    """Who asks. Raises also NotAllowed where a script asks: who has got hold of a token shall not make more of them."""
    if _credentials()[1] is Means.TOKEN:
        raise NotAllowed(_("This is done in a browser in which you are signed in, and by no token."))
    return somebody()


def own_secret() -> str:
    """By what this browser's session is known; empty where it has none."""
    return session.get(KEY) or ""


def identity() -> Identity:
    """Who asks, looked up once for a request."""
    if "identity" not in g:
        g.identity = _ask(*_credentials())()
    identity: Identity = g.identity
    return identity


def is_safe() -> bool:
    """Does the request only read?"""
    return request.method in SAFE


def form_token() -> str:
    """What proves that a form is ours. Pages that all share have none, and set no cookie: nobody could use more of their forms
    than those of `SHARED`."""
    return generate_csrf() if actor().is_somebody or request.endpoint in OPEN_TO_NOBODY - SHARED else ""


def sign_in(person: str) -> None:
    """Start a session for this browser; the one it had ends."""
    adopt(start_session(person, whence()))


def adopt(secret: str, *, staff: str | None = None) -> None:
    """This browser keeps that session from now on; the one it had ends. `staff`: whom the council's own sign-in named."""
    sign_out()
    session[KEY] = secret
    session[BY_STAFF] = staff
    session.permanent = True


def came_by_staff() -> bool:
    """Did this browser's session begin with the council's own sign-in?"""
    return session.get(BY_STAFF) is not None


def sign_out() -> None:
    """End this browser's session."""
    if secret := session.get(KEY):
        end(secret)
    session.clear()
    g.pop("identity", None)


def handshake(auth: Any) -> Callable[[], Identity]:
    """How to ask, now and later, who opened a socket: by its token, else by its cookie.

    Raises PermissionError where a token is given that is no good.
    """
    given = isinstance(auth, dict) and auth.get("token")
    secret, means = (str(given), Means.TOKEN) if given else _credentials()
    ask = _ask(secret, means)
    if means is Means.TOKEN and ask().person is None:
        raise PermissionError
    return ask


def _ask(secret: str | None, means: Means) -> Callable[[], Identity]:
    return lambda: identify(secret, means) if secret else Identity(NOBODY)


def _credentials() -> tuple[str | None, Means]:
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip(), Means.TOKEN
    secret: str | None = session.get(KEY)
    by = current_app.extensions["staff_sign_in"]
    return secret if by is None or by.still_names(session.get(BY_STAFF)) else None, Means.SESSION


def _guard() -> None:
    """Before anything is looked up: a bad token is refused, nobody may only read, and forms must be ours."""
    by_token = _credentials()[1] is Means.TOKEN
    if by_token and not actor().is_somebody:
        raise SignInNeeded
    if is_safe() or request.endpoint is None:
        return
    if not actor().is_somebody and request.endpoint not in OPEN_TO_NOBODY:
        raise SignInNeeded
    if not by_token and request.endpoint not in FROM_MACHINES and not _is_of_a_page_of_ours():
        csrf.protect()


def _is_of_a_page_of_ours() -> bool:
    """Is it a form that needs no token where the browser says that it comes from a page of ours?"""
    origins = current_app.extensions["ideas_hub"].config.origins
    return request.endpoint in OF_ANY_SESSION and request.headers.get("Origin") in origins
