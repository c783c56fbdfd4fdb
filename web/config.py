"""The settings of an installation, read from the environment once, at the start. What is missing or wrong stops the start."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from ideas_hub.people import Role

VAR = Path("var")  # in the folder that the hub is run in
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PREFIX = "IDEAS_HUB_"


class WrongSetting(Exception):
    """One line that names the setting and says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """The council's own identity provider, and what the hub is called there."""

    url: str
    client_id: str
    client_secret: str
    proves_emails: bool  # also where it does not say that it checked them
    team_claim: str
    directorate_claim: str


@dataclass(frozen=True, slots=True)
class SigningProxy:
    """The proxy of an intranet that knows who asks, and says so in headers; from other addresses they mean nothing."""

    header: str  # like Remote-User; Remote-Email, Remote-Name and Remote-Groups stand beside it
    networks: tuple[IPv4Network | IPv6Network, ...]

    def speaks_from(self, address: str) -> bool:
        try:
            return any(ip_address(address) in network for network in self.networks)
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Config:
    database_url: str
    secret_key: str
    base_url: str
    host: str
    port: int
    demo: bool
    rate_limits: bool
    redis_url: str | None
    origins: tuple[str, ...]  # from where a browser may open a socket
    trusted_proxies: int
    staff: Issuer | SigningProxy | None  # by whom staff are signed in
    staff_roles: Mapping[str, Role]  # of what they say that somebody is; it decides on these roles, the hub on the others

    mail_url: str | None
    mail_from: str

    @property
    def has_several_servers(self) -> bool:
        """May there be more than one? SQLite has one."""
        return not self.database_url.startswith("sqlite")

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")


def from_environment(environ: Mapping[str, str] = os.environ) -> Config:
    """The settings, with their defaults. Raises WrongSetting."""
    read = _Reader(environ)
    host, port = read.text("HOST", "127.0.0.1"), read.number("PORT", 8000, least=1)
    base_url = read.text("BASE_URL", f"http://{f'[{host}]' if ':' in host else host}:{port}").rstrip("/")
    if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).hostname:
        raise WrongSetting(f"{PREFIX}BASE_URL must be an address like https://ideas.example.gov.uk, not {base_url!r}.")
    database_url = read.text("DATABASE_URL", f"sqlite:///{VAR}/hub.db")
    if not database_url.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise WrongSetting(f"{PREFIX}DATABASE_URL must begin with sqlite:/// or postgresql://.")
    redis_url = read.text("REDIS_URL", "") or None
    if redis_url and not redis_url.startswith(("redis://", "rediss://", "unix://")):
        raise WrongSetting(f"{PREFIX}REDIS_URL must begin with redis://, rediss:// or unix://.")
    local = urlsplit(base_url).hostname in LOOPBACK
    demo, limits = read.switch("DEMO", ("", "1"), "") == "1", read.switch("RATE_LIMITS", ("on", "off"), "on") == "on"
    if demo and not (local and host in LOOPBACK):
        raise WrongSetting(f"{PREFIX}DEMO lets anybody act as anybody: it needs a BASE_URL and a HOST on this machine only.")
    if not limits and not local:
        raise WrongSetting(f"{PREFIX}RATE_LIMITS can be off only where BASE_URL is on this machine.")
    return Config(
        database_url=database_url,
        secret_key=read.text("SECRET_KEY", "") or _kept_key(database_url),
        base_url=base_url,
        host=host,
        port=port,
        demo=demo,
        rate_limits=limits,
        redis_url=redis_url,
        origins=_origins(base_url, read.text("ALLOWED_ORIGINS", ""), local and demo),
        trusted_proxies=read.number("TRUSTED_PROXIES", 0),
        staff=_staff(read),
        staff_roles=_roles(read.text("STAFF_ROLES", "")),
        mail_url=_mail_url(read.text("MAIL_URL", "")),
        mail_from=_mail_from(read.text("MAIL_FROM", f"ideas-hub@{urlsplit(base_url).hostname}")),
    )


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def text(self, name: str, default: str) -> str:
        return self.environ.get(PREFIX + name, "").strip() or default

    def number(self, name: str, default: int, *, least: int = 0) -> int:
        text = self.text(name, str(default))
        if not text.isdecimal() or not least <= int(text) <= 65535:
            raise WrongSetting(f"{PREFIX}{name} must be a whole number from {least} to 65535, not {text!r}.")
        return int(text)

    def switch(self, name: str, values: tuple[str, ...], default: str) -> str:
        text = self.text(name, default)
        if text not in values:
            raise WrongSetting(f"{PREFIX}{name} must be {' or '.join(value or 'unset' for value in values)}, not {text!r}.")
        return text


def _staff(read: _Reader) -> Issuer | SigningProxy | None:
    provider, proxy = _issuer(read), _signing_proxy(read)
    if provider and proxy:
        raise WrongSetting(f"{PREFIX}OIDC_ISSUER and {PREFIX}TRUSTED_HEADER are two ways to sign staff in: set one of them.")
    return provider or proxy


def _issuer(read: _Reader) -> Issuer | None:
    names = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
    url, client_id, client_secret = values = [read.text(name, "") for name in names]
    if not any(values):
        return None
    if missing := [name for name, value in zip(names, values, strict=True) if not value]:
        raise WrongSetting(f"{PREFIX}{missing[0]} is needed as well: {', '.join(PREFIX + name for name in names)} go together.")
    parts = urlsplit(url)
    if (
        not parts.hostname
        or parts.query
        or not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))
    ):
        raise WrongSetting(f"{PREFIX}OIDC_ISSUER must be an address that begins with https://, not {url!r}.")
    return Issuer(
        url,
        client_id,
        client_secret,
        read.switch("OIDC_TRUST_EMAIL", ("", "1"), "") == "1",
        read.text("OIDC_TEAM_CLAIM", "team"),
        read.text("OIDC_DIRECTORATE_CLAIM", "directorate"),
    )


def _signing_proxy(read: _Reader) -> SigningProxy | None:
    header, addresses = read.text("TRUSTED_HEADER", ""), read.text("TRUSTED_HEADER_PROXY", "")
    if not header and not addresses:
        return None
    if not header.lower().endswith("-user") or not header.replace("-", "").isalnum():
        raise WrongSetting(f"{PREFIX}TRUSTED_HEADER must name a header that ends in -User, like Remote-User, not {header!r}.")
    if not addresses:
        raise WrongSetting(f"{PREFIX}TRUSTED_HEADER_PROXY is needed: the address from which {header} may be believed.")
    try:
        networks = tuple(ip_network(address.strip()) for address in addresses.split(","))
    except ValueError as wrong:
        raise WrongSetting(f"{PREFIX}TRUSTED_HEADER_PROXY must be addresses like 10.0.0.5 or 10.0.0.0/28: {wrong}.") from wrong
    if any(network.prefixlen == 0 for network in networks):
        raise WrongSetting(f"{PREFIX}TRUSTED_HEADER_PROXY must name the proxy: {addresses} is everybody.")
    return SigningProxy(header, networks)


def _roles(text: str) -> dict[str, Role]:
    """`Hub.Leaders=leader, hub-moderators=moderator`: what the council's directory calls somebody, and their role here."""
    roles = {}
    for pair in filter(None, (pair.strip() for pair in text.split(","))):
        name, _, role = pair.rpartition("=")
        if not name.strip() or role.strip() not in set(Role):
            known = ", ".join(Role)
            raise WrongSetting(f"{PREFIX}STAFF_ROLES must be pairs like Hub.Leaders=leader of {known}, not {pair!r}.")
        roles[name.strip()] = Role(role.strip())
    return roles


def _origins(base_url: str, more: str, loopback_is_one: bool) -> tuple[str, ...]:
    parts = urlsplit(base_url)
    own = [f"{parts.scheme}://{parts.netloc}"]
    if loopback_is_one:
        port = f":{parts.port}" if parts.port else ""
        own += [f"{parts.scheme}://{name}{port}" for name in ("127.0.0.1", "localhost")]
    return tuple(dict.fromkeys(own + [origin.strip().rstrip("/") for origin in more.split(",") if origin.strip()]))


def _mail_url(url: str) -> str | None:
    """Where mail goes; its words are read again by `web/mail.py`."""
    if not url:
        return None
    try:
        parts = urlsplit(url)
        well = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        well = False
    if not well or parts.path not in ("", "/") or parts.query not in ("", "tls=always", "tls=never"):
        raise WrongSetting(
            f"{PREFIX}MAIL_URL must be like smtp://user:password@host:port or smtps://…; ?tls=always or ?tls=never."
        )
    return url


def _mail_from(address: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+", address):
        raise WrongSetting(f"{PREFIX}MAIL_FROM must be an e-mail address, not {address!r}.")
    return address


def _kept_key(database_url: str) -> str:
    """The key of this installation: made once, kept beside the database. Several machines need one that they share."""
    if not database_url.startswith("sqlite"):
        raise WrongSetting(f"{PREFIX}SECRET_KEY is needed with PostgreSQL: every server of the hub must have the same one.")
    file = VAR / "secret-key"
    VAR.mkdir(exist_ok=True)
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
            made.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return file.read_text().strip()
