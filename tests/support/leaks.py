"""Secrets of every kind, planted by the real commands, and doors through which they might come out.

A door is a name and a way to ask: `("GET /ideas", lambda actor: text)`. `check` opens every door as everybody, and looks in
what comes out for every word that this one may not read. HTTP, search, feeds and exports are further doors.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from events.catalogue import BOARD, IDEAS, ME, View, idea_topic
from ideas_hub import authors, cards, comments, desk, finding, live, whole
from ideas_hub.audiences import change_idea, hide_comment, hide_idea
from ideas_hub.board import board
from ideas_hub.comments import withdraw_comment
from ideas_hub.errors import Missing
from ideas_hub.ideas import Stage, withdraw_idea
from ideas_hub.lists import Sort, Wanted
from ideas_hub.moves import answer_idea
from ideas_hub.people import NOBODY, Actor
from tests import make
from tests.support.told import cursor, stream

Door = tuple[str, Callable[[Actor], str]]

RESIDENTS = frozenset({"nobody", "resident"})
STAFF = frozenset({"staff", "sponsor", "safeguarding"})
LEADERS = frozenset({"leader", "admin"})
EVERYBODY = RESIDENTS | STAFF | LEADERS | {"moderator"}


def everybody() -> dict[str, Actor]:
    """One of each role, none of whom has written, sponsored or answered anything."""
    known = {role: getattr(make, role)() for role in EVERYBODY - {"nobody"}}
    return {"nobody": NOBODY, **known}


@dataclass
class Planted:
    """Where the secrets are: the word of each, who may read it, and the references of what it stands in."""

    words: dict[str, frozenset[str]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)


def plant() -> Planted:
    """A secret in every place where words can stand, in everything that somebody may not see."""
    planted, admin, mod = Planted(), make.regular("admin"), make.regular("moderator", "leader")

    def idea(word: str, readers: frozenset[str], audience: str = "public", author: Actor | None = None) -> str:
        planted.words[word], planted.refs[word] = readers, _full_of(word, audience, author)
        return planted.refs[word]

    def comment(word: str, readers: frozenset[str], ref: str, **options: Any) -> str:
        planted.words[word], planted.refs[word] = readers, ref
        planted.comments[word] = make.comment(ref, body=f"My {word} words", **options)
        return planted.comments[word]

    open_to_all = make.idea(title="Nothing secret here", stage="exploring")
    idea("zebrastaff", STAFF | LEADERS | {"moderator"}, "staff")
    idea("zebratop", LEADERS, "leadership")
    lost = idea("zebralost", STAFF | LEADERS | {"moderator"})
    comment("zebrafollower", STAFF | LEADERS | {"moderator"}, lost)
    change_idea(admin, lost, audience=View.STAFF)
    deep = idea("zebradeep", LEADERS)
    change_idea(admin, deep, audience=View.LEADERSHIP)
    hide_idea(mod, idea("zebrahidden", frozenset({"moderator"})), reason="zebrareason")
    planted.words["zebrareason"] = frozenset()  # why something was hidden is not for pages
    author = make.resident()
    gone = make.idea(author, title="zebragone", problem="zebragone", proposal="zebragone", gain="zebragone")
    planted.words["zebragone"], planted.refs["zebragone"] = frozenset(), gone
    withdraw_idea(author, gone)
    comment("zebrawhisper", STAFF | LEADERS | {"moderator"}, open_to_all, audience="staff")
    comment("zebramurmur", LEADERS, open_to_all, audience="leadership")
    hidden = comment("zebraspam", frozenset({"moderator"}), open_to_all)
    hide_comment(mod, open_to_all, hidden, reason="zebrareason")
    taken_back = comment("zebraregret", frozenset(), open_to_all, author=author)
    withdraw_comment(author, open_to_all, taken_back)
    opened = make.idea(title="Opened at last", audience="staff")
    comment("zebrabefore", STAFF | LEADERS | {"moderator"}, opened)
    change_idea(admin, opened, audience=View.PUBLIC)
    return planted


def _full_of(word: str, audience: str, author: Actor | None) -> str:
    """An idea that has been everywhere, with the word in every text that belongs to it."""
    texts = {name: f"The {word} {name}" for name in ("title", "problem", "proposal", "gain", "cost_of_inaction", "place")}
    ref = make.idea(author, audience=audience, **texts)
    admin, sponsor = make.regular("admin"), make.sponsored(ref, reason=f"The {word} sponsor")
    change_idea(admin, ref, short_title=f"{word} short")
    make.comment(ref, body=f"The {word} comment")
    make.moved(ref, "exploring", reason=f"The {word} reason")
    make.moved(ref, "trial", hypothesis=f"The {word} hypothesis", test=f"The {word} test", measure=f"The {word} measure")
    make.moved(ref, "learned", lesson=f"The {word} lesson")
    answer_idea(make.actor(sponsor.ref or ""), ref, text=f"The {word} answer")
    return ref


# Doors


def text_of(ask: Callable[[], Any]) -> str:
    """All that an answer says; of what is missing, just that."""
    try:
        return repr(ask())
    except Missing:
        return "missing"


def domain_doors(planted: Planted) -> list[Door]:
    """Every query of `ideas_hub`, and the stream from its beginning."""
    return [(name, lambda actor, ask=ask: text_of(lambda: ask(actor))) for name, ask in _asked(planted)]


def _asked(planted: Planted) -> Iterator[tuple[str, Callable[[Actor], Any]]]:
    every = frozenset(Stage)
    for sort in Sort:
        yield f"list {sort}", lambda actor, sort=sort: finding.list_ideas(actor, Wanted(sort=sort, stages=every), limit=100)
    for audience in View:
        yield f"list {audience.word}", lambda actor, a=audience: finding.list_ideas(actor, Wanted(audience=a, stages=every))
    for question in ("zebra", "the", "nothing secret opened at last"):
        yield f"search {question}", lambda actor, q=question: finding.list_ideas(actor, Wanted(question=q, stages=every))
        yield f"similar {question}", lambda actor, q=question: finding.similar_ideas(actor, q)
    yield "board", lambda actor: _as_handed_out(board(actor), actor)
    yield "counts", cards.counts
    yield "desk", desk.desk
    yield "invitations", authors.invitations_to
    for ref in dict.fromkeys(planted.refs.values()):
        yield f"idea {ref}", lambda actor, ref=ref: whole.whole_idea(actor, ref)
        yield f"page {ref}", lambda actor, ref=ref: _as_handed_out(whole.idea_page(actor, ref), actor)
        yield f"answers {ref}", lambda actor, ref=ref: whole.answers_of(actor, ref)
        yield f"revisions {ref}", lambda actor, ref=ref: whole.revisions(actor, ref)
        yield f"authors {ref}", lambda actor, ref=ref: authors.authors_of(actor, ref)
        yield f"sponsors {ref}", lambda actor, ref=ref: whole.possible_sponsors(actor, ref)
        yield f"comments {ref}", lambda actor, ref=ref: comments.comments(actor, ref, limit=100)
        yield f"threads {ref}", lambda actor, ref=ref: comments.threads(actor, ref)
        yield f"timeline {ref}", lambda actor, ref=ref: timeline(actor, ref)
        yield f"story {ref}", lambda actor, ref=ref: live.story(stream(), actor, ref)
    for word, made in planted.comments.items():
        ref = planted.refs[word]
        yield f"comment {word}", lambda actor, ref=ref, made=made: comments.comment(actor, ref, made)
    topics = {IDEAS, BOARD, ME, *map(idea_topic, planted.refs.values())}
    yield "replay", lambda actor: replay(actor, topics)
    yield "watch", lambda actor: stream().watch(actor, topics, None)


def _as_handed_out(page: Any, actor: Actor) -> Any:
    """Of the head of the log a page hands out one cursor, in the view of its reader."""
    return replace(page, cursor=stream().cursor(actor.view, page.cursor))


def timeline(actor: Actor, ref: str) -> Any:
    events, _ = live.timeline(stream(), actor, ref, limit=100)
    return events, live.lines(events)


def replay(actor: Actor, topics: Iterable[str]) -> Any:
    """The stream from the beginning: of what may be watched, and of every topic, whoever may watch it."""
    told, beginning = stream(), cursor(actor.view, 0)
    return told.watch(actor, topics, beginning), told.replay(actor.view, set(topics), beginning, told.head())


def check(planted: Planted, actors: Mapping[str, Actor], doors: Iterable[Door]) -> None:
    """Nothing comes out to whom it is not for; and the doors do open, for each word is told to all whom it is for."""
    told = {word: set() for word in planted.words}
    for name, ask in doors:
        for role, actor in actors.items():
            text = ask(actor)
            for word in [word for word in planted.words if word in text]:
                assert role in planted.words[word], f"{word} came out to {role} by the door {name!r}: {text[:2000]}"
                told[word].add(role)
    assert told == {word: readers & set(actors) for word, readers in planted.words.items()}
