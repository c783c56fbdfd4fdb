"""The commands at the console, as somebody who sets up a council runs them."""

import pytest
import sqlalchemy as sa
from flask import Flask

from ideas_hub import db
from ideas_hub.ideas import Idea
from ideas_hub.links import ask_for_link
from ideas_hub.outbox import claim_mails, mail_failed
from ideas_hub.people import NOBODY
from ideas_hub.settings import current_settings, themes
from ideas_hub.verify import verify
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


def test_a_hub_that_agrees_with_its_log_is_verified_check_by_check(console):
    make.idea(votes=2)
    done = console("verify")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert len(lines) > 10
    assert all(line.startswith("ok ") for line in lines)
    assert "votes: tally = rows = ledger, and none twice: 1 ideas" in done.output


def test_a_hub_that_does_not_is_refused_and_the_idea_named(console):
    ref = make.idea(votes=2)
    with db.transaction() as session:
        session.execute(sa.update(Idea).values(votes=Idea.votes + 1))
    done = console("verify")
    assert done.exit_code == 1
    assert f"{ref}: the tally is 3 (2, 0), and the rows are 2 (2, 0)" in done.output
    assert done.output.splitlines()[-1] == f"Error: 1 of {len(verify())} checks found what should not be."


def test_the_mails_that_were_not_sent_are_listed_with_what_became_of_them(console):
    assert console("outbox").output == ""
    ask_for_link("ann@example.org", key="x")
    ask_for_link("bob@example.org", key="x")
    mail_failed(claim_mails(1)[0], "550 nobody here", for_good=True)
    given_up, waiting = console("outbox").output.splitlines()
    assert "given up after 1 attempts. 550 nobody here" in given_up
    assert "next try" in waiting
    assert "example.org" not in given_up + waiting
