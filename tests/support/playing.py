"""The demo council at work: `flask demo --play` in a process of its own."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.hub import environment


@contextmanager
def playing(database_url: str, base_url: str, folder: Path, *words: str) -> Iterator[subprocess.Popen]:
    """`stdout` is what it says."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "flask", "demo", "--play", *words],
        cwd=folder,
        env=environment(database_url, BASE_URL=base_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests that run behind a shell do not hear it
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def lines_until(process: subprocess.Popen, pattern: str) -> list[str]:
    """What it says from now on, as far as the first line that matches."""
    heard = []
    for line in process.stdout:
        heard.append(line.rstrip())
        if re.search(pattern, line):
            return heard
    raise AssertionError(f"never said {pattern!r}: {heard}")
