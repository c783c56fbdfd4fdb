"""On SQLite, commands that come at the same time are committed together: each is told the truth about itself, and only that."""

import http.client
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import eventlet
import pytest
import sqlalchemy as sa
from eventlet import semaphore, tpool
from eventlet.green import threading as green_threading

from events.catalogue import IdeaPosted, View
from ideas_hub import db, sessions, sqlite, together
from ideas_hub.claims import Asked, claim
from ideas_hub.comments import Comment, post_comment
from ideas_hub.db import disk_is_full, reading, record, transaction
from ideas_hub.errors import AtWork, Busy, NotAllowed
from ideas_hub.settings import Setting
from ideas_hub.votes import Vote, cast_vote
from tests import make
from tests.support.processes import wait_until
from tests.support.witness import entries, nothing_written, rows

pytestmark = pytest.mark.sqlite_only

Command = Callable[[], Any]


class Crowd:
    """Commands at once, as the server has them: in greenlets, which take their turns in the order in which they came."""

    def __init__(self, hub: db.SQLite) -> None:
        self.hub, self.commits = hub, 0
        self.during: Command = lambda: None  # what happens while a commit is under way
        hub.offload = self.commit

    def commit(self, work: Callable[[], None]) -> None:
        self.commits += 1
        self.during()
        tpool.execute(work)

    def do(self, *commands: Command) -> list[Any]:
        """What came of each: what it returned, or how it failed."""
        return [thread.wait() for thread in [eventlet.spawn(outcome, command) for command in commands]]


def outcome(command: Command) -> Any:
    try:
        return command()
    except BaseException as failure:
        return failure


@pytest.fixture
def crowd(hub: db.SQLite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    monkeypatch.setattr(hub, "turn", semaphore.Semaphore())
    monkeypatch.setattr(time, "sleep", eventlet.sleep)
    monkeypatch.setattr(together, "threading", green_threading)
    monkeypatch.setattr(sqlite, "LONGEST_GATHERING", 60)  # so that a slow machine makes no other groups
    yield Crowd(hub)
    tpool.killall()


def note(name: str, *, value: str = "", then: Command = lambda: None) -> Command:
    """A command that writes a row and states a fact."""

    def command() -> str:
        with transaction() as session:
            session.add(Setting(name=name, value=value))
            session.flush()
            record(session, IdeaPosted(idea=name, audience=View.PUBLIC))
            session.info["name"] = name
            then()
        return name

    return command


def fail() -> None:
    raise ZeroDivisionError


def noted() -> list[str]:
    """The rows that are there; the log has a fact for each, in dense order and no other."""
    found = entries()
    names = [setting.name for setting in rows(Setting)]
    assert sorted(entry.event.idea for entry in found) == names
    assert [entry.position for entry in found] == [entry.number(View.PUBLIC) for entry in found] == [*range(1, len(found) + 1)]
    return names


# Together


def test_commands_that_come_at_once_share_one_commit(crowd):
    ideas, voter = [make.idea() for _ in range(10)], make.resident()
    crowd.commits = 0
    tallies = crowd.do(*(lambda idea=idea: cast_vote(voter, idea) for idea in ideas))
    assert [tally.votes for tally in tallies] == [1] * 10
    assert len(rows(Vote)) == 10
    assert crowd.commits == 1


def test_a_command_that_comes_alone_is_committed_at_once(crowd, monkeypatch):
    naps = []
    monkeypatch.setattr(time, "sleep", lambda seconds: naps.append(seconds))
    note("alone")()
    assert (crowd.commits, naps) == (1, [0])


def test_thousands_of_commands_are_acknowledged_in_the_order_of_the_log_after_few_commits(crowd):
    acknowledged: list[str] = []
    nudges = []
    crowd.hub.committed = lambda: nudges.append(1)

    def work(who: int) -> None:
        for turn in range(62):
            name, refused = f"{who}x{turn}", turn % 37 == 3
            with suppress(ZeroDivisionError), transaction() as session:
                record(session, IdeaPosted(idea=name, audience=View.PUBLIC))
                if refused:
                    fail()
            acknowledged.extend([] if refused else [name])

    crowd.do(*(lambda who=who: work(who) for who in range(64)))
    found = entries()
    assert [entry.event.idea for entry in found] == acknowledged
    assert [entry.position for entry in found] == [*range(1, 64 * 60 + 1)]
    assert len(nudges) == crowd.commits < 64 * 62 / 20


def test_a_group_ends_when_it_is_large_or_old(crowd, monkeypatch):
    monkeypatch.setattr(sqlite, "MOST_TOGETHER", 5)
    crowd.do(*(note(f"a{number}") for number in range(20)))
    assert crowd.commits == 4
    monkeypatch.setattr(sqlite, "LONGEST_GATHERING", 0)
    crowd.do(*(note(f"b{number}") for number in range(5)))
    assert crowd.commits == 9
    assert len(noted()) == 25


def test_threads_share_commits_too_and_lose_nothing(hub):
    names = [f"{number:02}" for number in range(40)]
    threads = [threading.Thread(target=note(name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert noted() == names


# The truth about each


def test_when_the_first_of_a_group_is_refused_the_others_are_committed(crowd):
    author = make.resident()
    ideas = [make.idea(author), *(make.idea() for _ in range(3))]
    crowd.commits = 0
    first, *others = crowd.do(*(lambda idea=idea: cast_vote(author, idea) for idea in ideas))
    assert isinstance(first, NotAllowed)
    assert [tally.votes for tally in others] == [1, 1, 1]
    assert [make.row(idea).votes for idea in ideas] == [0, 1, 1, 1]
    assert crowd.commits == 1


def test_when_all_of_a_group_are_refused_nothing_is_committed_and_nobody_is_nudged(crowd):
    nudges = []
    crowd.hub.committed = lambda: nudges.append(1)
    with nothing_written():
        outcomes = crowd.do(note("a", then=fail), note("b", then=fail))
    assert [type(told) for told in outcomes] == [ZeroDivisionError] * 2
    assert (crowd.commits, nudges) == (0, [])
    note("a")()
    assert noted() == ["a"]


def test_an_error_in_the_middle_undoes_that_command_only_and_gives_its_numbers_back(crowd, monkeypatch):
    finish = db.Database.finish

    def finish_all_but_one(session: Any) -> None:
        finish(session)
        if session.info["name"] == "c":
            fail()

    monkeypatch.setattr(db.Database, "finish", staticmethod(finish_all_but_one))  # after it was given its numbers
    outcomes = crowd.do(*(note(name) for name in "abcde"), note("a"))
    assert outcomes[:2] + outcomes[3:5] == ["a", "b", "d", "e"]
    assert isinstance(outcomes[2], ZeroDivisionError)
    assert isinstance(outcomes[5], sa.exc.IntegrityError)  # a name that is taken, by a command of the same group
    assert noted() == ["a", "b", "d", "e"]
    assert crowd.commits == 1


def break_at_the_commit() -> None:
    """Leave a reference to nothing, which is looked for at the commit only."""
    with transaction() as session:
        session.execute(sa.text("PRAGMA defer_foreign_keys=ON"))
        session.execute(sa.insert(Vote).values(idea_id=99, voter="v", kind="staff"))


def test_when_the_commit_fails_each_of_the_group_is_told_so_also_who_was_refused(crowd):
    """A refusal may rest on what the others did, and that is not there now."""
    with nothing_written():
        outcomes = crowd.do(note("a"), break_at_the_commit, note("b", then=fail), note("c"))
    assert [type(told) for told in outcomes] == [sa.exc.IntegrityError] * 4
    assert len({id(told) for told in outcomes}) == 4
    assert isinstance(outcomes[2].__context__, ZeroDivisionError)
    assert crowd.do(note("a"), note("b")) == noted() == ["a", "b"]


def test_who_is_cut_off_in_the_commit_leaves_the_others_an_answer(crowd):
    def cut() -> None:
        raise eventlet.greenlet.GreenletExit

    crowd.during = cut
    with nothing_written():
        outcomes = crowd.do(note("a"), note("b"))
    assert [type(told) for told in outcomes] == [eventlet.greenlet.GreenletExit, sa.exc.InterfaceError]
    crowd.during = lambda: None
    note("a")()
    assert noted() == ["a"]


def limit_pages(hub: db.SQLite) -> dict[str, int]:
    """A disk of as many `pages` as one says."""
    disk = {"pages": 2**30}

    @sa.event.listens_for(hub.writer, "begin")
    def limit(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={disk['pages']}")

    return disk


def test_a_full_disk_undoes_the_group_and_nothing_else_and_the_hub_recovers(crowd):
    disk = limit_pages(crowd.hub)
    note("before")()
    with reading() as session:
        disk["pages"] = session.scalar(sa.text("PRAGMA page_count")) + 5
    outcomes = crowd.do(*(note(name) for name in "abc"), note("large", value="x" * 100_000), *(note(name) for name in "de"))
    assert [disk_is_full(told) for told in outcomes[:4]] == [True] * 4
    assert outcomes[4:] == ["d", "e"]
    assert noted() == ["before", "d", "e"]
    assert disk_is_full(outcome(note("large", value="x" * 100_000)))
    disk["pages"] = 2**30
    crowd.do(note("large", value="x" * 100_000), note("a"))
    assert noted() == ["a", "before", "d", "e", "large"]


def test_who_has_no_room_and_goes_on_all_the_same_writes_nothing_outside_the_transaction(crowd):
    disk = limit_pages(crowd.hub)
    with reading() as session:
        disk["pages"] = session.scalar(sa.text("PRAGMA page_count"))

    def go_on() -> None:
        with transaction() as session:
            with suppress(sa.exc.OperationalError):
                session.execute(sa.insert(Setting).values(name="large", value="x" * 100_000))
            session.execute(sa.insert(Setting).values(name="small", value=""))

    with nothing_written():
        assert disk_is_full(outcome(go_on))


# While others read, write and wait


def test_nobody_sees_what_is_not_committed(crowd):
    seen = []
    crowd.during = lambda: seen.append([setting.name for setting in rows(Setting)])
    crowd.do(note("a"), note("b", then=lambda: seen.append(rows(Setting))))
    assert seen == [[], []]
    assert noted() == ["a", "b"]


def test_while_a_commit_is_under_way_the_next_group_gathers_but_does_not_write(crowd):
    log: list[str] = []
    later: list[Any] = []

    def meanwhile() -> None:
        if crowd.commits == 1:
            later.extend(eventlet.spawn(note(name, then=lambda name=name: log.append(name))) for name in "bc")
            eventlet.sleep(0.05)
            log.append("committed")

    crowd.during = meanwhile
    crowd.do(note("a", then=lambda: log.append("a")))
    assert [thread.wait() for thread in later] == ["b", "c"]
    assert log == ["a", "committed", "b", "c"]
    assert crowd.commits == 2


def test_who_yields_inside_a_command_holds_up_those_who_write_and_nobody_else(crowd):
    ticks = []

    def tick() -> None:
        while len(ticks) < 1000:
            ticks.append(time.monotonic())
            rows(Setting)
            eventlet.sleep(0.001)

    ticking = eventlet.spawn(tick)
    assert crowd.do(note("slow", then=lambda: eventlet.sleep(0.3)), note("b")) == ["slow", "b"]
    ticking.kill()
    assert len(ticks) > 10
    assert crowd.commits == 1


def test_while_another_process_writes_the_loop_goes_on_and_all_who_wait_in_vain_are_told_at_once(crowd, monkeypatch):
    monkeypatch.setattr(sqlite, "WAIT_FOR_WRITER", 0.2)
    other, ticks = db.SQLite(crowd.hub.url), []
    with other.writing() as session:
        session.add(Setting(name="other", value=""))
        session.flush()
        began = time.monotonic()
        told = crowd.do(*(note(name) for name in "abcdef"), lambda: [ticks.append(eventlet.sleep(0.01)) for _ in range(5)])
        assert [type(one) for one in told[:-1]] == [Busy] * 6
        assert time.monotonic() < began + 1
    other.close()
    assert len(ticks) == 5
    assert crowd.do(note("a"), note("b")) == ["a", "b"]


def test_the_same_request_is_at_work_until_its_commit_is_over(crowd):
    ann, idea = make.resident(), make.idea()
    told: list[Any] = []

    def post() -> str:
        claim(Asked(ann.person_id or 0, "k", "this"))
        return post_comment(ann, idea, body="Once.")

    crowd.during = lambda: told.append(eventlet.spawn(outcome, post).wait())
    first = eventlet.spawn(post).wait()
    crowd.during = lambda: None
    assert isinstance(told[0], AtWork)
    assert eventlet.spawn(post).wait() == first
    assert [comment.ref for comment in rows(Comment)] == [first]


# A real server


class Script:
    """Somebody who asks the server for one thing, and reads the answer later."""

    def __init__(self, port: int, idea: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.token, self.idea = sessions.make_token(make.address(make.resident()), 1), idea

    def ask(self, method: str, what: str, body: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, f"/api/v1/ideas/{self.idea}/{what}", body=body, headers=headers)

    def status(self) -> int:
        """0 where the line was cut before there was an answer."""
        try:
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        return answer.status


@pytest.fixture
def scripts() -> Iterator[Callable[[int, int, str], list[Script]]]:
    """`scripts(12, port, idea)`: that many people who act on an idea."""
    with ExitStack() as at_the_end:

        def come(number: int, port: int, idea: str) -> list[Script]:
            made = [Script(port, idea) for _ in range(number)]
            for script in made:
                at_the_end.callback(script.connection.close)
            return made

        yield come


ALTERED = """
import os, signal, sqlalchemy as sa
from eventlet import tpool
commit = tpool.execute

def commit_or_die(work):
    if os.path.exists("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(work)

tpool.execute = commit_or_die

@sa.event.listens_for(sa.engine.Engine, "begin")
def limit(connection):
    pages = open("pages").read() if os.path.exists("pages") else 2**31  # a connection keeps what it was told
    connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
"""


def test_a_server_without_room_says_so_to_all_it_concerns_and_goes_on_when_there_is_some(hub, server, scripts):
    idea = make.idea()
    one = server(altered=ALTERED)
    people = scripts(12, one.port, idea)
    with reading() as session:
        (one.folder / "pages").write_text(str(session.scalar(sa.text("PRAGMA page_count")) + 3))
    answers: list[int] = []
    for round in range(10):
        for script in people:
            script.ask("POST", "comments", f'{{"body": "{round} {"long " * 700}"}}')
        answers += [script.status() for script in people]
        if 507 in answers:
            break
    assert set(answers) <= {201, 507}
    assert 507 in answers
    assert len(rows(Comment)) == make.row(idea).comments_public == answers.count(201)
    os.remove(one.folder / "pages")
    for script in people:
        script.ask("PUT", "vote")
    assert [script.status() for script in people] == [200] * 12
    assert make.row(idea).votes == 12
    assert [entry.position for entry in entries()] == [*range(1, len(entries()) + 1)]


def test_a_server_that_dies_before_the_commit_has_acknowledged_nothing_and_done_nothing(hub, server, scripts):
    idea = make.idea()
    one = server(altered=ALTERED)
    first, *others = scripts(8, one.port, idea)
    first.ask("PUT", "vote")
    assert first.status() == 200
    with nothing_written():
        Path(one.folder / "die").touch()
        for script in others:
            script.ask("PUT", "vote")
        assert [script.status() for script in others] == [0] * 7
        wait_until(lambda: one.process.poll() is not None)
    assert make.row(idea).votes == 1


def test_what_one_command_read_the_next_does_not_have(crowd: Crowd) -> None:
    """Although commands that ask prepared questions only have the same session, one after the other."""
    taken: list[tuple[Any, int]] = []  # sessions, and what was known in them already

    def look(then: Command = lambda: None) -> Command:
        def command() -> None:
            with transaction() as session:
                taken.append((session, len(session.identity_map)))
                record(session, IdeaPosted(idea="told", audience=View.PUBLIC))
                then()

        return command

    def read() -> None:
        taken[-1][0].add(Setting(name="read", value=""))
        taken[-1][0].flush()

    def fail() -> None:
        raise NotAllowed

    crowd.do(look(), look(), look(read), look(), look(fail), look())
    assert [known for _, known in taken] == [0] * 6
    whose = [session for session, _ in taken]
    assert [one is next_one for one, next_one in pairwise(whose)] == [True, True, False, True, False]
    assert len(entries()) == 5, "what the one that failed had recorded went into no other's"
