"""What many ask of the same thing at the same time is done for all of them by one, in one transaction.

Nobody waits for others to come. Who asks first begins; who asks while that is under way waits, and then the first of them does
what all of them asked.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Got = TypeVar("Got")

MOST = 100  # that are done at once: meanwhile nobody else has a turn


class Call(Generic[Asked, Got]):
    """What somebody asked, and what came of it. `turn` is set when that is known, or when it is theirs to lead."""

    __slots__ = ("asked", "is_done", "leads", "outcome", "turn")
    outcome: Got | Exception

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.is_done = self.leads = False
        self.turn: threading.Event | None = None  # who leads from the beginning needs none

    def end(self, outcome: Got | Exception) -> None:
        self.outcome, self.is_done = outcome, True


class Together(Generic[Asked, Got]):
    """`work` is called with the name of the thing, and with `take`: it calls that once, when only the work itself is left to be
    done, and gets what is asked. It returns in the same order what came of each: an answer, or the exception to be raised.

    Where it fails for several, it is called again for each of them alone, so that each is told the truth about itself. So what
    it does must be harmless to do twice.
    """

    def __init__(self, work: Callable[[str, Callable[[], Sequence[Asked]]], Sequence[Got | Exception]]) -> None:
        self.work = work
        self.lock = threading.Lock()
        self.waiting: dict[str, deque[Call[Asked, Got]]] = {}  # by the things for which somebody leads, and with them

    def __call__(self, of: str, asked: Asked) -> Got:
        """What came of it, done with what others ask of the same thing. Raises what came of it, and what befell all of them."""
        call = Call[Asked, Got](asked)
        with self.lock:
            call.leads = of not in self.waiting
            call.turn = None if call.leads else threading.Event()
            self.waiting.setdefault(of, deque()).append(call)
        if call.turn is not None:
            self._wait(of, call, call.turn)
        if call.leads:
            self._lead(of, call)
        return _result(call.outcome) if call.is_done else self.alone(of, asked)

    def alone(self, of: str, asked: Asked) -> Got:
        """The same, done with nothing else."""
        [outcome] = self.work(of, lambda: [asked])
        return _result(outcome)

    def _wait(self, of: str, call: Call[Asked, Got], turn: threading.Event) -> None:
        try:
            turn.wait()
        except BaseException:  # it is waited for no more
            self._end(of, call, [])
            raise

    def _lead(self, of: str, own: Call[Asked, Got]) -> None:
        taken: list[Call[Asked, Got]] = []

        def take(most: int = MOST) -> list[Asked]:
            with self.lock:
                waiting = self.waiting[of]
                taken.extend(waiting.popleft() for _ in range(min(most, len(waiting))))
            return [call.asked for call in taken]

        try:
            time.sleep(0)  # let those in who are ready
            outcomes = self.work(of, take)
            for call, outcome in zip(taken, outcomes, strict=True):
                call.end(outcome)
        except Exception as error:
            if not taken:
                take(most=len(self.waiting[of]))
                for call in taken:
                    call.end(error)
            elif len(taken) == 1:
                own.end(error)
        finally:
            self._end(of, own, taken)

    def _end(self, of: str, own: Call[Asked, Got], taken: Sequence[Call[Asked, Got]]) -> None:
        """It waits no more, nor do those that were taken; if it led, the next one does."""
        with self.lock:
            waiting = self.waiting.get(of, deque())
            if own in waiting:
                waiting.remove(own)
            following = waiting[0] if own.leads and waiting else None
            if following is not None:
                following.leads = True
            elif own.leads:
                del self.waiting[of]
        for call in (*taken, following):
            if call is not None and call.turn is not None:
                call.turn.set()


def _result(outcome: Got | Exception) -> Got:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
