"""What the server is asked by clients that are no browser: many things at once, and bodies whose length nobody knew."""

import http.client
import json
import socket
from contextlib import closing

import pytest

from ideas_hub import sessions
from tests import make
from tests.support import whole_file

pytestmark = pytest.mark.sqlite_only
database_url, hub, running = whole_file.database_url, whole_file.hub, whole_file.running


def test_all_that_is_asked_at_once_is_answered(running):
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n" * 49 + b"GET /healthz HTTP/1.0\r\nHost: hub\r\n\r\n")
        heard = b""
        while more := client.recv(65536):
            heard += more
    assert (heard.count(b"HTTP/1.1 200"), heard.count(b"\r\n\r\nok\n"), heard.count(b"Connection: close")) == (50, 50, 1)


def test_a_comment_may_come_in_chunks_and_one_that_breaks_off_is_none(running):
    idea, token = make.idea(), sessions.make_token(make.address(make.person()), 1)
    whole = json.dumps({"body": "In pieces, and all of them."}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)) as client:
        client.request("POST", f"/api/v1/ideas/{idea}/comments", iter([whole[:9], whole[9:]]), headers, encode_chunked=True)
        assert client.getresponse().status == 201
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as broken:
        broken.sendall(f"POST /api/v1/ideas/{idea}/comments HTTP/1.1\r\nHost: hub\r\n{head}".encode())
        broken.sendall(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(whole), whole))
        broken.shutdown(socket.SHUT_WR)
        assert broken.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_who_speaks_of_a_websocket_and_wants_no_other_connection_is_told_that_this_is_none(running):
    """As a proxy asks that passes one header on and not the other."""
    with closing(http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)) as client:
        client.request("GET", "/socket.io/?EIO=4&transport=websocket", headers={"Upgrade": "websocket"})
        assert client.getresponse().status == 400
    assert "Traceback" not in running.log.read_text()
