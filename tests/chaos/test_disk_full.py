"""The disk is full: whoever writes is told so, nothing is half done, reading goes on, and with room again so does the rest."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from events.catalogue import View, idea_topic
from ideas_hub import db
from ideas_hub.sqlite import sqlite
from tests.chaos.crowd import Crowd, disagreements, lost_or_doubled
from tests.support.histories import at_last
from tests.support.hub import PostgresDatabases
from tests.support.listener import Listener, listeners
from tests.support.processes import wait_until
from tests.support.services import Postgres, ordinary_user

FULL = 507


class Disk:
    """A small one of our own, in memory: only root may have that."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hub-disk-"))  # not in pytest's own, which is closed to PostgreSQL
        self.ballast, self.data = self.folder / "ballast", self.folder / "data"
        command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.folder]
        if subprocess.run(command, capture_output=True).returncode:
            self.folder.rmdir()
            pytest.skip("no disk can be mounted here; in small: tests/ideas_hub/test_group_commit.py")
        self.data.mkdir()

    def fill(self) -> None:
        with self.ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def clear(self) -> None:
        self.ballast.unlink()

    def remove(self) -> None:
        subprocess.run(["umount", self.folder], check=True)
        self.folder.rmdir()


@contextmanager
def moved(cluster: Postgres, database: str, to: Path) -> Iterator[None]:
    """The tables of that database stand in that folder; the rest of the cluster has room."""
    if who := ordinary_user():
        for folder in (to.parent, to):
            os.chown(folder, who["user"], who["group"])
    cluster.execute(f"CREATE TABLESPACE small LOCATION '{to}'")
    cluster.execute(f"ALTER DATABASE {database} SET TABLESPACE small")
    yield
    cluster.execute(f"DROP DATABASE {database} WITH (FORCE)")
    cluster.execute("DROP TABLESPACE small")


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.remove()


@pytest.fixture
def database_url(request: pytest.FixtureRequest, disk: Disk, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        url = request.getfixturevalue("sqlite_databases").make(demo=False)
        yield f"sqlite:///{shutil.move(url.removeprefix('sqlite:///'), disk.data)}"
        return
    own = Postgres()  # one that cannot write its checkpoints is none for other tests
    try:
        own.start()
        url = PostgresDatabases(own, tmp_path, tmp_path).make(demo=False)
        with moved(own, url.rpartition("/")[2], disk.data):
            yield url
    finally:
        own.remove()


def use_up_the_log(hub: db.Database) -> None:
    """SQLite writes anew into the log that it has, and would need no room for some hundred changes."""
    if isinstance(hub, db.SQLite):
        with closing(sqlite.connect(hub.url.database, timeout=10)) as beside:
            beside.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.promise("The disk is full", bar="507, 0 half done, reading goes on, recovers without a restart")
def test_while_the_disk_is_full_all_are_told_so_and_with_room_again_all_goes_on(hub, disk, server, size, figure):
    one, changes = server(), size(500, 2_000)  # so many that some are left when the disk is full
    crowd = Crowd([one.url], changes, a_second=size(100, 150), wordy=3_000, waits_out=[FULL])
    watchers = listeners(2, lambda _: Listener(one.url, *map(idea_topic, crowd.ideas)))
    with crowd:
        crowd.until(changes // 3)
        use_up_the_log(hub)
        disk.fill()
        wait_until(lambda: crowd.answers[FULL] >= 20, what="twenty are told that the disk is full")
        for path in ("/", "/ideas", f"/ideas/{crowd.ideas[0]}", "/healthz"):
            # PostgreSQL may not let a new connection in where it cannot write which tables there are: then once more.
            wait_until(lambda url=one.url + path: requests.get(url, timeout=5).status_code == 200, within=5, what=path)
        disk.clear()
        crowd.finish()
    wrong = lost_or_doubled(crowd) + at_last((watcher, View.PUBLIC) for watcher in watchers)
    for watcher in watchers:
        watcher.stop()
    figure(f"{crowd.answers[FULL]} told so in {crowd.done:,} changes: {len(wrong)} wrong, 4 pages read meanwhile")
    assert not wrong
    assert crowd.done == changes
    assert not [watcher.resets for watcher in watchers if watcher.resets]
    assert not disagreements()
    log = one.log.read_text()
    assert "the database refused" in log
    assert not [words for words in crowd.comments if words.partition(". ")[2][:20] in log], "what people wrote stands in the log"
