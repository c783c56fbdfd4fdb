"""Who is measured: our server as it is run in production, and its peers. Each is given the same events, and watched the same way.

All of them know the people of the bench by the same tokens (`token-1`, `token-2`, ...) and have an idea `i1`, `i2`, ...
"""

import hashlib
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from benchmarks import machine
from benchmarks.filling import fill
from events import log
from events.catalogue import View, VoteCast, idea_topic
from ideas_hub import db
from ideas_hub.answers import Answer
from ideas_hub.clock import now
from ideas_hub.ideas import OPEN_TO_VOTES, Idea
from ideas_hub.people import Kind, Person
from ideas_hub.sessions import Credential, Means
from ideas_hub.votes import Vote
from tests.support.hub import ROOT, Server
from tests.support.processes import Process, free_port
from tests.support.programs import NODE

PEERS = Path(__file__).parent / "peers"
IDEAS, PEOPLE, MISSED = 1000, 50_000, 100


@dataclass(frozen=True, slots=True)
class Votes:
    """How many votes there are, by the rows, by the tallies of the ideas, and by the log (None where there is none)."""

    rows: int
    tallies: int
    log: int | None


class Contender(Process):
    """A server on the core of servers. `given` counts the events that it was given; their sequences rise by one."""

    name: ClassVar[str]
    topic = "board"
    missed = range(1, MISSED + 1)  # the sequences that are replayed behind the first cursor
    cursor: str | None = "0"
    port: int

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self.process.pid

    def start(self, *, within: float = 60.0) -> None:
        super().start(within=within)
        machine.pin(self.pid, machine.SERVER)

    def workers(self) -> list[int]:
        """The processes of it that are meant to work."""
        return [self.pid]

    def watch(self, topic: str | None = None, cursor: str | None = None) -> dict[str, Any] | None:
        """What a watcher sends."""
        return {"topics": [topic or self.topic], "cursor": cursor}

    def give(self, count: int, rate: float = 0) -> None:
        """Have so many events happen; it returns at once."""
        raise NotImplementedError

    def given(self) -> Sequence[int]:
        """The sequences of what was given last, when all of it has happened."""
        raise NotImplementedError

    def miss(self) -> None:
        """Have events happen that nobody hears: those of `missed`, behind `cursor`."""


class Peer(Contender):
    """A server of `peers/`: it takes its port, a database where it has one, and the frame that it is to send."""

    filled = MISSED  # what it had happen before anybody came

    def __init__(self, folder: Path, frame: Path, command: Iterable[str | Path], *more: str | Path) -> None:
        folder.mkdir(exist_ok=True)
        self.port, self.happened, self.last = free_port(), self.filled, 0
        super().__init__([*command, str(self.port), *more, frame], folder)

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def give(self, count: int, rate: float = 0) -> None:
        address = f"http://127.0.0.1:{self.port}/give?count={count}&rate={rate}"
        urllib.request.urlopen(urllib.request.Request(address, method="POST"), timeout=60).read()
        self.last = count
        self.happened += count

    def given(self) -> Sequence[int]:
        return range(self.happened - self.last + 1, self.happened + 1)


class Naive(Peer):
    name = "naive"

    def __init__(self, folder: Path, frame: Path) -> None:
        self.file = folder / "naive.db"
        super().__init__(folder, frame, [sys.executable, PEERS / "naive.py"], f"sqlite:///{self.file}")

    def votes(self) -> Votes:
        with closing(sqlite3.connect(self.file)) as connection:
            rows = connection.execute("SELECT count(*) FROM vote").fetchone()[0]
            return Votes(rows, connection.execute("SELECT sum(votes) FROM idea").fetchone()[0], None)


class Node(Peer):
    name = "Node"

    def __init__(self, folder: Path, frame: Path) -> None:
        super().__init__(folder, frame, [str(NODE.find()), PEERS / "node.mjs"])


class Bare(Peer):
    name = "bare"
    filled = 0

    def __init__(self, folder: Path, frame: Path) -> None:
        super().__init__(folder, frame, [sys.executable, PEERS / "bare.py"])

    def watch(self, topic: str | None = None, cursor: str | None = None) -> None:
        return None


class NodePage(Contender):
    """Node's own HTTP server, with a page of so many bytes and nothing else."""

    name = "Node"

    def __init__(self, folder: Path, frame: Path, size: int) -> None:
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        super().__init__([str(NODE.find()), PEERS / "node.mjs", str(self.port), frame, str(size)], folder)

    answers = Peer.answers


class Ours(Server, Contender):
    """`python wsgi.py` with rate limits and fsync, as in production; behind a proxy, so that requests come from many networks.

    Events come into its log from another process, which wakes it by way of Redis.
    """

    name = "ours"

    def __init__(self, folder: Path, council: "Council", redis: str) -> None:
        folder.mkdir(exist_ok=True)
        self.url_of_database = f"sqlite:///{shutil.copy(council.file, folder / 'hub.db')}"
        self.council, self.redis, self.topic = council, redis, idea_topic(council.told)
        self.writer: subprocess.Popen[str] | None = None
        settings = {"DEMO": "", "RATE_LIMITS": "on", "TRUSTED_PROXIES": 1, "REDIS_URL": redis}
        super().__init__(folder, self.url_of_database, **settings)

    def start(self, *, within: float = 60.0) -> None:
        super().start(within=within)
        command = [sys.executable, "-m", "benchmarks.writer", self.url_of_database, self.redis]
        self.writer = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        machine.pin(self.writer.pid, machine.CLIENT)
        self._hear_writer("ready")
        db.connect(self.url_of_database)

    def kill(self) -> None:
        if self.writer is not None:
            self.writer.communicate()  # its stdin ends, and it with it
            self.writer = None
        db.disconnect()
        super().kill()

    def workers(self) -> list[int]:
        return [self.pid, *([self.writer.pid] if self.writer else [])]

    def _hear_writer(self, word: str) -> None:
        line = self.writer.stdout.readline() if self.writer and self.writer.stdout else ""
        if line.strip() != word:
            raise RuntimeError(f"the writer said {line!r} instead of {word}")

    def give(self, count: int, rate: float = 0) -> None:
        if self.writer is None or self.writer.stdin is None:
            raise RuntimeError("there is no writer")
        with db.reading() as session:
            self.head = log.head(session)
        self.writer.stdin.write(f"{self.council.told} {count} {rate:f}\n")
        self.writer.stdin.flush()

    def given(self) -> Sequence[int]:
        self._hear_writer("stated")
        with db.reading() as session:
            head = log.head(session)
            limits = {"after": self.head.number(View.PUBLIC), "upto": head.number(View.PUBLIC)}
            told = log.told(session, View.PUBLIC, {self.topic}, limit=10**6, **limits)
        return [entry.number(View.PUBLIC) for entry in told]

    def ask(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return bytes(answer.read())

    def miss(self) -> None:
        self.cursor = json.loads(self.ask(f"/api/v1/events?topics={self.topic}"))["cursor"]
        self.give(MISSED)
        self.missed = self.given()

    def votes(self) -> Votes:
        casts = sa.select(sa.func.count()).where(log.event_table.c.type == VoteCast.type)
        with db.reading() as session:
            rows = session.scalar(sa.select(sa.func.count()).select_from(Vote)) or 0
            return Votes(rows, session.scalar(sa.select(sa.func.sum(Idea.votes))) or 0, session.scalar(casts))


@dataclass(frozen=True, slots=True)
class Council:
    """A migrated hub of 1,000 ideas and the people of the bench, to be copied for each server.

    `told`: an idea with an answer, which events speak of; `open`: ideas that take votes. All of them are public.
    """

    file: Path
    told: str
    open: tuple[str, ...]


def found_council(folder: Path) -> Council:
    """A new one, in that folder."""
    file = folder / "council.db"
    db.connect(f"sqlite:///{file}")
    try:
        fill(IDEAS)
        with db.database().engine.begin() as connection:
            numbers = range(1, PEOPLE + 1)
            first = 1 + connection.scalar(sa.select(sa.func.max(Person.id)))
            people = [{"id": first + n, "ref": f"b{n}", "name": f"Voter {n}", "kind": Kind.RESIDENT} for n in numbers]
            connection.execute(sa.insert(Person), people)
            times = {"made_at": now(), "until": now() + timedelta(days=1), "means": Means.TOKEN}
            digests = [hashlib.sha256(f"token-{n}".encode()).hexdigest() for n in numbers]
            tokens = [{"digest": digest, "person_id": first + n, **times} for n, digest in zip(numbers, digests, strict=True)]
            connection.execute(sa.insert(Credential), tokens)
        with db.reading() as session:
            public = sa.select(Idea.ref).where(Idea.effective_audience == View.PUBLIC).order_by(Idea.id)
            told = session.scalars(public.join(Answer, Answer.idea_id == Idea.id).limit(1)).one()
            takes_votes = tuple(session.scalars(public.where(Idea.stage.in_(OPEN_TO_VOTES))))
    finally:
        db.disconnect()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in the one file that is copied
    return Council(file, told, takes_votes)


@contextmanager
def running(contender: Contender) -> Iterator[Any]:
    """It runs, and is gone afterwards, with all it kept."""
    try:
        contender.start()
        yield contender
    finally:
        contender.kill()
        shutil.rmtree(contender.folder)


def take_frame(file: Path, ours: Ours) -> int:
    """Keep an event as our server sends it, for all to send; its size on the line."""
    ours.miss()
    [event, *_] = json.loads(ours.ask(f"/api/v1/events?topics={ours.topic}&after={ours.cursor}&limit=1"))["events"]
    file.write_text(json.dumps(event))
    return len("42/live," + json.dumps(["event", event], separators=(",", ":")))
