"""Several servers on one PostgreSQL, with a Redis of their own that can be stopped, and nginx in front of them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import PROCESSES
from tests.support.hub import Server
from tests.support.services import Redis

Servers = Callable[..., list[Server]]


def start_together(servers: list[Server]) -> None:
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(lambda server: server.start(within=60), servers))


@pytest.fixture
def servers(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Servers]:
    """`servers(4, REDIS_URL=…)` starts that many at once, with these settings."""
    known = request.node.stash.setdefault(PROCESSES, [])
    with ExitStack() as at_the_end:

        def start(number: int, **options: object) -> list[Server]:
            made = [Server(tmp_path / f"server-{len(known) + n}", database_url, **options) for n in range(1, number + 1)]
            known.extend(made)
            for server in made:
                at_the_end.callback(server.kill)
            start_together(made)
            return made

        yield start


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    """One that no other test needs."""
    service = Redis(tmp_path)
    service.start()
    yield service
    service.kill()
