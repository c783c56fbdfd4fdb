"""An idea as its rows and its ledger tell it, and what is true of each."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from events import log
from events.catalogue import (
    VIEWS,
    CommentHidden,
    CommentPosted,
    CommentRestored,
    CommentWithdrawn,
    IdeaAnswerDue,
    IdeaAnswered,
    IdeaAnswerOverdue,
    IdeaHidden,
    IdeaMerged,
    IdeaOpenedToPublic,
    IdeaPosted,
    IdeaRestored,
    IdeaRestricted,
    IdeaSponsored,
    IdeaSponsorLeft,
    IdeaStageChanged,
    IdeaWithdrawn,
    View,
    VoteCast,
    VoteHeld,
    VoteRefused,
    VoteReleased,
    VoteWithdrawn,
)
from ideas_hub.answers import Answer, AnswerClock
from ideas_hub.audiences import Hiding
from ideas_hub.bursts import Fate, HeldVote
from ideas_hub.comments import Comment
from ideas_hub.ideas import Idea, Stage
from ideas_hub.people import Kind
from ideas_hub.sponsors import SponsorTerm
from ideas_hub.stages import StageChange
from ideas_hub.votes import Vote, VoteDay

ROWS = 2_000  # that are fetched together
MIDNIGHT = timedelta(minutes=1)  # a vote is counted on its day, and numbered a moment later: perhaps on the next one
MOMENT = timedelta(seconds=1)  # the clock was once read twice for what happened at once


@dataclass(slots=True)
class Fact:
    """A fact of an idea as it stands in the log."""

    type: str
    data: dict[str, Any]
    audience: int | None


@dataclass(slots=True)
class Ledger:
    """The fold of what the log says of an idea's votes: who has one, since when, what was impossible, how it went day by day."""

    standing: dict[str, datetime] = field(default_factory=dict)
    held: dict[str, datetime] = field(default_factory=dict)
    refused: dict[str, datetime] = field(default_factory=dict)
    impossible: list[str] = field(default_factory=list)
    seen: int = 0
    days: Counter[date] = field(default_factory=Counter)
    early: Counter[date] = field(default_factory=Counter)  # facts so soon after midnight that the day before may have them

    def fold(self, type: str, voter: str, at: datetime) -> None:
        """Take in one more fact. Raises KeyError for one that is not about a vote."""
        self.seen += 1
        _FOLD[type](self, voter, at)

    def cast(self, voter: str, at: datetime) -> None:
        if voter in self.standing:
            self.impossible.append("the ledger has a vote cast twice")
        if voter in self.held or voter in self.refused:
            self.impossible.append("the ledger has a vote cast that was held or refused")
        self.standing[voter] = at
        self._count(at, +1)

    def withdraw(self, voter: str, at: datetime) -> None:
        if voter in self.held or voter in self.refused:
            (self.held if voter in self.held else self.refused).pop(voter)
            return
        if voter not in self.standing:
            self.impossible.append("the ledger has a vote withdrawn that was not there")
        self.standing.pop(voter, None)
        self._count(at, -1)

    def hold(self, voter: str, at: datetime) -> None:
        if voter in self.held or voter in self.standing or voter in self.refused:
            self.impossible.append("the ledger has a vote held that was there already")
        self.held[voter] = at

    def release(self, voter: str, at: datetime) -> None:
        """It counts since it was held, or since it was cast where it counted before it was refused."""
        since = self.held.pop(voter, None) or self.refused.pop(voter, None)
        if since is None:
            self.impossible.append("the ledger has a vote released that was not held")
        self.standing[voter] = since or at
        self._count(since or at, +1)

    def refuse(self, voter: str, at: datetime) -> None:
        since = self.held.pop(voter, None)
        if since is None and (since := self.standing.pop(voter, None)) is not None:
            self._count(at, -1)
        if since is None:
            self.impossible.append("the ledger has a vote refused that was not there")
        self.refused[voter] = since or at

    def _count(self, at: datetime, change: int) -> None:
        self.days[at.date()] += change
        self.early[at.date()] += at - at.replace(hour=0, minute=0, second=0, microsecond=0) < MIDNIGHT


_FOLD: dict[str, Callable[[Ledger, str, datetime], None]] = {
    VoteCast.type: Ledger.cast,
    VoteWithdrawn.type: Ledger.withdraw,
    VoteHeld.type: Ledger.hold,
    VoteReleased.type: Ledger.release,
    VoteRefused.type: Ledger.refuse,
}


@dataclass(slots=True)
class Story:
    """An idea, every row that hangs on it in the order of their keys, and what the log says of it."""

    idea: Row[Any]
    rows: dict[type, list[Row[Any]]]
    facts: list[Fact] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    kinds: Counter[Kind] = field(default_factory=Counter)  # of the vote rows
    unmatched: int = 0  # vote rows that the ledger does not know

    def of(self, *kinds: type) -> list[Fact]:
        """The facts of those types, in their order."""
        types = {kind.type for kind in kinds}  # type: ignore[attr-defined]
        return [fact for fact in self.facts if fact.type in types]

    def told(self, kind: type, name: str) -> list[Any]:
        """What the facts of a type carry under a name."""
        return [fact.data[name] for fact in self.of(kind)]

    def add_fact(self, row: Row[Any]) -> None:
        if row.type in _FOLD:
            since = row.data.get("since")  # of a vote that another held before
            self.ledger.fold(row.type, row.data["voter"], datetime.fromisoformat(since) if since else row.at)
        else:
            self.facts.append(Fact(row.type, row.data, row.audience))

    def add_vote(self, voter: str, kind: Kind) -> None:
        self.kinds[kind] += 1
        if voter in self.ledger.standing:
            del self.ledger.standing[voter]
        else:
            self.unmatched += 1


# Reading them


_HANGING = {
    HeldVote: "voter",
    VoteDay: "day",
    Comment: "id",
    Hiding: "id",
    StageChange: "id",
    SponsorTerm: "id",
    AnswerClock: "id",
    Answer: "id",
}


def stories(session: Session, ids: Sequence[int]) -> list[Story]:
    """Those ideas, with all that hangs on them."""
    ideas = {row.id: row for row in session.execute(select(*Idea.__table__.c).where(Idea.id.in_(ids)).order_by(Idea.id))}
    rows: dict[type, dict[int, list[Row[Any]]]] = {}
    for model, key in _HANGING.items():
        table = model.__table__
        columns = [column for column in table.c if not isinstance(column.type, sa.Text)]  # no words: they prove nothing
        rows[model] = defaultdict(list)
        for row in session.execute(select(*columns).where(table.c.idea_id.in_(ids)).order_by(table.c[key])):
            rows[model][row.idea_id].append(row)
    stories = {f"ideas/{row.ref}": Story(row, {model: rows[model][id] for model in rows}) for id, row in ideas.items()}
    event = log.event_table.c
    told = select(event.type, event.subject, event.audience, event.data, event.at).where(event.subject.in_(stories))
    for row in stream(session, told.order_by(event.subject, event.position)):
        stories[row.subject].add_fact(row)
    by_id = {story.idea.id: story for story in stories.values()}
    for row in stream(session, select(*Vote.__table__.c).where(Vote.idea_id.in_(ids))):
        by_id[row.idea_id].add_vote(row.voter, row.kind)
    return list(by_id.values())


def stream(session: Session, query: sa.Select[Any]) -> Iterator[Row[Any]]:
    """The rows of a query, fetched a few at a time."""
    yield from session.execute(query, execution_options={"yield_per": ROWS})


# What is true of each idea: each yields what is not


def votes(story: Story) -> Iterator[str]:
    idea, kinds = story.idea, story.kinds
    tally, counted = (idea.votes_residents, idea.votes_staff), (kinds[Kind.RESIDENT], kinds[Kind.STAFF])
    if tally != counted or idea.votes != kinds.total():
        yield f"the tally is {idea.votes} {tally}, and the rows are {kinds.total()} {counted} (residents, staff)"
    if story.unmatched:
        yield f"{story.unmatched} votes that the ledger does not know"
    if missing := len(story.ledger.standing):
        yield f"{missing} votes of the ledger that have no row"
    for what, times in Counter(story.ledger.impossible).items():
        yield what if times == 1 else f"{what}, {times} times"


def held(story: Story) -> Iterator[str]:
    idea, rows = story.idea, story.rows[HeldVote]
    kept = {Fate.HELD: (idea.votes_held, story.ledger.held), Fate.REFUSED: (idea.votes_refused, story.ledger.refused)}
    for fate, (tally, ledger) in kept.items():
        found = {row.voter for row in rows if row.fate is fate}
        if not len(found) == tally == len(ledger):
            yield f"{tally} are {fate}, the rows are {len(found)}, and the ledger has {len(ledger)}"
        elif found != ledger.keys():
            yield f"others are {fate} than the ledger says"


def days(story: Story) -> Iterator[str]:
    rows, ledger = story.rows[VoteDay], story.ledger
    counted = (sum(row.residents for row in rows), sum(row.staff for row in rows))
    if counted != (story.kinds[Kind.RESIDENT], story.kinds[Kind.STAFF]):
        yield f"the days add up to {counted} (residents, staff)"
    change = Counter({row.day: row.residents + row.staff for row in rows})
    change.subtract(ledger.days)
    apart = dict(zip(sorted(change), accumulate(change[day] for day in sorted(change)), strict=True))
    if off := [day for day, difference in apart.items() if abs(difference) > ledger.early[day + timedelta(days=1)]]:
        yield f"from {off[0]} on they differ from the ledger"


def comments(story: Story) -> Iterator[str]:
    idea, rows = story.idea, {row.ref: row for row in story.rows[Comment]}
    posted = {fact.data["comment"]: fact.audience for fact in story.of(CommentPosted)}
    if posted != {ref: row.audience for ref, row in rows.items()} or len(posted) != len(story.of(CommentPosted)):
        yield f"{len(rows)} comments, and the log has {len(story.of(CommentPosted))} posted"
    if set(story.told(CommentWithdrawn, "comment")) != {ref for ref, row in rows.items() if row.withdrawn_at}:
        yield "others are withdrawn than the log says"
    last = {fact.data["comment"]: fact.type for fact in story.of(CommentHidden, CommentRestored)}
    if {ref for ref, type in last.items() if type == CommentHidden.type} != {ref for ref in rows if rows[ref].hidden_itself}:
        yield "others are hidden than the log says"
    for ref, row in rows.items():
        if row.effective_audience != max(row.audience, idea.effective_audience) or row.hidden != (
            row.hidden_itself or idea.hidden
        ):
            yield f"comment {ref} does not follow its idea"
    if not idea.hidden:  # they are counted anew when it is shown again
        shown = Counter(row.effective_audience for row in rows.values() if not (row.hidden or row.held or row.withdrawn_at))
        kept = (idea.comments_public, idea.comments_staff, idea.comments_leadership)
        if kept != tuple(shown[view] for view in VIEWS):
            yield f"the tally is {kept}, and the rows are {tuple(shown[view] for view in VIEWS)} (of each audience)"


def audiences(story: Story) -> Iterator[str]:
    idea = story.idea
    if [fact.type for fact in story.facts].count(IdeaPosted.type) != 1:
        yield "the log does not have it posted once"
    audience, hidden = None, False
    for fact in story.facts:
        if fact.type in (IdeaHidden.type, IdeaRestored.type):
            hidden = fact.type == IdeaHidden.type
        elif fact.type == IdeaPosted.type:
            audience = fact.audience
        elif fact.type == IdeaRestricted.type:
            audience = View.named(fact.data["to"])
        elif fact.type == IdeaOpenedToPublic.type:
            audience = None if hidden else fact.audience  # of a hidden one nobody is told to whom it was opened
    if audience not in (None, idea.audience) or idea.effective_audience != idea.audience:
        yield "its audience is not what the log says"
    if hidden != idea.hidden:
        yield "hidden, and the log says it is shown" if idea.hidden else "shown, and the log says it is hidden"
    if len(story.of(IdeaWithdrawn)) != (idea.withdrawn_at is not None):
        yield "withdrawn or not, the log says otherwise"
    if sorted(row.id for row in story.rows[Hiding]) != sorted(
        fact.data["hiding"] for fact in story.of(IdeaHidden, CommentHidden)
    ):
        yield "others hid it than the log says"


def stages(story: Story) -> Iterator[str]:
    idea, rows = story.idea, story.rows[StageChange]
    if [row.was for row in rows] != [Stage.NEW, *(row.stage for row in rows)][: len(rows)]:
        yield "its stages do not follow from each other"
    stage, since = (rows[-1].stage, rows[-1].at) if rows else (Stage.NEW, idea.posted_at)
    if idea.stage is not stage or abs(idea.stage_since - since) > MOMENT:
        yield f"it is {idea.stage} since {idea.stage_since:%Y-%m-%d}, and its history ends with {stage} on {since:%Y-%m-%d}"
    first = {row.stage: row.at for row in reversed(rows)}
    if (idea.explored_at, idea.tried_at) != (first.get(Stage.EXPLORING), first.get(Stage.TRIAL)):
        yield "when it was first explored or tried is not what its history says"
    told = [(fact.data["change"], fact.data["was"], fact.data["to"]) for fact in story.of(IdeaStageChanged)]
    if told != [(row.id, row.was, row.stage) for row in rows if row.stage is not Stage.MERGED]:
        yield "its history is not what the log says"
    if story.told(IdeaMerged, "into") != [row.note for row in rows if row.stage is Stage.MERGED]:
        yield "the log does not say into which idea it was merged"


def sponsors(story: Story) -> Iterator[str]:
    idea, rows = story.idea, story.rows[SponsorTerm]
    open_terms = [row.person_id for row in rows if row.until is None]
    if open_terms != ([] if idea.sponsor_id is None else [idea.sponsor_id]):
        yield f"{len(open_terms)} terms are open, and they are not its sponsor's"
    begun, ended = story.told(IdeaSponsored, "term"), story.told(IdeaSponsorLeft, "term")
    if begun != [row.id for row in rows] or ended != [row.id for row in rows if row.until is not None]:
        yield "its terms are not what the log says"


def clocks(story: Story) -> Iterator[str]:
    idea, rows, given = story.idea, story.rows[AnswerClock], story.rows[Answer]
    if story.told(IdeaAnswerDue, "due") != [row.due.isoformat() for row in rows]:
        yield "its clock is not what the log says"
    if [row.due for row in rows if row.stopped_at is None] != ([] if idea.answer_due is None else [idea.answer_due]):
        yield f"an answer is due on {idea.answer_due}, and its clock says otherwise"
    if idea.answer_due is not None and (given or idea.stage is Stage.MERGED):
        yield "its clock runs on after the answer"
    said = len(story.of(IdeaAnswerOverdue))
    if said != sum(row.overdue_told for row in rows) and (said or idea.withdrawn_at is None):
        yield f"the log says {said} times that its answer is overdue"
    if story.told(IdeaAnswered, "answer") != [row.ref for row in given]:
        yield "its answers are not what the log says"
    if idea.answered_at != (given[-1].at if given else None):
        yield "when it was answered is not when its last answer was given"


def merges(story: Story) -> Iterator[str]:
    if (story.idea.stage is Stage.MERGED) != (len(story.of(IdeaMerged)) == 1):
        yield "merged or not, the log says otherwise"
    if story.of(IdeaMerged) and story.kinds:
        yield f"merged, and {story.kinds.total()} votes were left behind"
    if story.of(IdeaMerged) and story.idea.votes_held:
        yield f"merged, and {story.idea.votes_held} votes that are held were left behind"


OF_IDEAS: dict[Callable[[Story], Iterator[str]], str] = {
    votes: "votes: tally = rows = ledger, and none twice",
    held: "votes that are held, and refused: tally = rows = ledger",
    days: "votes by day: their sums = rows, their days = ledger",
    comments: "comments: tally = rows = log",
    audiences: "who may see an idea: row = log",
    stages: "stages: history = log, and ends where the idea is",
    sponsors: "sponsors: terms = log",
    clocks: "answers and their clocks: rows = log",
    merges: "merges: votes went along",
}
