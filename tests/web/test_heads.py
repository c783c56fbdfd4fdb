"""The heads of requests: read as they stand, or refused."""

import pytest

from web.heads import Head, Malformed


def head(*lines: str) -> Head:
    return Head("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))


def test_a_head_says_what_is_asked_and_under_which_headers() -> None:
    read = head("PUT /ideas/%C3%A9?a=b HTTP/1.1", "Host: hub", "X-One: 1", "x-one:  2 ", "Content-Type: text/plain")
    assert (read.method, read.url, read.version, read.keeps_alive) == ("PUT", "/ideas/%C3%A9?a=b", "HTTP/1.1", True)
    assert read.environ == {"HTTP_HOST": "hub", "HTTP_X_ONE": "1,2", "CONTENT_TYPE": "text/plain"}
    assert (read.get("host"), read.get("Content-Type"), read.get("absent", "none")) == ("hub", "text/plain", "none")


def test_a_header_with_an_underscore_does_not_pass_for_another() -> None:
    assert head("GET / HTTP/1.0", "X_Forwarded_For: 10.0.0.1", "X-Forwarded-For: 10.0.0.2").environ == {
        "HTTP_X_FORWARDED_FOR": "10.0.0.2"
    }


@pytest.mark.parametrize(
    ("line", "connection", "keeps"),
    [("HTTP/1.1", "", True), ("HTTP/1.1", "close", False), ("HTTP/1.0", "", False), ("HTTP/1.0", "keep-alive", True)],
)
def test_a_connection_is_kept_as_both_versions_have_it(line: str, connection: str, keeps: bool) -> None:
    assert head(f"GET / {line}", "Host: hub", *([f"Connection: {connection}"] if connection else [])).keeps_alive is keeps


def test_who_asks_for_a_websocket_has_their_head_read() -> None:
    assert (
        head("GET /socket.io/ HTTP/1.1", "Host: hub", "Connection: Upgrade", "Upgrade: websocket").get("upgrade") == "websocket"
    )
    assert head("GET /socket.io/ HTTP/1.1", "Host: hub", "Connection: keep-alive", "Upgrade: websocket").get("upgrade") is None


@pytest.mark.parametrize(
    ("url", "host", "rest"),
    [
        ("http://other/ideas?a=b", "other", "/ideas?a=b"),
        ("HTTPS://other:8443", "other:8443", "/"),
        ("http://other?a=b", "other", "/?a=b"),
        ("/http://other/", "hub", "/http://other/"),
        ("*", "hub", "*"),
    ],
)
def test_who_names_the_host_in_the_address_means_that_one(url: str, host: str, rest: str) -> None:
    read = head(f"OPTIONS {url} HTTP/1.1", "Host: hub")
    assert (read.get("host"), read.url) == (host, rest)


@pytest.mark.parametrize(
    "hosts", [[], ["hub", "hub"], ["hub", "other"], ["hub,other"], ["a/b"], ["a@b"], ["a b"], ["h\xfcb"]], ids=str
)
def test_one_host_has_to_be_meant(hosts: list[str]) -> None:
    with pytest.raises(Malformed):
        head("GET / HTTP/1.1", *(f"Host: {host}" for host in hosts))


@pytest.mark.parametrize("host", ["", "hub.example.org:8000", "10.0.0.1", "[::1]:80", "xn--hb-xka.example"])
def test_any_host_may_be_meant(host: str) -> None:
    assert head("GET / HTTP/1.1", f"Host: {host}").get("host") == host


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",  # HTTP/0.9
        b"GET / HTTP/1.1",
        b"G\x00T / HTTP/1.1\r\nHost: hub\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : hub\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: hub\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: hub\r\nA: b\x00c\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: hub\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: hub\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: hub\r\nContent-Length: -1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
    ],
)
def test_what_is_no_head_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        Head(text)
