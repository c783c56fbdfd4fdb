"""People who vote and comment, each until they are told that it is done."""

import http.client
import json
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from ideas_hub import sessions
from ideas_hub.comments import Comment
from ideas_hub.db import reading
from ideas_hub.ideas import Idea
from ideas_hub.verify import verify
from ideas_hub.votes import Vote
from tests import make
from tests.support.listener import Listener

PATIENCE = 60.0  # seconds, after which somebody gives up
COMMENT_EVERY = 5  # changes


@dataclass(frozen=True, slots=True)
class Change:
    idea: str
    token: str
    comment: str = ""  # its words, of which the first sentence is its own; none: a vote


class Crowd:
    """`changes` votes and comments, by as many people and on as many ideas as that takes, sent to `urls` by some workers at once.
    Comments have `wordy` letters more than they need. Who is answered with one of `waits_out` tries again.

    In a `with` block they are at work; `finish` waits for the last. `answers` counts statuses (0: the line broke), `counted`
    says when which number of votes was acknowledged, `mute` counts 503s without Retry-After, and `failures` holds what was
    refused, or what nobody could be told in time.
    """

    def __init__(
        self,
        urls: Sequence[str],
        changes: int,
        *,
        workers: int = 6,
        ideas: int = 10,
        a_second: float | None = None,
        wordy: int = 0,
        waits_out: Collection[int] = (0, 409, 503),
    ) -> None:
        self.urls, self.pause = list(urls), workers / a_second if a_second else 0.0
        self.wordy, self.waits_out = wordy, waits_out
        self.ideas = [make.idea() for _ in range(ideas)]
        plan = self._plan(changes)
        self.changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        for change in plan:
            self.changes.put(change)
        self.asked, self.done = len(plan), 0
        self.votes: Counter[str] = Counter()  # acknowledged, by idea
        self.comments: list[str] = []  # acknowledged, by their words
        self.answers: Counter[int] = Counter()
        self.counted: list[tuple[float, str, int]] = []
        self.mute = 0
        self.failures: list[str] = []
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self._work, args=(number,)) for number in range(workers)]

    def _plan(self, changes: int) -> list[Change]:
        comments = changes // COMMENT_EVERY
        votes = changes - comments
        tokens = [token() for _ in range(-(-votes // len(self.ideas)))]
        ballots = [Change(idea, who) for who in tokens for idea in self.ideas][:votes]
        chosen = random.Random(changes)  # noqa: S311
        said = [f"Comment {number}. {chosen.randbytes(self.wordy // 2).hex()}".strip() for number in range(comments)]
        plan = ballots + [Change(chosen.choice(self.ideas), chosen.choice(tokens), words) for words in said]
        chosen.shuffle(plan)
        return plan

    def __enter__(self) -> "Crowd":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def finish(self) -> None:
        for thread in self.threads:
            thread.join()

    def until(self, done: int) -> None:
        """Wait until that many changes were acknowledged."""
        deadline = time.monotonic() + PATIENCE
        while self.done < min(done, self.asked) and not self.failures:
            assert time.monotonic() < deadline, f"only {self.done} changes, and no more: {dict(self.answers)}"
            time.sleep(0.005)

    # One of them

    def _work(self, number: int) -> None:
        line = Line(self.urls[number % len(self.urls) :] + self.urls[: number % len(self.urls)])
        due = time.monotonic()
        while not (self.ended.is_set() or self.failures):
            try:
                change = self.changes.get_nowait()
            except queue.Empty:
                break
            if self._until_done(line, change):
                with self.lock:
                    self.done += 1
                    if change.comment:
                        self.comments.append(change.comment)
                    else:
                        self.votes[change.idea] += 1
            due += self.pause
            self.ended.wait(max(0.0, due - time.monotonic()))
        line.close()

    def _until_done(self, line: "Line", change: Change) -> bool:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, headers, content = self._once(line, change)
            with self.lock:
                self.answers[status] += 1
                if status == 200:
                    self.counted.append((time.monotonic(), f"idea:{change.idea}", json.loads(content)["votes"]))
                self.mute += status == 503 and "Retry-After" not in headers
            if status in (200, 201):
                return True
            if status not in self.waits_out:
                break
            line.next()
            time.sleep(0.05 if status == 0 else 0.2)
        self.failures.append(f"{change}: {status}")
        return False

    def _once(self, line: "Line", change: Change) -> tuple[int, Any, bytes]:
        if change.comment:
            key = {"Idempotency-Key": change.comment.partition(".")[0]}
            return line.ask("POST", f"/api/v1/ideas/{change.idea}/comments", change.token, {"body": change.comment}, **key)
        return line.ask("PUT", f"/api/v1/ideas/{change.idea}/vote", change.token)


class Line:
    """A connection that is kept, to one of several servers."""

    def __init__(self, urls: Sequence[str], timeout: float = 10.0) -> None:
        self.urls, self.timeout = list(urls), timeout
        self.connection: http.client.HTTPConnection | None = None

    def ask(self, method: str, path: str, token: str, body: object = None, **headers: str) -> tuple[int, Any, bytes]:
        """The status, the headers and the content; 0 where nobody answered."""
        headers |= {"Authorization": f"Bearer {token}"} | ({"Content-Type": "application/json"} if body is not None else {})
        try:
            if self.connection is None:
                address = urlsplit(self.urls[0])
                self.connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=self.timeout)
            self.connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, {}, b""
        if answer.will_close:
            self.close()
        return answer.status, answer.headers, content

    def next(self) -> None:
        """The next server, where there is one."""
        if len(self.urls) > 1:
            self.close()
            self.urls.append(self.urls.pop(0))

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def token() -> str:
    return sessions.make_token(make.address(make.person()), 1)


def lost_or_doubled(crowd: Crowd) -> list[str]:
    """Which acknowledged changes are not there exactly once, and what is there besides."""
    found = list(crowd.failures)
    with reading() as session:
        for ref in crowd.ideas:
            id = sa.select(Idea.id).where(Idea.ref == ref).scalar_subquery()
            votes = session.scalar(sa.select(sa.func.count()).where(Vote.idea_id == id))
            if votes != crowd.votes[ref]:
                found.append(f"{ref}: {crowd.votes[ref]} votes were acknowledged, {votes} are there")
        there = Counter(session.scalars(sa.select(Comment.body).join(Idea).where(Idea.ref.in_(crowd.ideas))))
    if there != Counter(crowd.comments):
        found.append(f"comments: {len(crowd.comments)} were acknowledged, {there.total()} are there")
    return found


def disagreements() -> list[str]:
    """What `flask verify` says."""
    return [f"{check.name}: {check.first}" for check in verify() if check.wrong]


def staleness(crowd: Crowd, listener: Listener, *, since: float = 0.0) -> float:
    """How many seconds after a vote was acknowledged it was shown, at the worst, of those acknowledged since a moment."""
    shown: dict[str, list[tuple[float, int]]] = {}
    for moment, topic, votes in listener.arrived:
        shown.setdefault(topic, []).append((moment, votes))
    late = 0.0
    for moment, topic, votes in crowd.counted:
        if moment >= since:
            first = next((at for at, number in shown.get(topic, []) if number >= votes), float("inf"))
            late = max(late, first - moment)
    return late
