"""What many ask at the same time is done together: once for each, and each is told the truth about itself."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import eventlet
import pytest
from eventlet.green import threading as green_threading

from ideas_hub import together
from ideas_hub.errors import Busy, Missing
from ideas_hub.together import MOST, Together
from tests.support.processes import wait_until


class Desk:
    """Numbers are doubled here; what is no number is refused, and `fails` says what cannot be done at all."""

    def __init__(self) -> None:
        self.done: list[list[object]] = []
        self.before: Callable[[], None] = lambda: None
        self.fails: Callable[[Sequence[object]], bool] = lambda asked: False
        self.ask = Together(self.work)

    def work(self, of: str, take: Callable[[], Sequence[object]]) -> list[object]:
        self.before()
        asked = list(take())
        self.done.append(asked)
        if self.fails(asked):
            raise ZeroDivisionError(str(asked))
        return [2 * one if isinstance(one, int) else Missing() for one in asked]


class Queue:
    """Who asks one after the other while the first one is at work, until `go`."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.gate, self.begun = desk, threading.Event(), threading.Event()
        desk.before = self.wait
        self.crowd = ThreadPoolExecutor(200)

    def wait(self) -> None:
        self.begun.set()
        assert self.gate.wait(10)

    def come(self, *asked: object) -> list[Future[object]]:
        come = []
        for one in asked:
            before = self.waiting()
            come.append(self.crowd.submit(self.desk.ask, "it", one))
            wait_until(lambda before=before: self.begun.is_set() and self.waiting() == before + 1, within=10, what="a call")
        return come

    def waiting(self) -> int:
        return len(self.desk.ask.waiting.get("it", ()))

    def go(self, come: list[Future[object]]) -> list[object]:
        self.desk.before = lambda: None
        self.gate.set()
        return [one.exception(10) or one.result() for one in come]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_who_asks_alone_is_answered_alone(desk):
    assert [desk.ask("it", 1), desk.ask("it", 2), desk.ask("that", 3)] == [2, 4, 6]
    assert desk.done == [[1], [2], [3]]
    assert desk.ask.waiting == {}


def test_who_comes_while_one_waits_for_its_turn_is_done_with_it(desk):
    queue = Queue(desk)
    assert queue.go(queue.come(*range(20))) == [2 * n for n in range(20)]
    assert desk.done == [[*range(20)]]
    assert desk.ask.waiting == {}


def test_who_comes_too_late_is_done_with_the_next(desk):
    queue = Queue(desk)
    late: list[Future[object]] = []

    def meanwhile(asked: Sequence[object]) -> bool:
        if not late:
            late.extend(queue.come(7, 8, 9))
        return False

    desk.fails = meanwhile
    assert queue.go(queue.come(1, 2)) == [2, 4]
    assert [one.result(10) for one in late] == [14, 16, 18]
    assert desk.done == [[1, 2], [7, 8, 9]]


def test_no_more_than_so_many_are_done_at_once(desk):
    queue = Queue(desk)
    assert queue.go(queue.come(*range(MOST + 5))) == [2 * n for n in range(MOST + 5)]
    assert [len(asked) for asked in desk.done] == [MOST, 5]


def test_a_refusal_is_told_to_who_is_refused(desk):
    queue = Queue(desk)
    first, second, third = queue.go(queue.come(1, "no number", 3))
    assert (first, third) == (2, 6)
    assert isinstance(second, Missing)


def test_where_several_fail_each_is_done_alone(desk):
    queue = Queue(desk)
    desk.fails = lambda asked: 2 in asked
    first, second, third = queue.go(queue.come(1, 2, 3))
    assert (first, third) == (2, 6)
    assert str(second) == "[2]"
    assert sorted(desk.done) == [[1], [1, 2, 3], [2], [3]]
    assert desk.ask.waiting == {}


def test_what_befalls_the_first_before_it_begins_befalls_all_who_wait(desk):
    def away() -> None:
        queue.wait()
        raise Busy

    queue = Queue(desk)
    desk.before = away
    come = queue.come(1, 2, 3)
    queue.gate.set()
    assert [type(one.exception(10)) for one in come] == [Busy] * 3
    assert desk.ask.waiting == {}


def test_where_the_first_is_killed_another_one_leads(desk):
    class Killed(BaseException):
        pass

    def die() -> None:
        queue.wait()
        desk.before = lambda: None
        raise Killed

    queue = Queue(desk)
    desk.before = die
    come = queue.come(1, 2, 3)
    queue.gate.set()
    assert isinstance(come[0].exception(10), Killed)
    assert [one.result(10) for one in come[1:]] == [4, 6]
    assert desk.done == [[2, 3]]
    assert desk.ask.waiting == {}


@pytest.mark.parametrize("impatient", [1, 2])
def test_what_is_waited_for_no_more_is_not_done(desk, monkeypatch, impatient):
    monkeypatch.setattr(together, "threading", green_threading)
    monkeypatch.setattr(together.time, "sleep", eventlet.sleep)
    desk = Desk()
    desk.before = lambda: eventlet.sleep(0.05)
    threads = [eventlet.spawn(desk.ask, "it", n) for n in range(3)]
    eventlet.sleep(0)
    threads[impatient].kill()
    assert [thread.wait() for n, thread in enumerate(threads) if n != impatient] == [2 * n for n in range(3) if n != impatient]
    assert desk.done == [[n for n in range(3) if n != impatient]]
    assert desk.ask.waiting == {}
