"""`flask demo --play`: the people of the demo council act on a running hub over HTTP, and on no other."""

import signal

import pytest
from sqlalchemy import func, select

from ideas_hub import db
from ideas_hub.sessions import Credential
from ideas_hub.votes import Vote
from tests.support.playing import lines_until, playing
from web.cli import minutes, play
from web.cli.minutes import KINDS

pytestmark = pytest.mark.sqlite_only


@pytest.mark.demo
def test_the_council_acts_waits_for_a_hub_that_is_away_and_goes_home(hub, server, database_url, tmp_path):
    serving, before = server(RATE_LIMITS="off"), count(Vote)
    with playing(database_url, serving.url, tmp_path, "--speed", "200") as process:
        lines_until(process, r" voted for “.+”: \d+")
        serving.kill()
        lines_until(process, "Trying again.")
        serving.start()
        lines_until(process, "The hub answers again.")
        lines_until(process, r" voted for “")
        process.send_signal(signal.SIGINT)
        lines_until(process, r"go home. They did \d+ things.")
        assert process.wait(20) == 0
    assert count(Vote) > before
    assert count(Credential) == 0  # every token is void again


@pytest.mark.demo
def test_a_hub_on_another_database_is_left_alone(hub, server, database_url, sqlite_databases, tmp_path):
    other = sqlite_databases.make(demo=True)
    with playing(other, server().url, tmp_path) as process:
        lines_until(process, "does not work on the database of this console")
        assert process.wait(20) == 1
    assert count(Credential) == 0


def test_a_hub_without_the_council_is_left_alone(hub, database_url, tmp_path):
    with playing(database_url, "http://127.0.0.1:9", tmp_path) as process:
        lines_until(process, "The people of the demo council are not in this hub")
        assert process.wait(20) == 1


def test_everything_that_is_to_be_said_has_somebody_to_say_it_and_is_said_once():
    said = play.store()
    people = {*minutes.people()["staff"], *minutes.residents()}
    themes = {theme["slug"] for theme in minutes.themes(str)}
    titles = {idea.get("short_title", idea["title"]) for theme in minutes.themes(str) for idea in theme["ideas"].values()}
    entries = [entry for idea in said["ideas"] for entry in idea["comments"]]
    for entry in entries:
        assert any(entry.startswith(f"{who} {verb}: ") for who in people for verb in KINDS), entry
    assert {idea["by"] for idea in said["ideas"]} <= people
    assert {theme for idea in said["ideas"] for theme in idea["themes"]} <= themes
    assert {decision["idea"] for decision in said["decisions"]} <= titles
    bodies = [*entries, *(body for bodies in said["comments"].values() for body in bodies)]
    assert len(said["ideas"]) >= 60
    assert len(set(bodies)) == len(bodies) >= 300


def count(model: type[db.Base]) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0
