"""A second server: beside others on PostgreSQL, refused on one SQLite file, and never on a port that is taken."""

import os
import shutil
from pathlib import Path

import pytest
import requests

from ideas_hub import db
from tests.support import warm
from tests.support.hub import ROOT, environment

pytestmark = pytest.mark.afresh


def start_another(folder: Path, database_url: str, **settings: object) -> tuple[int, str]:
    """A server that is expected to refuse: how it ended, and all that it said."""
    log = folder / "refusal.log"
    with log.open("wb") as file:
        ended = warm.start(file, altered="", cwd=str(folder), env=environment(database_url, **settings)).wait(30)
    return ended, log.read_text()


@pytest.mark.sqlite_only
def test_a_second_server_on_one_file_is_refused_whatever_it_calls_that_file(hub: db.Database, server, tmp_path):
    server()
    file = Path(str(hub.url.database))
    link, folder = tmp_path / "link.db", tmp_path / "folder"
    link.symlink_to(file)
    folder.symlink_to(file.parent)
    for called in (str(file), os.path.relpath(file, tmp_path), str(link), str(folder / file.name)):
        second = start_another(tmp_path, f"sqlite:///{called}", PORT=1)
        assert second == (1, f"Another server or migration is at work on {called}.\n")


@pytest.mark.sqlite_only
def test_the_lock_of_a_server_dies_with_it(hub: db.Database, server):
    server().kill()
    server()


@pytest.mark.postgresql_only
def test_a_second_server_on_one_port_is_refused_in_one_line(hub: db.Database, database_url, server, tmp_path):
    first = server()
    ended, said = start_another(tmp_path, database_url, PORT=first.port)
    assert ended == 1
    assert said.startswith(f"IDEAS_HUB_PORT {first.port} on 127.0.0.1 cannot be listened on: ")
    assert said.count("\n") == 1


ELSEWHERE = """
from jinja2 import ChoiceLoader, FileSystemLoader
made = wsgi.create_app
def create_app(*settings):
    app = made(*settings)
    app.jinja_env.bytecode_cache = None  # those of a moment are not kept beside ours
    app.jinja_loader = ChoiceLoader([FileSystemLoader({folder!r}), app.jinja_loader])
    return app
wsgi.create_app = create_app
"""


@pytest.mark.sqlite_only
def test_a_server_shows_the_pages_of_its_own_version_when_a_newer_one_lies_in_its_folder(hub: db.Database, server, tmp_path):
    """As between `git pull` and the restart: pages of which one half is new and the other old are no pages."""
    folder = shutil.copytree(ROOT / "web" / "templates", tmp_path / "templates")
    running = server(altered=ELSEWHERE.format(folder=str(folder)))
    for template in folder.rglob("*.html"):
        template.write_text("{{ of_tomorrow.and_not_of_today() }}")
    for path in ("/", "/ideas", "/board", "/developers", "/sign-in"):
        assert requests.get(running.url + path, timeout=10).status_code == 200, path
