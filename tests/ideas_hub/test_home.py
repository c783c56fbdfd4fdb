"""The first page: what became of the ideas of a year, who waits longest, and what happens now."""

from datetime import date, datetime

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from events.catalogue import View
from ideas_hub import db, home, schema
from ideas_hub.audiences import change_idea, hide_idea, restore_idea
from ideas_hub.home import Way, endings, owed_longest, year
from ideas_hub.ideas import CourseCount, Idea, Stage, month_of, withdraw_idea
from ideas_hub.live import news
from ideas_hub.people import NOBODY
from ideas_hub.permissions import visible_in
from ideas_hub.settings import change_settings
from tests import make
from tests.support.told import stream


def ways(actor=NOBODY):
    return sorted(course.way for course in year(actor).courses)


def test_each_idea_of_the_year_is_a_line_that_ends_where_it_stands(hub):
    for stage in ("new", "exploring", "trial", "adopted", "learned", "parked"):
        make.idea(stage=stage)
    assert ways() == sorted(
        [
            Way(Stage.NEW, False, False),
            Way(Stage.EXPLORING, True, False),
            Way(Stage.TRIAL, True, True),
            Way(Stage.ADOPTED, True, False),
            Way(Stage.LEARNED, True, True),
            Way(Stage.PARKED, False, False),
        ]
    )
    shown = year(NOBODY)
    assert (shown.posted, shown.explored, shown.tried, shown.each) == (6, 4, 2, 1)
    assert shown.standing(Stage.ADOPTED) == 1


def test_what_a_view_may_not_see_is_in_no_line_and_no_number(hub):
    open_idea, overseer = make.idea(stage="exploring"), make.overseer()
    before = year(NOBODY)
    make.idea(audience="staff", stage="adopted")
    make.idea(audience="leadership")
    make.idea(hidden=True)
    restricted, author = make.idea(stage="parked"), make.resident()
    change_idea(overseer, restricted, audience=View.STAFF)
    withdraw_idea(author, make.idea(author))
    assert year(NOBODY) == before
    assert year(overseer).posted == 4
    hide_idea(overseer, open_idea, reason="A name.")
    assert year(NOBODY).courses == ()
    restore_idea(overseer, open_idea)
    assert year(NOBODY) == before


def test_the_numbers_are_those_of_the_rows_whatever_happened(hub):
    target, overseer = make.idea(), make.overseer()
    moved = make.idea(stage="trial")
    make.moved(moved, "parked")
    make.moved(moved, "exploring")
    make.moved(make.idea(), "merged", into=target)
    change_idea(overseer, make.idea(stage="learned"), audience=View.LEADERSHIP)
    with db.reading() as session:
        for view in View:
            seen = session.scalars(sa.select(Idea).where(visible_in(view, Idea))).all()
            rows = sorted((i.stage, i.explored_at is not None, i.tried_at is not None) for i in seen)
            counted = sa.select(CourseCount).where(CourseCount.audience <= view)
            counts = [(c.stage, c.explored, c.tried) for c in session.scalars(counted) for _ in range(c.count)]
            assert sorted(counts) == rows


@pytest.mark.sqlite_only
def test_an_idea_of_before_the_year_is_no_line(hub, clock):
    clock.goes_to(date(2025, 3, 31))
    make.idea()
    clock.goes_on(days=1)
    make.idea()
    clock.goes_on(days=364)
    assert year(NOBODY).since == date(2025, 3, 1)
    assert [course.days for course in year(NOBODY).courses] == [365, 364]
    clock.goes_on(days=1)
    assert [course.days for course in year(NOBODY).courses] == [365]


def test_where_there_are_too_many_one_line_stands_for_several_and_no_way_is_left_out(hub, monkeypatch):
    monkeypatch.setattr(home, "MOST_COURSES", 4)
    for stage in ("new",) * 6 + ("parked",) * 3 + ("adopted",):
        make.idea(stage=stage)
    shown = year(NOBODY)
    assert (shown.posted, shown.each) == (10, 3)
    assert [course.way.stage for course in shown.courses] == [Stage.ADOPTED, Stage.NEW, Stage.NEW, Stage.PARKED]


def test_the_year_of_a_hub_that_stood_before_is_counted_when_it_is_migrated(hub):
    for stage in ("new", "exploring", "learned", "adopted", "declined"):
        make.idea(stage=stage)
    make.idea(audience="staff", stage="trial")
    make.idea(hidden=True)
    leader = make.leader()
    before = [year(actor) for actor in (NOBODY, leader)]
    with hub.engine.connect() as connection, connection.begin():
        for back in ("DROP INDEX ix_idea_stage_since", "DROP TABLE course_count"):
            connection.execute(sa.text(back))
        for column in ("explored_at", "tried_at"):
            connection.execute(sa.text(f"ALTER TABLE idea DROP COLUMN {column}"))
        script = ScriptDirectory(str(schema.MIGRATIONS)).get_revision("0004")
        with Operations.context(MigrationContext.configure(connection)):
            script.module.upgrade()
    assert [year(actor) for actor in (NOBODY, leader)] == before
    make.idea()
    assert year(NOBODY).posted == before[0].posted + 1


def test_a_month_is_that_of_the_moment_in_utc():
    assert month_of(datetime.fromisoformat("2026-07-01T00:30:00+01:00")) == date(2026, 6, 1)


# Who waits, what became of ideas, what happens now


def test_those_who_are_owed_an_answer_stand_by_the_day_it_is_due(hub, clock):
    change_settings(answer_votes={"public": 1, "staff": 1, "leadership": 1}, answer_days=10)
    first = make.idea(votes=1)
    clock.goes_on(days=7)
    second, answered, hidden = make.idea(votes=1), make.idea(votes=1), make.idea(votes=1)
    make.idea(audience="staff", staff_votes=1)
    clock.goes_on(days=21)
    make.answer(answered)
    hide_idea(make.moderator(), hidden, reason="A name.")
    make.idea()
    assert [(waits.idea.ref, waits.days) for waits in owed_longest(NOBODY)] == [(first, 20), (second, 15)]


def test_an_end_is_told_by_the_lesson_or_the_answer_or_the_reason(hub):
    learned = make.idea(stage="trial")
    make.moved(learned, "learned", lesson="Ask first. Then build.")
    adopted = make.idea(stage="exploring")
    make.answer(adopted, text="Yes. It begins on 3 May. And more.")
    make.moved(adopted, "adopted")
    declined = make.idea()
    make.moved(declined, "declined", reason="The bridge is not ours.")
    make.idea(stage="adopted", audience="staff")
    hidden = make.idea(stage="adopted", hidden=True)
    told = {end.idea.ref: (end.said, end.tried) for end in endings(make.resident())}
    assert told == {
        learned: ("Ask first. Then build.", 0),
        adopted: ("Yes. It begins on 3 May.", None),
        declined: ("The bridge is not ours.", None),
    }
    assert hidden not in {end.idea.ref for end in endings(make.moderator())}


def test_the_newest_of_each_end_stand_before_a_second_of_one(hub):
    made = {stage: [make.idea(stage=stage) for _ in range(3)] for stage in ("learned", "adopted")}
    shown = [end.idea.ref for end in endings(NOBODY)]
    assert shown == [made["adopted"][2], made["adopted"][1], made["learned"][2]]


def test_the_news_are_sentences_about_what_a_view_may_see(hub):
    benches = make.idea(title="Benches")
    make.idea(title="Budget", audience="staff")
    buses = make.idea(title="Buses", stage="exploring")
    make.answer(buses, text="Yes. It begins on 3 May.")
    gone = make.idea(title="Names")
    hide_idea(make.moderator(), gone, reason="A name.")
    told = news(stream(), NOBODY)
    assert [line.idea for line in told] == [buses, benches]
    assert "answered" in told[0].sentence.text
    assert told[0].sentence.values["text"] == "Yes. It begins on 3 May."
    assert [line.title for line in news(stream(), make.staff())] == ["Buses", "Budget", "Benches"]
