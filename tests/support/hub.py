"""The hub as others meet it: its commands, its server, and databases for them."""

import fcntl
import http.client
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO

from tests.support import warm
from tests.support.processes import Process, free_port
from tests.support.proxy import Proxy
from tests.support.services import Cluster

ROOT = Path(__file__).parent.parent.parent


def environment(database_url: str, **settings: object) -> dict[str, str]:
    """What a hub is configured by: `RATE_LIMITS="on"` stands for IDEAS_HUB_RATE_LIMITS, and nothing of this machine."""
    ours = {"DATABASE_URL": database_url, "SECRET_KEY": "for tests only", "RATE_LIMITS": "off", **settings}
    others = {name: value for name, value in os.environ.items() if not name.startswith("IDEAS_HUB_")}
    others.pop("PYTHONDONTWRITEBYTECODE", None)  # what is started a hundred times shall not be compiled each time
    return others | {"FLASK_APP": "web", "PYTHONPATH": str(ROOT)} | {f"IDEAS_HUB_{k}": str(v) for k, v in ours.items()}


def flask(*arguments: object, database_url: str, folder: Path, **settings: object) -> str:
    """Run `flask …` in that folder and return what it printed; raises CalledProcessError where it refuses."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", *map(str, arguments)],
        cwd=folder,
        env=environment(database_url, **settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        done.check_returncode()
    return done.stdout


class Server(Process):
    """`python wsgi.py` in demo mode, on a port that it keeps when it is started again. A proxy may stand in front.

    `altered` is Python that its process runs first, to make it hasty or slow: `"import wsgi; wsgi.FAREWELL = 0.3"`.
    Unless it shall begin `afresh`, what it imports is there already when it starts (see `support.warm`).
    """

    all_afresh = False

    def __init__(
        self,
        folder: Path,
        database_url: str,
        *,
        behind: Proxy | None = None,
        altered: str = "",
        afresh: bool = False,
        port: int | None = None,
        **settings: object,
    ):
        self.port = port or free_port()
        self.url = behind.url if behind else f"http://127.0.0.1:{self.port}"
        if behind:
            behind.target = self.port
        settings = {"PORT": self.port, "BASE_URL": self.url, "DEMO": 1, **settings}
        folder.mkdir(exist_ok=True)
        start = ["-c", f"import sys, wsgi\n{altered}\nsys.exit(wsgi.main())"] if altered else [ROOT / "wsgi.py"]
        super().__init__([sys.executable, *start], folder, env=environment(database_url, **settings))
        self.altered, self.afresh = altered, afresh or self.all_afresh

    def _begin(self, log: IO[bytes]) -> subprocess.Popen[bytes] | warm.Forked:
        if self.afresh:
            return super()._begin(log)
        return warm.start(log, altered=self.altered, cwd=str(self.folder), env=self.env)

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class SQLiteFiles:
    """Each database is a copy of a file that was migrated once, for all processes that share the folder of templates."""

    def __init__(self, folder: Path, templates: Path):
        self.folder = folder
        self.templates = templates
        self.numbers = count(1)

    def make(self, *, demo: bool) -> str:
        return f"sqlite:///{shutil.copy(self._template(demo), self.folder / f'hub-{next(self.numbers)}.db')}"

    def _template(self, demo: bool) -> Path:
        file = self.templates / f"{'demo' if demo else 'empty'}.db"
        if not file.exists():
            with only_one(file):
                if not file.exists():
                    self._fill(file.with_suffix(".part"), demo).rename(file)
        return file

    def _fill(self, file: Path, demo: bool) -> Path:
        fill(f"sqlite:///{file}", self.folder, demo)
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in the one file that is copied
        connection.close()
        return file

    def drop(self, url: str) -> None:
        for file in self.folder.glob(Path(url).name + "*"):
            file.unlink()


class PostgresDatabases:
    """Each database is made from a template that was migrated once, for all processes that share the folder of templates."""

    def __init__(self, cluster: Cluster, folder: Path, templates: Path):
        self.cluster = cluster
        self.folder = folder
        self.templates = templates
        self.numbers = count(1)

    def make(self, *, demo: bool) -> str:
        name = f"hub_{os.getpid()}_{next(self.numbers)}"
        self.cluster.execute(f"CREATE DATABASE {name} TEMPLATE {self._template(demo)}")
        return f"{self.cluster.url}/{name}"

    def _template(self, demo: bool) -> str:
        name = f"template_{'demo' if demo else 'empty'}"
        made = self.templates / f"{name}_{self.cluster.port}"
        if not made.exists():
            with only_one(made):
                if not made.exists():
                    self.cluster.execute(f"CREATE DATABASE {name}")
                    fill(f"{self.cluster.url}/{name}", self.folder, demo)
                    made.touch()
        return name

    def drop(self, url: str) -> None:
        self.cluster.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


@contextmanager
def only_one(thing: Path) -> Iterator[None]:
    """No other process makes it meanwhile."""
    with thing.with_name(f"{thing.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fill(database_url: str, folder: Path, demo: bool) -> None:
    flask("migrate", database_url=database_url, folder=folder)
    if demo:
        flask("demo", "--small", database_url=database_url, folder=folder, DEMO=1)
