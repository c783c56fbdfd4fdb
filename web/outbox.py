"""In demo mode, without a mail server: the mails that the hub has written, for a newcomer to follow their links."""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from flask import Blueprint, Flask, current_app, render_template
from flask.typing import ResponseReturnValue

from ideas_hub.errors import Missing
from web.mail import outbox_folder

MOST_MAILS = 20

blueprint = Blueprint("outbox", __name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A mail as it is shown: its plain text, cut where its links begin and end (every other piece is a link of ours)."""

    subject: str
    to: str
    at: datetime
    pieces: list[str]


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


def is_shown() -> bool:
    """May everybody read the mails here? Only where everybody may be anybody, and no mail leaves the house."""
    settings = current_app.extensions["ideas_hub"].config
    return bool(settings.demo and not settings.mail_url)


@blueprint.get("/outbox")
def page() -> ResponseReturnValue:
    if not is_shown():
        raise Missing
    files = sorted(outbox_folder().glob("*.eml"), reverse=True)[:MOST_MAILS]
    mails = [_shown(message_from_bytes(file.read_bytes(), policy=policy.default)) for file in files]
    return render_template("outbox/page.html", mails=mails)


def _shown(message: EmailMessage) -> Shown:
    text = message.get_body(("plain",))
    links = re.compile(rf"({re.escape(current_app.extensions['ideas_hub'].config.base_url)}\S*)")
    pieces = links.split(text.get_content().strip() if text else "")
    return Shown(message["Subject"], message["To"], parsedate_to_datetime(message["Date"]), pieces)
