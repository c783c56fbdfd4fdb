"""What the stream asks of the hub: who may watch what, and what an event says in words, for each view; and timelines,
which are the same question."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, label, select
from sqlalchemy.orm import Session, joinedload, lazyload, selectinload

from events import log
from events.catalogue import (
    BOARD,
    IDEAS,
    ME,
    TYPES,
    CoAuthorJoined,
    CoAuthorLeft,
    CommentEvent,
    Event,
    HubImported,
    IdeaAnswerDue,
    IdeaAnswered,
    IdeaAnswerOverdue,
    IdeaEvent,
    IdeaHidden,
    IdeaMerged,
    IdeaRestricted,
    IdeaSponsored,
    IdeaSponsorLeft,
    IdeaStageChanged,
    IdeaTookIn,
    IdeaVotesHeld,
    IdeaVotesRefused,
    IdeaVotesReleased,
    IdeaVotesRushed,
    IdeaWithdrawn,
    View,
    idea_topic,
)
from events.stream import Stream
from ideas_hub.answers import Answer
from ideas_hub.cards import first_words
from ideas_hub.comments import Comment
from ideas_hub.db import reading
from ideas_hub.errors import Sentence, _
from ideas_hub.ideas import Authorship, Idea, Stage, stage_counts
from ideas_hub.people import Actor, Person, PersonCard
from ideas_hub.permissions import find, visible_in
from ideas_hub.sponsors import SponsorTerm
from ideas_hub.stages import STAGE_LABELS, StageChange

Data = dict[str, Any]

# What is not told of a row is not read with it.
WITHOUT: Mapping[Any, Sequence[Any]] = {
    Idea: (lazyload("*"), selectinload(Idea.authorships).options(joinedload(Authorship.person).lazyload(Person.held))),
    Comment: (lazyload(Comment.author, Person.held),),
    Answer: (lazyload(Answer.by, Person.held),),
    Person: (lazyload(Person.held),),
}
# What is told of these is not in the idea itself, which is not read for them.
OF_SOMETHING_ELSE = (
    IdeaStageChanged,
    IdeaSponsored,
    IdeaSponsorLeft,
    IdeaAnswered,
    IdeaAnswerDue,
    IdeaAnswerOverdue,
    IdeaTookIn,
    IdeaVotesHeld,
    IdeaVotesRushed,
    IdeaVotesReleased,
    IdeaVotesRefused,
)
NEWS_AMONG = 5000  # of what a view was told last, is looked for news

# What a line of a timeline says, by the event's type. The names in it are those of the event's data.
SENTENCES: Mapping[str, str] = {
    "idea.posted": _("Posted by %(authors)s."),
    "idea.revised": _("Its words were revised."),
    "idea.co_author_joined": _("%(co_author)s joined its authors."),
    "idea.co_author_left": _("%(co_author)s is no longer one of its authors."),
    "idea.opened_to_public": _("Opened to more people."),
    "idea.restricted": _("Restricted to fewer people."),
    "idea.hidden": _("Hidden by a moderator."),
    "idea.restored": _("Shown again by a moderator."),
    "idea.withdrawn": _("Withdrawn by its author."),
    "idea.merged": _("Merged into another idea, with its votes."),
    "idea.took_in": _("“%(title)s” was merged into this idea, with its votes."),
    "idea.stage_changed": _("%(from)s to %(to)s, by %(by)s."),
    "idea.sponsored": _("%(sponsor)s became sponsor."),
    "idea.sponsor_left": _("%(sponsor)s is no longer the sponsor."),
    "idea.answered": _("%(by)s answered."),
    "idea.answer_due": _("Enough votes for an answer: it is due by %(due)s."),
    "idea.answer_overdue": _("The answer was due by %(due)s and is late."),
    "idea.votes_held": _("Votes came in a burst. They are held until a moderator has looked."),
    "idea.votes_rushed": _("Many people who are new voted at once. Their votes count, and a moderator looks at them."),
    "idea.votes_released": _("A moderator looked at votes, and they count, each since it was cast: %(votes)s."),
    "idea.votes_refused": _("A moderator looked at votes, and refused them: %(votes)s."),
    "comment.posted": _("%(author)s commented."),
    "comment.hidden": _("A comment was hidden by a moderator."),
    "comment.restored": _("A comment was shown again."),
    "comment.withdrawn": _("A comment was withdrawn by its author."),
    "hub.imported": _("%(ideas)s ideas and %(comments)s comments came in from elsewhere."),
}

# What the first page says of what happens now, by the event's type, and the stage it leads to. `idea` is a link to it.
NEWS: Mapping[str, str] = {
    "idea.posted": _("New idea: %(idea)s"),
    "idea.opened_to_public": _("%(idea)s was opened to more people"),
    "idea.merged": _("%(idea)s was merged into another idea"),
    "idea.stage_changed exploring": _("%(by)s began to explore %(idea)s"),
    "idea.stage_changed trial": _("%(idea)s is being tried"),
    "idea.stage_changed adopted": _("%(idea)s was adopted"),
    "idea.stage_changed learned": _("%(idea)s was tried and ended, with a lesson"),
    "idea.stage_changed parked": _("%(idea)s was parked"),
    "idea.stage_changed declined": _("%(idea)s was declined"),
    "idea.sponsored": _("%(sponsor)s became sponsor of %(idea)s"),
    "idea.answered": _("%(by)s answered %(idea)s: “%(text)s”"),
    "idea.answer_due": _("%(idea)s has enough votes: it is owed an answer by %(due)s"),
    "idea.answer_overdue": _("The answer to %(idea)s is late"),
}


def person_json(person: PersonCard | None) -> Data | None:
    """A person as JSON has them, in the stream and in the API."""
    if person is None:
        return None
    return {"id": person.ref, "name": person.name, "kind": person.kind.value, "team": person.team}


class Live:
    """The hub as a source of the stream. `render` turns what people wrote into safe HTML."""

    def __init__(self, render: Callable[[str], str]) -> None:
        self.render = render

    def allowed(self, actor: Actor, topics: Collection[str]) -> set[str]:
        """Those of the topics that the actor may watch; for the rest it makes no odds whether they exist."""
        always = {IDEAS, BOARD} | ({ME} if actor.is_somebody else set())
        allowed = always & set(topics)
        if refs := _refs(topics):
            with reading() as session:
                allowed |= {idea_topic(ref) for ref in session.scalars(_seen(actor.view), {"refs": refs})}
        return allowed

    def facts(self, topics: Collection[str], view: View) -> dict[str, Data]:
        """The tallies of those topics as the view sees them now; nothing for what it may not see."""
        with reading() as session:
            facts: dict[str, Data] = {}
            if refs := _refs(topics):
                for row in session.execute(_tallies(view), {"refs": refs}).mappings():
                    facts[idea_topic(row["ref"])] = {name: value for name, value in row.items() if name != "ref"}
            if BOARD in topics:
                counts = {stage.value: count for stage, count in stage_counts(session, view).items()}
                facts[BOARD] = {"counts": counts, "version": log.head(session).number(view)}
        if ME in topics:
            facts[ME] = {"unread": 0, "version": 0}  # nobody is sent notices yet, so nothing can be unread
        return facts

    def tell(self, events: Sequence[Event], view: View) -> list[Data | None]:
        """The data of each event, with its texts as they are now; None where the view may not see what it is about."""
        with reading() as session:
            found = _Found(session, events, view)
            return [self._data(event, found) for event in events]

    def _data(self, event: Event, found: "_Found") -> Data | None:
        if isinstance(event, HubImported):
            return {"ideas": event.ideas, "comments": event.comments}
        if not isinstance(event, IdeaEvent):
            return None
        data: Data = {"idea": event.idea}
        if isinstance(event, IdeaHidden | IdeaWithdrawn):
            return data
        if isinstance(event, IdeaRestricted) and found.view < View.named(event.to):
            return data
        if event.idea not in found.seen or (isinstance(event, IdeaTookIn) and event.merged not in found.seen):
            return None
        if isinstance(event, CommentEvent):
            return self._comment_data(event, data, found)
        return data | self._idea_data(event, found)

    def _comment_data(self, event: CommentEvent, data: Data, found: "_Found") -> Data | None:
        data["comment"] = event.comment
        if event.is_tombstone:
            return data
        comment = found.comments.get(event.comment)
        if comment is None:
            return None
        gone = comment.withdrawn_at is not None
        data |= {"kind": comment.kind.value, "parent": found.parents.get(comment.parent_id or 0)}
        data |= {"body": None if gone else comment.body, "html": None if gone else self.render(comment.body)}
        return data | {"author": None if gone else person_json(comment.author.card())}

    def _idea_data(self, event: IdeaEvent, found: "_Found") -> Data:
        if isinstance(event, IdeaStageChanged):
            reason = found.changes[event.change].reason if event.change in found.changes else None
            return {"from": event.was, "to": event.to, "reason": reason, "by": found.person(event.by)}
        if isinstance(event, IdeaSponsored | IdeaSponsorLeft):
            term = found.terms.get(event.term)
            reason = "" if term is None else term.reason if isinstance(event, IdeaSponsored) else term.end_reason
            return {"sponsor": found.person(event.sponsor), "by": found.person(event.by), "reason": reason or None}
        if isinstance(event, IdeaAnswered):
            answer = found.answers.get(event.answer)
            return {"text": answer and answer.text, "by": answer and person_json(answer.by.card())}
        if isinstance(event, IdeaAnswerDue | IdeaAnswerOverdue):
            return {"text": None, "due": event.due}
        if isinstance(event, IdeaTookIn):
            return {"merged": event.merged, "title": found.ideas[event.merged].title, "by": found.person(event.by)}
        if isinstance(event, IdeaVotesHeld | IdeaVotesRushed):
            return {}
        if isinstance(event, IdeaVotesReleased | IdeaVotesRefused):
            return {"votes": event.votes}
        idea = found.ideas[event.idea]
        data: Data = {"title": idea.title, "authors": [person_json(a.person.card()) for a in idea.authorships]}
        if isinstance(event, CoAuthorJoined | CoAuthorLeft):
            data["co_author"] = found.person(event.person)
        if isinstance(event, IdeaMerged):
            data["into"] = event.into if event.into in found.seen else None
        return data


class _Found:
    """All rows that a batch of events is about and that one view may see, read with one query for each kind."""

    def __init__(self, session: Session, events: Sequence[Event], view: View) -> None:
        self.view = view
        refs = {event.idea for event in events if isinstance(event, IdeaEvent)}
        refs |= {event.into for event in events if isinstance(event, IdeaMerged)}
        refs |= {event.merged for event in events if isinstance(event, IdeaTookIn)}
        self.seen = set(session.scalars(_seen(view), {"refs": list(refs)})) if refs else set()
        told = [event for event in events if isinstance(event, IdeaEvent) and not isinstance(event, CommentEvent)]
        whole = {event.idea for event in told if not isinstance(event, OF_SOMETHING_ELSE)}
        whole |= {event.merged for event in told if isinstance(event, IdeaTookIn)}
        self.ideas = _by(session, Idea, "ref", whole & self.seen)
        named = {event.comment for event in events if isinstance(event, CommentEvent) and not event.is_tombstone}
        self.comments = _by(session, Comment, "ref", named, view)
        above = {comment.parent_id for comment in self.comments.values() if comment.parent_id}
        self.parents = {comment.id: comment.ref for comment in _by(session, Comment, "id", above).values()}
        self.answers = _by(session, Answer, "ref", {e.answer for e in events if isinstance(e, IdeaAnswered)})
        self.changes = _by(session, StageChange, "id", {e.change for e in events if isinstance(e, IdeaStageChanged)})
        terms = {event.term for event in events if isinstance(event, IdeaSponsored | IdeaSponsorLeft)}
        self.terms = _by(session, SponsorTerm, "id", terms)
        people = {ref for event in told for name in ("by", "sponsor", "person") if (ref := getattr(event, name, ""))}
        self.people = {ref: person.one for ref, person in _by(session, Person, "ref", people).items()}

    def person(self, ref: str) -> Data | None:
        return person_json(self.people[ref].card()) if ref in self.people else None


def _by(session: Session, model: Any, key: str, values: Collection[Any], view: View | None = None) -> dict[Any, Any]:
    """The rows with those keys that the view may see; where none is named, whatever they are."""
    if not values:
        return {}
    return {getattr(row, key): row for row in session.scalars(_rows(model, key, view), {"keys": list(values)})}


@cache
def _seen(view: View) -> Select[Any]:
    return select(Idea.ref).where(Idea.ref.in_(bindparam("refs", expanding=True)), visible_in(view, Idea))


@cache
def _rows(model: Any, key: str, view: View | None) -> Select[Any]:
    wanted = select(model).where(getattr(model, key).in_(bindparam("keys", expanding=True)))
    return (wanted if view is None else wanted.where(visible_in(view, model))).options(*WITHOUT.get(model, ()))


def _refs(topics: Iterable[str]) -> list[str]:
    refs = [topic.removeprefix("idea:") for topic in topics if topic.startswith("idea:")]
    return [ref for ref in refs if ref.isascii() and ref.isprintable()]  # PostgreSQL refuses to look for some others


@cache
def _tallies(view: View) -> Select[*tuple[Any, ...]]:
    """The query for the tallies of some ideas as a view sees them. Made once: they are asked for all the time."""
    tallies = (Idea.votes, Idea.votes_residents, Idea.votes_staff, Idea.votes_held)
    own = (label("comments", Idea.comments_in(view)), label("version", Idea.version_in(view)))
    wanted = Idea.ref.in_(bindparam("refs", expanding=True))
    return select(Idea.ref, *tallies, *own).where(wanted, visible_in(view, Idea)).order_by(Idea.ref)


# Timelines


@dataclass(frozen=True, slots=True)
class Line:
    """A fact in a timeline: what happened as a sentence, and the reason that came with it. `id` is the event's."""

    id: str
    type: str
    at: datetime
    sentence: Sentence
    reason: str | None
    data: Data


def timeline(
    stream: Stream, actor: Actor, ref: str, *, after: tuple[datetime, int] | None = None, limit: int = 20
) -> tuple[list[Data], tuple[datetime, int] | None]:
    """What happened to an idea, as events, oldest first by time, and where the next piece begins. Raises Missing."""
    with reading() as session:
        find(session, actor, Idea, ref)
        head = log.head(session)
        entries = log.of_subject(session, actor.view, f"ideas/{ref}", after=after, limit=limit + 1)
    more = len(entries) > limit
    entries = entries[:limit]
    told = stream.envelopes(entries, actor.view, head.epoch)
    following = (entries[-1].at, entries[-1].number(actor.view)) if more else None
    return [event for event in told if event is not None], following


def story(stream: Stream, actor: Actor, ref: str, *, most: int = 100) -> list[Line]:
    """The last that happened to an idea, its comments aside, as lines for people, newest first. Raises Missing."""
    comments = [kind.type for kind in TYPES.values() if issubclass(kind, CommentEvent)]
    return latest(stream, actor, ref, without=comments, limit=most)[0]


def latest(
    stream: Stream,
    actor: Actor,
    ref: str,
    *,
    without: Collection[str] = (),
    before: tuple[datetime, int] | None = None,
    limit: int,
) -> tuple[list[Line], tuple[datetime, int] | None]:
    """What happened to an idea, as lines for people, newest first, and where the next piece begins. Raises Missing."""
    with reading() as session:
        find(session, actor, Idea, ref)
        head = log.head(session)
        subject = f"ideas/{ref}"
        entries = log.newest_of_subject(session, actor.view, subject, without=without, before=before, limit=limit + 1)
    more, entries = len(entries) > limit, entries[:limit]
    told = stream.envelopes(entries, actor.view, head.epoch)
    following = (entries[-1].at, entries[-1].number(actor.view)) if more else None
    return lines(event for event in told if event is not None), following


def last_told(view: View) -> datetime | None:
    """When that view was last told anything; None where it never was."""
    with reading() as session:
        return log.told_at(session, view, log.head(session).number(view))


def lines(events: Iterable[Data]) -> list[Line]:
    """Those events as lines for people."""
    return [
        Line(
            event["id"],
            event["type"],
            datetime.fromisoformat(event["time"]),
            Sentence(_sentence(event), {name: _spoken(name, value) for name, value in event["data"].items()}),
            event["data"].get("reason"),
            event["data"],
        )
        for event in events
    ]


def _sentence(event: Data) -> str:
    if event["type"] == "idea.stage_changed" and event["data"]["by"] is None:
        return _("%(from)s to %(to)s.")
    return SENTENCES[event["type"]]


def _spoken(name: str, value: Any) -> Any:
    """A value of an event's data as a sentence says it: people by name, stages by label, days as dates."""
    match name, value:
        case (("from" | "to"), str()) if value in set(Stage):
            return Sentence(STAGE_LABELS[Stage(value)])
        case "due", str():
            return date.fromisoformat(value)
        case "authors", list():
            return ", ".join(author["name"] for author in value)
        case _, {"name": str(named)}:
            return named
        case (("by" | "sponsor" | "author" | "co_author"), None):
            return Sentence(_("somebody"))
    return value


# News


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to an idea, as a sentence in which the idea's own place is still free."""

    at: datetime
    sentence: Sentence
    idea: str
    title: str
    lang: str


def news(stream: Stream, actor: Actor, *, most: int = 4) -> list[News]:
    """The last that happened in the actor's view, newest first; of each idea the last only."""
    types = {name.split()[0] for name in NEWS}
    with reading() as session:
        head = log.head(session)
        entries = log.newest(session, actor.view, types, among=NEWS_AMONG, limit=most * 10)
        last: dict[str, log.Entry] = {}
        for entry in entries:
            if isinstance(entry.event, IdeaEvent):
                last.setdefault(entry.event.idea, entry)
        about = select(Idea.ref, Idea.title, Idea.lang).where(Idea.ref.in_(last), visible_in(actor.view, Idea))
        seen = {row.ref: row for row in session.execute(about)}
    chosen = [entry for ref, entry in last.items() if ref in seen][:most]
    told = [event for event in stream.envelopes(chosen, actor.view, head.epoch) if event is not None]
    return [_news(line, seen[line.data["idea"]]) for line in lines(told)]


def _news(line: Line, about: Any) -> News:
    to = line.data.get("to")
    values = dict(line.sentence.values)
    if "text" in values:
        values["text"] = first_words(str(values["text"] or ""), 110)
    return News(line.at, Sentence(NEWS[f"{line.type} {to}" if to else line.type], values), about.ref, about.title, about.lang)
