"""A hub of any size, filled in bulk: made-up words, as often as words are in the texts of people.

The words come in a fixed order of chance, so that a larger hub begins with the ideas of a smaller one.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from typing import Any

import sqlalchemy as sa

from events.catalogue import VIEWS, View
from ideas_hub import schema, search
from ideas_hub.answers import Answer
from ideas_hub.comments import Comment, CommentKind
from ideas_hub.db import database
from ideas_hub.ideas import Authorship, Idea, IdeaTheme, Stage, StageCount, hot_score, place_key
from ideas_hub.people import Kind, Person
from ideas_hub.settings import Theme
from ideas_hub.votes import Vote

WORDS = 20_000
PEOPLE, THEMES, PLACES = 300, 12, 60
COMMENTS, VOTES = 10, 50  # of an idea, in the mean
PIECE = 2000
STAGES = {Stage.NEW: 50, Stage.EXPLORING: 14, Stage.TRIAL: 3, Stage.ADOPTED: 8, Stage.LEARNED: 5}
STAGES |= {Stage.PARKED: 6, Stage.DECLINED: 12, Stage.MERGED: 2}
BEGUN = datetime(2020, 1, 1, tzinfo=UTC)


class Language:
    """Made-up words. The one of rank r is as frequent as 1/(r + 20), which comes near to what people write of a council: the
    most frequent word stands in a third of all ideas."""

    def __init__(self, seed: int = 7):
        chance = random.Random(seed)  # noqa: S311
        syllables = [first + vowel for first in "bcdfghjklmnprstvw" for vowel in "aeiou"]
        endings = ["", "", "s", "ing", "ed", "n", "l", "r"]
        words: dict[str, None] = {}
        while len(words) < WORDS:
            words["".join(chance.choices(syllables, k=chance.randint(2, 4))) + chance.choice(endings)] = None
        self.words = list(words)
        self.weights = list(accumulate(1 / (rank + 20) for rank in range(WORDS)))

    def say(self, chance: random.Random, number: int) -> list[str]:
        return chance.choices(self.words, cum_weights=self.weights, k=number)


@dataclass
class Rows:
    """What is put in for some ideas, by table."""

    of: dict[sa.Table, list[dict[str, Any]]]

    def add(self, table: Any, **values: Any) -> None:
        self.of.setdefault(getattr(table, "__table__", table), []).append(values)


def fill(ideas: int) -> None:
    """Migrate the open database and fill it with that many ideas. Every idea has as many votes in rows; its tally is made up."""
    schema.migrate()
    engine = database().engine
    with engine.begin() as connection:
        people = [{"ref": f"p{n}", "name": f"Person {n}", "kind": Kind.RESIDENT} for n in range(1, PEOPLE + 1)]
        connection.execute(sa.insert(Person), people)
        themes = [{"id": n, "slug": f"theme-{n}", "name": f"Theme {n}"} for n in range(1, THEMES + 1)]
        connection.execute(sa.insert(Theme), themes)
    if engine.dialect.name == "postgresql":
        _without_indexes(engine, lambda: _put_all(engine, ideas))
        _cast_all(engine)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM ANALYZE"))
    else:
        _put_all(engine, ideas)
        _cast_all(engine)
        _index_sqlite(engine)


def _put_all(engine: sa.Engine, ideas: int) -> None:
    everything = _ideas(Language(), ideas)
    counted: dict[tuple[Stage, View], int] = {}
    while pieces := list(islice(everything, PIECE)):
        rows = Rows({})
        for piece in pieces:
            for table, several in piece.of.items():
                rows.of.setdefault(table, []).extend(several)
        for idea in rows.of[Idea.__table__]:
            place = idea["stage"], idea["effective_audience"]
            counted[place] = counted.get(place, 0) + 1
        with engine.begin() as connection:
            for table, values in rows.of.items():
                connection.execute(sa.insert(table), values)
    with engine.begin() as connection:
        for (stage, audience), number in counted.items():
            here = (StageCount.stage == stage, StageCount.audience == audience)
            connection.execute(sa.update(StageCount).where(*here).values(count=number))


def _cast_all(engine: sa.Engine) -> None:
    """Millions of rows: made by the database itself, and their second index afterwards."""
    [by_voter] = (index for index in Vote.__table__.indexes if index.name == "ix_vote_voter")
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < VOTES))
    voter = "v" + sa.cast(numbers.c.n, sa.String(8))
    votes = sa.select(Idea.id, voter, sa.literal(Kind.RESIDENT, Vote.kind.type)).join(numbers, sa.true()).order_by(Idea.id)
    by_voter.drop(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(Vote).from_select(["idea_id", "voter", "kind"], votes))
    by_voter.create(engine)


def _ideas(language: Language, ideas: int) -> Iterator[Rows]:
    comment = answer = said = 0
    for id in range(1, ideas + 1):
        chance, rows = random.Random(id), Rows({})  # noqa: S311
        audience = chance.choices(VIEWS, (80, 17, 3))[0]
        stage = chance.choices(list(STAGES), list(STAGES.values()))[0]
        posted = BEGUN + timedelta(minutes=20 * id)
        title, text = language.say(chance, chance.randint(4, 9)), language.say(chance, chance.randint(30, 80))
        place = f"Place {int(chance.random() ** 2 * PLACES)}" if chance.random() < 0.6 else ""
        votes, said_here = int(chance.paretovariate(1.2)), int(chance.expovariate(1 / COMMENTS))
        is_answered = stage in (Stage.ADOPTED, Stage.LEARNED, Stage.DECLINED) or chance.random() < 0.1
        due = datetime.now(UTC).date() + timedelta(days=chance.randint(-5, 20)) if id % 200 == 0 and not is_answered else None
        rows.add(
            Idea,
            **{"id": id, "ref": f"i{id}", "title": " ".join(title)[:120], "problem": " ".join(text), "proposal": "", "gain": ""},
            **{"short_title": "", "cost_of_inaction": "", "place": place, "place_key": place_key(place), "lang": "en"},
            **{"revision": 1, "posted_at": posted, "stage": stage, "stage_since": posted, "audience": audience},
            **{"effective_audience": audience, "held": False, "hidden": False, "answer_due": due},
            **{"answered_at": posted if is_answered else None, "votes": votes, "votes_residents": votes, "votes_staff": 0},
            **{"carried_over": 0, "hot": hot_score(votes, posted), "changes_public": 0, "changes_staff": 0},
            **{"changes_leadership": 0, **{f"comments_{v.word}": said_here if v is audience else 0 for v in VIEWS}},
        )
        words = {"title": search.indexed(" ".join(title)), "words": search.indexed(" ".join((*title, *text, place)))}
        rows.add(search.idea_table, id=id, audience=int(audience), **words)
        rows.add(Authorship, idea_id=id, person_id=1 + id % PEOPLE, place=0)
        for theme in chance.sample(range(1, THEMES + 1), chance.randint(0, 2)):
            rows.add(IdeaTheme, idea_id=id, theme_id=theme)
        bodies = [("comment", " ".join(language.say(chance, chance.randint(5, 40)))) for _ in range(said_here)]
        if is_answered:
            bodies.append(("answer", " ".join(language.say(chance, 30))))
        for kind, body in bodies:
            said += 1
            common = {"idea_id": id, "ref": f"s{said}"}
            if kind == "comment":
                comment += 1
                states = {"audience": audience, "effective_audience": audience, "held": False, "hidden": False}
                states |= {"hidden_itself": False, "kind": CommentKind.BUILD, "posted_at": posted}
                rows.add(Comment, id=comment, author_id=1 + said % PEOPLE, body=body, **common, **states)
            else:
                answer += 1
                rows.add(Answer, id=answer, by_id=1 + said % PEOPLE, text=body, at=posted, **common)
            source = comment if kind == "comment" else answer
            values = {"kind": kind, "source_id": source, "audience": int(audience), "words": search.indexed(body)}
            rows.add(search.said_table, id=said, idea_id=id, **values)
        yield rows


def _index_sqlite(engine: sa.Engine) -> None:
    """What was put in by the piece is indexed as a whole."""
    with engine.begin() as connection:
        for table in (search.idea_table, search.said_table):
            columns = ", ".join(name for name in ("title", "words") if name in table.c)
            for view in VIEWS:
                index = f"{table.name}_{view.word}"
                rows = f"SELECT id, {columns} FROM {table.name} WHERE audience = {int(view)}"  # noqa: S608
                connection.execute(sa.text(f"INSERT INTO {index} (rowid, {columns}) {rows}"))


def _without_indexes(engine: sa.Engine, work: Callable[[], None]) -> None:
    """PostgreSQL's inverted indexes are made ten times as fast over rows that are there."""
    inverted = [index for table in (search.idea_table, search.said_table) for index in table.indexes]
    inverted = [index for index in inverted if index.dialect_options["postgresql"]["using"] == "gin"]
    for index in inverted:
        index.drop(engine)
    work()
    for index in inverted:
        index.create(engine)
