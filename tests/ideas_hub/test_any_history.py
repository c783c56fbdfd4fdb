"""Whatever people did, in whatever order: the columns are the rows, the rows are the fold of the log, and the log has no hole.

A walk of random commands by random people, refusals included. The seed is in the test's name, so a walk can be walked again.
"""

import random
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from events.catalogue import BOARD, VIEWS, View, idea_topic
from ideas_hub.answers import AnswerClock, tell_overdue
from ideas_hub.audiences import change_idea, hide_comment, hide_idea, restore_comment, restore_idea
from ideas_hub.board import board
from ideas_hub.cards import counts
from ideas_hub.comments import Comment, comments, post_comment, withdraw_comment
from ideas_hub.db import reading
from ideas_hub.errors import Refusal
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Idea, Stage, StageCount, post_idea, withdraw_idea
from ideas_hub.lists import Wanted
from ideas_hub.moves import NEEDS, answer_idea, move_idea
from ideas_hub.people import NOBODY
from ideas_hub.permissions import visible_in
from ideas_hub.settings import change_settings
from ideas_hub.sponsors import SponsorTerm, end_sponsorship, name_sponsor, take_on
from ideas_hub.stages import StageChange
from ideas_hub.verify import verify
from ideas_hub.votes import Vote, VoteDay, cast_vote, withdraw_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.events.test_log import is_dense
from tests.support.told import replay, stream
from tests.support.witness import entries, rows

STEPS = 200


class Walk:
    def __init__(self, seed, clock):
        self.random, self.clock, self.done, self.ideas, self.comments = random.Random(seed), clock, Counter(), [], []  # noqa: S311
        change_settings(answer_votes={"public": 3, "staff": 2, "leadership": 2})
        make.lead("Streets")
        both = make.person(kind="staff", roles=["moderator", "leader", "sponsor"])
        self.people = [make.resident(), make.resident(), make.staff(), make.sponsor(), make.leader(), make.admin(), both, both]
        self.people += [make.moderator(), make.person(kind="staff", roles=["admin", "moderator"])]

    def step(self):
        self.clock.goes_on(minutes=self.random.choice((0, 1, 600)))
        who, act = self.pick(self.people), self.pick(ACTS)
        try:
            act(self, who)
        except Refusal as refusal:
            self.done[type(refusal).__name__] += 1
        else:
            self.done[act.__name__] += 1

    def pick(self, among):
        return self.random.choice(list(among))

    def idea(self):
        return self.pick(self.ideas[-6:])  # few at a time, so that much happens to each


def post(walk, who):
    if len(walk.ideas) < 12:
        walk.ideas.append(post_idea(who, audience=walk.pick(View), **make.texts()))


def vote(walk, who):
    cast_vote(who, walk.idea())


def unvote(walk, who):
    withdraw_vote(who, walk.idea())


def say(walk, who):
    ref = walk.idea()
    above = walk.pick([None, *(comment for idea, comment in walk.comments if idea == ref)])
    made = post_comment(who, ref, body="Words.", parent=above, audience=walk.pick([None, None, *View]))
    walk.comments.append((ref, made))


def unsay(walk, who):
    withdraw_comment(who, *walk.pick(walk.comments))


def hide(walk, who):
    hide_comment(who, *walk.pick(walk.comments), reason="Why.")


def show(walk, who):
    restore_comment(who, *walk.pick(walk.comments))


def hide_it(walk, who):
    hide_idea(who, walk.idea(), reason="Why.")


def show_it(walk, who):
    restore_idea(who, walk.idea())


def open_or_restrict(walk, who):
    change_idea(who, walk.idea(), audience=walk.pick(View))


def revise(walk, who):
    change_idea(who, walk.idea(), texts={"title": f"Title {walk.random.random()}"})


def withdraw(walk, who):
    withdraw_idea(who, walk.idea())


def move(walk, who):
    to = walk.pick(Stage)
    needs = make.needs(to, into=walk.idea()) if to in NEEDS else {}
    move_idea(who, walk.idea(), to=to, reason="Why.", **needs)


def answer(walk, who):
    answer_idea(who, walk.idea(), text="So.")


def take(walk, who):
    take_on(who, walk.idea())


def name(walk, who):
    name_sponsor(who, walk.idea(), person=walk.pick(walk.people).ref, reason="Why.")


def leave(walk, who):
    end_sponsorship(who, walk.idea(), reason="Why.")


def wait(walk, who):
    walk.clock.goes_on(days=9)
    tell_overdue()


ACTS = [post, post, vote, vote, vote, vote, unvote, say, say, say, unsay, hide, show, hide_it, show_it, show_it, open_or_restrict]
ACTS += [open_or_restrict, revise, withdraw, move, move, move, move, answer, take, name, leave, wait]


@pytest.mark.parametrize("seed", [1])
def test_after_any_history_all_that_is_kept_twice_agrees(hub, clock, seed):
    walk = Walk(seed, clock)
    walk.ideas += [make.idea(), make.idea(audience="staff")]
    walk.comments.append((walk.ideas[0], make.comment(walk.ideas[0])))
    for turn in range(STEPS):
        walk.step()
        if turn % 50 == 0:
            check_counts(walk)
    assert len([act for act in ACTS if walk.done[act.__name__]]) > 20, f"a dull walk: {walk.done}"
    check_counts(walk)
    check_votes()
    check_comments()
    check_stages_terms_and_clocks()
    check_log()
    assert not [check for check in verify() if check.wrong]


def check_votes():
    """Columns, rows, days and the ledger tell the same votes."""
    ledger, stood = {}, {(row.idea_id, row.voter): row.kind for row in rows(Vote)}
    for event in (entry.event for entry in entries()):
        if event.type == "vote.cast":
            assert (event.idea, event.voter) not in ledger, "cast twice"
            ledger[event.idea, event.voter] = True
        elif event.type == "vote.withdrawn":
            del ledger[event.idea, event.voter]
    ideas = {row.id: row for row in rows(Idea)}
    assert set(ledger) == {(ideas[idea].ref, voter) for idea, voter in stood}
    for id, idea in ideas.items():
        kinds = Counter(kind for (of, _), kind in stood.items() if of == id)
        assert (idea.votes_residents, idea.votes_staff) == (kinds["resident"], kinds["staff"])
        assert idea.votes == kinds.total()
        days = rows(VoteDay, VoteDay.idea_id == id)
        assert (sum(day.residents for day in days), sum(day.staff for day in days)) == (kinds["resident"], kinds["staff"])


def check_comments():
    for idea in rows(Idea, Idea.hidden.is_(False), Idea.withdrawn_at.is_(None)):
        for comment in rows(Comment, Comment.idea_id == idea.id):
            assert comment.effective_audience == max(comment.audience, idea.effective_audience)
            assert comment.hidden == comment.hidden_itself
        with reading() as session:
            for view in VIEWS:
                seen = (Comment.idea_id == idea.id, Comment.withdrawn_at.is_(None), visible_in(view, Comment))
                assert idea.comments_in(view) == session.scalar(sa.select(sa.func.count(Comment.id)).where(*seen))
    for comment in rows(Comment, Comment.idea_id.in_(sa.select(Idea.id).where(Idea.hidden))):
        assert comment.hidden


def check_counts(walk):
    """The board's counts, which nobody counts when asked, for every view."""
    for view in VIEWS:
        who = make.regular("leader") if view is View.LEADERSHIP else walk.people[2 if view is View.STAFF else 0]
        assert who.view is view
        with reading() as session:
            real = dict(
                session.execute(sa.select(Idea.stage, sa.func.count()).where(visible_in(view, Idea)).group_by(Idea.stage)).all()
            )
        assert {stage: number for stage, number in counts(who).items() if number} == real
        assert {column.stage: column.count for column in board(who).columns if column.count} == real
        cards = list_ideas(who, Wanted(stages=frozenset(Stage)), limit=100).items
        assert Counter(card.stage for card in cards) == real
        for card in cards:
            assert card.comments == len([each for each in comments(who, card.ref, limit=100) if not each.withdrawn])
    assert all(row.count >= 0 for row in rows(StageCount))


def check_stages_terms_and_clocks():
    for idea in rows(Idea):
        stage = Stage.NEW
        for change in rows(StageChange, StageChange.idea_id == idea.id):
            assert change.was is stage
            stage = change.stage
        assert idea.stage is stage
        running = [term.person_id for term in rows(SponsorTerm, SponsorTerm.idea_id == idea.id) if term.until is None]
        assert running == ([idea.sponsor_id] if idea.sponsor_id else [])
        clocks = [clock.due for clock in rows(AnswerClock, AnswerClock.idea_id == idea.id) if clock.stopped_at is None]
        assert clocks == ([idea.answer_due] if idea.answer_due else [])
        if idea.answer_by:
            assert idea.answer_due
            assert idea.answer_by.actor().view >= idea.effective_audience
    told = [entry.event.idea for entry in entries() if entry.event.type == "idea.answer_overdue"]
    assert len(told) == len(set(told))


def check_log():
    found = entries()
    is_dense(found)
    assert [entry.at for entry in found] == sorted(entry.at for entry in found)
    for view in VIEWS:
        told = replay(view, window=timedelta(days=10_000), limit=10_000)
        assert told.mode == "resume"
        with reading() as session:
            seen = set(session.scalars(sa.select(Idea.ref).where(visible_in(view, Idea))))
        for event in told.events:
            if event["data"]["idea"] not in seen:
                assert event["type"] in ("idea.hidden", "idea.withdrawn", "idea.restricted")
                assert set(event["data"]) == {"idea"}


# Before + event = after


@pytest.mark.sqlite_only
def test_a_page_that_follows_the_stream_equals_the_page_that_is_loaded_anew(hub, clock):
    """A watcher of each view keeps cards by the stream alone: who appears, who goes, which stage, which tallies."""
    walk = Walk(3, clock)
    walk.ideas += [make.idea(), make.idea(audience="staff")]
    walk.comments.append((walk.ideas[0], make.comment(walk.ideas[0])))
    watchers = {view: Page(view) for view in VIEWS}
    for _ in range(STEPS // 3):
        walk.step()
        for page in watchers.values():
            page.follow()
            assert page.cards == loaded(page.view)


SHOWN = ("stage", "title", "votes", "votes_residents", "votes_staff", "comments")


def loaded(view):
    """The cards of all ideas as that view sees them now."""
    who = make.regular("leader") if view is View.LEADERSHIP else make.regular("safeguarding") if view is View.STAFF else NOBODY
    cards = list_ideas(who, Wanted(stages=frozenset(Stage)), limit=100).items
    return {card.ref: {name: getattr(card, name) for name in SHOWN} for card in cards}


class Page:
    def __init__(self, view):
        self.view, self.cards = view, loaded(view)
        told = stream()
        self.cursor = told.cursor(view, told.head())

    def follow(self):
        told = stream(window=timedelta(days=10_000))
        reply = told.replay(self.view, [BOARD, *map(idea_topic, self.cards)], self.cursor, told.head())
        assert reply.mode == "resume"
        self.cursor = reply.cursor
        for event in reply.events:
            self.apply(event["type"], event["data"])
        facts = told.source.facts([idea_topic(ref) for ref in self.cards], self.view)
        assert set(facts) == set(map(idea_topic, self.cards))
        for ref, card in self.cards.items():
            card.update({name: facts[idea_topic(ref)][name] for name in SHOWN[2:]})

    def apply(self, kind, data):
        ref = data["idea"]
        if kind in ("idea.hidden", "idea.withdrawn") or (kind == "idea.restricted" and "title" not in data):
            self.cards.pop(ref, None)
        elif kind in ("idea.posted", "idea.opened_to_public", "idea.restored", "idea.restricted"):
            # What appears is fetched, for the event does not carry a card: as the page does.
            self.cards[ref] = loaded(self.view)[ref]
        elif kind == "idea.revised":
            self.cards[ref]["title"] = data["title"]
        elif kind == "idea.stage_changed":
            self.cards[ref]["stage"] = data["to"]
        elif kind == "idea.merged":
            self.cards[ref]["stage"] = "merged"


@pytest.mark.sqlite_only
def test_what_nobody_did_changes_nothing(hub):
    ref = make.idea()
    before = whole_idea(NOBODY, ref)
    for who in (NOBODY, make.admin()):
        board(who)
        list_ideas(who, Wanted())
    assert whole_idea(NOBODY, ref) == before
