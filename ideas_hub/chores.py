"""What time does: the table of commands that the clock calls. Each picks what is due in small batches and makes the change and
its event in one transaction, so any number of processes may run them at once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from ideas_hub.answers import tell_overdue
from ideas_hub.bursts import forget_networks
from ideas_hub.claims import forget_claims
from ideas_hub.drafts import forget_drafts
from ideas_hub.links import forget_links
from ideas_hub.moderation import notice_rushes
from ideas_hub.outbox import forget_mails
from ideas_hub.privacy import forget_departures
from ideas_hub.sessions import SELDOM, end_expired, note_uses
from ideas_hub.sign_on import end_forsaken_tokens

BATCH = 100


@dataclass(frozen=True, slots=True)
class Chore:
    """`work(limit)` does at most that much and returns how much it did."""

    work: Callable[[int], int]
    every: timedelta

    @property
    def name(self) -> str:
        return self.work.__name__


CHORES = (
    Chore(tell_overdue, timedelta(minutes=1)),
    Chore(end_expired, timedelta(minutes=5)),
    Chore(note_uses, SELDOM),
    Chore(forget_claims, timedelta(minutes=5)),
    Chore(forget_drafts, timedelta(hours=1)),
    Chore(forget_networks, timedelta(hours=1)),
    Chore(notice_rushes, timedelta(seconds=20)),
    Chore(forget_links, timedelta(minutes=5)),
    Chore(forget_mails, timedelta(hours=1)),
    Chore(forget_departures, timedelta(days=1)),
    Chore(end_forsaken_tokens, timedelta(hours=1)),
)


def run(chore: Chore) -> int:
    """Do all of a chore that is due, batch by batch, and return how much that was."""
    done = 0
    while (batch := chore.work(BATCH)) > 0:
        done += batch
        if batch < BATCH:
            break
    return done
