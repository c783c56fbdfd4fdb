"""`flask verify`: what was held against what, how much of it there is, and what is wrong."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ideas_hub.verify import Advance, Check, verify


def run() -> None:
    """Print a line for each check, with its first offenders. Raises ClickException where there are any."""
    with _progress() as advance:
        checks = verify(advance)
    for check in checks:
        for line in lines(check):
            click.echo(line)
    if wrong := [check for check in checks if check.wrong]:
        raise click.ClickException(f"{len(wrong)} of {len(checks)} checks found what should not be.")


def lines(check: Check) -> Iterator[str]:
    if not check.wrong:
        yield f"ok     {check.name}: {check.seen:,} {check.of}"
        return
    yield f"WRONG  {check.name}: {check.wrong:,} wrong, of {check.seen:,} {check.of}"
    for offender in check.first:
        yield f"         {offender}"
    if more := check.wrong - len(check.first):
        yield f"         and {more:,} more"


@contextmanager
def _progress() -> Iterator[Advance]:
    """A bar on a terminal, elsewhere nothing: what is printed there is kept."""
    if not sys.stdout.isatty():
        yield lambda done, whole: None
        return
    with click.progressbar(length=1, label="Reading the log and all ideas") as bar:

        def advance(done: int, whole: int) -> None:
            bar.length = max(whole, 1)
            bar.update(done - bar.pos)

        yield advance
