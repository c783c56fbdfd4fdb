"""A proxy of the intranet that knows who asks, and says so in headers: believed from its own address, and from nowhere else."""

import secrets

from flask import request, url_for

from ideas_hub.sign_on import LONGEST_SUBJECT, Voucher
from web.config import Config, SigningProxy
from web.sign_in.provider import Begun, NotVouched
from web.sign_in.saying import UNNAMED, address, line


class Proxy:
    def __init__(self, settings: Config, proxy: SigningProxy) -> None:
        self.proxy = proxy
        self.roles = settings.staff_roles
        self.issuer_url = f"header:{proxy.header.lower()}"
        self.family = proxy.header[: -len("User")]

    def begin(self) -> Begun:
        state = secrets.token_urlsafe(20)
        return Begun(url_for("staff.callback", state=state), state, "", "")

    def vouch(self, code: str, *, verifier: str, nonce: str) -> Voucher:
        """Whom the proxy names in this request. Raises NotVouched where it names nobody, or somebody else sent it."""
        subject = self._named()
        if subject is None:
            raise NotVouched(f"{_peer()} is not the proxy, or names nobody in {self.proxy.header}")
        named = {name.strip() for name in (_header(f"{self.family}Groups") or "").split(",")}
        return Voucher(
            issuer=self.issuer_url,
            subject=subject,
            name=line(_header(f"{self.family}Name")) or UNNAMED,
            email=address(_header(f"{self.family}Email")),
            roles=frozenset(role for name, role in self.roles.items() if name in named),
            decides=frozenset(self.roles.values()),
        )

    def still_names(self, subject: str | None) -> bool:
        """Does a session that began with the proxy's word still belong to whom it names? One that began otherwise is its own."""
        return subject is None or subject == self._named()

    def sign_out_url(self) -> None:
        """The proxy signs people in anew with each request; there is no place of its own to sign out at."""

    def _named(self) -> str | None:
        """Who asks, by the proxy's word; None where this request did not come from it, or it names nobody, or several."""
        subject = _header(self.proxy.header)
        if subject is None or not self.proxy.speaks_from(_peer()) or "," in subject or len(subject) > LONGEST_SUBJECT:
            return None
        return line(subject, most=LONGEST_SUBJECT)


def _header(name: str) -> str | None:
    said = request.headers.get(name)
    if said is None:
        return None
    try:
        return said.encode("latin-1").decode()  # WSGI reads headers byte by byte
    except UnicodeError:
        return said


def _peer() -> str:
    """From where this request came to us, whatever proxies said of where it came to them from."""
    told = request.environ.get("werkzeug.proxy_fix.orig", {})
    return str(told.get("REMOTE_ADDR") or request.environ.get("REMOTE_ADDR") or "")
