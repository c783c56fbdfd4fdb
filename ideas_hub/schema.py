"""The schema as a whole: every table that stands in these files, and how a database is brought to it."""

from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from events import log
from ideas_hub import (  # noqa: F401  every file with a table
    administration,
    answers,
    audiences,
    authors,
    bursts,
    claims,
    comments,
    drafts,
    ideas,
    imports,
    joining,
    lessons,
    links,
    outbox,
    people,
    privacy,
    search,
    sessions,
    settings,
    sign_on,
    sponsors,
    stages,
    trials,
    votes,
)
from ideas_hub.db import database, reading

metadata = log.metadata
MIGRATIONS = Path(__file__).parent.parent / "migrations"


def is_ours(name: str | None, kind: str, parents: Any) -> bool:
    """Is a table that Alembic finds one of ours? The virtual tables of full-text search bring helpers along."""
    return not (kind == "table" and name and name.startswith("search_") and name not in ("search_idea", "search_said"))


def migrate() -> str:
    """Bring the open database to the newest schema, whole or not at all, and return its revision."""
    config = _config()
    with database().engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return current() or ""


def current() -> str | None:
    """The revision that the open database is at; None where it was never migrated."""
    with reading() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def newest() -> str | None:
    """The revision that this code needs."""
    return _revisions()[0]


def is_behind() -> bool:
    """Does the open database lack what this code needs? A newer one lacks nothing: servers are restarted one by one."""
    here, (head, known) = current(), _revisions()
    return here != head and (here is None or here in known)


@cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    """The newest revision, and all: those of when it was first asked. A newer version may come to lie in the folder meanwhile."""
    scripts = ScriptDirectory.from_config(_config())
    return scripts.get_current_head(), frozenset(script.revision for script in scripts.walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
