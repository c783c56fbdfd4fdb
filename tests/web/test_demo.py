"""`flask demo`: a council that is complete, and whose rows are what its log tells."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from subprocess import CalledProcessError

import pytest
from sqlalchemy import func, select

from events import log
from events.catalogue import View
from ideas_hub import clock, db
from ideas_hub.answers import AnswerClock
from ideas_hub.board import board
from ideas_hub.comments import Comment, CommentKind, threads
from ideas_hub.db import reading
from ideas_hub.errors import Missing, RuleBroken
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Idea, Stage, StageCount
from ideas_hub.lists import Sort, Wanted
from ideas_hub.people import HUB, NOBODY, Actor, Kind, everybody
from ideas_hub.settings import current_settings
from ideas_hub.votes import Vote, VoteDay
from ideas_hub.whole import idea_page, revisions
from tests.support.hub import flask
from web.cli import demo, minutes

VOTES_OF_DAYS = func.sum(VoteDay.residents + VoteDay.staff)


def named(name: str) -> Actor:
    return next(actor for actor in everybody() if actor.name == name)


def all_ideas(actor: Actor) -> list:
    return list(list_ideas(actor, Wanted(stages=frozenset(Stage)), limit=1000).items)


# What is there


@pytest.mark.demo
def test_each_stage_holds_an_idea_that_everybody_can_see(hub):
    assert {idea.stage for idea in all_ideas(NOBODY)} == set(Stage)


@pytest.mark.demo
def test_each_idea_can_be_read_by_those_it_is_for_and_by_nobody_else(hub):
    readers = {View.PUBLIC: NOBODY, View.STAFF: named("Dewi Hughes"), View.LEADERSHIP: named("Angharad Cole")}
    ideas = all_ideas(readers[View.LEADERSHIP])
    assert {idea.audience for idea in ideas} == set(View)
    for idea in ideas:
        for view, reader in readers.items():
            if view >= idea.audience:
                assert idea_page(reader, idea.ref).idea.card.title == idea.title
            else:
                with pytest.raises(Missing):
                    idea_page(reader, idea.ref)


@pytest.mark.demo
def test_one_answer_is_late_one_is_due_soon_and_one_was_just_asked_for(hub):
    left = [clock.working_days_between(clock.today(), idea.answer_due) for idea in all_ideas(NOBODY) if idea.answer_due]
    assert [days for days in left if days < 0]
    assert [days for days in left if 0 <= days <= 5]
    assert [days for days in left if days >= 12]
    figures = board(NOBODY).figures
    assert figures.late >= 1
    assert figures.on_time is not None
    assert 0.5 <= figures.on_time < 1
    assert figures.trials_ended >= 1


@pytest.mark.demo
def test_what_is_tried_learned_and_decided_is_told_in_full(hub):
    pages = [idea_page(NOBODY, idea.ref) for idea in all_ideas(NOBODY)]
    for page in pages:
        assert all(step.reason for step in page.steps[1:])
        assert page.trial or page.idea.card.stage is not Stage.TRIAL
        assert page.lesson or page.idea.card.stage is not Stage.LEARNED
    kinds = Counter(kind for page in pages for kind in threads(NOBODY, page.idea.card.ref)[1])
    assert set(kinds) == set(CommentKind)
    assert any(len(page.idea.card.authors) > 1 for page in pages)
    assert any(len(revisions(NOBODY, page.idea.card.ref)) > 1 for page in pages)


@pytest.mark.demo
def test_what_only_staff_and_only_moderators_see_is_there_too(hub):
    staff, moderator = named("Dewi Hughes"), named("Ruth Achebe")
    public = {idea.ref: idea.comments for idea in all_ideas(NOBODY)}
    assert any(idea.comments > public[idea.ref] for idea in all_ideas(staff) if idea.ref in public)
    assert [idea.hidden for idea in all_ideas(moderator)].count(True) == 1
    assert any(thread.comment.withdrawn for idea in all_ideas(staff) for thread in threads(staff, idea.ref)[0])


@pytest.mark.demo
def test_what_trends_is_not_what_has_most_votes(hub):
    top, trending = (
        [idea.ref for idea in list_ideas(NOBODY, Wanted(sort=sort), limit=5).items] for sort in (Sort.TOP, Sort.TRENDING)
    )
    assert top[0] not in trending


# The log


@pytest.mark.demo
def test_the_tallies_of_the_log_are_those_of_the_rows(hub):
    check_tallies()


def check_tallies() -> None:
    with reading() as session:
        entries = log.after(session, 0, 100_000)
        told = Counter((entry.event.type, entry.event.subject) for entry in entries)
        days = {row[0]: row[1:] for row in session.execute(select(VoteDay.idea_id, VOTES_OF_DAYS).group_by(VoteDay.idea_id))}
        for idea in session.scalars(select(Idea)).all():
            about = f"ideas/{idea.ref}"
            rows = session.scalar(select(func.count()).where(Vote.idea_id == idea.id))
            assert idea.votes == idea.votes_residents + idea.votes_staff == rows
            assert idea.votes == days.get(idea.id, (0,))[0]
            assert idea.votes == told["vote.cast", about] - told["vote.withdrawn", about]
            posted = session.scalar(select(func.count()).where(Comment.idea_id == idea.id))
            assert posted == told["comment.posted", about]
            if not idea.hidden:
                gone = told["comment.withdrawn", about] + told["comment.hidden", about]
                assert idea.comments_in(View.LEADERSHIP) == posted - gone
            clocks = session.scalar(select(func.count()).where(AnswerClock.idea_id == idea.id))
            assert clocks == told["idea.answer_due", about]
        counted = session.execute(select(StageCount.stage, func.sum(StageCount.count)).group_by(StageCount.stage))
        standing = select(Idea.stage, func.count()).where(Idea.hidden.is_(False)).group_by(Idea.stage)
        assert {row[0]: row[1] for row in counted if row[1]} == {row[0]: row[1] for row in session.execute(standing)}


@pytest.mark.demo
def test_the_year_is_told_in_order_and_ends_today(hub):
    with reading() as session:
        moments = [entry.at for entry in log.after(session, 0, 100_000)]
    assert moments == sorted(moments)
    assert moments[-1] <= clock.now()
    assert (moments[-1] - moments[0]).days in range(330, 370)


# The whole council, of which the tests above see a part


@pytest.mark.sqlite_only
def test_the_whole_council_is_as_large_as_a_valley(hub, capsys):
    demo.fill()
    check_tallies()
    ideas = list_ideas(HUB, Wanted(stages=frozenset(Stage)), limit=1000).items
    people = Counter(actor.kind for actor in everybody())
    assert (len(ideas) + 1, people[Kind.RESIDENT], people[Kind.STAFF]) == (120, 900, 41)  # and a hidden idea
    assert sum(idea.comments > 60 for idea in ideas) >= 2
    assert sum(idea.is_late(clock.today()) for idea in ideas) in range(4, 10)
    with reading() as session:
        by_voter = sorted(session.scalars(select(func.count()).select_from(Vote).group_by(Vote.voter)), reverse=True)
        words = [body for body in session.scalars(select(Comment.body)) if body]
        posted = Counter(session.scalars(select(func.strftime("%Y-%m", Idea.posted_at))))
    assert sum(by_voter) > 20_000
    assert sum(by_voter[: len(by_voter) // 5]) > sum(by_voter) / 2  # a fifth of them cast half of the votes
    assert len(words) == len(set(words))
    assert len(posted) >= 11


@pytest.mark.sqlite_only
def test_made_twice_on_one_day_it_is_the_same_council(tmp_path, monkeypatch, capsys):
    read, today, made = minutes.themes, clock.now(), []
    monkeypatch.setattr(minutes, "themes", lambda date_of, *, most: read(date_of, most=1))
    for name in ("one", "another"):
        url = f"sqlite:///{tmp_path / name}.db"
        flask("migrate", database_url=url, folder=tmp_path)
        db.connect(url)
        clock.replace_now(lambda: today)
        demo.fill(small=True)
        made.append(told_without_secrets())
        db.disconnect()
    assert made[0] == made[1]


def told_without_secrets() -> list:
    """The log, as everybody may read it: voters have random keys."""
    with reading() as session:
        entries = log.after(session, 0, 100_000)
    return [(entry.at, entry.event.type, entry.event.subject, entry.event.data() | {"voter": ""}) for entry in entries]


# The command


@pytest.mark.demo
@pytest.mark.sqlite_only
def test_a_hub_that_is_not_empty_is_refused_or_left_alone(database_url, tmp_path, capsys):
    with pytest.raises(CalledProcessError):
        flask("demo", database_url=database_url, folder=tmp_path, DEMO=1)
    assert "This hub is not empty." in capsys.readouterr().err
    assert flask("demo", "--if-empty", database_url=database_url, folder=tmp_path, DEMO=1) == ""


def test_a_filling_that_was_interrupted_is_named_and_leaves_time_as_it_was(hub, monkeypatch):
    def interrupt(year: list) -> None:
        raise KeyboardInterrupt

    assert demo.is_empty()
    monkeypatch.setattr(demo, "_play", interrupt)
    with pytest.raises(KeyboardInterrupt):
        demo.fill()
    with pytest.raises(RuleBroken, match="was interrupted"):
        demo.is_empty()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.demo
def test_a_hub_with_the_demo_council_in_it_is_neither_empty_nor_interrupted(hub):
    assert not demo.is_empty()
    assert current_settings().council == "Calder Vale Council"
