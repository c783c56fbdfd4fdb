"""What is sent to the hub is taken whole, or refused in words that say why."""

import pytest
from flask import request

from tests.web.test_http import CHUNKED, PUT, statuses, talk
from web import MOST_BYTES, App
from web.http import AT_ONCE

pytestmark = pytest.mark.sqlite_only

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
BEGINS = b"5\r\ntext=\r\n"


def chunks(size: int) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"a" * size)


def sent(whole: bytes) -> list[bytes]:
    """No more at once than is received at once."""
    return [whole[n : n + AT_ONCE] for n in range(0, len(whole), AT_ONCE)]


def form(head: bytes) -> bytes:
    return head.replace(b"Host", FORM + b"Host")


@pytest.fixture
def read() -> list[int]:
    """How much of each text `reader` was sent."""
    return []


@pytest.fixture
def reader(read: list[int]) -> App:
    app = App("reads")
    app.config.update(MAX_CONTENT_LENGTH=MOST_BYTES, MAX_FORM_MEMORY_SIZE=MOST_BYTES)

    @app.put("/one")
    def one() -> str:
        read.append(len(request.form["text"]))
        return "read"

    return app


def test_what_comes_in_chunks_is_as_large_as_it_may_be(reader, read):
    assert statuses(talk(reader, *sent(form(CHUNKED) + BEGINS + chunks(MOST_BYTES - 5)))) == [b"200"]
    assert read == [MOST_BYTES - 5]


@pytest.mark.parametrize("more", [1, 100_000])
def test_of_too_much_in_chunks_no_part_is_taken_for_the_whole(reader, read, more):
    assert statuses(talk(reader, *sent(form(CHUNKED) + BEGINS + chunks(MOST_BYTES - 5 + more)))) == [b"413"]
    assert read == []


@pytest.mark.parametrize("path", [b"/sign-in", b"/healthz"])
@pytest.mark.parametrize(
    ("unread", "told"),
    [
        (PUT + b"Content-Length: 19\r\n\r\ntext=half", b"400"),
        (CHUNKED + b"zz\r\n", b"400"),
        (PUT + b"Content-Length: 9000000\r\n\r\ntext=half", b"413"),
    ],
    ids=["cut short", "no chunks", "too large"],
)
def test_who_sends_what_cannot_be_read_is_told_so_in_a_page(app, caplog, path, unread, told):
    heard = talk(app, form(unread).replace(b"PUT /one", b"POST " + path))
    assert statuses(heard) == [b"405" if path == b"/healthz" else told]
    assert b"Ideas Hub" in heard
    assert not caplog.records
