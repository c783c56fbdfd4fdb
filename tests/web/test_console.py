"""The commands at the console, as somebody who sets up a council runs them."""

import pytest
from flask import Flask

from ideas_hub.people import NOBODY
from ideas_hub.settings import current_settings, themes
from ideas_hub.whole import whole_idea
from tests import make

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def console(app: Flask):
    runner = app.test_cli_runner()
    return lambda *words: runner.invoke(args=list(words))


def test_a_council_is_set_up_from_nothing(console):
    add = ("person", "add", "ann@example.org", "--name", "Ann Lee", "--kind", "staff")
    assert console(*add, "--team", "Roads", "--directorate", "Place", "--role", "sponsor").exit_code == 0
    assert console("lead", "Place", "ann@example.org").exit_code == 0
    assert console("theme", "streets", "Streets and waste", "--directorate", "Place").exit_code == 0
    said = console("council", "--name", "Calder Vale Council", "--public-votes", "2", "--answer-days", "10")
    assert said.output == (
        "Calder Vale Council: an answer is owed at 2 public, 25 staff, 5 leadership votes, within 10 working days.\n"
    )
    assert [theme.name for theme in themes()] == ["Streets and waste"]
    idea = make.idea(themes=["streets"], votes=2)
    owed_by = whole_idea(NOBODY, idea).card.answer_by
    assert owed_by is not None
    assert owed_by.name == "Ann Lee"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("lead", "Nowhere", "ann@example.org"), "directorate"),
        (("theme", "Not a slug!", "Streets"), "slug"),
        (("theme", "streets", "Streets", "--directorate", "Nowhere"), "directorate"),
        (("council", "--public-votes", "0"), "votes"),
        (("council", "--answer-days", "0"), "working days"),
        (("token", "nobody@example.org"), "could not find"),
        (("person", "add", "no address", "--name", "Ann", "--kind", "resident"), "address"),
        (("person", "add", "ann@example.org", "--name", "Ann", "--kind", "resident", "--role", "leader"), "staff"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_said_in_one_line_and_changes_nothing(console, words, why):
    before = current_settings()
    done = console(*words)
    assert done.exit_code == 1
    assert why in done.output
    assert done.output.count("\n") == 1
    assert current_settings() == before
