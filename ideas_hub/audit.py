"""The audit log: what admins and moderators did, read from the ledger. Queries only.

The log holds references and words of ours; names and reasons are joined here, for admins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from events import log
from events.catalogue import AUDIT, AUDITED, SIGN_ON, ThemeChanged
from ideas_hub.administration import Suspension
from ideas_hub.bursts import Burst
from ideas_hub.db import reading
from ideas_hub.errors import Sentence, _
from ideas_hub.ideas import Idea
from ideas_hub.joining import Joining
from ideas_hub.people import Actor, Directorate, Person, PersonCard, Team
from ideas_hub.permissions import require
from ideas_hub.settings import Theme

# What a line says, by the fact's type and by what of it was changed.
SENTENCES: Mapping[str, str] = {
    "person.changed added": _("%(person)s was added: %(to)s."),
    "person.changed name": _("%(person)s got another name."),
    "person.changed kind": _("%(person)s: from %(was)s to %(to)s."),
    "person.changed team": _("%(person)s: from the team %(was)s to %(to)s."),
    "person.changed roles": _("%(person)s: from the roles %(was)s to %(to)s."),
    "person.suspended": _("%(person)s was suspended."),
    "person.reinstated": _("The suspension of %(person)s was lifted."),
    "person.joined": _("%(person)s became %(into)s: they are one person."),
    "hub.directorate_changed added": _("The directorate %(directorate)s was added."),
    "hub.directorate_changed name": _("The directorate %(directorate)s got this name."),
    "hub.directorate_changed lead": _("The directorate %(directorate)s: led by %(was)s, now by %(to)s."),
    "hub.team_changed added": _("The team %(team)s was added."),
    "hub.team_changed name": _("The team %(team)s got this name."),
    "hub.team_changed directorate": _("The team %(team)s moved from %(was)s to %(to)s."),
    "hub.theme_changed added": _("The theme %(theme)s was added."),
    "hub.theme_changed name": _("The theme %(theme)s got this name."),
    "hub.theme_changed directorate": _("The theme %(theme)s: answered for by %(was)s, now by %(to)s."),
    "hub.setting_changed council": _("The council got another name."),
    "hub.setting_changed answer_votes": _("Votes that oblige an answer (of all, of staff, of leaders): from %(was)s to %(to)s."),
    "hub.setting_changed answer_days": _("Working days for an answer: from %(was)s to %(to)s."),
    "hub.setting_changed newcomer_days": _("Days for which a resident is new: from %(was)s to %(to)s."),
    "hub.setting_changed burst_votes": _("Votes from one network that count before others are held: from %(was)s to %(to)s."),
    "hub.setting_changed rush_votes": _("Votes of new residents of which moderators are told: from %(was)s to %(to)s."),
    "hub.setting_changed burst_minutes": _("Minutes within which votes are a burst: from %(was)s to %(to)s."),
    "votes.decided": _("Votes for “%(idea)s” that were held: %(to)s."),
}
NONE, NOBODY = Sentence(_("none")), Sentence(_("nobody"))
NOT_SOMEBODY = {"": Sentence(_("the console")), SIGN_ON: Sentence(_("the council’s sign-in"))}  # who else does something
TYPES = tuple(kind.type for kind in AUDITED)


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Something that was done. `by` is None where it was done `elsewhere`. `data`: the fact as the log has it."""

    position: int
    at: datetime
    type: str
    by: PersonCard | None
    elsewhere: Sentence | None
    sentence: Sentence
    reason: str
    data: Mapping[str, Any]


def audit(
    actor: Actor, *, who: str = "", what: str = "", before: int | None = None, limit: int = 50
) -> tuple[list[AuditLine], int | None]:
    """What was done, the newest first, and where the next piece begins: by or to the person `who`, of the type `what`.

    Raises SignInNeeded and NotAllowed.
    """
    require(actor, "audit", None)
    event = log.event_table.c
    query = select(event.position, event.at, event.type, event.data).where(event.subject == AUDIT)
    if who:
        query = query.where(or_(*(event.data[name].as_string() == who for name in ("by", "person", "into"))))
    if what:
        query = query.where(event.type == what)
    if before is not None:
        query = query.where(event.position < before)
    with reading() as session:
        rows = session.execute(query.order_by(event.position.desc()).limit(limit + 1)).all()
        named = _Named(session, [row.data for row in rows])
        lines = [named.line(row) for row in rows[:limit]]
    return lines, lines[-1].position if len(rows) > limit else None


class _Named:
    """All that the facts refer to, read with one query for each kind."""

    def __init__(self, session: Session, facts: Iterable[Mapping[str, Any]]) -> None:
        facts = list(facts)
        refs = {fact[name] for fact in facts for name in ("by", "person", "into", "was", "to") if fact.get(name)}
        self.people = {person.ref: person for person in session.scalars(select(Person).where(Person.ref.in_(refs)))}
        self.places = {str(row.id): row.name for row in session.execute(select(Directorate.id, Directorate.name))}
        self.teams = {str(row.id): row.name for row in session.execute(select(Team.id, Team.name))}
        self.themes = {row.id: row.name for row in session.execute(select(Theme.id, Theme.name))}
        bursts = select(Burst.ref, Burst.reason, Idea.title).join(Idea, Idea.id == Burst.idea_id)
        bursts = bursts.where(Burst.ref.in_({fact["burst"] for fact in facts if "burst" in fact}))
        self.bursts = {row.ref: row for row in session.execute(bursts)}
        self.suspensions = self._rows(session, Suspension, facts, "suspension")
        self.joinings = self._rows(session, Joining, facts, "joining")

    def _rows(self, session: Session, model: Any, facts: Iterable[Mapping[str, Any]], name: str) -> dict[int, Any]:
        wanted = {fact[name] for fact in facts if name in fact}
        return {row.id: row for row in session.scalars(select(model).where(model.id.in_(wanted)))}

    def line(self, row: Any) -> AuditLine:
        data, by = row.data, self.people.get(row.data["by"])
        text = SENTENCES.get(f"{row.type} {data.get('what', '')}".strip()) or SENTENCES[row.type]
        values = {name: self._word(row.type, name, data) for name in (*data, *(["idea"] if "burst" in data else []))}
        elsewhere = NOT_SOMEBODY.get(data["by"])
        sentence, reason = Sentence(text, values), self._reason(row)
        return AuditLine(row.position, row.at, row.type, by.card() if by else None, elsewhere, sentence, reason, data)

    def _word(self, type: str, name: str, data: Mapping[str, Any]) -> Any:
        """What the sentence says in a place: a name where the log has a reference or a number."""
        value = data.get(name, "")
        if name in ("person", "into") or (name in ("was", "to") and data.get("what") == "lead"):
            return self.people[value].name if value in self.people else NOBODY
        if name in ("was", "to") and data.get("what") in ("team", "directorate"):
            nothing = NOBODY if type == ThemeChanged.type else NONE
            return (self.teams if data["what"] == "team" else self.places).get(value) or nothing
        if name in ("was", "to") and data.get("what") == "roles":
            return ", ".join(value.split()) or NONE
        if name in ("directorate", "team"):
            return (self.places if name == "directorate" else self.teams).get(str(value)) or NONE
        if name == "theme":
            return self.themes.get(value) or NONE
        if name == "idea":
            return self.bursts[data["burst"]].title if data["burst"] in self.bursts else NONE
        return value or NONE

    def _reason(self, row: Any) -> str:
        data = row.data
        if suspension := self.suspensions.get(data.get("suspension", 0)):
            return str(suspension.lift_reason if row.type == "person.reinstated" else suspension.reason)
        if joining := self.joinings.get(data.get("joining", 0)):
            return str(joining.reason)
        burst = self.bursts.get(data.get("burst", ""))
        return str(burst.reason) if burst else ""
