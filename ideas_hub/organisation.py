"""The parts of the council, its themes and its settings, as admins arrange them. Each change is a fact of the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from events.catalogue import DirectorateChanged, SettingsChanged, TeamChanged
from ideas_hub.db import reading, record, transaction
from ideas_hub.errors import Invalid, Missing, _
from ideas_hub.people import Actor, Directorate, Kind, Person, PersonCard, Team, normalise_name
from ideas_hub.permissions import require
from ideas_hub.settings import Theme, put_settings, put_theme

# Model


@dataclass(frozen=True, slots=True)
class TeamCard:
    id: int
    name: str
    people: int


@dataclass(frozen=True, slots=True)
class DirectorateCard:
    id: int
    name: str
    lead: PersonCard | None
    teams: tuple[TeamCard, ...]


@dataclass(frozen=True, slots=True)
class ThemeFile:
    slug: str
    name: str
    directorate: str | None


# Commands: the parts of the council


def put_directorate(actor: Actor, *, name: str, id: int | None = None, lead: str | None = None) -> int:
    """Add a directorate, or rename the one with that id; `lead` is the reference of who answers for it ("": nobody). Its id.

    Raises SignInNeeded, NotAllowed, Missing and Invalid (the name, one that is taken, somebody who cannot lead).
    """
    require(actor, "arrange", None)
    with transaction() as session:
        place = Directorate(name="") if id is None else _part(session, Directorate, id)
        was, was_lead = place.name, place.lead_id
        place.name = _free_name(session, Directorate, name, place.id)
        if lead is not None:
            place.lead_id = _lead(session, lead).id if lead else None
        session.add(place)
        session.flush()
        by = actor.ref or ""
        if was != place.name:
            record(session, DirectorateChanged(directorate=place.id, what="name" if was else "added", was="", to="", by=by))
        if was_lead != place.lead_id:
            before, after = _ref(session, was_lead), _ref(session, place.lead_id)
            record(session, DirectorateChanged(directorate=place.id, what="lead", was=before, to=after, by=by))
        record(session, SettingsChanged())
        return place.id


def put_team(actor: Actor, *, name: str, directorate: int, id: int | None = None) -> int:
    """Add a team, or rename and move the one with that id. Its id. Raises as `put_directorate`."""
    require(actor, "arrange", None)
    with transaction() as session:
        team = Team(name="") if id is None else _part(session, Team, id)
        was, was_in = team.name, team.directorate_id
        team.name = _free_name(session, Team, name, team.id)
        place = session.get(Directorate, directorate)
        if place is None:
            raise Invalid.field("directorate", _("Choose a directorate from the list."))
        team.directorate = place
        session.add(team)
        session.flush()
        by = actor.ref or ""
        if was != team.name:
            record(session, TeamChanged(team=team.id, what="name" if was else "added", was="", to="", by=by))
        if was and was_in != place.id:
            record(session, TeamChanged(team=team.id, what="directorate", was=str(was_in), to=str(place.id), by=by))
        record(session, SettingsChanged())
        return team.id


# Commands: themes and settings


def set_settings(actor: Actor, values: Mapping[str, Any]) -> None:
    """Set what is named; the rest stays. Raises SignInNeeded, NotAllowed and Invalid."""
    require(actor, "set_up", None)
    with transaction() as session:
        put_settings(session, values, by=actor.ref or "")


def set_theme(actor: Actor, slug: str, *, name: str, directorate: str | None = None) -> None:
    """Add a theme, or change the one with that slug. Raises SignInNeeded, NotAllowed and Invalid."""
    require(actor, "set_up", None)
    with transaction() as session:
        put_theme(session, slug, name, directorate or None, by=actor.ref or "")


# Steps


def _part(session: Session, model: type[Any], id: int) -> Any:
    found = session.get(model, id, with_for_update={"of": model})
    if found is None:
        raise Missing
    return found


def _free_name(session: Session, model: type[Any], name: str, id: int | None) -> str:
    name = normalise_name(name)
    taken = session.scalar(select(model.id).where(func.lower(model.name) == name.lower()))
    if taken not in (None, id):
        raise Invalid.field("name", _("There is one of this name already."))
    return name


def _lead(session: Session, ref: str) -> Person:
    person = session.scalar(select(Person).where(Person.ref == ref))
    if person is None or person.kind is not Kind.STAFF or person.suspended or person.joined_id:
        raise Invalid.field("lead", _("Choose a member of staff."))
    return person


def _ref(session: Session, id: int | None) -> str:
    return session.scalar(select(Person.ref).where(Person.id == id)) or ""


# Queries


def directorates(actor: Actor) -> list[DirectorateCard]:
    """The parts of the council, by name. Raises SignInNeeded and NotAllowed."""
    require(actor, "arrange", None)
    with reading() as session:
        people = {row[0]: row[1] for row in session.execute(select(Person.team_id, func.count()).group_by(Person.team_id))}
        teams: dict[int, list[TeamCard]] = {}
        for team in session.scalars(select(Team).order_by(Team.name)):
            teams.setdefault(team.directorate_id, []).append(TeamCard(team.id, team.name, people.get(team.id, 0)))
        rows = select(Directorate, Person).outerjoin(Person, Person.id == Directorate.lead_id).order_by(Directorate.name)
        return [
            DirectorateCard(place.id, place.name, lead.card() if lead else None, tuple(teams.get(place.id, ())))
            for place, lead in session.execute(rows)
        ]


def possible_leads(actor: Actor) -> list[PersonCard]:
    """Who can lead a directorate: staff, by name. Raises SignInNeeded and NotAllowed."""
    require(actor, "arrange", None)
    with reading() as session:
        able = (Person.kind == Kind.STAFF, Person.suspended.is_(False), Person.joined_id.is_(None))
        return [person.card() for person in session.scalars(select(Person).where(*able).order_by(Person.name).limit(500))]


def theme_files(actor: Actor) -> list[ThemeFile]:
    """The themes, and whose lead answers for each. Raises SignInNeeded and NotAllowed."""
    require(actor, "set_up", None)
    with reading() as session:
        rows = select(Theme.slug, Theme.name, Directorate.name.label("directorate"))
        rows = rows.outerjoin(Directorate, Directorate.id == Theme.directorate_id).order_by(Theme.name, Theme.slug)
        return [ThemeFile(row.slug, row.name, row.directorate) for row in session.execute(rows)]
