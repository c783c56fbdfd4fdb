"""A backup is put back while people watch: whoever knew more than it is told so, loads anew, and is right again."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from events import log
from events.catalogue import View, idea_topic
from ideas_hub import db
from ideas_hub.sqlite import sqlite
from ideas_hub.votes import cast_vote
from tests import make
from tests.chaos.crowd import disagreements
from tests.support.histories import at_last
from tests.support.listener import Listener, listeners
from tests.support.processes import wait_until


def all_were_reset(watchers: list[Listener]) -> bool:
    return all(watcher.resets and watcher.watching.is_set() for watcher in watchers)


def something_happens(idea: str) -> None:
    make.comment(idea)
    cast_vote(make.person(), idea)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "renewed",
    [
        pytest.param(False, id="as it was"),
        pytest.param(True, id="with a new epoch", marks=pytest.mark.long_only),  # in small: tests/events/test_stream.py
    ],
)
@pytest.mark.promise("A restore is noticed", bar="200 clients ahead of the backup: all reset, then equal")
def test_who_is_ahead_of_a_restored_backup_is_reset_and_then_right(hub, database_url, server, size, figure, renewed):
    one, idea, file = server(), make.idea(votes=1), Path(database_url.removeprefix("sqlite:///"))
    backup = file.with_name("backup.db")
    with closing(sqlite.connect(file)) as here, closing(sqlite.connect(backup)) as there:
        here.backup(there)
    watchers = listeners(size(20, 200), lambda _: Listener(one.url, idea_topic(idea)))
    for _ in range(3):
        something_happens(idea)
    wait_until(lambda: all(len(watcher.heard) == 3 for watcher in watchers), what="what the backup does not know")
    one.stop()
    db.disconnect()
    for left in file.parent.glob(f"{file.name}*"):
        left.unlink()
    shutil.move(backup, file)
    db.connect(database_url)
    if renewed:
        with db.transaction() as session:
            log.begin(session, "restored")
    one.start()
    noticed(idea, watchers, "epoch" if renewed else "ahead", figure)


@pytest.mark.long_only  # in small: tests/events/test_relay.py
@pytest.mark.promise("A new epoch is noticed beside a running server", bar="200 clients: all reset, then equal")
def test_who_watches_while_the_log_gets_a_new_epoch_is_reset_and_then_right(hub, server, size, figure):
    one, idea = server(), make.idea(votes=1)
    watchers = listeners(size(20, 200), lambda _: Listener(one.url, idea_topic(idea)))
    something_happens(idea)
    with db.transaction() as session:
        log.begin(session, "restored")
    noticed(idea, watchers, "epoch", figure)


def noticed(idea: str, watchers: list[Listener], why: str, figure) -> None:
    wait_until(lambda: all_were_reset(watchers), within=30, what="everybody is reset")
    something_happens(idea)
    wrong = at_last((watcher, View.PUBLIC) for watcher in watchers)
    for watcher in watchers:
        watcher.stop()
    reasons = {reason for watcher in watchers for reason in watcher.resets}
    figure(
        f"{sum(bool(watcher.resets) for watcher in watchers)} of {len(watchers)} reset ({', '.join(reasons)}), {len(wrong)} wrong"
    )
    assert not wrong
    assert reasons == {why}
    assert all(watcher.heard for watcher in watchers)
    assert not disagreements()
