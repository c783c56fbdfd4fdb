"""A real server, real Socket.IO clients, and people whose acts reach the server from another process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ideas_hub import db
from tests.live.watcher import Watcher
from tests.support.hub import Server


@pytest.fixture
def running(server: Callable[..., Server], hub: db.Database) -> Server:
    """A server on the database that the test's own commands write to."""
    return server()


@pytest.fixture
def watch(running: Server) -> Iterator[Callable[..., Watcher]]:
    """`watch(topics, cursor, token=…)`: somebody connected, who has watched."""
    with ExitStack() as at_the_end:

        def connect(*topics: str, cursor: str | None = None, url: str | None = None, **options: Any) -> Watcher:
            watcher = Watcher(url or running.url, **options)
            at_the_end.callback(watcher.leave)
            watcher.watch(*topics, cursor=cursor)
            return watcher

        yield connect
