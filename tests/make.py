"""People, ideas and comments for tests, in the words of the domain. Everything passes the real commands.

Who is not named is made: an idea has an author who may write for its audience, a vote its voter. Names and texts are numbered,
so that no two are alike.
"""

from collections.abc import Iterable
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import select

from events.catalogue import View
from ideas_hub.audiences import hide_comment, hide_idea
from ideas_hub.clock import today
from ideas_hub.comments import CommentKind, post_comment, withdraw_comment
from ideas_hub.db import reading
from ideas_hub.ideas import Idea, Stage, post_idea
from ideas_hub.moves import answer_idea, move_idea
from ideas_hub.people import Actor, Kind, Person, Role, add_person, name_lead
from ideas_hub.settings import add_theme
from ideas_hub.sponsors import name_sponsor
from ideas_hub.votes import cast_vote

numbers = count(1)

WAY = {  # the stages that lead to a stage
    Stage.NEW: (),
    Stage.EXPLORING: (Stage.EXPLORING,),
    Stage.TRIAL: (Stage.EXPLORING, Stage.TRIAL),
    Stage.ADOPTED: (Stage.EXPLORING, Stage.ADOPTED),
    Stage.LEARNED: (Stage.EXPLORING, Stage.TRIAL, Stage.LEARNED),
    Stage.PARKED: (Stage.PARKED,),
    Stage.DECLINED: (Stage.DECLINED,),
    Stage.MERGED: (Stage.MERGED,),
}


# People


def person(
    name: str | None = None,
    *,
    kind: str = "resident",
    roles: Iterable[str] = (),
    team: str | None = None,
    directorate: str | None = None,
) -> Actor:
    """Somebody new, as an actor."""
    number = next(numbers)
    ref = add_person(
        f"p{number}@example.org",
        name=name or f"Person {number}",
        kind=Kind(kind),
        team=team,
        directorate=directorate,
        roles=[Role(role) for role in roles],
    )
    return actor(ref)


def actor(ref: str) -> Actor:
    """Somebody as they may act now."""
    with reading() as session:
        return session.scalars(select(Person).where(Person.ref == ref)).one().actor()


def address(who: Actor) -> str:
    with reading() as session:
        return session.scalars(select(Person.email).where(Person.ref == who.ref)).one() or ""


def changed(who: Actor, *roles: str, kind: str = "staff") -> Actor:
    """The same person with these roles and no others."""
    add_person(address(who), name=who.name, kind=Kind(kind), roles=[Role(role) for role in roles])
    return actor(who.ref or "")


def resident(name: str | None = None) -> Actor:
    return person(name)


def staff(name: str | None = None, *, team: str | None = None, directorate: str | None = None) -> Actor:
    return person(name, kind="staff", team=team, directorate=directorate)


def sponsor(name: str | None = None) -> Actor:
    return person(name, kind="staff", roles=["sponsor"])


def moderator(name: str | None = None) -> Actor:
    return person(name, kind="staff", roles=["moderator"])


def safeguarding(name: str | None = None) -> Actor:
    return person(name, kind="staff", roles=["safeguarding"])


def leader(name: str | None = None) -> Actor:
    return person(name, kind="staff", roles=["leader"])


def admin(name: str | None = None) -> Actor:
    return person(name, kind="staff", roles=["admin"])


def overseer(name: str | None = None) -> Actor:
    """A moderator who sees everything."""
    return person(name, kind="staff", roles=["moderator", "leader"])


def lead(directorate: str, name: str | None = None, *, roles: Iterable[str] = ()) -> Actor:
    """A member of staff by whom a directorate answers where an idea has no sponsor."""
    who = person(name, kind="staff", roles=roles, team=f"Office of {directorate}", directorate=directorate)
    name_lead(directorate, address(who))
    return who


def author_for(audience: View) -> Actor:
    """Somebody new who may write for that audience, and whose own view is no wider."""
    return {View.PUBLIC: resident, View.STAFF: staff, View.LEADERSHIP: leader}[audience]()


def regular(*roles: str) -> Actor:
    """A member of staff with these roles: the same one whenever this hub is asked."""
    address = f"regular-{'-'.join(roles)}@example.org"
    with reading() as session:
        found = session.scalar(select(Person).where(Person.email == address))
    if found is None:
        add_person(address, name=f"The {roles[0]}", kind=Kind.STAFF, roles=[Role(role) for role in roles])
        return regular(*roles)
    return found.actor()


# What ideas are about


def theme(slug: str, *, directorate: str | None = None) -> str:
    add_theme(slug, slug.title(), directorate=directorate)
    return slug


# Ideas


def texts(**given: str) -> dict[str, str]:
    number = next(numbers)
    return {"title": f"Idea {number}", "problem": f"Problem {number}.", "proposal": f"Proposal {number}."} | given


def needs(to: Stage | str, **given: Any) -> dict[str, Any]:
    """What entering that stage needs besides a reason; `into` is a new idea unless told."""
    soon = today() + timedelta(days=30)
    match Stage(to):
        case Stage.TRIAL:
            return {"hypothesis": "It helps.", "test": "One street.", "measure": "Calls a day.", "ends": soon} | given
        case Stage.LEARNED:
            return {"lesson": "Ask first."} | given
        case Stage.PARKED:
            return {"review_on": soon} | given
        case Stage.MERGED:
            return {"into": given.get("into") or idea()}
    return given


def idea(
    author: Actor | None = None,
    *,
    audience: str = "public",
    stage: str = "new",
    sponsor: Actor | None = None,
    votes: int = 0,
    staff_votes: int = 0,
    themes: Iterable[str] = (),
    co_authors: Iterable[Actor] = (),
    hidden: bool = False,
    **given: str,
) -> str:
    """An idea in that stage, on the shortest way there, and its reference. `given`: its texts."""
    view = View.named(audience)
    people = [_row(other) for other in co_authors]
    ref = post_idea(author or author_for(view), audience=view, themes=list(themes), co_authors=people, **texts(**given))
    cast(ref, residents=votes, staff=staff_votes)
    way = WAY[Stage(stage)]
    if sponsor or Stage.EXPLORING in way:
        sponsored(ref, by=sponsor)
    for step in way:
        moved(ref, step)
    if hidden:
        hide_idea(regular("moderator", "leader"), ref, reason="Not for here.")
    return ref


def sponsored(ref: str, *, by: Actor | None = None, reason: str = "They know this best.") -> Actor:
    """Have the idea sponsored by them, or by somebody who can."""
    by = by or (regular("leader") if row(ref).effective_audience is View.LEADERSHIP else regular("sponsor"))
    name_sponsor(regular("admin"), ref, person=by.ref or "", reason=reason)
    return by


def moved(ref: str, to: Stage | str, *, by: Actor | None = None, reason: str = "It is time.", **given: Any) -> str:
    """Have the idea moved, by an admin unless told."""
    move_idea(by or regular("admin"), ref, to=Stage(to), reason=reason, **needs(to, **given))
    return ref


def cast(ref: str, *, residents: int = 0, staff: int = 0) -> list[Actor]:
    """Have new people vote for the idea; who they are."""
    voters = [person(kind=kind) for kind, number in (("resident", residents), ("staff", staff)) for _ in range(number)]
    for voter in voters:
        cast_vote(voter, ref)
    return voters


def answer(ref: str, *, text: str = "Yes, and soon.") -> str:
    """Have the idea answered by its sponsor, who is made where it has none."""
    found = row(ref)
    by = actor(found.sponsor.ref) if found.sponsor else sponsored(ref)
    return answer_idea(by, ref, text=text)


# Comments


def comment(
    ref: str,
    author: Actor | None = None,
    *,
    body: str | None = None,
    kind: str = "build",
    audience: str | None = None,
    parent: str | None = None,
    hidden: bool = False,
    withdrawn: bool = False,
) -> str:
    """A comment under an idea, and its reference; for the idea's audience unless told."""
    view = View.named(audience) if audience else row(ref).effective_audience
    author = author or author_for(view)
    made = post_comment(
        author,
        ref,
        body=body or f"Comment {next(numbers)}.",
        kind=CommentKind(kind),
        parent=parent,
        audience=View.named(audience) if audience else None,
    )
    if withdrawn:
        withdraw_comment(author, ref, made)
    if hidden:
        hide_comment(regular("moderator", "leader"), ref, made, reason="Not for here.")
    return made


def _row(who: Actor) -> Person:
    with reading() as session:
        return session.get_one(Person, who.person_id)


def row(ref: str) -> Idea:
    """The idea as it stands in the database, whoever may see it."""
    with reading() as session:
        return session.scalars(select(Idea).where(Idea.ref == ref)).one()
