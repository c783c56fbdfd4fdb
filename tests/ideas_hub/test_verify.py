"""`verify` finds nothing in a hub that only commands have changed, and each thing that somebody else changed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import pytest
import sqlalchemy as sa

from events import log
from events.catalogue import View
from ideas_hub import db
from ideas_hub.answers import Answer, AnswerClock
from ideas_hub.audiences import Hiding, change_idea
from ideas_hub.clock import now, today
from ideas_hub.comments import Comment
from ideas_hub.db import transaction
from ideas_hub.ideas import CourseCount, Idea, StageCount
from ideas_hub.imports import CommentRow, IdeaRow, Pseudonym, Source, bring_in, tell_imported
from ideas_hub.people import Kind, Person
from ideas_hub.settings import change_settings
from ideas_hub.sponsors import SponsorTerm, end_sponsorship
from ideas_hub.stages import StageChange
from ideas_hub.verify import Check, verify, verify_in
from ideas_hub.votes import Vote, VoteDay, cast_vote, withdraw_vote
from tests import make
from tests.support import whole_file
from tests.support.witness import entries

database_url, hub = whole_file.database_url, whole_file.hub


class Undone(Exception):
    """Raised to take a change back."""


def wrong(checks: list[Check]) -> dict[str, list[str]]:
    """What is wrong, by the first words of its check: the offenders."""
    return {check.name.split(":")[0]: check.first for check in checks if check.wrong}


@pytest.fixture(scope="module")
def ideas(hub: db.Database) -> dict[str, str]:
    """A hub in which a little of everything happened. What a test does to it is taken back."""
    change_settings(answer_votes={"public": 3, "staff": 3, "leadership": 3})
    made = {
        "tried": make.idea(votes=2, staff_votes=2, stage="trial"),
        "asked": make.idea(votes=3),
        "twin": make.idea(votes=2),
        "inside": make.idea(audience="staff", staff_votes=1),
        "hidden": make.idea(hidden=True, votes=1),
    }
    withdraw_vote(make.cast(made["twin"], residents=1)[0], made["twin"])
    make.comment(made["tried"], withdrawn=True)
    make.comment(made["tried"], hidden=True)
    make.comment(made["tried"], audience="staff")
    make.comment(made["asked"], parent=make.comment(made["asked"]))
    make.answer(made["tried"])
    end_sponsorship(make.admin(), made["tried"], reason="Gone.")
    make.moved(made["twin"], "merged", into=made["asked"])
    change_idea(make.admin(), made["inside"], audience=View.PUBLIC)
    source, who = Source("elsewhere", "Elsewhere", "en"), Pseudonym("1", "Ana")
    long_ago = make.row(made["asked"]).posted_at - timedelta(days=900)
    bring_in(source, [IdeaRow(key="1", author=who, title="Trees", posted_at=long_ago, supports=9, parked=True)])
    bring_in(source, [CommentRow(key="1", idea="1", author=who, body="Yes", posted_at=long_ago)])
    tell_imported()
    return made


def test_where_only_commands_were_at_work_nothing_is_wrong(ideas):
    checks = verify()
    assert not wrong(checks)
    assert all(check.seen for check in checks)


EVENT, HEAD = log.event_table, log.head_table
first_vote = sa.select(sa.func.min(EVENT.c.position)).where(EVENT.c.type == "vote.cast").scalar_subquery()
last = sa.select(HEAD.c.position).scalar_subquery()


def of(ideas, name):
    return sa.select(Idea.id).where(Idea.ref == ideas[name]).scalar_subquery()


HARM = {
    "one fact is dropped": (lambda i: sa.delete(EVENT).where(EVENT.c.position == 7), "positions"),
    "a position is skipped": (
        lambda i: sa.update(EVENT).where(EVENT.c.position == last).values(position=9999),
        "positions",
    ),
    "the head went back": (lambda i: sa.update(HEAD).values(position=HEAD.c.position - 1), "positions"),
    "the head of a view went ahead": (lambda i: sa.update(HEAD).values(staff=HEAD.c.staff + 1), "numbers of the staff view"),
    "a vote got a number": (
        lambda i: sa.update(EVENT).where(EVENT.c.position == first_vote).values(public=9999),
        "numbers of the public view",
    ),
    "two numbers changed places": (None, "numbers of the public view"),
    "a vote without its fact": (
        lambda i: sa.insert(Vote).values(idea_id=of(i, "asked"), voter="stuffed", kind=Kind.RESIDENT),
        "votes",
    ),
    "a vote was lost": (lambda i: sa.delete(Vote).where(Vote.idea_id == of(i, "asked")), "votes"),
    "a tally is one too high": (lambda i: sa.update(Idea).where(Idea.ref == i["asked"]).values(votes=Idea.votes + 1), "votes"),
    "a resident became staff": (
        lambda i: sa.update(Idea).where(Idea.ref == i["asked"]).values(votes_staff=1, votes_residents=Idea.votes_residents - 1),
        "votes",
    ),
    "a fact about a vote is told twice": (None, "votes"),
    "a day of votes was lost": (lambda i: sa.delete(VoteDay).where(VoteDay.idea_id == of(i, "asked")), "votes by day"),
    "a vote was counted on another day": (
        lambda i: sa.update(VoteDay).where(VoteDay.idea_id == of(i, "asked")).values(day=today() - timedelta(days=3)),
        "votes by day",
    ),
    "a comment is not counted": (lambda i: sa.update(Idea).where(Idea.ref == i["asked"]).values(comments_public=1), "comments"),
    "a comment is shown again": (
        lambda i: sa.update(Comment).where(Comment.hidden_itself).values(hidden_itself=False, hidden=False),
        "comments",
    ),
    "a comment was opened": (lambda i: sa.update(Comment).values(effective_audience=View.PUBLIC), "comments"),
    "a comment is gone": (
        lambda i: sa.delete(Comment).where(Comment.idea_id == of(i, "asked"), Comment.parent_id.is_not(None)),
        "comments",
    ),
    "an idea was opened": (
        lambda i: sa.update(Idea).where(Idea.ref == i["inside"]).values(audience=View.STAFF, effective_audience=View.STAFF),
        "who may see an idea",
    ),
    "an idea is shown again": (
        lambda i: sa.update(Idea).where(Idea.ref == i["hidden"]).values(hidden=False),
        "who may see an idea",
    ),
    "who hid it is gone": (lambda i: sa.delete(Hiding), "who may see an idea"),
    "an idea skipped a stage": (lambda i: sa.update(Idea).where(Idea.ref == i["asked"]).values(stage="adopted"), "stages"),
    "a move is gone": (
        lambda i: sa.delete(StageChange).where(StageChange.idea_id == of(i, "tried"), StageChange.stage == "trial"),
        "stages",
    ),
    "a move has another day": (
        lambda i: sa.update(StageChange).where(StageChange.stage == "exploring").values(at=now() - timedelta(days=3)),
        "stages",
    ),
    "a term does not end": (lambda i: sa.update(SponsorTerm).values(until=None), "sponsors"),
    "a term is gone": (lambda i: sa.delete(SponsorTerm), "sponsors"),
    "a clock stands still": (lambda i: sa.update(AnswerClock).values(stopped_at=make.row(i["asked"]).posted_at), "answers and"),
    "a clock has another day": (
        lambda i: sa.update(Idea).where(Idea.ref == i["asked"]).values(answer_due=today()),
        "answers and",
    ),
    "an answer is gone": (lambda i: sa.delete(Answer), "answers and"),
    "a merge is half told": (lambda i: sa.update(EVENT).where(EVENT.c.type == "idea.took_in").values(type="idea.x"), "merges"),
    "a count of the board is off": (lambda i: sa.update(StageCount).values(count=StageCount.count + 1), "counts of the board"),
    "a month is off": (lambda i: sa.update(CourseCount).values(count=CourseCount.count + 1), "counts of the board"),
    "an idea is gone": (lambda i: sa.update(Idea).where(Idea.ref == i["asked"]).values(ref="gone"), "facts"),
    "an import was told as more": (None, "imports"),
    "a mailbox is another one": (lambda i: sa.update(Person).values(mailbox=Person.ref), "mailboxes"),
}


@pytest.mark.parametrize("name", HARM)
def test_whatever_a_hand_has_changed_is_found(ideas, name):
    statement, check = HARM[name]
    with suppress(Undone), transaction() as session:
        if statement is not None:
            session.execute(statement(ideas))
        else:
            by_hand(session, name)
        found = wrong(verify_in(session))
        assert [said for said in found if said.startswith(check)], found
        raise Undone


def by_hand(session, name):
    """What takes more than one statement."""
    if name == "two numbers changed places":
        positions = session.scalars(sa.select(EVENT.c.position).where(EVENT.c.public.in_((1, 2))).order_by(EVENT.c.public)).all()
        for position, number in zip((*positions, *positions), (9998, 9999, 2, 1), strict=True):
            session.execute(sa.update(EVENT).where(EVENT.c.position == position).values(public=number))
    elif name == "a fact about a vote is told twice":
        twice = next(entry.event for entry in entries() if entry.event.type == "vote.cast")
        log.append(session, [twice], now())
    else:
        data = {"ideas": 5, "comments": 5}
        session.execute(sa.update(EVENT).where(EVENT.c.type == "hub.imported").values(data=data))


def test_the_first_offenders_are_named_and_the_others_counted(ideas):
    with suppress(Undone), transaction() as session:
        session.execute(sa.update(Idea).values(votes=99))
        check = next(check for check in verify_in(session) if check.wrong)
        assert (check.wrong, check.seen) == (6, 6)
        assert len(check.first) == 5
        assert check.first[0].startswith(ideas["tried"])
        raise Undone


def test_a_vote_at_midnight_may_be_numbered_a_moment_later(hub, clock):
    """The day is taken when the vote is counted, the fact's time when it is numbered."""
    clock.goes_on(hours=15)
    ref = make.idea(votes=1)
    assert today().day == 2
    id = sa.select(Idea.id).where(Idea.ref == ref).scalar_subquery()
    for days, found in ((1, []), (2, ["votes by day"])):
        with suppress(Undone), transaction() as session:
            session.execute(sa.update(VoteDay).where(VoteDay.idea_id == id).values(day=today() - timedelta(days=days)))
            assert list(wrong(verify_in(session))) == found
            raise Undone


def test_beside_people_at_work_there_is_no_false_alarm(hub):
    """Whatever is committed while it reads, it sees one moment."""
    ref, voters, done = make.idea(), [make.person() for _ in range(3)], threading.Event()

    def work(voter):
        while not done.is_set():
            cast_vote(voter, ref)
            make.comment(ref, voter)
            withdraw_vote(voter, ref)

    with ThreadPoolExecutor(3) as crowd:
        at_work = [crowd.submit(work, voter) for voter in voters]
        try:
            found = [wrong(verify())]
            while make.row(ref).comments_public < 20:
                found.append(wrong(verify()))
        finally:
            done.set()
    assert not any(found), found
    assert not [each for each in at_work if each.exception()]
