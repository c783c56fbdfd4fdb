"""The settings of an installation, read from the environment once, at the start. What is missing or wrong stops the start."""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

VAR = Path("var")  # in the folder that the hub is run in
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PREFIX = "IDEAS_HUB_"


class WrongSetting(Exception):
    """One line that names the setting and says what is wrong with it."""


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
    mail_url: str | None
    mail_from: str

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
