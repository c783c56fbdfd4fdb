"""The load client `load.c`, compiled when it is needed, and what it is asked for."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import machine
from tests.support.programs import CC

SOURCE = Path(__file__).with_suffix(".c")
PROGRAM = SOURCE.parent.parent / "var" / "bench" / "load"
DIGEST, PRIME = 14695981039346656037, 1099511628211


def compiled() -> Path:
    """The load client, made anew where its source is newer. FileNotFoundError: there is no compiler."""
    if not PROGRAM.exists() or PROGRAM.stat().st_mtime < SOURCE.stat().st_mtime:
        compiler = CC.find()
        if compiler is None:
            raise FileNotFoundError(CC.absence)
        PROGRAM.parent.mkdir(parents=True, exist_ok=True)
        made = PROGRAM.with_suffix(".new")
        subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", made, SOURCE], check=True)  # noqa: S603
        made.replace(PROGRAM)  # one that runs goes on
    return PROGRAM


def digest(sequences: Iterable[int]) -> int:
    """What a watcher's digest is who heard exactly these, in this order."""
    folded = DIGEST
    for sequence in sequences:
        folded = (folded ^ sequence) * PRIME % 2**64
    return folded


class Load:
    """A load client of one server, on the core of clients. Each answer is what `load.c` says of it."""

    def __init__(self, port: int) -> None:
        self.process = subprocess.Popen([compiled(), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        machine.pin(self.process.pid, machine.CLIENT)

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        """All its connections are closed with it."""
        self.process.communicate()

    def connect(
        self,
        watchers: int,
        watch: dict[str, Any] | None,
        *,
        window: int = 50,
        missed: int = 0,
        path: str = "/socket.io/?EIO=4&transport=websocket",
    ) -> dict[str, Any]:
        """More watchers, so many on their way at once, who send that `watch`; None: to whom the bare sender sends."""
        if watch is not None:
            self._say("open 40/live,")
            self._say(f'hello 42/live,1["watch",{json.dumps(watch)}]')
        self._say(f"connect {watchers} {window} {missed} {path}")
        return self._answer()

    def expect(self, events: int, *, patience: float = 5.0) -> None:
        """Count from now on; `heard` says what was heard."""
        self._say(f"expect {events} {patience * 1000:.0f}")
        self._answer()

    def heard(self) -> dict[str, Any]:
        return self._answer()

    def ask(self, file: Path, *, connections: int, seconds: float, rate: float = 0, patience: float = 10.0) -> dict[str, Any]:
        """Send the requests of that file, so many a second (0: as fast as they are answered)."""
        self._say(f"ask {connections} {rate:f} {seconds * 1000:.0f} {patience * 1000:.0f} {file.resolve()}")
        return self._answer()

    def _say(self, line: str) -> None:
        if self.process.stdin is None:
            raise RuntimeError("the load client has no ear")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise RuntimeError(f"the load client ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def write_requests(file: Path, requests: Iterable[bytes]) -> None:
    """The form in which `load.c` reads them."""
    with file.open("wb") as written:
        for request in requests:
            written.write(b"%d\n%s" % (len(request), request))


def http(method: str, path: str, **headers: str) -> bytes:
    """A request without a body, on a connection that is kept."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    if method != "GET":
        lines.append("Content-Length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
