"""Can this machine be trusted with what is measured in seconds? Work is timed before and after, while nothing of ours is busy."""

import time
from types import TracebackType
from typing import Self

import pytest

WORK = 0.3  # seconds of processor time
TRUSTED = 1.5  # times as long on the wall: more, and others are at work here


def stretch() -> float:
    """How many times as long as its processor time a piece of work takes."""
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < WORK:
        pass
    return (time.monotonic() - began) / (time.thread_time() - used)


class Control:
    """Around a `with` block: how busy others kept the machine just before and just after it."""

    def __enter__(self) -> Self:
        self.busy = stretch()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.busy = max(self.busy, stretch())

    def judge(self, **seconds: tuple[float, float]) -> None:
        """Each of those is (what was measured, what it may be at most). Where one is more, and the machine was busy with other
        things, this is no measurement: the test is skipped. Assert first what is no matter of time."""
        slow = {name: f"{measured:.2f} s, more than {most:g} s" for name, (measured, most) in seconds.items() if measured > most}
        if slow and self.busy > TRUSTED:
            pytest.skip(f"the machine is too busy to tell: work takes {self.busy:.1f} times as long as it should; {slow}")
        assert not slow, f"{slow}, on a machine where work takes {self.busy:.1f} times as long as it should"
