"""The examples of `/developers`, run as they stand there, against a real hub."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ideas_hub import sessions
from ideas_hub.comments import Comment, post_comment
from ideas_hub.votes import Vote
from tests import make
from tests.support.hub import ROOT
from tests.support.processes import wait_until
from tests.support.programs import CURL, NODE
from tests.support.witness import rows

pytestmark = pytest.mark.sqlite_only

EXAMPLES = ROOT / "docs" / "examples"
RUN = {".sh": lambda: [shutil.which("bash") or "sh"], ".py": lambda: [sys.executable], ".mjs": lambda: [str(NODE.need())]}


@pytest.fixture
def idea(hub) -> str:
    return make.idea(title="More benches", votes=2)


@pytest.fixture
def words(running, idea) -> dict[str, str]:
    """What the examples read from the environment."""
    CURL.need()
    token = sessions.make_token(make.address(make.person()), 1)
    return {**os.environ, "HUB": running.url, "TOKEN": token, "IDEA": idea, "PYTHONUNBUFFERED": "1"}


def command(name: str) -> list[str]:
    return [*RUN[Path(name).suffix](), str(EXAMPLES / name)]


def run(name: str, words: dict[str, str]) -> str:
    done = subprocess.run(command(name), env=words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running_along(name: str, words: dict[str, str], folder: Path) -> Iterator[Path]:
    """An example that goes on until it is ended; what it says so far."""
    said = folder / f"{name}.txt"
    with said.open("wb") as output:
        process = subprocess.Popen(command(name), env=words, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield said
        finally:
            process.kill()
            process.wait()


def test_every_example_is_run_here():
    assert {file.name for file in EXAMPLES.iterdir()} == {
        f"{task}{ending}" for task in ("read", "post", "vote", "follow") for ending in RUN
    }


@pytest.mark.parametrize("ending", RUN)
def test_ideas_are_read(words, idea, ending):
    assert idea in run(f"read{ending}", words)


@pytest.mark.parametrize("ending", RUN)
def test_something_is_posted_and_voted_for(words, idea, ending):
    before = len(rows(Vote))
    said = run(f"post{ending}", words)
    assert '"title": "Benches by curl"' in said if ending == ".sh" else said.startswith("201"), said
    assert len(rows(Comment, Comment.body.startswith("Said by"))) >= (ending != ".sh")
    assert "3" in run(f"vote{ending}", words)
    assert len(rows(Vote)) == before + 1


@pytest.mark.parametrize("ending", RUN)
def test_what_happens_is_followed_also_while_the_hub_was_away(words, idea, running, tmp_path, ending):
    with running_along(f"follow{ending}", words, tmp_path) as said:
        told = "no such word"

        def heard() -> bool:
            return told in said.read_text()

        if ending == ".sh":  # it says nothing before something happened
            wait_until(lambda: '"events"' in said.read_text(), within=30)
        else:
            wait_until(lambda: "watching" in said.read_text(), within=30)
        told = "While it listened."
        post_comment(make.person(), idea, body=told)
        wait_until(heard, within=20)
        running.kill()
        told = "While the hub was away."
        post_comment(make.person(), idea, body=told)
        running.start()
        wait_until(heard, within=30)
