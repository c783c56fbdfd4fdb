"""Mail out of the house: writes what the outbox holds, and hands it to the council's mail server, or to a folder.

Each server does, and none has to be the one: a mail is claimed by who sends it. No request waits for any of this.
"""

import logging
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit

from flask import Flask, current_app
from flask_babel import gettext

from ideas_hub.clock import now
from ideas_hub.errors import Busy, Missing
from ideas_hub.links import KEPT, code_of, token_of
from ideas_hub.outbox import Letter, claim_mails, is_mail_due, mail_failed, mail_sent, put_back_mail
from ideas_hub.people import NOBODY
from ideas_hub.settings import current_settings
from ideas_hub.whole import whole_idea
from web import config

BATCH = 10
EVERY = 5.0  # seconds, at which the outbox is looked into; at once, where this server has put something in
PATIENCE = 20.0  # seconds, for each answer of the mail server
TO_SPARE = timedelta(minutes=2)  # of a lease: with less left, a mail is not begun

HandOver = Callable[[EmailMessage], None]

logger = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    app.extensions["postman"] = Postman(app)


def postman() -> "Postman":
    return cast(Postman, current_app.extensions["postman"])


# Ways out


class Way(Protocol):
    """Where mails go. While it is open, each is handed over by calling what it gives."""

    def open(self) -> AbstractContextManager[HandOver]: ...

    def tidy(self) -> None:
        """What went this way and lies in the house still is gone when nobody needs it any more."""


class MailServer:
    """`smtps://` is TLS from the first byte. `smtp://` becomes TLS where the server offers it; `?tls=always` insists on it,
    `?tls=never` does not ask. A password goes over TLS only, unless the server is this machine."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.is_tls = parts.hostname or "", parts.scheme == "smtps"
        self.port = parts.port or (465 if self.is_tls else 25)
        self.user, self.password = unquote(parts.username or ""), unquote(parts.password or "")
        self.tls = parse_qs(parts.query).get("tls", ["offered"])[0]

    @contextmanager
    def open(self) -> Iterator[HandOver]:
        with self._connected() as server:
            server.ehlo_or_helo_if_needed()
            if not self.is_tls:
                self._secure(server)
            if self.user:
                server.login(self.user, self.password)
            yield lambda message: cast(None, server.send_message(message))

    def tidy(self) -> None:
        """There is nothing: what a mail server took is out of the house."""

    def _connected(self) -> smtplib.SMTP:
        if self.is_tls:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=PATIENCE, context=ssl.create_default_context())
        return smtplib.SMTP(self.host, self.port, timeout=PATIENCE)

    def _secure(self, server: smtplib.SMTP) -> None:
        needed = self.tls == "always" or (self.user and self.host not in config.LOOPBACK and self.tls != "never")
        if self.tls != "never" and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        elif needed:
            raise smtplib.SMTPNotSupportedError("the mail server offers no STARTTLS")


class Folder:
    """Each mail is a file, for a hub that has no mail server yet; for as long as what a link confirms waits for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def open(self) -> Iterator[HandOver]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield self._write

    def tidy(self) -> None:
        oldest = time.time() - KEPT.total_seconds()
        for file in self.folder.glob("*.eml"):
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)

    def _write(self, message: EmailMessage) -> None:
        name = f"{time.time_ns()}-{message['Message-ID'].strip('<>').partition('@')[0]}"
        begun = self.folder / f".{name}"
        begun.write_bytes(bytes(message))
        begun.rename(self.folder / f"{name}.eml")  # nobody reads half of one


def outbox_folder() -> Path:
    return config.VAR / "outbox"


# Sending


class Postman:
    """The loop that empties the outbox. `nudge` has it look at once."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.settings: config.Config = app.extensions["ideas_hub"].config
        url = self.settings.mail_url
        self.way: Way = MailServer(url) if url else Folder(outbox_folder())
        self.woken, self.stopping = threading.Event(), threading.Event()
        self.is_away = False

    def nudge(self) -> None:
        self.woken.set()

    def stop(self) -> None:
        self.stopping.set()
        self.woken.set()

    def run(self) -> None:
        """Send what is due until stopped. What fails is logged, and tried again later."""
        while not self.stopping.is_set():
            self.woken.wait(EVERY)
            self.woken.clear()
            try:
                while not self.stopping.is_set() and self.send_due() == BATCH:
                    pass
                self.way.tidy()
            except Busy:
                logger.warning("the outbox: the database is taken, next time")
            except Exception:
                logger.exception("the outbox could not be emptied")

    def send_due(self) -> int:
        """Send one batch of what is due, and return of how many is known now what became of them.

        Where the connection is lost, that is put down to the mail that was the first of it, or to none: the others wait for the
        next one, in which another is the first. So no mail over which the server leaves keeps any other back.
        """
        letters = claim_mails(BATCH) if is_mail_due() else []
        waiting, is_open = list(letters), False
        try:
            if letters:
                with self.way.open() as hand_over:
                    is_open = True
                    while waiting and now() < waiting[0].until - TO_SPARE:
                        self._send(waiting[0], hand_over)
                        waiting.pop(0)
        except (OSError, smtplib.SMTPException) as away:
            first = len(waiting) == len(letters)
            failed = waiting[: 1 if is_open else None] if first else []
            if failed:
                self._note(away)
            for letter in failed:
                self._failed(letter, away)
            for letter in waiting[len(failed) :]:
                put_back_mail(letter)
            return 0
        for letter in waiting:
            put_back_mail(letter)
        if letters:
            self._note(None)
        return len(letters) - len(waiting)

    def _send(self, letter: Letter, hand_over: HandOver) -> None:
        try:
            message = self.write(letter)
        except Exception as wrong:  # whatever it is, the others shall not wait for this one
            logger.exception("mail %s (%s) could not be written", letter.ref, letter.kind)
            return self._failed(letter, wrong)
        try:
            hand_over(message)
        except smtplib.SMTPRecipientsRefused as refusal:
            code, said = next(iter(refusal.recipients.values()))  # not the refusal itself, which names the address
            self._failed(letter, f"{code} {said.decode(errors='replace')}", for_good=500 <= code < 600)
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refusal:
            self._failed(letter, refusal)
        except smtplib.SMTPNotSupportedError as refusal:  # an address that this server cannot write
            self._failed(letter, refusal, for_good=True)
        else:
            mail_sent(letter)

    def _failed(self, letter: Letter, error: Exception | str, *, for_good: bool = False) -> None:
        why = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        if mail_failed(letter, why, for_good=for_good):
            logger.error("mail %s (%s) was given up after %d attempts: %s", letter.ref, letter.kind, letter.tries, why)

    def _note(self, away: Exception | None) -> None:
        """One line when the mail server goes, and one when it is back."""
        if (away is not None) is not self.is_away:
            self.is_away = away is not None
            logger.warning("mail cannot be sent, and waits: %s", away) if away else logger.warning("mail is sent again")

    # What a mail says

    def write(self, letter: Letter) -> EmailMessage:
        """The mail as it is sent. Written again it is the same, but for what it quotes of the hub."""
        with self.app.app_context():
            said = WRITTEN[letter.kind](self.app, letter.data)
            council = current_settings().council
            frame = {"base_url": self.settings.base_url, "council": council, **said}
            message = EmailMessage()
            message["Subject"] = said["subject"]
            message["From"] = Address(f"{gettext('Ideas Hub')}, {council}", addr_spec=self.settings.mail_from)
            message["To"] = letter.email
            message["Date"] = format_datetime(now().astimezone(UTC))
            message["Message-ID"] = f"<{letter.ref}@{self.settings.mail_from.rpartition('@')[2]}>"
            message["Auto-Submitted"] = "auto-generated"
            message.set_content(self._template(letter.kind, "txt", frame))
            message.add_alternative(self._template(letter.kind, "html", frame), subtype="html")
            return message

    def _template(self, kind: str, form: str, values: Mapping[str, Any]) -> str:
        return self.app.jinja_env.get_template(f"mail/{kind}.{form}").render(values)


def link(app: Flask, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the mail with a link says. Its secrets are made here, and stand nowhere else."""
    key, word, what = str(app.secret_key), data["word"], data["act"].get("what", "sign_in")
    subjects = {
        "sign_in": gettext("Your link to sign in"),
        "vote": gettext("Confirm your vote"),
        "comment": gettext("Confirm your comment"),
        "idea": gettext("Confirm your idea"),
    }
    address = f"{app.extensions['ideas_hub'].config.base_url}/sign-in/link/{token_of(key, word)}"
    return {
        "subject": subjects[what],
        "what": what,
        "idea": _title(data["act"].get("idea")),
        "address": address,
        "code": code_of(key, word),
    }


def _title(ref: str | None) -> str | None:
    """The idea that somebody wants to vote for, as everybody may read it."""
    try:
        return whole_idea(NOBODY, ref).card.title if ref else None
    except Missing:
        return None


WRITTEN: Mapping[str, Callable[[Flask, Mapping[str, Any]], dict[str, Any]]] = {"link": link}  # by kind
