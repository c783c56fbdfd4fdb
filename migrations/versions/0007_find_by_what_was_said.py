"""Find ideas by what was said under them, and by where they are"""

# ruff: noqa: S608  no text of people stands in a statement

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from ideas_hub.search import indexed, words_in

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

AUDIENCES = ("public", "staff", "leadership")
PIECE = 500  # rows that are read and written at once


def upgrade() -> None:
    op.add_column("idea", sa.Column("place_key", sa.String(length=120), nullable=False, server_default=""))
    op.create_index("ix_idea_place", "idea", ["place_key", "posted_at"], unique=False)
    drop_search()
    create_search()
    fill_search()
    create_indexes()


def is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def drop_search() -> None:
    if is_sqlite():
        for audience in AUDIENCES:
            op.execute(f"DROP TABLE search_{audience}")
    else:
        op.drop_table("search_entry")


def create_search() -> None:
    words = sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql")
    op.create_table(
        "search_idea",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("audience", sa.SmallInteger(), nullable=True),
        sa.Column("title", words, nullable=False),
        sa.Column("words", words, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_idea")),
    )
    op.create_table(
        "search_said",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("idea_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("audience", sa.SmallInteger(), nullable=True),
        sa.Column("words", words, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_said")),
    )
    op.create_index("ix_search_said_idea_id", "search_said", ["idea_id"], unique=False)
    op.create_index("ix_search_said_source", "search_said", ["kind", "source_id"], unique=True)


def create_indexes() -> None:
    """Over the rows that are there: one FTS5 table for each audience on SQLite, inverted indexes on PostgreSQL."""
    for table, columns in (("search_idea", ("title", "words")), ("search_said", ("words",))):
        if not is_sqlite():
            for column in columns:
                op.create_index(f"ix_{table}_{column}", table, [column], unique=False, postgresql_using="gin")
            continue
        names = ", ".join(columns)
        for place, audience in enumerate(AUDIENCES):
            # The words come as they are to be found: split at spaces alone. No ranks, no phrases, so no sizes and places.
            options = f"content='{table}', content_rowid='id', tokenize='ascii', detail=column, columnsize=0, prefix='2 3'"
            op.execute(f"CREATE VIRTUAL TABLE {table}_{audience} USING fts5({names}, {options})")
            op.execute(
                f"INSERT INTO {table}_{audience} (rowid, {names}) SELECT id, {names} FROM {table} WHERE audience = {place}"
            )


def fill_search() -> None:
    texts = "id, title, problem, proposal, gain, cost_of_inaction, place"
    audience = "CASE WHEN hidden OR held THEN NULL ELSE effective_audience END AS audience"
    for rows in pieces(f"SELECT {texts}, {audience} FROM idea WHERE withdrawn_at IS NULL AND id > :last"):
        put("search_idea", [idea_entry(row) for row in rows])
        keys = [{"id": row.id, "place_key": " ".join(words_in(row.place))[:120]} for row in rows]
        op.get_bind().execute(sa.text("UPDATE idea SET place_key = :place_key WHERE id = :id"), keys)
    for rows in pieces(f"SELECT id, idea_id, body AS words, {audience} FROM comment WHERE withdrawn_at IS NULL AND id > :last"):
        put("search_said", [said_entry("comment", row) for row in rows])
    of_idea = "CASE WHEN i.hidden OR i.held THEN NULL ELSE i.effective_audience END AS audience"
    for kind, table, words in (
        ("answer", "answer", "t.text"),
        ("reason", "stage_change", "t.reason"),
        ("trial", "trial", "t.hypothesis || ' ' || t.test || ' ' || t.measure"),
        ("lesson", "lesson", "t.text"),
    ):
        said = f"SELECT t.id AS id, t.idea_id, {words} AS words, {of_idea} FROM {table} t JOIN idea i ON i.id = t.idea_id"
        for rows in pieces(f"{said} WHERE i.withdrawn_at IS NULL AND t.id > :last"):
            put("search_said", [said_entry(kind, row) for row in rows])


def pieces(query: str) -> Any:
    last, rows = 0, [None]
    while rows:
        rows = op.get_bind().execute(sa.text(f"{query} ORDER BY id LIMIT {PIECE}"), {"last": last}).all()
        if rows:
            yield rows
            last = rows[-1].id


def idea_entry(row: Any) -> dict[str, Any]:
    body = "\n".join((row.title, row.problem, row.proposal, row.gain, row.cost_of_inaction, row.place))
    return {"id": row.id, "audience": row.audience, "title": indexed(row.title), "words": indexed(body)}


def said_entry(kind: str, row: Any) -> dict[str, Any]:
    return {"kind": kind, "source_id": row.id, "idea_id": row.idea_id, "audience": row.audience, "words": indexed(row.words)}


def put(table: str, entries: list[dict[str, Any]]) -> None:
    names = list(entries[0])
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"
    op.get_bind().execute(sa.text(statement), entries)
