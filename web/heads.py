"""The head of a request: read by llhttp, which Node reads its own with, and refused where it is not to the letter."""

import re
from functools import lru_cache
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

ABSOLUTE = re.compile(r"https?://([^/?]+)(.*)", re.IGNORECASE)
HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+;=%:\[\]-]*")


class Malformed(Exception):
    """This is no head of an HTTP request. `status` says so to who sent it."""

    def __init__(self, why: str, status: str = "400 Bad Request") -> None:
        super().__init__(why)
        self.status = status


class Head:
    """What a request says before its body, and how that comes: `length` is None where it is in chunks, and `expects` says
    that it comes only when it is asked for. `environ` has the headers as WSGI names them.

    Headers with an underscore in their name are left out: they would pass for others.
    """

    __slots__ = ("environ", "expects", "keeps_alive", "length", "method", "parser", "url", "version")

    def __init__(self, text: bytes) -> None:
        """Read the head from its first line to the empty one. Raises Malformed."""
        self.url, self.method, self.version, self.keeps_alive = "", "", "", False
        self.environ: dict[str, Any] = {}
        self.parser = HttpRequestParser(self)
        try:
            self.parser.feed_data(text)
            self.environ.pop("HTTP_UPGRADE", None)  # not meant for us, where the connection is not said to be upgraded
        except HttpParserUpgrade:
            pass  # from here on it is no HTTP: what comes is for who was asked
        except HttpParserError as error:
            raise Malformed(str(error)) from error
        finally:
            del self.parser
        if self.version not in ("HTTP/1.0", "HTTP/1.1"):  # none: it ended too early
            raise Malformed("it is of no version that is spoken here")
        if (absolute := ABSOLUTE.fullmatch(self.url)) is not None:  # as proxies are asked: the host that is meant stands there
            self.environ["HTTP_HOST"], self.url = absolute[1], "/" + absolute[2].removeprefix("/")
        if not _is_host(self.environ.get("HTTP_HOST", "" if self.version == "HTTP/1.0" else None)):
            raise Malformed("which host is meant can be read in two ways")
        self.length = self._length()
        self.expects = self.version == "HTTP/1.1" and self.environ.get("HTTP_EXPECT", "").lower() == "100-continue"

    def _length(self) -> int | None:
        coding = self.environ.get("HTTP_TRANSFER_ENCODING")
        if coding is None:
            return int(self.environ.get("CONTENT_LENGTH", 0))
        if coding.lower() != "chunked" or self.version == "HTTP/1.0":  # llhttp lets others pass that end with it
            raise Malformed("where its body ends can be read in two ways")
        return None

    def on_headers_complete(self) -> None:
        self.method, self.version = self.parser.get_method().decode(), f"HTTP/{self.parser.get_http_version()}"
        self.keeps_alive = self.parser.should_keep_alive()

    def on_url(self, url: bytes) -> None:
        self.url += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if (key := _key(name)) is not None:
            text = value.decode("latin-1").strip(" \t")
            self.environ[key] = f"{self.environ[key]},{text}" if key in self.environ else text

    def get(self, name: str, default: str | None = None) -> str | None:
        """A header by its own name."""
        return self.environ.get(_key(name.encode()) or "", default)


@lru_cache(maxsize=512)
def _is_host(host: str | None) -> bool:
    """Two of them stand with a comma between."""
    return host is not None and HOST.fullmatch(host) is not None


@lru_cache(maxsize=512)
def _key(name: bytes) -> str | None:
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
