"""A real server for each kind of database, real Socket.IO clients, and people whose acts reach the server from another process.

The server is shared by the tests of a file: each makes ideas of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ideas_hub import db
from tests.live.watcher import Watcher
from tests.support.hub import Server


@pytest.fixture(scope="module")
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    databases = request.getfixturevalue(f"{request.param}_databases")
    url = databases.make(demo=False)
    yield url
    databases.drop(url)


@pytest.fixture(scope="module")
def hub(database_url: str) -> Iterator[db.Database]:
    yield db.connect(database_url)
    db.disconnect()


@pytest.fixture(scope="module")
def running(hub: db.Database, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on the database that the tests' own commands write to."""
    server = Server(tmp_path_factory.mktemp("live"), database_url)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def watch(running: Server) -> Iterator[Callable[..., Watcher]]:
    """`watch(*topics, cursor=…, token=…)`: somebody connected, who has watched."""
    with ExitStack() as at_the_end:

        def connect(*topics: str, cursor: str | None = None, **options: Any) -> Watcher:
            watcher = Watcher(running.url, **options)
            at_the_end.callback(watcher.leave)
            watcher.watch(*topics, cursor=cursor)
            return watcher

        yield connect
