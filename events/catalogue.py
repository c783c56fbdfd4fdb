"""Every fact the hub can state: one frozen, past-tense dataclass each.

A fact names its subject by reference and never carries free text or a person's name: those are joined at delivery, through
the permission of whoever is told (`ideas_hub/live.py`). The docstring of a class is its public documentation.

To add a fact: write its class here, and its sentence in `ideas_hub/live.py`. A test names what is missing.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, ClassVar


class View(IntEnum):
    """What of the stream somebody may see. Each view includes the ones before it.

    The same ladder serves as the *audience* of a row: it is seen in its own view and in every wider one.
    """

    PUBLIC = 0
    STAFF = 1
    LEADERSHIP = 2

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def named(cls, word: str) -> "View":
        """The view of that name; raises KeyError for any other word."""
        return {view.word: view for view in cls}[word]


VIEWS = tuple(View)
IDEAS, BOARD = "ideas", "board"  # the two topics that gather many ideas
ME = "me"
PEOPLE = "people/"  # with their reference, the path of somebody who is named in what is told


def idea_topic(ref: str) -> str:
    return f"idea:{ref}"


TYPES: dict[str, type["Event"]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact. `audience` is taken from the row it is about; None means that no view is told (the ledger)."""

    audience: View | None = None

    type: ClassVar[str] = ""
    feeds: ClassVar[frozenset[str]] = frozenset()  # the gathering topics that carry it
    moves_facts: ClassVar[bool] = False  # does it change a tally that the world sees?
    keeps_words: ClassVar[bool] = False  # does all that was told before still say the same?
    takes_away: ClassVar[bool] = False  # is there somebody who may not be told any more what was told before?

    def __init_subclass__(
        cls, *, type: str = "", feeds: tuple[str, ...] = (), facts: bool = False, keeps: bool = False, takes: bool = False
    ) -> None:
        # `@dataclass(slots=True)` builds every class twice; the second one, with its slots, replaces the first.
        if type:
            cls.type, cls.feeds, cls.moves_facts = type, frozenset(feeds), facts
            cls.keeps_words, cls.takes_away = keeps, takes
        if cls.type:
            TYPES[cls.type] = cls

    @property
    def subject(self) -> str | None:
        """The path of what the fact is about, as CloudEvents has it."""
        return None

    def topics(self) -> tuple[str, ...]:
        """All that one can watch to be told of this fact."""
        return tuple(sorted(self.feeds))

    def about(self) -> tuple[str, ...]:
        """The paths of all whose words are joined to the fact, or that it names."""
        return () if self.subject is None else (self.subject,)

    def data(self) -> dict[str, Any]:
        """The fact as it is stored: plain JSON values, without the audience."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "audience"}

    @classmethod
    def load(cls, data: dict[str, Any], audience: View | None) -> "Event":
        """The fact back from `data()`; raises TypeError when it does not fit, as after a careless rename."""
        return cls(**data, audience=audience)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaEvent(Event):
    idea: str

    @property
    def subject(self) -> str:
        return f"ideas/{self.idea}"

    def topics(self) -> tuple[str, ...]:
        return (idea_topic(self.idea), *sorted(self.feeds))


EVERYWHERE = (IDEAS, BOARD)


# Ideas


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaPosted(IdeaEvent, type="idea.posted", feeds=EVERYWHERE, facts=True):
    """An idea was posted. Carries its title and its authors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaRevised(IdeaEvent, type="idea.revised", feeds=EVERYWHERE):
    """The texts, the themes or the short title of an idea changed. Carries its title as it is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaOpenedToPublic(IdeaEvent, type="idea.opened_to_public", feeds=EVERYWHERE, facts=True):
    """An idea got a wider audience: for those it was opened to, its story begins here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaRestricted(IdeaEvent, type="idea.restricted", feeds=EVERYWHERE, facts=True, takes=True):
    """An idea got a narrower audience, `to`. Who loses it is told the reference and nothing else."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaHidden(IdeaEvent, type="idea.hidden", feeds=EVERYWHERE, facts=True, takes=True):
    """A moderator hid an idea. Everybody is told the reference and nothing else."""

    hiding: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaRestored(IdeaEvent, type="idea.restored", feeds=EVERYWHERE, facts=True):
    """A moderator showed a hidden idea again. Carries its title and its authors."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaWithdrawn(IdeaEvent, type="idea.withdrawn", feeds=EVERYWHERE, facts=True, takes=True):
    """An author took back an idea that nobody had answered to. Everybody is told the reference and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaMerged(IdeaEvent, type="idea.merged", feeds=EVERYWHERE, facts=True, takes=True):
    """An idea became part of another, `into`, and its votes went with it."""

    into: str
    by: str

    def about(self) -> tuple[str, ...]:
        return (self.subject, f"ideas/{self.into}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaTookIn(IdeaEvent, type="idea.took_in"):
    """Another idea, `merged`, became part of this one, with its votes. Carries that one's title. Told only to
    who can see both."""

    merged: str
    by: str

    def about(self) -> tuple[str, ...]:
        return (self.subject, f"ideas/{self.merged}")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaStageChanged(IdeaEvent, type="idea.stage_changed", feeds=EVERYWHERE, facts=True):
    """An idea moved in the pipeline. Carries both stages, who moved it and the reason."""

    change: int
    was: str
    to: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoAuthorJoined(IdeaEvent, type="idea.co_author_joined", feeds=EVERYWHERE):
    """Somebody accepted to be an author of an idea; a vote of theirs went. Carries them, its title and all its authors."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CoAuthorLeft(IdeaEvent, type="idea.co_author_left", feeds=EVERYWHERE):
    """Somebody is no longer an author of an idea. Carries them, its title and the authors it has."""

    person: str


# Sponsors and answers


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaSponsored(IdeaEvent, type="idea.sponsored", feeds=(BOARD,)):
    """Somebody answers for an idea from now on. Carries the sponsor, who named them, and the reason if there was one."""

    term: int
    sponsor: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaSponsorLeft(IdeaEvent, type="idea.sponsor_left", feeds=(BOARD,)):
    """A sponsor no longer answers for an idea. Carries the sponsor, who ended it, and the reason."""

    term: int
    sponsor: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaAnswered(IdeaEvent, type="idea.answered", feeds=(BOARD,)):
    """The public answer to an idea was given. Carries its text."""

    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaAnswerDue(IdeaEvent, type="idea.answer_due", feeds=(BOARD,)):
    """Enough votes oblige an answer: the clock has started, and runs until the day `due`."""

    due: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaAnswerOverdue(IdeaEvent, type="idea.answer_overdue", feeds=(BOARD,)):
    """The day `due` passed without an answer."""

    due: str


# Votes that came in a burst. Whose they are stands in the ledger, below.


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaVotesHeld(IdeaEvent, type="idea.votes_held", feeds=(BOARD,), facts=True, keeps=True):
    """Votes for an idea began to come in a burst. They are held, and do not count, until a moderator has looked."""

    burst: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaVotesRushed(IdeaEvent, type="idea.votes_rushed", feeds=(BOARD,), keeps=True):
    """Many people who are new came to vote for an idea at once, from wherever. Their votes count, and a moderator looks."""

    burst: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaVotesReleased(IdeaEvent, type="idea.votes_released", feeds=(BOARD,), facts=True, keeps=True):
    """A moderator looked at votes that were held or came in a rush, and they count, each since it was cast. Carries how many."""

    burst: str
    votes: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IdeaVotesRefused(IdeaEvent, type="idea.votes_refused", feeds=(BOARD,), facts=True, keeps=True):
    """A moderator looked at votes that were held or came in a rush, and they do not count. Who cast them is told why. Carries
    how many."""

    burst: str
    votes: int
    by: str


# Comments


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentEvent(IdeaEvent):
    comment: str

    is_tombstone: ClassVar[bool] = False  # does it tell references and nothing else?


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentPosted(CommentEvent, type="comment.posted", facts=True, keeps=True):
    """A comment was posted under an idea. Carries its words, as written and as HTML, and its author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentHidden(CommentEvent, type="comment.hidden", facts=True, takes=True):
    """A moderator hid a comment. Everybody is told the references and nothing else."""

    hiding: int
    by: str

    is_tombstone: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRestored(CommentEvent, type="comment.restored", facts=True):
    """A moderator showed a hidden comment again. Carries its words and its author."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentWithdrawn(CommentEvent, type="comment.withdrawn", facts=True, takes=True):
    """A comment's author took back its words; its place stays. Everybody is told the references and nothing else."""

    is_tombstone: ClassVar[bool] = True


# The hub


@dataclass(frozen=True, slots=True, kw_only=True)
class HubImported(Event, type="hub.imported", feeds=EVERYWHERE, facts=True):
    """Many ideas came in at once and are not streamed one by one. Carries how many."""

    ideas: int
    comments: int


# The ledger: facts of no audience, for recount and audit. No number of any view can betray them.


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteCast(IdeaEvent, type="vote.cast", facts=True, keeps=True):
    """Somebody's vote was counted. `voter` leads back to a person only while that person has not been erased."""

    voter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteWithdrawn(IdeaEvent, type="vote.withdrawn", facts=True, keeps=True):
    """Somebody took back a vote, whether it counted or was held."""

    voter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteHeld(IdeaEvent, type="vote.held", facts=True, keeps=True):
    """Somebody's vote is held. Where it is released, it counts since now, or `since` the moment at which it was first held."""

    voter: str
    since: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteReleased(IdeaEvent, type="vote.released", facts=True, keeps=True):
    """A vote that was held counts, since it was held."""

    voter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRefused(IdeaEvent, type="vote.refused", facts=True, keeps=True):
    """A vote that was held does not count."""

    voter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsChanged(Event, type="person.rights_changed", takes=True):
    """What a person may see or do changed, or their name. Their open connections are asked again who they are."""

    person: str

    def about(self) -> tuple[str, ...]:
        return (f"{PEOPLE}{self.person}",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded(Event, type="session.ended"):
    """A person's session or token ended. The connections it opened are asked again who they are."""

    person: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChanged(Event, type="hub.settings_changed"):
    """What the hub is set to changed: its name, its thresholds, its themes. Pages that were kept ready are made anew."""


# What admins and moderators did: the audit log. References and words of ours; the reasons stand in rows.


AUDIT = "audit"  # under which all of these are filed, so that they are found among millions of votes


SIGN_ON = "sign-on"  # who did something, where it was the council's own sign-in; no reference of a person looks like it


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(Event):
    """`by` is nobody where it was done at the console, and `SIGN_ON` where the council's own sign-in said so of somebody."""

    by: str

    @property
    def subject(self) -> str:
        return AUDIT


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonChanged(AuditEvent, type="person.changed", keeps=True):
    """A person was added by hand, or their kind, roles, team (by its number) or name was changed. Names are not carried."""

    person: str
    what: str
    was: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSuspended(AuditEvent, type="person.suspended", keeps=True):
    """A person may not act or sign in any more."""

    person: str
    suspension: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonReinstated(AuditEvent, type="person.reinstated", keeps=True):
    """A person who was suspended may act again."""

    person: str
    suspension: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleJoined(AuditEvent, type="person.joined", keeps=True):
    """Two people are the same human: what was the one's is the other's, `into`, and their votes count once."""

    person: str
    into: str
    joining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorateChanged(AuditEvent, type="hub.directorate_changed", keeps=True):
    """A directorate was added, renamed, or got another lead."""

    directorate: int
    what: str
    was: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamChanged(AuditEvent, type="hub.team_changed", keeps=True):
    """A team was added, renamed, or moved to another directorate (by its number)."""

    team: int
    what: str
    was: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThemeChanged(AuditEvent, type="hub.theme_changed", keeps=True):
    """A theme was added, renamed, or got another directorate (by its number)."""

    theme: int
    what: str
    was: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChanged(AuditEvent, type="hub.setting_changed", keeps=True):
    """One of the hub's numbers was changed, or its name, which is not carried."""

    what: str
    was: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstDecided(AuditEvent, type="votes.decided", keeps=True):
    """A moderator released or refused votes that were held."""

    burst: str
    to: str


AUDITED = (
    *(PersonChanged, PersonSuspended, PersonReinstated, PeopleJoined),
    *(DirectorateChanged, TeamChanged, ThemeChanged, SettingChanged, BurstDecided),
)
LEDGER = (
    *AUDITED,
    *(VoteCast, VoteWithdrawn, VoteHeld, VoteReleased, VoteRefused),
    *(RightsChanged, SessionEnded, SettingsChanged),
)


def types_on(feed: str) -> tuple[str, ...]:
    """The types of the facts that a gathering topic carries."""
    return tuple(sorted(kind.type for kind in TYPES.values() if feed in kind.feeds))
