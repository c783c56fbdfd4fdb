"""The votes of one idea counted anew, for people."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from ideas_hub.bursts import Fate, HeldVote
from ideas_hub.clock import now
from ideas_hub.db import reading
from ideas_hub.errors import SignInNeeded
from ideas_hub.ideas import Idea
from ideas_hub.people import Actor
from ideas_hub.permissions import find, require
from ideas_hub.story import days, held, stories, votes


@dataclass(frozen=True, slots=True)
class Recount:
    """The votes of an idea counted three times: as everybody is shown them, by their rows, and by the ledger.

    Each is a number of votes that count, are held, and were refused. `facts`: how many the ledger has about them.
    """

    idea: str
    title: str
    lang: str
    shown: tuple[int, int, int]
    rows: tuple[int, int, int]
    ledger: tuple[int, int, int]
    facts: int
    complaints: tuple[str, ...]
    at: datetime


def recount(actor: Actor, ref: str) -> Recount:
    """The votes of an idea, counted anew. Raises SignInNeeded, Missing and NotAllowed."""
    if not actor.is_somebody:
        raise SignInNeeded
    with reading() as session:
        idea = find(session, actor, Idea, ref)
        require(actor, "recount", idea)
        (story,) = stories(session, [idea.id])
    ledger, fates = story.ledger, Counter(row.fate for row in story.rows[HeldVote])
    standing = len(ledger.standing) + story.kinds.total() - story.unmatched  # those that have a row were crossed out
    return Recount(
        idea=idea.ref,
        title=idea.title,
        lang=idea.lang,
        shown=(idea.votes, idea.votes_held, idea.votes_refused),
        rows=(story.kinds.total(), fates[Fate.HELD], fates[Fate.REFUSED]),
        ledger=(standing, len(ledger.held), len(ledger.refused)),
        facts=ledger.seen,
        complaints=(*votes(story), *held(story), *days(story)),
        at=now(),
    )
