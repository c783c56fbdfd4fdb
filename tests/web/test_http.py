"""What comes over a connection is read as it was meant or not at all, and what is answered arrives whole or is seen to be cut."""

import logging
import re
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask, request
from werkzeug.exceptions import BadRequest

from web import http
from web.http import Connection, Site, State

Environ = dict[str, Any]
OK = "200 OK"
GET = b"GET /next HTTP/1.1\r\nHost: hub\r\n\r\n"
PUT = b"PUT /one HTTP/1.1\r\nHost: hub\r\n"
CHUNKED = PUT + b"Transfer-Encoding: chunked\r\n\r\n"
THREE = b"1\r\na\r\n2;name=value\r\nbc\r\n0\r\nTrailer: 1\r\n\r\n"


class Talk:
    """A connection whose client sends these pieces, one before each turn, and then nothing more."""

    def __init__(
        self, app: Callable[..., Iterable[bytes]], *pieces: bytes, between: tuple[socket.socket, socket.socket] | None = None
    ) -> None:
        self.client, server = between or socket.socketpair()
        self.pieces, self.turns, self.closed = list(pieces), 0, 0
        self.site = Site(app, {"SERVER_NAME": "hub", "SERVER_PORT": "80"})
        address = ("10.0.0.1", 4711)
        self.connection = Connection(self.site, server, address, take_turn=self._take_turn, closed=self._closed)

    def _take_turn(self) -> None:
        self.turns += 1
        if self.client.fileno() < 0:
            return
        if self.pieces:
            self.client.sendall(self.pieces.pop(0))
        else:
            self.client.shutdown(socket.SHUT_WR)

    def _closed(self, connection: Connection) -> None:
        self.closed += 1
        connection.socket.close()

    def heard(self) -> bytes:
        """All that the client is sent until its connection is closed."""
        self.connection.serve()
        heard = b""
        with self.client, suppress(ConnectionResetError):  # where not all was read that was sent
            while more := self.client.recv(65536):
                heard += more
        return heard


def talk(app: Callable[..., Iterable[bytes]], *pieces: bytes) -> bytes:
    return Talk(app, *pieces).heard()


def says(content: bytes = b"", *headers: tuple[str, str], status: str = OK) -> Callable[..., list[bytes]]:
    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        start(status, list(headers))
        return [content]

    return app


@pytest.fixture
def asked() -> list[tuple[str, bytes]]:
    """What the application `reader` was asked for, and what came with it."""
    return []


@pytest.fixture
def reader(asked):
    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        asked.append((environ["PATH_INFO"], environ["wsgi.input"].read()))
        start(OK, [])
        return [b"read"]

    return app


@pytest.fixture
def deaf(asked):
    """Reads no body."""

    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        asked.append((environ["PATH_INFO"], b""))
        start(OK, [])
        return [b"no"]

    return app


def statuses(heard: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1.1 (\d+)", heard)


# What comes


def test_a_request_is_what_its_head_says(asked):
    told: Environ = {}

    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        told.update(environ)
        return says()(environ, start)

    talk(app, b"PUT //elsewhere/%C3%A9?a=b HTTP/1.1\r\nHost: hub\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nab")
    assert {name: told[name] for name in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", "SCRIPT_NAME")} == {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": "/elsewhere/\xc3\xa9",
        "QUERY_STRING": "a=b",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
    }
    assert (told["CONTENT_TYPE"], told["CONTENT_LENGTH"], told["HTTP_HOST"]) == ("text/plain", "2", "hub")
    assert (told["REMOTE_ADDR"], told["REMOTE_PORT"], told["RAW_PATH_INFO"]) == ("10.0.0.1", "4711", "/elsewhere/%C3%A9")


def test_requests_that_come_at_once_are_answered_in_turn_with_everybody_else_between_them(reader, asked):
    talking = Talk(reader, GET * 3)
    assert statuses(talking.heard()) == [b"200"] * 3
    assert talking.turns == 4  # before each, and to see that no more comes
    assert talking.closed == 1


WHOLE = [PUT + b"Content-Length: 3\r\n\r\nabc" + GET, CHUNKED + THREE + GET]


@pytest.mark.parametrize("whole", WHOLE, ids=["length", "chunks"])
def test_it_is_read_the_same_in_whatever_pieces_it_comes(reader, asked, whole):
    alone = Talk(reader, *(whole[n : n + 1] for n in range(len(whole))))
    assert statuses(alone.heard()) == [b"200", b"200"]
    for cut in range(1, len(whole)):
        assert statuses(talk(reader, whole[:cut], whole[cut:])) == [b"200", b"200"]
    assert set(asked) == {("/one", b"abc"), ("/next", b"")}


def test_a_body_may_be_read_by_lines_and_piece_by_piece(asked):
    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"]
        asked.append(("", body.readline() + b"|" + body.read(2) + b"|" + b"|".join(body)))
        return says()(environ, start)

    talk(app, PUT + b"Content-Length: 9\r\n\r\na\nb", b"cd\ne\nf")
    talk(app, CHUNKED + b"9\r\na\nbcd\ne\nf\r\n0\r\n\r\n")
    assert asked == [("", b"a\n|bc|d\n|e\n|f")] * 2


@pytest.mark.parametrize(
    "chunks",
    [
        b"0x1\r\na\r\n0\r\n\r\n",
        b"+1\r\na\r\n0\r\n\r\n",
        b"-1\r\na\r\n0\r\n\r\n",
        b" 1\r\na\r\n0\r\n\r\n",
        b"1 \r\na\r\n0\r\n\r\n",
        b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
        b"g\r\na\r\n0\r\n\r\n",
        b"\r\na\r\n0\r\n\r\n",
        b"1\na\r\n0\r\n\r\n",
        b"1\ra\r\n0\r\n\r\n",
        b"1;\n\r\na\r\n0\r\n\r\n",
        b"1;\ra\r\na\r\n0\r\n\r\n",
        b"1\r\nab\r\n0\r\n\r\n",  # longer than it says
        b"2\r\na\r\n0\r\n\r\n",  # shorter
        b"1\r\na\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\na\r\n0\r\n\r\n",
        b"1;" + b"x" * 10_000 + b"\r\na\r\n0\r\n\r\n",
        b"1\r\na\r\n0\r\n" + b"a: b\r\n" * 100 + b"\r\n",
        b"1\r\na\r\n0\r\na: b\n\n" + GET,  # a request, for who takes a bare LF for the end of a line
        b"1\r\na\r\n0\r\na b\r\n\r\n",
    ],
)
def test_chunks_that_could_be_read_otherwise_are_refused_and_nothing_after_them_is_a_request(reader, deaf, asked, chunks):
    heard = talk(reader, CHUNKED + chunks + GET)
    assert not asked
    assert statuses(heard) == [b"500"]  # of the bare application; Flask says 400
    assert statuses(talk(deaf, CHUNKED + chunks + GET)) == [b"200"]
    assert asked == [("/one", b"")]


@pytest.mark.parametrize(
    "begun", [PUT + b"Content-Length: 19\r\n\r\ntext=half", CHUNKED + b"13\r\ntext=half", CHUNKED + b"9\r\ntext=half\r\n"]
)
def test_what_was_cut_short_is_never_taken_for_the_whole(begun, asked):
    app = Flask("reads")

    @app.put("/one")
    def read() -> str:
        asked.append((request.path, request.form["text"].encode()))
        return "read"

    heard = talk(app, begun.replace(b"Host", b"Content-Type: application/x-www-form-urlencoded\r\nHost"))
    assert not asked
    assert (statuses(heard), b"Connection: close\r\n" in heard) == ([b"400"], True)


@pytest.mark.parametrize(
    "smuggled",
    [
        PUT + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        PUT + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        PUT + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        PUT.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        PUT + b"Content-Length: 0\r\nContent-Length: 4\r\n\r\n",
        b"GET / HTTP/1.1\nHost: hub\n\n",
        b"GET / HTTP/1.1\r\nHost: hub\r\n\n",
        b"GET / HTTP/1.1\r\nHost: hub\n\r\n",
    ],
)
def test_a_head_that_could_be_read_otherwise_is_refused_at_once_and_the_connection_ends(reader, asked, smuggled):
    heard = talk(reader, smuggled + GET)
    assert (statuses(heard), b"Connection: close\r\n" in heard, asked) == ([b"400"], True, [])


def test_a_head_without_an_end_is_refused(reader, asked):
    assert statuses(talk(reader, b"GET /" + b"x" * 70_000)) == [b"414"]
    assert statuses(talk(reader, b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 12_000)) == [b"431"]
    assert not asked


def test_what_nobody_read_is_skipped(deaf, asked):
    for body in (
        b"Content-Length: 3\r\n\r\nabc",
        b"Content-Length: 20000\r\n\r\n" + b"a" * 20_000,
        b"Transfer-Encoding: chunked\r\n\r\n" + THREE,
    ):
        assert statuses(talk(deaf, PUT + body + GET)) == [b"200", b"200"]
    assert asked == [("/one", b""), ("/next", b"")] * 3


def test_of_too_much_that_nobody_read_the_rest_is_not_waited_for(deaf, asked, monkeypatch):
    monkeypatch.setattr(http, "MOST_UNREAD", 30_000)
    assert statuses(talk(deaf, PUT + b"Content-Length: 100000\r\n\r\n" + b"a" * 50_000, b"a" * 50_000 + GET)) == [b"200"]


def test_who_hangs_up_while_they_send_has_sent_too_little(errors):
    told: list[str] = []

    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        talking.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        talking.client.close()
        with pytest.raises(BadRequest):
            environ["wsgi.input"].read()
        told.append("too little")
        return says()(environ, start)

    for begun in (PUT + b"Content-Length: 3\r\n\r\na", CHUNKED + b"3\r\na", EXPECTS):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            talking = Talk(app, begun, between=(socket.create_connection(listener.getsockname()), listener.accept()[0]))
            talking.connection.serve()
        assert talking.closed == 1
    assert (told, errors()) == (["too little"] * 3, 0)


EXPECTS = PUT + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"


def test_who_asks_whether_to_send_is_told_so_when_it_is_read(reader, asked):
    assert statuses(talk(reader, EXPECTS, b"abc" + GET)) == [b"100", b"200", b"200"]
    assert statuses(talk(reader, EXPECTS + b"abc" + GET)) == [b"200", b"200"]
    assert statuses(talk(reader, EXPECTS.replace(b"1.1", b"1.0"), b"abc")) == [b"200"]
    assert [body for _, body in asked] == [b"abc", b"", b"abc", b"", b"abc"]


def test_who_is_answered_without_being_told_to_send_has_to_come_again(deaf):
    heard = talk(deaf, EXPECTS, b"abc" + GET)
    assert (statuses(heard), b"Connection: close\r\n" in heard) == ([b"200"], True)


def test_what_is_asked_for_too_late_is_not_asked_for():
    def app(environ: Environ, start: Callable[..., Any]) -> Iterator[bytes]:
        start(OK, [])
        yield b"answered"
        yield environ["wsgi.input"].read()

    heard = talk(app, EXPECTS, b"abc")
    assert (statuses(heard), heard.endswith(b"8\r\nanswered\r\n")) == ([b"200"], True)


# What is answered


def test_an_answer_has_its_date_and_its_length():
    head, _, content = talk(says(b"page", ("X-One", "1")), GET).partition(b"\r\n\r\n")
    assert re.fullmatch(
        rb"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 4\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", head
    )
    assert content == b"page"
    assert talk(says(b"", ("date", "today"), ("content-length", "0")), GET) == (
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 0\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("asks", "status", "length"),
    [(b"HEAD", OK, True), (b"HEAD", OK, False), (b"GET", "304 Not Modified", False), (b"GET", "204 No Content", False)],
)
def test_what_has_no_body_is_sent_without_and_the_next_is_answered(asks, status, length):
    app = says(b"page", *([("Content-Length", "4")] if length else []), status=status)
    first, second, end = talk(app, GET.replace(b"GET", asks) * 2).split(b"\r\n\r\n")
    assert re.sub(rb"Date: .*", b"", first) == re.sub(rb"Date: .*", b"", second)
    assert (b"Content-Length: 4" in first, b"chunked" in first, end) == (length, False, b"")


def stream(environ: Environ, start: Callable[..., Any]) -> Iterator[bytes]:
    write = start(OK, [])
    write(b"one ")
    yield b""
    yield b"and two"


def test_what_comes_piece_by_piece_ends_where_it_ends():
    heard = talk(stream, GET * 2)
    assert heard.count(b"Transfer-Encoding: chunked") == heard.count(b"\r\n\r\n4\r\none \r\n7\r\nand two\r\n0\r\n\r\n") == 2
    old = talk(stream, GET.replace(b"1.1", b"1.0").replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n") * 2)
    assert (statuses(old), b"Connection: close" in old, old.endswith(b"\r\n\r\none and two")) == ([b"200"], True, True)


@pytest.mark.parametrize(
    ("version", "asks", "app_says", "told"),
    [
        ("1.1", "", "", b""),
        ("1.1", "close", "", b"close"),
        ("1.1", "", "close", b"close"),
        ("1.0", "", "", b"close"),
        ("1.0", "keep-alive", "", b"keep-alive"),
    ],
)
def test_a_connection_is_kept_as_is_said(version, asks, app_says, told):
    app = says(b"page", *([("Connection", app_says)] if app_says else []))
    connection = f"Connection: {asks}\r\n" if asks else ""
    heard = talk(app, f"GET / HTTP/{version}\r\nHost: hub\r\n{connection}\r\n".encode() * 2)
    assert re.findall(rb"Connection: (.*)\r", heard) == ([told] if told == b"close" else [told, told] if told else [])
    assert len(statuses(heard)) == (1 if told == b"close" else 2)


def test_where_the_server_is_leaving_each_answer_is_the_last():
    talking = Talk(says(b"page"), GET * 2)
    talking.site.is_leaving = True
    heard = talking.heard()
    assert (statuses(heard), b"Connection: close\r\n" in heard) == ([b"200"], True)


@pytest.fixture
def errors(caplog, monkeypatch) -> Callable[[], int]:
    """How many were noted. As a rule the same one is not, again and again."""
    monkeypatch.setattr(http.logger, "filters", [])
    return lambda: sum((record.name, record.levelno) == ("web.http", logging.ERROR) for record in caplog.records)


def fails(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
    raise RuntimeError("secret")


def fails_when_started(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
    start(OK, [("X-One", "1")])
    raise RuntimeError("secret")


def never_starts(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
    return [b"secret"]


def splits(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
    start(OK, [("X-One", "1\r\n\r\nsecret")])
    return []


def starts_twice(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
    start(OK, [])
    start(OK, [])
    return []


@pytest.mark.parametrize("app", [fails, fails_when_started, never_starts, splits, starts_twice])
def test_an_application_that_fails_is_noted_and_says_nothing_else(app, errors):
    heard = talk(app, GET * 2)
    assert (statuses(heard), b"Content-Length: 0\r\n" in heard, b"Connection: close\r\n" in heard) == ([b"500"], True, True)
    assert b"secret" not in heard
    assert errors() == 1


def test_an_error_may_take_the_place_of_what_was_not_sent_yet():
    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        start(OK, [])
        start("503 Service Unavailable", [], (RuntimeError, RuntimeError("later"), None))
        return []

    assert statuses(talk(app, GET)) == [b"503"]


def test_an_answer_that_breaks_off_is_seen_to_be_cut(errors):
    def app(environ: Environ, start: Callable[..., Any]) -> Iterator[bytes]:
        start(OK, [])
        yield b"half"
        raise RuntimeError

    heard = talk(app, GET * 2)
    assert (statuses(heard), heard.endswith(b"4\r\nhalf\r\n"), errors()) == ([b"200"], True, 1)


def test_an_answer_is_never_longer_than_it_says_and_one_that_is_shorter_is_the_last():
    heard = talk(says(b"page and more", ("Content-Length", "4")), GET * 2)
    assert (statuses(heard), heard.count(b"\r\n\r\npage")) == ([b"200", b"200"], 2)
    assert b"more" not in heard
    assert statuses(talk(says(b"page", ("Content-Length", "5")), GET * 2)) == [b"200"]


class Pieces:
    """Too many for who does not read them. Knows whether it was closed."""

    is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from [b"x" * 100_000] * 100

    def close(self) -> None:
        self.is_closed = True


def test_an_answer_is_closed_also_where_nobody_is_there_to_read_it(errors):
    pieces = Pieces()

    def app(environ: Environ, start: Callable[..., Any]) -> Pieces:
        start(OK, [])
        talking.client.close()
        return pieces

    talking = Talk(app, GET)
    talking.connection.serve()
    assert (pieces.is_closed, talking.closed, errors()) == (True, 1, 0)


# Who takes the socket


def test_who_takes_the_socket_speaks_there_alone():
    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        environ["eventlet.input"].get_socket().sendall(b"101")
        environ["eventlet.set_idle"]()
        assert talking.connection.state is State.IDLE
        start(OK, [])
        return [b"page"]

    talking = Talk(app, GET * 2)
    assert (talking.heard(), talking.closed) == (b"101", 1)


def test_who_was_handed_the_connection_says_when_it_ends():
    ends: list[Callable[[], None]] = []

    def app(environ: Environ, start: Callable[..., Any]) -> list[bytes]:
        environ["eventlet.set_idle"]()
        ends.append(environ["ideas_hub.hand_over"]())
        return []

    talking = Talk(app, GET)
    talking.connection.serve()
    assert talking.closed == 0
    ends[0]()
    with talking.client:
        assert (talking.closed, talking.client.recv(1)) == (1, b"")
