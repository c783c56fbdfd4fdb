"""A server that is told to stop finishes what is under way, and sends its watchers elsewhere."""

import http.client
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing

import pytest
import sqlalchemy as sa

from events import log
from ideas_hub import db, sessions
from ideas_hub.ideas import Idea
from ideas_hub.votes import cast_vote
from tests import make
from tests.live.watcher import Watcher
from tests.support.hub import Server
from tests.support.processes import wait_until
from tests.support.sockets import Raw

pytestmark = pytest.mark.afresh

SOON = 8.0  # seconds, on a busy machine; whoever has to be waited for makes it ten


class Voter:
    """Somebody whose vote is on its way, as a script sends it."""

    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
        self.token = sessions.make_token(make.address(make.person()), 1)

    def vote(self, idea: str) -> None:
        self.connection.request("PUT", f"/api/v1/ideas/{idea}/vote", headers={"Authorization": f"Bearer {self.token}"})

    def answer(self) -> int:
        return self.connection.getresponse().status


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def stop_in_background(server: Server) -> Callable[[], int]:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(server.stop()))
    thread.start()

    def code() -> int:
        thread.join()
        return codes[0]

    return code


def test_votes_that_are_under_way_are_counted_and_answered_before_the_server_ends(hub: db.Database, server):
    one, idea = server(), make.idea()
    voters = [Voter(one) for _ in range(3)]
    with hub.writing() as session:  # whoever writes must wait for us
        session.execute(sa.update(log.head_table).values(position=log.head_table.c.position))
        for voter in voters:
            voter.vote(idea)
        assert one.answers()  # it serves what came before: those votes are under way
        ended = stop_in_background(one)
        wait_until(lambda: is_refused(one.port))
    assert [voter.answer() for voter in voters] == [200] * 3
    assert ended() == 0
    with db.reading() as session:
        assert session.scalar(sa.select(Idea.votes).where(Idea.ref == idea)) == 3


@pytest.mark.sqlite_only
def test_nobody_is_waited_for_for_ever(hub: db.Database, server):
    one = server(altered="wsgi.FAREWELL = 0.3")
    with socket.create_connection(("127.0.0.1", one.port)) as never_done:
        never_done.sendall(b"POST /sign-in HTTP/1.1\r\nHost: hub\r\nContent-Length: 9\r\n\r\nhalf")
        assert one.answers()
        assert one.stop() == 0
    assert "1 connections did not end within 0.3 seconds" in one.tail()


@pytest.mark.sqlite_only
def test_a_server_at_rest_ends_at_once_whoever_keeps_a_connection_open(hub: db.Database, server):
    one = server()
    idle = http.client.HTTPConnection("127.0.0.1", one.port)
    with socket.create_connection(("127.0.0.1", one.port)) as silent, closing(idle):
        idle.request("GET", "/healthz")
        assert idle.getresponse().read() == b"ok\n"
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() < began + SOON
        assert idle.sock.recv(1) == silent.recv(1) == b""


SOMEBODY_COMES_AT_LAST = """
close = wsgi.Door.close
def close_while_somebody_comes(self):
    self.accepting.kill()
    self.silent = wsgi.socket.create_connection(self.listener.getsockname())
    close(self)
wsgi.Door.close = close_while_somebody_comes
"""


@pytest.mark.sqlite_only
def test_who_comes_at_last_and_says_nothing_keeps_nobody_from_ending(hub: db.Database, server):
    one = server(altered=SOMEBODY_COMES_AT_LAST)
    began = time.monotonic()
    assert one.stop() == 0
    assert time.monotonic() < began + SOON


@pytest.mark.sqlite_only
@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_watchers_are_told_to_go_elsewhere_and_have_missed_nothing(hub: db.Database, server, transport):
    one, idea = server(), make.idea()
    watchers = [Watcher(one.url, transports=[transport]) for _ in range(5)]
    for watcher in watchers:
        watcher.watch(f"idea:{idea}")
    cast_vote(make.person(), idea)
    for watcher in watchers:
        watcher.wait_for_fact(f"idea:{idea}", votes=1)
    began = time.monotonic()
    assert one.stop() == 0
    assert time.monotonic() < began + SOON
    for watcher in watchers:
        assert watcher.wait(lambda watcher=watcher: watcher.of("disconnect")) == ["server disconnect"]


EVERY_TURN_IS_LONG = """
import eventlet, time
from events.gateway import Gateway
say_goodbye = Gateway.say_goodbye
def busy():
    while True:
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            pass
        eventlet.sleep(0)
def say_it_while_much_is_asked(self):
    eventlet.spawn(busy)
    say_goodbye(self)
Gateway.say_goodbye = say_it_while_much_is_asked
"""


@pytest.mark.sqlite_only
def test_a_busy_server_ends_as_soon_however_many_watch(hub: db.Database, server):
    one = server(altered=EVERY_TURN_IS_LONG)
    with ExitStack() as at_the_end:
        for _ in range(120):
            at_the_end.enter_context(Raw(one.port)).watch("ideas")
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() < began + SOON
