"""What admins set: thresholds, and the themes that ideas are about."""

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from events.catalogue import SettingsChanged, View
from events.prepared import Prepared
from ideas_hub.db import Base, reading, record, transaction
from ideas_hub.errors import Invalid, _
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
    """

    council: str = "Your council"
    answer_votes: dict[str, int] = field(default_factory=lambda: {"public": 100, "staff": 25, "leadership": 5})
    answer_days: int = 15

    def votes_that_oblige(self, audience: View) -> int:
        return self.answer_votes[audience.word]


@dataclass(frozen=True, slots=True)
class ThemeCard:
    slug: str
    name: str


# Commands


def change_settings(**values: Any) -> None:
    """Set what is named; the rest stays. Raises TypeError for a setting that does not exist, and Invalid for a wrong value.

    Notes in the ledger that it was done.
    """
    changed = asdict(Settings(**values))
    votes, days = changed["answer_votes"], changed["answer_days"]
    if set(votes) != {view.word for view in View} or not all(isinstance(least, int) and least > 0 for least in votes.values()):
        raise Invalid.field("answer_votes", _("Say for each audience how many votes oblige an answer: one at least."))
    if not 1 <= days <= 250:
        raise Invalid.field("answer_days", _("Give between 1 and 250 working days for an answer."))
    with transaction() as session:
        for name in values:
            session.merge(Setting(name=name, value=changed[name]))
        record(session, SettingsChanged())


def add_theme(slug: str, name: str, *, directorate: str | None = None) -> None:
    """Add a theme, or change the one with that slug. Notes it in the ledger.

    Raises Invalid (no slug, or a directorate that is not there).
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) or len(slug) > 40:
        raise Invalid.field("slug", _("A slug is small letters and digits, with hyphens between them."))
    with transaction() as session:
        directorate_id = session.scalar(select(Directorate.id).where(Directorate.name == directorate))
        if directorate is not None and directorate_id is None:
            raise Invalid.field("directorate", _("Name a directorate of this hub."))
        theme = session.scalar(select(Theme).where(Theme.slug == slug)) or Theme(slug=slug)
        theme.name, theme.directorate_id = name, directorate_id
        session.add(theme)
        record(session, SettingsChanged())


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
