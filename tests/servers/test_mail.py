"""Servers that send mail: each mail once, and no page waits for it."""

import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from ideas_hub import db
from tests import make
from tests.servers.conftest import Servers
from tests.support.certificate import certificate
from tests.support.hub import Server
from tests.support.postbox import postbox
from tests.support.processes import wait_until

QUICKLY = 1.0  # seconds, on a busy machine


def ask(url: str, idea: str, email: str) -> float:
    """Ask for a link with a vote, and return how long that took."""
    begun = time.perf_counter()
    answer = requests.post(
        f"{url}/ideas/{idea}/vote/by-email", data={"email": email}, headers={"Origin": url}, allow_redirects=False, timeout=30
    )
    assert answer.status_code == 303, answer.text
    return time.perf_counter() - begun


@pytest.mark.postgresql_only
def test_two_servers_send_each_mail_once(hub: db.Database, servers: Servers):
    idea = make.idea()
    with postbox() as box:
        at = servers(2, MAIL_URL=box.url)
        for number in range(40):
            ask(at[number % 2].url, idea, f"a{number}@example.org")
        wait_until(lambda: len(box.posts) >= 40, what="all mails")
        for server in at:
            server.stop()
        assert Counter(post.to for post in box.posts) == {f"a{number}@example.org": 1 for number in range(40)}
        assert len({post.id for post in box.posts}) == 40


@contextmanager
def silence() -> Iterator[tuple[int, list]]:
    """A mail server that takes a connection and never says a word: its port, and the connection once it has it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list = []
        threading.Thread(target=lambda: taken.append(listener.accept()), daemon=True).start()
        yield listener.getsockname()[1], taken
        for connection, _address in taken:
            connection.close()


@pytest.mark.sqlite_only
def test_a_mail_server_that_says_nothing_delays_no_page(hub: db.Database, server: Callable[..., Server]):
    idea = make.idea()
    with silence() as (port, taken):
        at = server(MAIL_URL=f"smtp://127.0.0.1:{port}")
        waits = [ask(at.url, idea, f"a{number}@example.org") for number in range(5)]
        wait_until(lambda: taken, what="the sender, who waits from now on for 20 seconds")
        for path in ("/", "/ideas", f"/ideas/{idea}", "/sign-in", "/healthz") * 3:
            begun = time.perf_counter()
            assert requests.get(f"{at.url}{path}", timeout=30).status_code == 200
            waits.append(time.perf_counter() - begun)
    assert max(waits) < QUICKLY


@pytest.mark.sqlite_only
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_sends_over_tls(hub: db.Database, server: Callable[..., Server], tmp_path, monkeypatch, scheme):
    own = certificate(tmp_path, "127.0.0.2")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own)
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    options = {"ssl_context": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}
    with postbox(hostname="127.0.0.2", **options) as box:
        at = server(MAIL_URL=f"{scheme}://127.0.0.2:{box.port}")
        ask(at.url, make.idea(), "ann@example.org")
        wait_until(lambda: box.posts, what="the mail")
    assert box.posts[0].to == "ann@example.org"
