"""One database, and where wanted one server, for all tests of a file, each of which makes ideas of its own.

A file or a folder's conftest takes what it wants in the place of those made for each test: `hub = whole_file.hub`.
"""

from collections.abc import Iterator

import pytest

from ideas_hub import db
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
def running(
    request: pytest.FixtureRequest, hub: db.Database, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server on the database that the tests' own commands write to; a file may say by `ALTERED` how it is altered."""
    altered = getattr(request.module, "ALTERED", "")
    server = Server(tmp_path_factory.mktemp("running"), database_url, altered=altered)
    server.start()
    yield server
    server.stop()
