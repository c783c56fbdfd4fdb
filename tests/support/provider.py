"""An identity provider, as a council has one: a program of its own that speaks OpenID Connect on loopback and signs real tokens.

It serves discovery, its keys, /authorize, /token and /logout. Who is signed in there comes back at once; who is not is asked by a
page with one button. `POST /control` says who somebody is there, and how it shall misbehave (`MISBEHAVIOURS`).
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import requests
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.processes import Process, free_port

CLIENT, SECRET = "ideas-hub", "between the hub and its provider: only for tests"
ANN = {"sub": "a1", "name": "Ann Lee", "email": "ann.lee@calder.example", "email_verified": True, "sid": "s1"}
WRONG_CLAIMS: dict[str, dict[str, Any]] = {  # by seconds from now, where they are times; None: left out
    "another nonce": {"nonce": "of another sign-in"},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "another-client"},
    "another audience, for us": {"aud": "another-client", "azp": CLIENT},
    "another issuer": {"iss": "https://elsewhere.example"},
    "expired": {"exp": -600},
    "not yet valid": {"nbf": 600},
    "no end": {"exp": None},
    "no subject": {"sub": None},
}
WRONG_SIGNATURES = ("alg none", "signed with the client's secret", "signed with the public key", "signed by somebody else")
AWAY = ("broken", "slow", "dripping")
ROOT = Path(__file__).parent.parent.parent


class Provider(Process):
    """The program, as the tests start it and tell it what to do."""

    def __init__(self, folder: Path):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        super().__init__([sys.executable, "-m", "tests.support.provider", str(self.port)], folder, env=environment)

    @property
    def settings(self) -> dict[str, str]:
        return {"OIDC_ISSUER": self.url, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/alive", timeout=2).ok
        except requests.RequestException:
            return False

    def now(self, **told: Any) -> Any:
        """`claims`: who is signed in there. `wrong`: how it misbehaves. `rotate`, `discovery`, `ended`: see `Answer.do_POST`."""
        return requests.post(f"{self.url}/control", json=told, timeout=10).json()


# The program


class State:
    def __init__(self, url: str) -> None:
        self.url = url
        self.claims: dict[str, Any] = dict(ANN)
        self.wrong = ""
        self.discovery: dict[str, Any] = {}
        self.key = new_key()
        self.codes: dict[str, dict[str, str]] = {}
        self.sessions: set[str] = set()

    def token(self, nonce: str) -> str:
        return self.signed({"nonce": nonce, **self.claims, **WRONG_CLAIMS.get(self.wrong, {})})

    def signed(self, said: Mapping[str, Any]) -> str:
        moment = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": 0, "exp": 300, **said}
        claims = {
            name: moment + value if name in ("iat", "exp", "nbf") and value is not None else value
            for name, value in claims.items()
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "RS256", "kid": self.key.kid}
        match self.wrong:
            case "alg none":
                return f"{packed({'alg': 'none', 'kid': self.key.kid})}.{packed(claims)}."
            case "signed with the client's secret":
                return by_secret(self.key.kid, claims, SECRET.encode())
            case "signed with the public key":
                return by_secret(self.key.kid, claims, self.key.as_pem(private=False))
            case "signed by somebody else":
                return jwt.encode(header, claims, new_key())
        return jwt.encode(header, claims, self.key)


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})


def packed(content: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def by_secret(kid: str | None, claims: Mapping[str, Any], secret: bytes) -> str:
    body = f"{packed({'alg': 'HS256', 'kid': kid})}.{packed(claims)}"
    mac = hmac.new(secret, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


class Answer(BaseHTTPRequestHandler):
    state: State

    def do_GET(self) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        if path == "/alive":
            return self.send_json(200, {})
        if self.is_away():
            return None
        match path:
            case "/.well-known/openid-configuration":
                self.send_json(200, self.discovery() | self.state.discovery)
            case "/keys":
                self.send_json(200, {"keys": [self.state.key.as_dict(private=False)]})
            case "/authorize":
                self.authorize(query)
            case "/logout":
                self.state.sessions.discard(self.cookie())
                self.redirect(query["post_logout_redirect_uri"], clear=True)
            case "/intranet":  # a page of the council's, with a link to the hub
                self.page(f'<h1>Intranet</h1><a href="{query["hub"]}">Ideas Hub</a>')
            case _:
                self.send_json(404, {})
        return None

    def do_POST(self) -> None:
        path, body = urlsplit(self.path).path, self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if path == "/control":
            return self.control(json.loads(body))
        if self.is_away():
            return None
        if path == "/authorize":  # the button: whoever presses it is who `claims` say
            session = secrets.token_hex(8)
            self.state.sessions.add(session)
            return self.redirect(f"{self.path}", session=session)
        return self.give_token({name: values[0] for name, values in parse_qs(body).items()})

    def control(self, told: dict[str, Any]) -> None:
        """`rotate`: sign with a new key. `ended`: make a logout token of these claims. The rest stays until it is said anew."""
        state = self.state
        state.claims = told.get("claims", state.claims)
        state.wrong = told.get("wrong", state.wrong)
        state.discovery = told.get("discovery", state.discovery)
        if told.get("rotate"):
            state.key = new_key()
        self.send_json(200, {"ended": state.signed(told["ended"])} if "ended" in told else {})

    def discovery(self) -> dict[str, Any]:
        url = self.state.url
        return {
            "issuer": url,
            "authorization_endpoint": f"{url}/authorize",
            "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/keys",
            "end_session_endpoint": f"{url}/logout",
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
        }

    def is_away(self) -> bool:
        if self.state.wrong == "slow":
            time.sleep(20)  # longer than anybody waits
        if self.state.wrong == "dripping":  # never silent for long, and never done
            self.drip()
        if self.state.wrong == "broken":
            self.send_json(500, {})
        return self.state.wrong in AWAY

    def drip(self) -> None:
        self.send_response(200)
        for number in range(400):
            try:
                self.send_header(f"X-{number}", "and")
                self.flush_headers()
            except OSError:
                return  # who asked has gone
            time.sleep(0.3)

    def authorize(self, query: dict[str, str]) -> None:
        """As the protocol has it: what is asked for wrongly is told to the person here, and goes nowhere."""
        back = urlsplit(query.get("redirect_uri", ""))
        fits = (
            query.get("client_id") == CLIENT and back.path == "/sign-in/callback" and back.hostname in ("127.0.0.1", "localhost")
        )
        if not fits or query.get("response_type") != "code" or "openid" not in query.get("scope", "").split():
            return self.send_json(400, {"error": "invalid_request"})
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            return self.send_json(400, {"error": "PKCE is needed here"})
        if self.cookie() not in self.state.sessions:
            return self.page('<h1>Council account</h1><form method="post"><button>Sign in</button></form>')
        if self.state.wrong == "refused":
            return self.redirect(f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': query['state']})}")
        code = secrets.token_urlsafe(16)
        self.state.codes[code] = query
        answer = {"code": code, "state": query["state"], "iss": self.state.url}
        return self.redirect(f"{query['redirect_uri']}?{urlencode(answer)}")

    def give_token(self, sent: dict[str, str]) -> None:
        """A code is good once, for who asked for it, and who can show what its challenge was made of."""
        asked = self.state.codes.pop(sent.get("code", ""), None)
        name, _, secret = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode().partition(":")
        if (unquote(name), unquote(secret)) != (CLIENT, SECRET):
            return self.send_json(401, {"error": "invalid_client"})
        challenge = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if (
            asked is None
            or sent.get("grant_type") != "authorization_code"
            or asked["redirect_uri"] != sent.get("redirect_uri")
            or asked["code_challenge"] != base64.urlsafe_b64encode(challenge).rstrip(b"=").decode()
        ):
            return self.send_json(400, {"error": "invalid_grant"})
        if self.state.wrong == "no JSON":
            return self.page("<p>Maintenance</p>")
        token = {} if self.state.wrong == "no token" else {"id_token": self.state.token(asked["nonce"])}
        return self.send_json(
            200, {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 300, **token}
        )

    # Answering

    def cookie(self) -> str:
        found = SimpleCookie(self.headers.get("Cookie", "")).get("provider")
        return found.value if found else ""

    def redirect(self, address: str, *, session: str = "", clear: bool = False) -> None:
        self.send_response(303)
        self.send_header("Location", address)
        if session or clear:
            self.send_header("Set-Cookie", f"provider={session}; HttpOnly; SameSite=Lax; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_json(self, status: int, content: Any) -> None:
        self.send(status, json.dumps(content), "application/json")

    def page(self, words: str) -> None:
        head = '<meta charset="utf-8"><link rel="icon" href="data:,"><title>Council account</title>'
        self.send(200, f'<!doctype html><html lang="en"><head>{head}</head><body>{words}</body></html>', "text/html")

    def send(self, status: int, text: str, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def serve(port: int) -> None:
    Answer.state = State(f"http://127.0.0.1:{port}")
    server = ThreadingHTTPServer(("127.0.0.1", port), Answer)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
