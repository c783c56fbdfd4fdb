"""The council's identity provider, by OpenID Connect: where to send somebody, and what comes back of them.

The code flow with PKCE, state and nonce. What the provider says of itself (discovery, its keys) is kept for an hour; a key that
is not known yet is asked for at once. Nothing here touches the database.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from authlib.common.urls import add_params_to_uri
from authlib.integrations.base_client import BaseApp, OAuth2Mixin, OAuthError, OpenIDMixin
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.claims import JWTClaims
from joserfc.errors import JoseError

from ideas_hub.sign_on import LONGEST_SUBJECT, Voucher
from web.config import Config, Issuer
from web.sign_in.saying import UNNAMED, address, line, roles_named

PATIENCE = (3.0, 5.0)  # seconds to connect, and between two pieces of an answer
LEEWAY = 60  # seconds by which two clocks may differ
KEPT_FOR = 3600.0  # seconds
LOGOUT_LASTS = 600  # seconds, for which the word that somebody signed out is news
# Those whose key nobody but the provider has.
ALGORITHMS = {f"{kind}{size}" for kind in ("RS", "PS", "ES") for size in (256, 384, 512)} | {"EdDSA"}
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "_loaded_at")
USED = ("end_session_endpoint",)
BACK_CHANNEL = "http://schemas.openid.net/event/backchannel-logout"
WRONG = (OAuthError, JoseError, ValueError, KeyError, TypeError)  # raised over an answer that cannot be believed


class Away(Exception):
    """The provider cannot be asked, or does not answer as one."""


class NotVouched(Exception):
    """What was said of somebody cannot be believed."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun: where the browser goes, and what is needed when it comes back."""

    url: str
    state: str
    verifier: str
    nonce: str


class _Client(OAuth2Mixin, OpenIDMixin, BaseApp):
    """Authlib's client, which believes what it is told of itself only where that fits what is set."""

    client_cls = OAuth2Session
    server_metadata: dict[str, Any]

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(
            framework=None,
            client_id=issuer.client_id,
            client_secret=issuer.client_secret,
            server_metadata_url=f"{issuer.url.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "default_timeout": PATIENCE},
            user_agent="Ideas Hub",
        )
        self.issuer = issuer

    def load_server_metadata(self) -> dict[str, Any]:
        if self.server_metadata.get("_loaded_at", 0.0) < time.time() - KEPT_FOR:
            self.server_metadata = {}
            try:
                self.server_metadata = self._believed(super().load_server_metadata())
            except (requests.RequestException, *WRONG) as away:
                self.server_metadata = {}
                raise Away(f"its discovery document cannot be read: {away}") from away
        return self.server_metadata

    def _believed(self, said: Mapping[str, Any]) -> dict[str, Any]:
        if said["issuer"] != self.issuer.url:
            raise ValueError(f"it calls itself {said['issuer']!r}")
        found = {name: said[name] for name in NEEDED} | {name: said[name] for name in USED if name in said}
        algorithms = ALGORITHMS.intersection(said.get("id_token_signing_alg_values_supported") or ["RS256"])
        if not algorithms:
            raise ValueError("it signs by no algorithm that can be believed")
        by = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        found["token_endpoint_auth_method"] = "client_secret_basic" if "client_secret_basic" in by else "client_secret_post"
        return found | {"id_token_signing_alg_values_supported": sorted(algorithms)}


class Provider:
    def __init__(self, settings: Config, issuer: Issuer) -> None:
        self.issuer = issuer
        self.issuer_url = issuer.url
        self.client = _Client(issuer)
        self.roles = settings.staff_roles
        self.redirect_uri = f"{settings.base_url}/sign-in/callback"
        self.expected = {"iss": issuer.url, "aud": issuer.client_id}
        self.home = f"{settings.base_url}/"

    def begin(self) -> Begun:
        """Raises Away."""
        made = self.client.create_authorization_url(self.redirect_uri)
        return Begun(made["url"], made["state"], made["code_verifier"], made["nonce"])

    def vouch(self, code: str, *, verifier: str, nonce: str) -> Voucher:
        """What the provider says of who came back with that code. Raises Away and NotVouched."""
        with _believing():
            return self._voucher(self._claims(self._exchanged(code, verifier), nonce=nonce))

    def still_names(self, subject: str | None) -> bool:
        """It names somebody once, and says when they have signed out."""
        return True

    def ended(self, logout_token: str) -> tuple[str | None, str | None, datetime]:
        """Of whom it says that their sessions have ended, which one of theirs, and those that began before when.

        So a token that is sent again ends nothing that began since. Raises Away and NotVouched.
        """
        with _believing():
            claims = self._claims({"id_token": logout_token}, nonce=None, claims_cls=_Ended)
            subject, session = claims.get("sub"), claims.get("sid")
            if BACK_CHANNEL not in claims["events"] or "nonce" in claims or not (subject or session):
                raise NotVouched("it is no logout token")
            if time.time() - claims["iat"] > LOGOUT_LASTS:
                raise NotVouched("it is too old")
            return subject, session, datetime.fromtimestamp(claims["iat"] + LEEWAY, UTC)

    def sign_out_url(self) -> str | None:
        """Where one signs out over there as well; None where it has no such place. Raises Away."""
        place = self.client.load_server_metadata().get("end_session_endpoint")
        back = {"client_id": self.issuer.client_id, "post_logout_redirect_uri": self.home}
        return str(add_params_to_uri(place, list(back.items()))) if place else None

    def _exchanged(self, code: str, verifier: str) -> Mapping[str, Any]:
        try:
            answer: Mapping[str, Any] = self.client.fetch_access_token(self.redirect_uri, code=code, code_verifier=verifier)
        except ValueError as trouble:
            raise Away(f"it answers a code with what is no token: {trouble}") from trouble
        return answer

    def _claims(self, answer: Mapping[str, Any], **how: Any) -> Mapping[str, Any]:
        options = {name: {"essential": True, "value": value} for name, value in self.expected.items()}
        claims = self.client.parse_id_token(answer, claims_options=options, leeway=LEEWAY, **how)
        if claims is None:
            raise NotVouched("it sent no ID token")
        return claims

    def _voucher(self, claims: Mapping[str, Any]) -> Voucher:
        if not claims["sub"] or not claims["sub"].isprintable() or len(claims["sub"]) > LONGEST_SUBJECT:
            raise NotVouched("its subject is empty, unprintable or too long")
        proven = claims.get("email_verified", self.issuer.proves_emails)
        named = f"{claims.get('given_name') or ''} {claims.get('family_name') or ''}"
        return Voucher(
            issuer=self.issuer.url,
            subject=claims["sub"],
            name=line(claims.get("name")) or line(named) or line(claims.get("preferred_username")) or UNNAMED,
            email=address(claims.get("email")) if proven in (True, "true") else None,
            team=line(claims.get(self.issuer.team_claim)),
            directorate=line(claims.get(self.issuer.directorate_claim)),
            roles=frozenset(self.roles[name] for name in roles_named(claims, self.issuer.client_id) if name in self.roles),
            decides=frozenset(self.roles.values()),
            session=line(claims.get("sid"), most=255) or "",
        )


class _Ended(JWTClaims):
    """A logout token, which carries no nonce."""


@contextmanager
def _believing() -> Iterator[None]:
    """Whatever goes wrong in the block: the provider is away, or what it sent cannot be believed."""
    try:
        yield
    except requests.RequestException as away:
        raise Away(f"it cannot be asked: {away}") from away
    except WRONG as wrong:
        raise NotVouched(f"{type(wrong).__name__}: {wrong}") from wrong
