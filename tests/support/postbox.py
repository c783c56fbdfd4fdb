"""Mail as people get it: a real mail server, and what stands in the mails."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from tests.support.processes import free_port

LINK = re.compile(r"https?://\S+?(/sign-in/link/[\w-]+)")
CODE = re.compile(r"\b(\d{3}) (\d{3})\b")


class Post:
    """A mail, read by whom it was sent to."""

    def __init__(self, content: bytes) -> None:
        self.message: EmailMessage = message_from_bytes(content, policy=policy.default)  # type: ignore[assignment]
        self.to, self.subject, self.id = self.message["To"], self.message["Subject"], self.message["Message-ID"]
        self.text = self._part("plain")
        self.html = self._part("html")

    def _part(self, kind: Any) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content())

    @property
    def link(self) -> str:
        found = LINK.search(self.text)
        assert found, self.text
        assert found[1] in self.html
        return found[1]

    @property
    def code(self) -> str:
        found = CODE.search(self.text)
        assert found, self.text
        return found[1] + found[2]


class Postbox:
    """A mail server on this machine. `answers` are said to the next mails instead of taking them: `["451 later"]`."""

    def __init__(self, hostname: str = "127.0.0.1", **options: Any) -> None:
        self.posts: list[Post] = []
        self.answers: list[str] = []
        self.host, self.port = hostname, free_port()
        self.options = options
        self.controller: Controller | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers:
            return self.answers.pop(0)
        self.posts.append(Post(envelope.content))
        return "250 taken"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    def start(self) -> None:
        self.controller = Controller(self, hostname=self.host, port=self.port, **self.options)
        self.controller.start()

    def stop(self) -> None:
        if self.controller is not None:
            self.controller.stop()
            self.controller = None

    @property
    def url(self) -> str:
        return f"smtp://{self.host}:{self.port}"


@contextmanager
def postbox(**options: Any) -> Iterator[Postbox]:
    """A mail server that is there for the length of the block."""
    server = Postbox(**options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def in_folder(folder: Path) -> list[Post]:
    """What a hub without a mail server has written, the oldest first."""
    return [Post(file.read_bytes()) for file in sorted(folder.glob("var/outbox/*.eml"))]
