"""What admins set: thresholds, and the themes that ideas are about."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import SettingChanged, SettingsChanged, ThemeChanged, View
from events.prepared import Prepared
from ideas_hub.db import Base, reading, record, transaction
from ideas_hub.errors import Invalid, Sentence, _
from ideas_hub.people import Directorate

# Model


class Setting(Base):
    __tablename__ = "setting"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON)


class Theme(Base):
    """What an idea is about. Its directorate answers for ideas that have no sponsor."""

    __tablename__ = "theme"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    directorate_id: Mapped[int | None] = mapped_column(ForeignKey("directorate.id"))


@dataclass(frozen=True, slots=True)
class Settings:
    """All that can be set, with its defaults.

    `answer_votes`: how many votes oblige an answer, by the idea's audience. `answer_days`: within how many working days.
    Votes are held as docs/votes.md says: of residents known for fewer than `newcomer_days`, where `burst_votes` of them have
    come from one network to one idea within `burst_minutes`. Where `rush_votes` have, from wherever, moderators are told.
    """

    council: str = "Your council"
    answer_votes: dict[str, int] = field(default_factory=lambda: {"public": 100, "staff": 25, "leadership": 5})
    answer_days: int = 15
    newcomer_days: int = 14
    burst_votes: int = 20
    burst_minutes: int = 60
    rush_votes: int = 100

    def votes_that_oblige(self, audience: View) -> int:
        return self.answer_votes[audience.word]


@dataclass(frozen=True, slots=True)
class ThemeCard:
    slug: str
    name: str


# Rules

RANGES: Mapping[str, tuple[int, int, str]] = {
    "answer_days": (1, 250, _("Give between 1 and 250 working days for an answer.")),
    "newcomer_days": (0, 90, _("Give a number of days from 0 (votes are never held) to 90.")),
    "burst_votes": (5, 10_000, _("Give a number of votes from 5 to 10,000.")),
    "rush_votes": (5, 10_000, _("Give a number of votes from 5 to 10,000.")),
    "burst_minutes": (1, 1440, _("Give a number of minutes from 1 to 1,440, which is a day.")),
}


def check(values: Mapping[str, Any]) -> None:
    """Raises Invalid, naming every value that cannot be."""
    errors: dict[str, Sentence] = {}
    votes = values["answer_votes"]
    if set(votes) != {view.word for view in View} or not all(isinstance(least, int) and least > 0 for least in votes.values()):
        errors["answer_votes"] = Sentence(_("Say for each audience how many votes oblige an answer: one at least."))
    for name, (low, high, said) in RANGES.items():
        if not low <= values[name] <= high:
            errors[name] = Sentence(said)
    if errors:
        raise Invalid(errors)


# Commands


def change_settings(**values: Any) -> None:
    """Set what is named; the rest stays. Raises TypeError for a setting that does not exist, and Invalid for a wrong value.

    Notes in the ledger that it was done.
    """
    with transaction() as session:
        put_settings(session, values)


def add_theme(slug: str, name: str, *, directorate: str | None = None) -> None:
    """Add a theme, or change the one with that slug. Notes it in the ledger.

    Raises Invalid (no slug, or a directorate that is not there).
    """
    with transaction() as session:
        put_theme(session, slug, name, directorate)


# Steps


def put_settings(session: Session, values: Mapping[str, Any], by: str = "") -> None:
    """Step: as `change_settings`, by somebody; what changes is told to the audit log."""
    given = asdict(Settings(**values))  # a TypeError for what is no setting
    before = asdict(settings(session))
    after = before | {name: given[name] for name in values}
    check(after)
    for name in values:
        session.merge(Setting(name=name, value=after[name]))
        if before[name] != after[name]:
            record(session, SettingChanged(what=name, was=_word(before[name]), to=_word(after[name]), by=by))
    record(session, SettingsChanged())


def put_theme(session: Session, slug: str, name: str, directorate: str | None, by: str = "") -> None:
    """Step: as `add_theme`, by somebody; what changes is told to the audit log."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) or len(slug) > 40:
        raise Invalid.field("slug", _("A slug is small letters and digits, with hyphens between them."))
    name = " ".join(name.split())
    if not 0 < len(name) <= 80:
        raise Invalid.field("name", _("Write a name of 1 to 80 characters."))
    directorate_id = session.scalar(select(Directorate.id).where(Directorate.name == directorate))
    if directorate is not None and directorate_id is None:
        raise Invalid.field("directorate", _("Name a directorate of this hub."))
    theme = session.scalar(select(Theme).where(Theme.slug == slug)) or Theme(slug=slug)
    was = (theme.name, theme.directorate_id)
    theme.name, theme.directorate_id = name, directorate_id
    is_new = theme.id is None
    session.add(theme)
    session.flush()
    if is_new or was[0] != name:
        record(session, ThemeChanged(theme=theme.id, what="added" if is_new else "name", was="", to="", by=by))
    if was[1] != directorate_id:
        before, after = str(was[1] or ""), str(directorate_id or "")
        record(session, ThemeChanged(theme=theme.id, what="directorate", was=before, to=after, by=by))
    record(session, SettingsChanged())


def _word(value: Any) -> str:
    """A setting as the audit log has it: numbers. A name is none."""
    if isinstance(value, dict):
        return " ".join(str(value[view.word]) for view in View)
    return str(value) if isinstance(value, int) else ""


# Queries


_ALL = Prepared(select(Setting.name, Setting.value))


def settings(session: Session) -> Settings:
    """The settings as they are now."""
    known = {known.name for known in fields(Settings)}
    return Settings(**{row.name: row.value for row in _ALL(session) if row.name in known})


def current_settings() -> Settings:
    with reading() as session:
        return settings(session)


def themes() -> list[ThemeCard]:
    """All themes, by name."""
    with reading() as session:
        rows = session.execute(select(Theme.slug, Theme.name).order_by(Theme.name, Theme.slug))
        return [ThemeCard(row.slug, row.name) for row in rows]
