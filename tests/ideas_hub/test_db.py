"""The database as the hub uses it: all or nothing, and fit for the next one whatever went wrong."""

from contextlib import suppress

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from ideas_hub import db
from ideas_hub.board import board
from ideas_hub.db import add_once, new_ref, reading, replace_new_ref, transaction
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Idea
from ideas_hub.lists import Wanted
from ideas_hub.people import NOBODY, Person
from ideas_hub.settings import Setting, change_settings
from ideas_hub.votes import Vote
from tests import make
from tests.support.witness import nothing_written, rows


def test_a_reading_session_changes_nothing(hub):
    make.resident()
    with nothing_written(), reading() as session, pytest.raises(DBAPIError):
        session.execute(sa.update(Person).values(name="Zed"))


def test_a_reading_session_sees_one_moment(hub):
    ref = make.idea()
    with reading() as session:
        assert session.scalar(sa.select(Idea.votes)) == 0
        make.cast(ref, residents=1)
        assert session.scalar(sa.select(Idea.votes)) == 0
    assert make.row(ref).votes == 1


@pytest.mark.sqlite_only
def test_after_a_commit_that_failed_the_next_command_works(hub):
    """As when the disk was full: here a reference to nothing, which is looked for at the commit only."""

    def break_a_rule():
        with transaction() as session:
            session.execute(sa.text("PRAGMA defer_foreign_keys=ON"))
            session.execute(sa.insert(Vote).values(idea_id=99, voter="v", kind="staff"))

    with nothing_written(), pytest.raises(IntegrityError):
        break_a_rule()
    make.resident()


def test_who_waits_for_news_is_nudged_after_each_commit_and_after_nothing_else(hub):
    nudges = []
    hub.committed = lambda: nudges.append(len(rows(Setting)))
    change_settings(council="Mill")
    assert nudges == [1]
    with suppress(ZeroDivisionError), transaction():
        raise ZeroDivisionError
    list_ideas(NOBODY, Wanted())
    assert nudges == [1]


def test_a_row_is_added_once(hub):
    with transaction() as session:
        assert add_once(session, Setting(name="council", value="Mill"))
        assert not add_once(session, Setting(name="council", value="Weir"))
    assert [row.value for row in rows(Setting)] == ["Mill"]


@pytest.mark.sqlite_only
def test_references_are_short_random_and_spell_no_word(hub):
    refs = {new_ref() for _ in range(1000)}
    assert len(refs) == 1000
    assert {len(ref) for ref in refs} == {8}
    assert not set("".join(refs)) & set("aeiou01")
    replace_new_ref(iter(["first"]).__next__)
    assert new_ref() == "first"
    replace_new_ref(None)


def test_without_a_database_one_is_told_so(hub):
    db.disconnect()
    with pytest.raises(RuntimeError):
        list_ideas(NOBODY, Wanted())
    db.connect(hub.url.render_as_string(hide_password=False))


@pytest.mark.postgresql_only
def test_days_are_those_of_utc_wherever_the_database_thinks_it_is(hub, clock):
    url = hub.url.render_as_string(hide_password=False)
    with hub.engine.connect() as connection:
        connection.execute(sa.text(f"ALTER DATABASE \"{hub.url.database}\" SET timezone TO 'Asia/Tokyo'"))
        connection.commit()
    db.connect(url)
    change_settings(answer_votes={"public": 1, "staff": 1, "leadership": 1}, answer_days=1)
    ref = make.idea(votes=1)
    clock.goes_on(days=1, hours=10)  # 19:00 on the day itself, which is tomorrow in Tokyo
    make.answer(ref)
    assert board(NOBODY).figures.on_time == 1.0
    assert make.row(ref).answered_at == clock()
