"""Programs that run beside the tests. Only what was started here is ever ended."""

import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

from tests.support.warm import Forked

T = TypeVar("T")
TAIL = 6_000  # characters of a log that are shown when something fails


def free_port() -> int:
    """A port nobody listens on.

    It is below those that the system gives to outgoing connections, so nobody takes it while a program restarts.
    """
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 (no secret)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def wait_until(answer: Callable[[], T], *, within: float = 20.0, what: str = "") -> T:
    """Ask again and again until the answer is true, and return it; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        if value := answer():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} seconds: {what or answer.__name__}")
        time.sleep(0.02)


class Process:
    """A program in the background, its output in `log`. `start` returns when it answers; it may be started again."""

    polite = signal.SIGTERM
    rude = signal.SIGKILL

    def __init__(
        self,
        command: list[str | Path],
        folder: Path,
        *,
        env: dict[str, str] | None = None,
        identity: Mapping[str, Any] | None = None,
    ):
        self.command = command
        self.folder = folder
        self.env = env
        self.identity = identity or {}  # what Popen takes to run it as another user
        self.log = folder / f"{type(self).__name__.lower()}.log"
        self.process: subprocess.Popen[bytes] | Forked | None = None

    def answers(self) -> bool:
        raise NotImplementedError

    def start(self, *, within: float = 30.0) -> None:
        with self.log.open("ab") as log:
            self.process = self._begin(log)
        try:
            wait_until(lambda: self.process.poll() is not None or self.answers(), within=within, what="an answer")
            assert self.process.poll() is None, f"ended with {self.process.returncode}"
        except AssertionError as failure:
            self.kill()
            raise AssertionError(f"{type(self).__name__} did not start: {failure}\n{self.tail()}") from None

    def _begin(self, log: IO[bytes]) -> "subprocess.Popen[bytes] | Forked":
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C ends the tests, and they end this
            **self.identity,
        )

    def stop(self, *, within: float = 15.0) -> int:
        """Ask it to end, and return its exit code. Fails if it would not."""
        return self._end(self.polite, within)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(self.rude, 15.0)

    def _end(self, how: signal.Signals, within: float) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{type(self).__name__} did not end within {within:g} seconds\n{self.tail()}") from None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-TAIL:] if self.log.exists() else ""
