"""The house as `ideas_hub/__init__.py`, `events/__init__.py` and the rules of the house say it stands."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from events import catalogue
from events.catalogue import LEDGER, TYPES, Event, IdeaEvent
from ideas_hub import schema
from ideas_hub.live import SENTENCES
from web.api.live import DATA

ROOT = Path(__file__).parent.parent
PACKAGES = ["events", "ideas_hub", "web", "wsgi"]  # each may import those before it
READING_ORDER = [
    "errors",
    "texts",
    "addresses",
    "clock",
    "together",
    "database",
    "sqlite",
    "postgresql",
    "db",
    "claims",
    "people",
    "permissions",
    "settings",
    "sessions",
    "outbox",
    "links",
    "search",
    "differences",
    "drafts",
    "ideas",
    "stages",
    "answers",
    "sponsors",
    "bursts",
    "votes",
    "receipts",
    "authors",
    "comments",
    "privacy",
    "sign_on",
    "pending",
    "trials",
    "lessons",
    "merges",
    "moves",
    "audiences",
    "moderation",
    "administration",
    "organisation",
    "joining",
    "audit",
    "imports",
    "lists",
    "cards",
    "finding",
    "whole",
    "desk",
    "home",
    "board",
    "live",
    "chores",
    "story",
    "recount",
    "verify",
    "schema",
]
FRAMEWORKS = {"flask", "flask_socketio", "flask_wtf", "flask_smorest", "socketio", "engineio", "marshmallow", "eventlet"}
FILES = [*sorted(path.relative_to(ROOT) for name in PACKAGES[:-1] for path in ROOT.glob(f"{name}/**/*.py")), Path("wsgi.py")]


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse((ROOT / file).read_text(), str(file))


def imports(node: ast.AST) -> Iterator[str]:
    """The full names of what is imported anywhere below: `from events import log` is `events.log`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            yield from (alias.name for alias in part.names)
        elif isinstance(part, ast.ImportFrom):
            assert part.level == 0, f"line {part.lineno}: a relative import"
            yield from (f"{part.module}.{alias.name}" for alias in part.names)


def package(name: str) -> str:
    return name.split(".")[0]


@cache
def users_of(library: str) -> set[str]:
    return {file.as_posix() for file in FILES if library in map(package, imports(tree(file)))}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_imports_run_from_wsgi_to_web_to_ideas_hub_to_events_and_never_back(file: Path) -> None:
    here = PACKAGES.index(package(file.with_suffix("").as_posix().replace("/", ".")))
    assert not {name for name in imports(tree(file)) if package(name) in PACKAGES[here + 1 :]}


def test_in_ideas_hub_a_file_imports_only_what_stands_above_it() -> None:
    assert sorted(READING_ORDER) == sorted(path.stem for path in (ROOT / "ideas_hub").glob("[!_]*.py"))
    for place, name in enumerate(READING_ORDER):
        ours = {found.split(".")[1] for found in imports(tree(Path(f"ideas_hub/{name}.py"))) if package(found) == "ideas_hub"}
        assert ours <= set(READING_ORDER[:place]), f"{name}.py"


def test_nothing_is_imported_inside_a_function() -> None:
    for file in FILES:
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                assert not list(imports(node)), f"{file}:{node.lineno}"


def test_each_library_is_known_where_it_belongs_and_nowhere_else() -> None:
    assert users_of("flask_socketio") == {"events/gateway.py"}
    assert users_of("eventlet") == {"events/sender.py", "events/wire.py", "wsgi.py"}
    assert users_of("engineio") == {"events/sender.py", "events/wire.py"}
    assert users_of("redis") == {"web/limits.py", "web/wakeups.py"}
    for library in FRAMEWORKS:
        assert not {file for file in users_of(library) if file.startswith("ideas_hub/")}, library


def test_only_the_gateway_emits_and_only_the_hub_opens_transactions() -> None:
    for file in FILES:
        called = {ast.unparse(node.func).split(".")[-1] for node in ast.walk(tree(file)) if isinstance(node, ast.Call)}
        assert "emit" not in called or file == Path("events/gateway.py"), file
        assert "transaction" not in called or file.parent == Path("ideas_hub"), file


# Events


@pytest.mark.parametrize("kind", TYPES.values(), ids=lambda kind: kind.type)
def test_an_event_is_documented_told_somewhere_and_has_its_sentence(kind: type[Event]) -> None:
    assert kind.__module__ == catalogue.__name__
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")  # what `dataclass` writes where nobody wrote anything
    assert kind.__doc__ not in {base.__doc__ for base in kind.__mro__[1:]}
    if kind in LEDGER:
        assert not kind.feeds, "a ledger fact is told nowhere"
    else:
        assert issubclass(kind, IdeaEvent) or kind.feeds, "nobody could watch it"
    assert (kind.type in SENTENCES) is (kind not in LEDGER)
    assert (kind.type in DATA) is (kind not in LEDGER), "say in web/api/live.py what is joined to it"


def test_no_sentence_is_left_of_an_event_that_is_gone() -> None:
    assert set(SENTENCES) <= set(TYPES)


def test_nothing_but_the_console_brings_many_votes_at_once() -> None:
    """They are not asked by the rule that holds votes, so no request may lead there."""
    named = {str(file.relative_to(ROOT)) for file in (ROOT / "web").rglob("*.py") if "cast_votes" in file.read_text()}
    assert named == {"web/cli/demo.py"}


def test_references_are_all_that_an_event_can_carry() -> None:
    """Short words and numbers: what is stored of a fact has no place for a text."""
    for kind in TYPES.values():
        carried = {field.name for field in fields(kind)} - {"audience"}
        assert carried <= {
            *("idea", "comment", "into", "merged", "answer", "person", "sponsor", "voter", "by", "burst"),
            *("team", "directorate", "theme", "suspension", "joining", "what"),  # rows, and words of ours  # references
            *("hiding", "change", "term", "ideas", "comments", "votes"),  # rows and counts
            *("was", "to", "due", "since"),  # stages, views, days, moments
        }, kind.type


# The schema


def test_each_migration_has_a_number_of_its_own() -> None:
    """Two of one number are two ends: nothing can be migrated, and no test can run."""
    numbers = [file.name[:4] for file in (ROOT / "migrations/versions").glob("[0-9]*.py")]
    assert len(numbers) == len(set(numbers))


def test_the_migrations_make_the_schema_that_the_models_describe(hub) -> None:
    with hub.engine.connect() as connection:

        def ours(row: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
            inverted = kind == "index" and name in {"ix_search_idea_title", "ix_search_idea_words", "ix_search_said_words"}
            return not (connection.dialect.name == "sqlite" and inverted)  # SQLite has virtual tables in their place

        options = {"include_name": schema.is_ours, "include_object": ours, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []
