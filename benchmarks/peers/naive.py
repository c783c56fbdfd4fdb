"""The usual way: Flask-SocketIO on eventlet as its documentation shows it, the ORM, one transaction a vote and an emit for each.

`python naive.py PORT DATABASE FRAME`. It is helped where its defaults would end the comparison: SQLite with a WAL, and as many
sockets and as long a queue at the door as ours.
"""

import warnings

warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

import eventlet  # noqa: E402

eventlet.monkey_patch()

import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from itertools import count  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import sqlalchemy as sa  # noqa: E402
from flask import Flask, abort, render_template_string, request  # noqa: E402
from flask_socketio import SocketIO, emit, join_room  # noqa: E402
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship  # noqa: E402

IDEAS, PEOPLE, MISSED, SHOWN = 1000, 50_000, 100, 20
PAGE = """<!doctype html><title>Ideas</title><h1>Ideas</h1><ul>{% for idea in ideas %}
<li><h2><a href="/ideas/{{ idea.ref }}">{{ idea.title }}</a></h2><p>{{ idea.problem }}</p>
<p>{{ idea.author.name }}, {{ idea.posted_at.strftime("%d %B %Y") }}: {{ idea.votes }} votes, {{ idea.comments }} comments,
{{ idea.stage }}</p></li>{% endfor %}</ul>"""


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    token: Mapped[str] = mapped_column(unique=True)


class Idea(Base):
    __tablename__ = "idea"
    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    problem: Mapped[str]
    stage: Mapped[str]
    votes: Mapped[int] = mapped_column(default=0)
    comments: Mapped[int] = mapped_column(default=0)
    posted_at: Mapped[datetime]
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"))
    author: Mapped[Person] = relationship(lazy="joined")


class Vote(Base):
    __tablename__ = "vote"
    idea_id: Mapped[int] = mapped_column(sa.ForeignKey("idea.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)


class Event(Base):
    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[str]


port, database, frame = int(sys.argv[1]), sys.argv[2], json.loads(Path(sys.argv[3]).read_text())
engine = sa.create_engine(database)
app = Flask(__name__)
socketio = SocketIO(app, async_mode="eventlet", cors_allowed_origins="*")
sequences = count(1)


@sa.event.listens_for(engine, "connect")
def durable(connection: Any, record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")


def event() -> dict[str, Any]:
    return frame | {"time": datetime.now(UTC).isoformat().replace("+00:00", "Z"), "sequence": f"{next(sequences):012d}"}


def fill() -> None:
    words = [
        "a",
        "bus",
        "that",
        "comes",
        "when",
        "the",
        "shift",
        "ends",
        "so",
        "that",
        "nobody",
        "waits",
        "alone",
        "in",
        "the",
        "dark",
        "on",
        "the",
        "way",
        "home",
    ]
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        people = [{"id": n, "name": f"Person {n}", "token": f"token-{n}"} for n in range(1, PEOPLE + 1)]
        session.execute(sa.insert(Person), people)
        session.add_all(
            Idea(
                **{
                    "id": n,
                    "ref": f"i{n}",
                    "title": " ".join(words[n % 9 :][:7]),
                    "problem": " ".join(words * 3),
                    "stage": "new",
                },
                **{"posted_at": datetime.now(UTC), "author_id": n},
            )
            for n in range(1, IDEAS + 1)
        )
        session.add_all(Event(id=n, content=json.dumps(event())) for n in range(1, MISSED + 1))
        session.commit()


@socketio.on("watch", namespace="/live")
def watch(message: dict[str, Any]) -> dict[str, bool]:
    for topic in message["topics"]:
        join_room(topic)
    if message["cursor"] is not None:
        with Session(engine) as session:
            for missed in session.scalars(sa.select(Event).where(Event.id > int(message["cursor"])).order_by(Event.id)):
                emit("event", json.loads(missed.content))
    return {"ok": True}


@app.get("/ideas")
def ideas() -> str:
    with Session(engine) as session:
        newest = session.scalars(sa.select(Idea).order_by(Idea.posted_at.desc(), Idea.id.desc()).limit(SHOWN)).all()
        return render_template_string(PAGE, ideas=newest)


@app.put("/api/v1/ideas/<ref>/vote")
def vote(ref: str) -> dict[str, Any]:
    with Session(engine, expire_on_commit=False) as session:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        person = session.scalar(sa.select(Person).where(Person.token == token)) or abort(401)
        idea = session.scalar(sa.select(Idea).where(Idea.ref == ref)) or abort(404)
        if session.get(Vote, (idea.id, person.id)) is None:
            session.add(Vote(idea_id=idea.id, person_id=person.id))
            idea.votes += 1
            session.commit()
            facts = {"votes": idea.votes, "votes_residents": idea.votes, "votes_staff": 0, "comments": 0, "version": idea.votes}
            socketio.emit("facts", {f"idea:{ref}": facts}, to=f"idea:{ref}", namespace="/live")
        return {"idea": ref, "votes": idea.votes, "voted": True}


@app.post("/give")
def give() -> str:
    """Events for everybody who watches `board`: so many, at that rate (0: one after the other)."""
    socketio.start_background_task(_give, int(request.args["count"]), float(request.args["rate"]))
    return "given"


def _give(number: int, rate: float) -> None:
    begun = time.monotonic()
    for n in range(number):
        socketio.sleep(max(0.0, begun + n / rate - time.monotonic()) if rate else 0)
        socketio.emit("event", event(), to="board", namespace="/live")


if __name__ == "__main__":
    fill()
    # socketio.run() with its door made wider: its 50 waiting connections and 1,024 sockets would end every storm at once.
    eventlet.wsgi.server(eventlet.listen(("127.0.0.1", port), backlog=4096), app, log_output=False, max_size=20_000)
