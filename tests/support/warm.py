"""Servers that need not be loaded first: a process that has imported `wsgi` and done nothing else starts one by forking itself.

To import it takes two seconds, for each of some hundred servers. What is done after that is all done by the server itself, in its
own environment. `tests/servers` starts `python wsgi.py` as it stands.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parent.parent.parent
MOST = 1 << 17  # bytes of an order


class Forked:
    """A server that was started so, with what tests need of Popen."""

    def __init__(self, told: socket.socket) -> None:
        self.told = told
        self.pid = int(told.recv(20))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            self.told.settimeout(timeout)
            try:
                self.returncode = int(self.told.recv(20))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("wsgi.main()", timeout or 0) from None
            self.told.close()
        return self.returncode

    def send_signal(self, how: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, how)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(log: IO[bytes], **order: Any) -> Forked:
    """Run `altered` and `wsgi.main()` in this folder (`cwd`) and environment (`env`), with all output in the log."""
    told, tells = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with tells:
        socket.send_fds(_warm(), [json.dumps(order).encode()], [log.fileno(), tells.fileno()])
    return Forked(told)


@cache
def _warm() -> socket.socket:
    """Orders go in here. Who takes them ends when the last process that holds this end does."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-W", "ignore", "-m", __name__]
    with its:
        process = subprocess.Popen(command, cwd=ROOT, stdin=its, start_new_session=True)
    atexit.register(ours.close)
    process.returncode = 0  # else Python warns that it outlives who started it
    return ours


def _serve_orders() -> None:
    """For each order a process that starts the server, tells its number, waits for its end and tells how it ended."""
    waitpid, orders = os.waitpid, socket.socket(fileno=0)  # as they are, before eventlet comes

    import gc

    import wsgi

    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how those ended who only waited
    while True:
        order, files, _, _ = socket.recv_fds(orders, MOST, 2)
        if not order:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if (number := os.fork()) == 0:
                _become(*files, **json.loads(order))
                sys.exit(wsgi.main())
            os.write(files[1], b"%d" % number)
            os.write(files[1], b"%d" % os.waitstatus_to_exitcode(waitpid(number, 0)[1]))
            os._exit(0)
        for file in files:
            os.close(file)


def _become(log: int, tells: int, *, altered: str, cwd: str, env: dict[str, str]) -> None:
    import wsgi

    os.setsid()  # Ctrl-C ends the tests, and they end this
    os.close(tells)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, number in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(file, number)
    os.close(log)
    os.close(nothing)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    exec(altered, {"__name__": "__main__", "wsgi": wsgi})  # noqa: S102 (the test's own lines)


if __name__ == "__main__":
    _serve_orders()
