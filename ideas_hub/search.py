"""Put and find: full text by ids and audiences, on FTS5 (SQLite) or `tsvector` (PostgreSQL).

Rank must not tell what somebody cannot see. FTS5's rank weighs a word by how rare it is among *all* rows of its table, so on
SQLite each audience has a table of its own. What is hidden or held is taken out. Words are folded (case, accents) in here, for
both databases alike.
"""

import re
import unicodedata

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Float, Index, Integer, SmallInteger, Subquery, Table, column, select, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Session

from events.catalogue import VIEWS, View
from events.log import metadata

MOST_WORDS = 12
TITLE_WEIGHT = 4.0

# Model: on PostgreSQL this table; on SQLite its place is taken by one virtual table for each audience.

entry_table = Table(
    "search_entry",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("audience", SmallInteger, nullable=False),
    Column("words", sa.Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
    Index("ix_search_entry_words", "words", postgresql_using="gin"),
)

FTS_TABLES = {view: f"search_{view.word}" for view in VIEWS}


# Rules


def fold(words: str) -> str:
    """Text without case and accents, as it is put in and looked for."""
    decomposed = unicodedata.normalize("NFKD", words)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def words_in(text: str) -> list[str]:
    """The words of a text, folded: what stands between signs. No database is left to divide "bus/tram" in its own way."""
    return re.findall(r"[^\W_]+", fold(text))


def words_of(question: str) -> list[str]:
    """The words somebody looks for, each once, at most `MOST_WORDS`."""
    return list(dict.fromkeys(words_in(question)))[:MOST_WORDS]


# Commands are steps here: a row is put in the index with the change that made it.


def put(session: Session, id: int, audience: View, title: str, body: str) -> None:
    """Step: have that row found by these texts, by that audience and wider views, and by no other text."""
    drop(session, id)
    values = {"id": id, "title": " ".join(words_in(title)), "body": " ".join(words_in(body))}
    if _is_sqlite(session):
        table = FTS_TABLES[audience]
        session.execute(text(f"INSERT INTO {table} (rowid, title, body) VALUES (:id, :title, :body)"), values)  # noqa: S608
    else:
        words = "setweight(to_tsvector('simple', :title), 'A') || setweight(to_tsvector('simple', :body), 'D')"
        insert = text(f"INSERT INTO search_entry (id, audience, words) VALUES (:id, :audience, {words})")  # noqa: S608
        session.execute(insert, values | {"audience": int(audience)})


def drop(session: Session, id: int) -> None:
    """Step: have that row found no more. Twice is harmless."""
    for table in FTS_TABLES.values() if _is_sqlite(session) else ("search_entry",):
        key = "rowid" if _is_sqlite(session) else "id"
        session.execute(text(f"DELETE FROM {table} WHERE {key} = :id"), {"id": id})  # noqa: S608


# Queries


def matches(session: Session, view: View, question: str, *, every_word: bool = True) -> Subquery | None:
    """The ids of what a view may find, with a rank (smaller is better); None where there is no word to look for.

    A word finds those that begin with it. With `every_word` all of them must be there, otherwise any.
    """
    words = words_of(question)
    if not words:
        return None
    if _is_sqlite(session):
        query = (" " if every_word else " OR ").join(f'"{word}"*' for word in words)
        parts = " UNION ALL ".join(
            f"SELECT rowid AS id, bm25({table}, {TITLE_WEIGHT}, 1.0) AS rank FROM {table} WHERE {table} MATCH :query"  # noqa: S608
            for audience, table in FTS_TABLES.items()
            if audience <= view
        )
        found = text(parts).bindparams(query=query)
        return found.columns(column("id", Integer), column("rank", Float)).subquery("found")
    query = (" & " if every_word else " | ").join(f"'{word}':*" for word in words)
    asked = sa.func.to_tsquery("simple", query)
    rank = (-sa.func.ts_rank_cd(entry_table.c.words, asked)).cast(Float).label("rank")
    seen = (entry_table.c.audience <= int(view), entry_table.c.words.op("@@")(asked))
    return select(entry_table.c.id, rank).where(*seen).subquery("found")


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
