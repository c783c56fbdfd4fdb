"""Write first, prove later: what somebody without an account has written waits for their link, and then counts.

Until then it is nowhere but beside its link: in no count, no list, no search, no log. Only who has the link can read it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from events.catalogue import RightsChanged
from ideas_hub import comments, links, votes
from ideas_hub.addresses import normalise_email
from ideas_hub.comments import CommentKind, checked_body, post_comment
from ideas_hub.db import reading, record, shared_transaction, transaction
from ideas_hub.drafts import write
from ideas_hub.errors import Invalid, NotAllowed, Refusal, Sentence, _
from ideas_hub.ideas import Idea, checked, find_themes, post_idea
from ideas_hub.links import MailLink, ask
from ideas_hub.people import NOBODY, Actor, Kind, Person, check_may_act, normalise_name, person_with, resident_with
from ideas_hub.permissions import find
from ideas_hub.privacy import come_back
from ideas_hub.texts import measured
from ideas_hub.votes import cast_vote

UNNAMED = _("Resident")  # who never said how they want to be known

# Model


class What(StrEnum):
    """What may wait for a link."""

    VOTE = "vote"
    COMMENT = "comment"
    IDEA = "idea"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Who used a link, and what came of what waited for it: the reference of what was made, or why it could not be done."""

    person: str
    act: Mapping[str, Any]
    made: str | None = None
    refused: Sentence | None = None


# Rules


def _shown_name(name: str) -> str:
    return normalise_name(
        measured({"name": name}, {"name": 120}, {"name": _("Say what to call you, beside what you write.")})["name"]
    )


def _is_unnamed(person: Person) -> bool:
    return person.kind is Kind.RESIDENT and person.name == UNNAMED


# Commands


def vote_later(email: str, ref: str, *, key: str) -> str:
    """A vote for that idea waits for a link to that address; returns what the browser that asked keeps.

    Raises Invalid, Missing and RuleBroken (its stage takes no votes).
    """
    address = normalise_email(email)
    with transaction() as session:
        votes.check_open(find(session, NOBODY, Idea, ref))
        return ask(session, address, key=key, act={"what": What.VOTE, "idea": ref})


def comment_later(email: str, ref: str, *, key: str, name: str, body: str, kind: CommentKind = CommentKind.BUILD) -> str:
    """A comment under that idea waits likewise. Raises Invalid, Missing and RuleBroken (the idea was merged)."""
    found = _all_of(
        email=lambda: normalise_email(email),
        name=lambda: _shown_name(name),
        body=lambda: checked_body(body),
    )
    with transaction() as session:
        comments.check_open(find(session, NOBODY, Idea, ref))
        act = {"what": What.COMMENT, "idea": ref, "kind": kind, "body": found["body"]}
        return ask(session, found["email"], key=key, act=act, name=found["name"])


def post_later(email: str, *, key: str, name: str, themes: Sequence[str] = (), **texts: str) -> str:
    """An idea waits likewise, to be open to everybody. Raises Invalid."""
    with transaction() as session:
        found = _all_of(
            email=lambda: normalise_email(email),
            name=lambda: _shown_name(name),
            texts=lambda: checked(texts),
            themes=lambda: [theme.slug for theme in find_themes(session, themes)],
        )
        act = {"what": What.IDEA, "texts": found["texts"], "themes": found["themes"]}
        return ask(session, found["email"], key=key, act=act, name=found["name"])


def confirm(token: str, *, key: str, staff: bool = True) -> Confirmed:
    """Who holds that link is the person with its address, new where nobody was; what waited for it is done, if it can be.

    What can no longer be done is kept as their draft. `staff`: may they come this way? Raises Missing, RuleBroken (used, or
    over), NotAllowed (staff, where they may not) and AtWork.
    """
    with shared_transaction(f"link {token}") as session:
        return _confirm(session, links.find_link(session, token), key, staff)


def confirm_by_code(browser: str, code: str, *, key: str, staff: bool = True) -> Confirmed:
    """As `confirm`, in the browser that asked, by the code that was sent with the link.

    Besides what that raises: RuleBroken after too many wrong codes, and Invalid for a wrong one, which is counted.
    """
    with shared_transaction(f"link of {browser}") as session:
        link = links.link_by_code(session, browser, code, key=key)
        confirmed = _confirm(session, link, key, staff) if link is not None else None
    if confirmed is None:
        raise Invalid.field("code", links.WRONG_CODE)
    return confirmed


# Steps


def _confirm(session: Session, link: MailLink, key: str, staff: bool) -> Confirmed:
    act = dict(link.act)
    person = resident_with(session, link.email, link.name or UNNAMED)
    if person.kind is Kind.STAFF and not staff:
        raise NotAllowed(_("You work for the council: sign in with the account that you have there."))
    check_may_act(person)
    person = come_back(session, person, key)
    check_may_act(person)
    if link.name and _is_unnamed(person):
        person.name = link.name
        record(session, RightsChanged(person=person.ref))
    links.use(link)
    session.flush()
    try:
        return Confirmed(person.ref, act, made=_carry_out(session, person.actor(), act))
    except Refusal as refusal:
        return Confirmed(person.ref, act, refused=refusal.sentence)


def _carry_out(session: Session, actor: Actor, act: Mapping[str, Any]) -> str | None:
    """Do what waited. Where that is refused nothing of it is left but its words, as a draft. Raises what the act raises."""
    known = len(session.info.get("recorded", ()))
    try:
        with session.begin_nested():
            return _done(actor, act)
    except Refusal:
        del session.info.get("recorded", [])[known:]
        if (typed := _draft_of(act)) is not None:
            write(session, actor, *typed)
        raise


def _done(actor: Actor, act: Mapping[str, Any]) -> str | None:
    """What these commands do is part of the transaction in which the link is used."""
    match act.get("what"):
        case What.VOTE:
            return cast_vote(actor, act["idea"]).idea
        case What.COMMENT:
            return post_comment(actor, act["idea"], body=act["body"], kind=CommentKind(act["kind"]))
        case What.IDEA:
            return post_idea(actor, themes=act["themes"], **act["texts"])
    return None


def _draft_of(act: Mapping[str, Any]) -> tuple[str, dict[str, list[str]]] | None:
    match act.get("what"):
        case What.COMMENT:
            return f"comment-{act['idea']}", {"body": [act["body"]], "kind": [act["kind"]]}
        case What.IDEA:
            return "post", {name: [text] for name, text in act["texts"].items()} | {"theme": list(act["themes"])}
    return None


def _all_of(**asked: Callable[[], Any]) -> dict[str, Any]:
    """What each of them gives; what is wrong is told all at once. Raises Invalid."""
    found: dict[str, Any] = {}
    errors: dict[str, Sentence] = {}
    for name, ask_for in asked.items():
        try:
            found[name] = ask_for()
        except Invalid as refusal:
            errors |= refusal.errors
    if errors:
        raise Invalid(errors)
    return found


# Queries


def name_of(email: str) -> str | None:
    """How the person with that address is known, None where nobody has it, or they never said: only for who has proved that it is
    theirs, or is about to (they hold its link)."""
    with reading() as session:
        person = person_with(session, email)
        return None if person is None or _is_unnamed(person) else person.name
