"""What was acknowledged survives a power cut: the change is on the disk before the answer leaves."""

import re
import subprocess

import pytest
import sqlalchemy as sa

from ideas_hub import db
from tests import make
from tests.chaos.crowd import Line, token
from tests.support.processes import wait_until
from tests.support.programs import STRACE

CALLS = "pwrite64,fsync,fdatasync,sendto,sendmsg,write,writev"
FINISHED = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)$")


class Trace:
    """What a server asked of the system, call by call, in the order in which the calls ended."""

    def __init__(self, pid, file):
        self.file = file
        command = [STRACE.need(), "-f", "-y", "-s", "40", "-e", f"trace={CALLS}", "-o", file, "-p", str(pid)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def has_begun(self):
        return "attached" in self.process.stderr.readline()

    def end(self):
        self.process.terminate()
        self.process.communicate(timeout=30)

    def calls(self):
        """(call, arguments); those that were interrupted count where they ended, with the arguments with which they began."""
        begun = {}
        for line in self.file.read_text().splitlines():
            if line.endswith("<unfinished ...>"):
                thread, rest = line.split(maxsplit=1)
                begun[thread] = rest
            elif match := FINISHED.match(line):
                thread, call, arguments = match.groups()
                yield call, begun.pop(thread, "") + arguments


def answers_before_the_disk(calls):
    """How many answers left, and how many of them before what was written to the log of SQLite was on the disk."""
    written, on_disk, answers, early = 0, 0, 0, 0
    at_last_answer = 0
    for call, arguments in calls:
        if call == "pwrite64" and "-wal>" in arguments:
            written += 1
        elif call in ("fsync", "fdatasync") and "-wal>" in arguments:
            on_disk = written
        elif "HTTP/1.1 200" in arguments:
            answers += 1
            early += on_disk < written or written == at_last_answer
            at_last_answer = written
    return answers, early


@pytest.mark.sqlite_only
@pytest.mark.promise("Also after a power cut", bar="an fsync before each of 100 answers")
def test_each_answer_leaves_after_the_disk_has_the_change(hub, server, tmp_path, size, figure):
    one, idea = server(), make.idea()
    tokens = [token() for _ in range(size(20, 100))]
    line = Line([one.url])
    trace = Trace(one.process.pid, tmp_path / "calls")
    try:
        wait_until(trace.has_begun)
        statuses = [line.ask("PUT", f"/api/v1/ideas/{idea}/vote", who)[0] for who in tokens]
    finally:
        trace.end()
        line.close()
    answers, early = answers_before_the_disk(trace.calls())
    figure(f"{answers} answers, {early} before their fsync")
    assert statuses == [200] * len(tokens)
    assert (answers, early) == (len(tokens), 0)


def test_an_answer_that_leaves_too_early_would_be_noticed():
    write, sync, answer = ("pwrite64", "9</hub.db-wal>"), ("fdatasync", "9</hub.db-wal>"), ("sendto", '"HTTP/1.1 200 OK')
    assert answers_before_the_disk([write, sync, answer] * 2) == (2, 0)
    assert answers_before_the_disk([write, answer, sync]) == (1, 1)
    assert answers_before_the_disk([write, sync, answer, answer]) == (2, 1)


def test_nothing_is_asked_of_the_database_that_makes_it_forget(hub):
    with db.transaction() as session:
        if session.get_bind().dialect.name == "sqlite":
            pragma = {name: session.scalar(sa.text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous")}
            assert pragma == {"journal_mode": "wal", "synchronous": 2}
        else:
            assert session.scalar(sa.text("SHOW synchronous_commit")) == "on"
