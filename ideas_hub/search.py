"""Put and find: the words of ideas, and of what is said under them, on SQLite (FTS5) and PostgreSQL (`tsvector`) alike.

Both databases are given words that were made in here: folded (case, accents), without those that stand in every text, and each
also by its English stem, so that "parking", "parked" and "parks" find each other. Neither divides or stems anything itself, so
both find the same.

What fits best is told by where the words stand, never by how rare they are in the whole index: that would tell of texts one
cannot see. An entry without an audience (hidden, held) is in the table, so that it can come back, and in no index. On SQLite
each audience has an index of its own over the table; on PostgreSQL the audience is a condition.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from itertools import islice
from typing import Any

import snowballstemmer
import sqlalchemy as sa
from sqlalchemy import Column, Index, Integer, SmallInteger, String, Table, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Session

from events.catalogue import VIEWS, View
from events.log import metadata

MOST_WORDS = 12  # of a question
MOST_FOUND = 300  # ideas, of those with the words the newest
MOST_SAID = 1000  # texts that are read for those ideas
LONGEST_WORD = 60
BEGINNING = 2  # letters from which on a word finds those that begin with it

# What stands in every text tells nothing. Kept short: a word that is missing here costs time, one too many is never found.
COMMONPLACE = """
a about all am an and any are as at be because been but by can could did do does for from had has have having he her him his how i
if in into is it its just me my no nor not of on or our ours she should so some such than that the their theirs them then there
these they this those to too very was we were what when where which while who whom why will with would you your yours
"""
EVERYWHERE = frozenset(COMMONPLACE.split())

# Model. On SQLite each table has an FTS5 index for each audience beside it (`_indexes`).

WORDS = sa.Text().with_variant(TSVECTOR(), "postgresql")

idea_table = Table(
    "search_idea",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("audience", SmallInteger),
    Column("title", WORDS, nullable=False),
    Column("words", WORDS, nullable=False),
    Index("ix_search_idea_title", "title", postgresql_using="gin").ddl_if(dialect="postgresql"),
    Index("ix_search_idea_words", "words", postgresql_using="gin").ddl_if(dialect="postgresql"),
)
said_table = Table(
    "search_said",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("idea_id", Integer, nullable=False, index=True),
    Column("kind", String(10), nullable=False),
    Column("source_id", Integer, nullable=False),
    Column("audience", SmallInteger),
    Column("words", WORDS, nullable=False),
    Index("ix_search_said_source", "kind", "source_id", unique=True),
    Index("ix_search_said_words", "words", postgresql_using="gin").ddl_if(dialect="postgresql"),
)


class Said(StrEnum):
    """What may stand under an idea and be found."""

    COMMENT = "comment"
    ANSWER = "answer"
    REASON = "reason"
    TRIAL = "trial"
    LESSON = "lesson"


class Fit(IntEnum):
    """Where in an idea the words stand that somebody looks for, the best first."""

    TITLE = 0
    TEXT = 1
    SAID = 2


@dataclass(frozen=True, slots=True)
class Hit:
    """How an idea was found; in something that was said under it, by which row of what."""

    fit: Fit
    kind: Said | None = None
    source_id: int | None = None


# Rules


def fold(words: str) -> str:
    """Text without case and accents, as it is put in and looked for."""
    if words.isascii():
        return words.lower()
    decomposed = unicodedata.normalize("NFKD", words)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).casefold()


def words_in(text: str) -> list[str]:
    """The words of a text, folded: what stands between signs. No database is left to divide "bus/tram" in its own way."""
    return [word[:LONGEST_WORD] for word in re.findall(r"[^\W_]+", fold(text))]


_english = snowballstemmer.stemmer("english")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem that the forms of an English word share. A word of another language has its own, the same every time."""
    return str(_english.stemWord(word))


def telling(text: str) -> list[str]:
    """The words of a text that tell something, each once, in their order."""
    return [word for word in dict.fromkeys(words_in(text)) if word not in EVERYWHERE]


def words_of(question: str) -> list[str]:
    """The words somebody looks for, each once, at most `MOST_WORDS`. What stands in every text is not looked for."""
    return telling(question)[:MOST_WORDS]


def indexed(text: str) -> str:
    """The words that a text is found by: as they stand there, and their stems. A `tsvector` is written in the same way."""
    words = telling(text)
    return " ".join(dict.fromkeys([*words, *map(stem, words)]))


def is_meant(word: str, asked: str) -> bool:
    """Does somebody who looks for `asked` mean this word (both folded)? As the databases decide it."""
    return stem(word) == stem(asked) or word == asked or (len(asked) >= BEGINNING and word.startswith(asked))


Marked = tuple[tuple[str, bool], ...]  # a text in pieces, and which of them were looked for
_WORD = re.compile(r"[^\W_]+")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n+")


def marked(text: str, asked: Sequence[str]) -> Marked:
    """A text with the words marked that somebody looked for."""
    text, pieces, end = unicodedata.normalize("NFC", text), [], 0
    for match in _WORD.finditer(text):
        if any(is_meant(word, each) for word in words_in(match[0]) for each in asked):
            pieces += [(text[end : match.start()], False), (match[0], True)]
            end = match.end()
    return tuple((piece, is_found) for piece, is_found in (*pieces, (text[end:], False)) if piece)


def best_sentence(texts: Sequence[str], asked: Sequence[str], most: int = 240) -> str | None:
    """The sentence with the most words that somebody looked for, the first of those; None where no text has any."""
    best, most_words = None, 0
    for sentence in (" ".join(part.split()) for whole in texts for part in _SENTENCE.split(whole)):
        words = words_in(sentence)
        met = sum(any(is_meant(word, each) for word in words) for each in asked)
        if met > most_words:
            best, most_words = sentence, met
    return None if best is None else _around(best, asked, most)


def _around(sentence: str, asked: Sequence[str], most: int) -> str:
    """A sentence, or as many whole words of it as fit, around the first one that somebody looked for."""
    if len(sentence) <= most:
        return sentence
    first = next((len(piece) for piece, is_found in marked(sentence, asked)[:1] if not is_found), 0)
    start = max(0, min(first - most // 3, len(sentence) - most))
    piece = sentence[start : start + most]
    head = "…" + piece.split(" ", 1)[-1] if start else piece
    return head.rsplit(" ", 1)[0] + "…" if start + most < len(sentence) else head


# Steps: a row is put in with the change that made it


def put_idea(session: Session, idea: int, audience: View | None, title: str, body: str) -> None:
    """Step: have that idea found by these texts, by that audience and wider views, and by no other text."""
    values = {"title": indexed(title), "words": indexed(f"{title}\n{body}")}
    _put(session, idea_table, {"id": idea}, {"audience": audience, **values})


def put_said(session: Session, kind: Said, source: int, idea: int, audience: View | None, text: str) -> None:
    """Step: have an idea found by what was said under it, by that audience and wider views."""
    values = {"idea_id": idea, "audience": audience, "words": indexed(text)}
    _put(session, said_table, {"kind": kind, "source_id": source}, values)


def forget_idea(session: Session, idea: int) -> None:
    """Step: have that idea found no more, by nothing that was said under it either. Twice is harmless."""
    for table, column in ((idea_table, "id"), (said_table, "idea_id")):
        with _reindexed(session, table, {column: idea}):
            session.execute(sa.delete(table).where(table.c[column] == idea))


def forget_said(session: Session, kind: Said, source: int) -> None:
    """Step: have nothing found by that any more. Twice is harmless."""
    key = {"kind": kind, "source_id": source}
    with _reindexed(session, said_table, key):
        session.execute(sa.delete(said_table).where(*_is(said_table, key)))


def follow_idea(session: Session, idea: int, audience: View | None, comments: Mapping[int, View | None]) -> None:
    """Step: what was said under an idea is found by whom the idea is for, its comments by those named (None: by nobody)."""
    with _reindexed(session, said_table, {"idea_id": idea}):
        of_idea = sa.update(said_table).where(said_table.c.idea_id == idea)
        session.execute(of_idea.where(said_table.c.kind != Said.COMMENT).values(audience=audience))
        for view in (*VIEWS, None):
            theirs = [comment for comment, seen_by in comments.items() if seen_by is view]
            this = (said_table.c.kind == Said.COMMENT, said_table.c.source_id.in_(theirs))
            session.execute(of_idea.where(*this).values(audience=view))


def _put(session: Session, table: Table, key: dict[str, Any], values: dict[str, Any]) -> None:
    """The row of that key, with these values; whatever stood there before is found no more."""
    with _reindexed(session, table, key):
        session.execute(sa.delete(table).where(*_is(table, key)))
        session.execute(sa.insert(table).values(**key, **values))


def _is(table: Table, key: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key.items()]


@contextmanager
def _reindexed(session: Session, table: Table, key: Mapping[str, Any]) -> Iterator[None]:
    """SQLite's indexes hold the rows of that key as they stand after the block. PostgreSQL's follow by themselves."""
    if not _is_sqlite(session):
        yield
        return
    session.flush()
    columns = ", ".join(column for column in ("title", "words") if column in table.c)
    rows = f"FROM {table.name} WHERE audience = :audience AND {' AND '.join(f'{name} = :{name}' for name in key)}"
    for view, index in _indexes(table).items():
        taken = f"INSERT INTO {index} ({index}, rowid, {columns}) SELECT 'delete', id, {columns} {rows}"
        session.execute(text(taken), {"audience": int(view), **key})
    yield
    for view, index in _indexes(table).items():
        put = f"INSERT INTO {index} (rowid, {columns}) SELECT id, {columns} {rows}"
        session.execute(text(put), {"audience": int(view), **key})


def _indexes(table: Table) -> dict[View, str]:
    return {view: f"{table.name}_{view.word}" for view in VIEWS}


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


# Queries


def find_ideas(session: Session, view: View, question: str) -> dict[int, Hit]:
    """What a view may find by all the words of a question, by the idea's id: at most `MOST_FOUND`, the best and then the newest.

    A word finds its other forms, and those that begin with it. All words must stand in the idea's own texts, or in one text
    that was said under it; where one idea is found in several, the best is told, and of those the newest.
    """
    words = words_of(question)
    if not words:
        return {}
    found = {row.id: Hit(Fit.TITLE) for row in _matching(session, view, idea_table, "title", words, MOST_FOUND)}
    if len(found) < MOST_FOUND:
        for row in _matching(session, view, idea_table, "words", words, MOST_FOUND):
            found.setdefault(row.id, Hit(Fit.TEXT))
    if len(found) < MOST_FOUND:
        for row in _matching(session, view, said_table, "words", words, MOST_SAID):
            found.setdefault(row.idea_id, Hit(Fit.SAID, Said(row.kind), row.source_id))
    return dict(islice(found.items(), MOST_FOUND))


def each_word(session: Session, view: View, text_: str, *, most_words: int, most: int) -> dict[str, tuple[list[int], list[int]]]:
    """For each telling word of a text, by its stem: ideas of a view that have it in the title, and anywhere; at most `most`."""
    stems = list(dict.fromkeys(map(stem, telling(text_))))[:most_words]
    asked = [(column, each) for each in stems for column in ("title", "words")]
    found = _with_each(session, view, asked, most) if asked else []
    return {each: (found[2 * place], found[2 * place + 1]) for place, each in enumerate(stems)}


def _with_each(session: Session, view: View, asked: Sequence[tuple[str, str]], most: int) -> list[list[int]]:
    """For each column and stem, ideas that have a word of that stem there; any of them, so that no database looks further than
    `most`. PostgreSQL is asked once for all: to ask it takes longer than it takes to answer."""
    if _is_sqlite(session):
        return [_with(session, view, column, each, most) for column, each in asked]
    pieces = (
        f"(SELECT {place} AS place, id FROM search_idea "  # noqa: S608
        f"WHERE {column} @@ CAST(:word_{place} AS tsquery) AND audience <= {int(view)} LIMIT :most)"
        for place, (column, _) in enumerate(asked)
    )
    values = {f"word_{place}": f"'{each}'" for place, (_, each) in enumerate(asked)}
    found: list[list[int]] = [[] for _ in asked]
    for place, id in session.execute(text(" UNION ALL ".join(pieces)), values | {"most": most}):
        found[place].append(id)
    return found


def _with(session: Session, view: View, column: str, stem: str, most: int) -> list[int]:
    pieces = (
        f"SELECT * FROM (SELECT rowid AS id FROM {index} WHERE {index} MATCH :query LIMIT :most)"  # noqa: S608
        for audience, index in _indexes(idea_table).items()
        if audience <= view
    )
    statement = f"{' UNION ALL '.join(pieces)} LIMIT :most"
    return list(session.scalars(text(statement), {"query": f'{column} : "{stem}"', "most": most}))


def said_in(session: Session, view: View, idea: int, question: str) -> Hit | None:
    """The newest text under an idea that a view may see and that has all words of a question."""
    words = words_of(question)
    found = _matching(session, view, said_table, "words", words, 1, idea=idea) if words else []
    return Hit(Fit.SAID, Said(found[0].kind), found[0].source_id) if found else None


def _matching(
    session: Session,
    view: View,
    table: Table,
    column: str,
    words: Sequence[str],
    most: int,
    *,
    idea: int | None = None,
) -> Sequence[Any]:
    """The newest rows of a table that have all words in a column."""
    told = "t.id" if table is idea_table else "t.id, t.idea_id, t.kind, t.source_id"
    only = "" if idea is None else "AND t.idea_id = :idea"
    values: dict[str, Any] = {"most": most} | ({} if idea is None else {"idea": idea})
    if _is_sqlite(session):
        query = f"{column} : ({' AND '.join(_fts5(word) for word in words)})"
        # Each index gives its newest; together they are more than enough for the newest of all.
        pieces = [
            f"SELECT * FROM (SELECT {told} FROM {index} AS i JOIN {table.name} AS t ON t.id = i.rowid "  # noqa: S608
            f"WHERE {index} MATCH :query {only} ORDER BY i.rowid DESC LIMIT :most)"
            for audience, index in _indexes(table).items()
            if audience <= view
        ]
        if table is idea_table:  # the index alone knows all that is asked
            pieces = [
                piece.replace(f"JOIN {table.name} AS t ON t.id = i.rowid ", "").replace("t.id", "i.rowid AS id")
                for piece in pieces
            ]
        statement = f"{' UNION ALL '.join(pieces)} ORDER BY id DESC LIMIT :most"
        return session.execute(text(statement), values | {"query": query}).all()
    query = " & ".join(_tsquery(word) for word in words)
    # `id + 0`: by its words first, always. Going through the newest until enough are found is slow where few are.
    statement = (
        f"SELECT {told} FROM {table.name} AS t WHERE t.{column} @@ CAST(:query AS tsquery) AND t.audience <= :view {only} "  # noqa: S608
        "ORDER BY t.id + 0 DESC LIMIT :most"
    )
    return session.execute(text(statement), values | {"query": query, "view": int(view)}).all()


def _fts5(word: str) -> str:
    return f'("{word}"{" *" if len(word) >= BEGINNING else ""} OR "{stem(word)}")'


def _tsquery(word: str) -> str:
    return f"('{word}'{':*' if len(word) >= BEGINNING else ''} | '{stem(word)}')"
