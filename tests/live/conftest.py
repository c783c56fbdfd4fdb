"""A real server for each kind of database, real Socket.IO clients, and people whose acts reach the server from another process.

The server is shared by the tests of a file: each makes ideas of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.live.watcher import Watcher
from tests.support import whole_file
from tests.support.hub import Server

database_url, hub, running = whole_file.database_url, whole_file.hub, whole_file.running


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
