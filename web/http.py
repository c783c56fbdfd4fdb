"""HTTP as it is spoken here: the requests of a connection, one after another, each answered by a WSGI application.

How a socket waits is not known here: `wsgi.py` has sockets wait for each other.
"""

import io
import logging
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum
from functools import lru_cache, partial
from math import inf
from time import monotonic, time
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote

from werkzeug.exceptions import BadRequest

from events.sparing import Sparing
from web.heads import Head, Malformed

if TYPE_CHECKING:
    from socket import socket

    from _typeshed.wsgi import WSGIApplication

AT_ONCE = 8 * 1024  # bytes that are received between two turns of everybody else
LONGEST_HEAD = 64 * 1024  # addresses that are too long are refused by the hub, in words
LONGEST_LINE, MOST_TRAILERS = 4 * 1024, 64  # between the chunks of a body, and after them
MOST_UNREAD = 16 * 1024 * 1024  # of a body: who sends that much too much has it read, so that they read why it is refused
HEAD_ENDS = re.compile(rb"\n\r?\n")  # whether to the letter is for `Head` to say
CHUNK_BEGINS = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")
PATIENCE = 75.0  # seconds that anybody is waited for: proxies that keep connections give up before, after 60 as a rule
SLOWEST = 256  # bytes a second: who sends or takes this much is not given up
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

logger = logging.getLogger(__name__)
logger.addFilter(Sparing())


class Gone(Exception):
    """Nobody is there any more who could be answered."""


class State(Enum):
    NEW = "nothing was asked yet"
    IDLE = "nothing is asked just now"
    ASKED = "an answer is due"


@dataclass(slots=True)
class Site:
    """What is served, what all its requests have in common, and whether it is being left: then each answer is the last."""

    app: "WSGIApplication"
    environ: dict[str, Any]
    is_leaving: bool = False

    def __post_init__(self) -> None:
        self.environ |= {
            "SCRIPT_NAME": "",
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,  # it ends where the body does, also where that comes in chunks
            "wsgi.multiprocess": False,
            "wsgi.multithread": True,
            "wsgi.run_once": False,
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
        }


class Connection:
    """One who asks. `take_turn` returns when everybody else had a turn, and `closed` is called at the end.

    While they are waited for, `until` is the moment (monotonic) after which they are to be hung up on. Who sends more wins time,
    never more than PATIENCE.

    An application may take the socket and speak something else on it: then nothing is said here any more. Where the connection
    was handed over to it as well, the end is when it says so.
    """

    __slots__ = (
        "address",
        "closed",
        "is_handed_over",
        "is_of_another",
        "patience",
        "rest",
        "site",
        "socket",
        "state",
        "take_turn",
        "until",
    )

    def __init__(
        self,
        site: Site,
        socket: "socket",
        address: Any,
        *,
        take_turn: Callable[[], object],
        closed: Callable[["Connection"], None],
    ) -> None:
        self.site, self.socket, self.address, self.take_turn, self.closed = site, socket, address, take_turn, closed
        self.is_of_another = self.is_handed_over = False
        self.rest = b""  # what came and was not read yet
        self.state = State.NEW
        self.patience, self.until = PATIENCE, inf

    def serve(self) -> None:
        """Answer until nobody asks any more, and close unless it was handed over."""
        try:
            with suppress(Gone):
                self._answer_all()
        finally:
            if not self.is_handed_over:
                self.closed(self)

    def _answer_all(self) -> None:
        try:
            while (head := self._next_head()) and self._answer(head):
                if self.rest:
                    self.take_turn()
                else:
                    self.state = State.IDLE
        except Malformed as malformed:
            self.send(f"HTTP/1.1 {malformed.status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())

    def _next_head(self) -> Head | None:
        while not (end := HEAD_ENDS.search(self.rest)):
            if len(self.rest) > LONGEST_HEAD:
                status = "431 Request Header Fields Too Large" if b"\n" in self.rest else "414 URI Too Long"
                raise Malformed("it does not end", status)
            if not self.receive():
                return None
        return Head(self.read(end.end()))

    def _answer(self, head: Head) -> bool:
        """Have the application answer, and return whether more may be asked."""
        body: Body | None = None
        content: io.BufferedIOBase
        if head.length is not None and head.length <= len(self.rest):
            content = io.BytesIO(self.read(head.length))
        else:
            body = Body(self, head)
            content = io.BufferedReader(body, AT_ONCE)
        answer = Answer(self, head, body)
        try:
            answer.tell(self.site.app(self._environ(head, content), answer.start))
        except Gone:
            raise
        except Exception:
            logger.exception("the application did not answer")
            answer.fail()
        return not self.is_of_another and (body is None or body.is_drained()) and not answer.is_last

    def _environ(self, head: Head, content: io.BufferedIOBase) -> dict[str, Any]:
        path, _, query = head.url.partition("?")
        if path.startswith("//"):
            path = "/" + path.lstrip("/")  # it names no other host
        environ = head.environ
        environ |= self.site.environ
        environ |= {
            "REQUEST_METHOD": head.method,
            "RAW_PATH_INFO": path,
            "PATH_INFO": unquote(path, encoding="latin-1"),
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": head.version,
            "REMOTE_ADDR": self.address[0],
            "REMOTE_PORT": str(self.address[1]),
            "wsgi.input": content,
            "eventlet.input": self,  # its websockets take the socket there,
            "eventlet.set_idle": self.becomes_another,  # and call this when they have answered on it
            "ideas_hub.hand_over": self.hand_over,
        }
        return environ

    # What comes and goes

    def receive(self) -> bool:
        """Wait for something to read, and return whether anything came: else nothing will."""
        self.take_turn()
        began = monotonic()
        self.until = began + self.patience
        try:
            more = self.socket.recv(AT_ONCE)
        except (OSError, EOFError):
            more = b""
        self.until = inf
        if not more:
            return False
        self.rest += more
        if self.state is State.ASKED:
            self.patience = min(PATIENCE, self.patience - (monotonic() - began) + len(more) / SLOWEST)
        else:
            self.state, self.patience = State.ASKED, PATIENCE
        return True

    def read(self, most: int) -> bytes:
        """What has come, or its beginning."""
        data, self.rest = self.rest[:most], self.rest[most:]
        return data

    def send(self, data: bytes) -> None:
        """Raises Gone."""
        self.until = monotonic() + PATIENCE + len(data) / SLOWEST
        try:
            self.socket.sendall(data)
        except (OSError, EOFError) as error:
            raise Gone from error
        self.until = inf

    # For who takes the socket

    def get_socket(self) -> "socket":
        return self.socket

    def becomes_another(self) -> None:
        """From now on it speaks no HTTP."""
        self.is_of_another, self.state = True, State.IDLE

    def hand_over(self) -> Callable[[], None]:
        """It does not end with this request, but when whoever took it calls what this returns."""
        self.is_handed_over = True
        return partial(self.closed, self)


class Body(io.RawIOBase):
    """What follows a head, as it comes: so many bytes, or chunks. Raises BadRequest where it is malformed or cut short."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self.connection, self.is_chunked, self.left = connection, head.length is None, head.length or 0
        self.is_over = self.is_broken = False
        self.is_awaited = head.expects  # nothing is sent before we ask for it

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any) -> int:
        if self.is_broken:
            self._break()
        if self.is_awaited:
            self.is_awaited = False
            with suppress(Gone):  # then nothing comes, which is for who reads it to see
                self.connection.send(CONTINUE)
        if self.is_chunked and not self.left and not self.is_over:
            self.left = self._next_chunk()
        if not self.left:
            return 0
        if not self.connection.rest:
            self._receive()
        data = self.connection.read(min(self.left, len(room)))
        room[: len(data)] = data
        self.left -= len(data)
        if self.is_chunked and not self.left and self._line():
            self._break()
        return len(data)

    def is_drained(self) -> bool:
        """Read what nobody has read, and return whether it is over: else nobody knows where the next request begins."""
        if self.is_awaited or self.is_broken:
            return False
        room, most = bytearray(AT_ONCE), MOST_UNREAD
        with suppress(BadRequest):
            while most > 0:
                if not (size := self.readinto(room)):
                    return True
                most -= size
        return False

    def _next_chunk(self) -> int:
        """How long it is. The last one is empty."""
        begins = CHUNK_BEGINS.fullmatch(self._line()) or self._break()
        if size := int(begins[1], 16):
            return size
        for _ in range(MOST_TRAILERS):
            if not (line := self._line()):
                self.is_over = True
                return 0
            if not TRAILER.fullmatch(line):
                break
        self._break()

    def _line(self) -> bytes:
        while (end := self.connection.rest.find(b"\r\n")) < 0:
            if len(self.connection.rest) > LONGEST_LINE:
                self._break()
            self._receive()
        return self.connection.read(end + 2)[:-2]

    def _receive(self) -> None:
        if not self.connection.receive():
            self._break()

    def _break(self) -> NoReturn:
        self.is_broken = True
        raise BadRequest


class Answer:
    """What the application says to one request: sent as it comes, the head with the first piece."""

    __slots__ = (
        "body",
        "connection",
        "head",
        "headers",
        "is_bare",
        "is_begun",
        "is_chunked",
        "is_last",
        "left",
        "size",
        "status",
    )

    def __init__(self, connection: Connection, head: Head, body: Body | None) -> None:
        self.connection, self.head, self.body = connection, head, body
        self.status, self.headers = "", list[tuple[str, str]]()
        self.size: int | None = None  # where all of it was there at once
        self.left: int | None = None  # of the length that was said
        self.is_bare = self.is_begun = self.is_chunked = False
        self.is_last = not head.keeps_alive

    def start(self, status: str, headers: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], object]:
        """As WSGI has it."""
        if error and self.is_begun:
            raise error[1].with_traceback(error[2])
        if self.status and not error:
            raise AssertionError("it was started already")
        self.status, self.headers = status, headers
        return self.send

    def tell(self, pieces: Iterable[bytes]) -> None:
        try:
            if isinstance(pieces, list):
                pieces = [b"".join(pieces)]
                self.size = len(pieces[0])
            for piece in pieces:
                if piece:
                    self.send(piece)
            self._end()
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def fail(self) -> None:
        """It is the last one, and says that it failed if it has said nothing yet."""
        self.is_last = True
        if not self.is_begun:
            self.status, self.headers, self.size = "500 Internal Server Error", [], 0
            self.send(b"")

    def send(self, piece: bytes) -> None:
        if self.connection.is_of_another:
            return
        begin = b"" if self.is_begun else self._begin()
        if self.is_bare:
            piece = b""
        elif self.left is not None:
            piece = piece[: self.left]
            self.left -= len(piece)
        elif self.is_chunked and piece:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        self.connection.send(begin + piece)

    def _end(self) -> None:
        if not self.is_begun:
            self.send(b"")
        if self.is_chunked:
            self.connection.send(b"0\r\n\r\n")
        if self.left:
            self.is_last = True  # whoever waits for the rest sees that there is none

    def _begin(self) -> bytes:
        if not self.status:
            raise AssertionError("it was not started")
        lines = [f"HTTP/1.1 {self.status}", *[f"{name}: {value}" for name, value in self.headers]]
        said = {name.lower(): value for name, value in self.headers}
        self.is_bare = self.head.method == "HEAD" or self.status.startswith(("1", "204", "304"))
        if not self.is_bare:
            lines += self._length(said.get("content-length"))
        if "date" not in said:
            lines.append(_date(int(time())))
        lines += self._connection(said.get("connection", ""))
        text = "\r\n".join((*lines, "", ""))
        if not text.count("\n") == text.count("\r") == len(lines) + 1:
            raise ValueError("a header has more than one line")
        begin = text.encode("latin-1")
        self.is_begun = True
        return begin

    def _length(self, said: str | None) -> list[str]:
        """How whoever reads it knows where it ends."""
        if said is not None:
            self.left = int(said)
            return []
        if self.size is not None:
            self.left = self.size
            return [f"Content-Length: {self.size}"]
        if self.head.version == "HTTP/1.1":
            self.is_chunked = True
            return ["Transfer-Encoding: chunked"]
        self.is_last = True
        return []

    def _connection(self, said: str) -> list[str]:
        if said:
            self.is_last |= said.lower() == "close"
            return []
        if self.body and (self.body.is_awaited or self.body.is_broken):
            self.body.is_broken = self.is_last = True  # it was not asked for in time, or not to be read
        self.is_last |= self.connection.site.is_leaving
        if self.is_last:
            return ["Connection: close"]
        return ["Connection: keep-alive"] if self.head.version == "HTTP/1.0" else []


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return f"Date: {formatdate(second, usegmt=True)}"
