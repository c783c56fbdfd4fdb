"""What tests stand on. Real programs throughout: SQLite files, PostgreSQL, Redis, `python wsgi.py`, Chromium.

- `hub`: the domain, in this process, on a new database. `database_url`: only the database.
  Both run the test once on each kind, unless it is marked `sqlite_only` or `postgresql_only`.
  Marked `demo`, the database holds the demo council.
- `server`: starts servers on that database. `proxy`: a bad network to put in front. `visitor`: somebody at a browser.
- `postgres`: a running one, for all tests. `redis`, `provider` (the council's own sign-in): running ones, for all tests of a
  process (`make test` has three, each with whole files to itself).
  Who wants to stop one makes one (`support.services`).
"""

import gc
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from ideas_hub import db
from ideas_hub.clock import replace_now
from tests.support import once_for_all
from tests.support.browser import FLAGS, Visitors
from tests.support.clock import Clock
from tests.support.hub import ROOT, PostgresDatabases, Server, SQLiteFiles, only_one
from tests.support.processes import Process, wait_until
from tests.support.programs import CHROMIUM, PROGRAMS
from tests.support.provider import ANN, Provider
from tests.support.proxy import Proxy
from tests.support.services import Cluster, Postgres, Redis, memory


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="tests/chaos in full: the whole figures, which take some minutes each")


def pytest_configure(config: pytest.Config) -> None:
    Server.all_afresh = config.getoption("long")
    once_for_all.addresses()
    once_for_all.statements()


def pytest_collection_finish() -> None:
    """What thousands of tests are made of stays: to look through it for garbage takes longer than most tests do."""
    gc.collect()
    gc.freeze()


PROCESSES = pytest.StashKey[list[Process]]()
POSTGRES = "postgres"  # where stands which one it is


# Time


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Time stands still at nine on Wednesday 1 July 2026, until the test moves it."""
    clock = Clock(datetime(2026, 7, 1, 9, tzinfo=UTC))
    replace_now(clock)
    yield clock
    replace_now(None)


# Databases


@pytest.fixture(scope="session")
def of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all processes of this run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def postgres(of_all: Path) -> Cluster:
    """Who needs it first starts it, and `pytest_sessionfinish` ends it when all are done."""
    known = of_all / POSTGRES
    with only_one(known):
        if not known.exists():
            cluster = Postgres()
            cluster.start()
            known.write_text(f"{cluster.port} {cluster.process.pid} {cluster.folder}")
            cluster.process.returncode = 0  # else Python warns that it outlives who started it
    return Cluster(int(known.read_text().split()[0]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    known = session.config._tmp_path_factory.getbasetemp() / POSTGRES
    if "PYTEST_XDIST_WORKER" not in os.environ and known.exists():
        _, process, folder = known.read_text().split()
        os.kill(int(process), Postgres.rude)
        wait_until(lambda: not Path(folder, "data", "postmaster.pid").exists(), what="PostgreSQL ends")
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def sqlite_databases(of_all: Path) -> Iterator[SQLiteFiles]:
    with tempfile.TemporaryDirectory(prefix="hub-sqlite-", dir=memory()) as folder:
        yield SQLiteFiles(Path(folder), of_all)


@pytest.fixture(scope="session")
def postgresql_databases(postgres: Cluster, of_all: Path, tmp_path_factory: pytest.TempPathFactory) -> PostgresDatabases:
    return PostgresDatabases(postgres, tmp_path_factory.mktemp("postgresql"), of_all)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        only = [kind for kind in ("sqlite", "postgresql") if metafunc.definition.get_closest_marker(f"{kind}_only")]
        metafunc.parametrize("database_url", only or ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    databases = request.getfixturevalue(f"{request.param}_databases")
    url = databases.make(demo=request.node.get_closest_marker("demo") is not None)
    yield url
    databases.drop(url)


@pytest.fixture
def hub(database_url: str) -> Iterator[db.Database]:
    yield db.connect(database_url)
    db.disconnect()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    service = Redis(tmp_path_factory.mktemp("redis"))
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="session")
def provider_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("provider"))
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def provider(provider_of_all: Provider) -> Provider:
    """The council's identity provider, well behaved, where Ann Lee is signed in."""
    if not provider_of_all.answers():
        provider_of_all.start()
    provider_of_all.now(claims=ANN, wrong="", discovery={})
    return provider_of_all


# Servers, and who visits them


@pytest.fixture
def server(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """`server(RATE_LIMITS="on", behind=proxy())` starts one that answers, with these settings (see `support.hub`)."""
    servers = request.node.stash.setdefault(PROCESSES, [])
    with ExitStack() as at_the_end:

        def start(**options: object) -> Server:
            afresh = request.node.get_closest_marker("afresh") is not None
            server = Server(tmp_path / f"server-{len(servers) + 1}", database_url, afresh=afresh, **options)
            servers.append(server)
            at_the_end.callback(server.stop)
            server.start()
            return server

        yield start


@pytest.fixture
def proxy() -> Iterator[Callable[..., Proxy]]:
    """`proxy(websockets=False)` starts one; it passes on to the server that is started `behind` it."""
    with ExitStack() as at_the_end:

        def start(**options: bool) -> Proxy:
            proxy = Proxy(**options)
            at_the_end.callback(proxy.stop)
            proxy.start()
            return proxy

        yield start


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = CHROMIUM.need()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitors]:
    visitors = Visitors(browser)
    yield visitors
    visitors.leave()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real proposals, comments and drawings that stands beside some checkouts."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"no {folder.name}/ beside this checkout")
    return folder


# What is said at the end


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.failed:
        report.sections += [(f"the end of {process.log}", process.tail()) for process in item.stash.get(PROCESSES, [])]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One loud line for each program that was missing."""
    reasons = Counter(str(report.longrepr) for report in terminalreporter.stats.get("skipped", []))
    for program in PROGRAMS:
        if untested := sum(number for reason, number in reasons.items() if program.absence in reason):
            terminalreporter.write_line(f"NOT TESTED: {untested} tests, for {program.absence}", red=True, bold=True)
