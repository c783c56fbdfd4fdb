"""A run of `flask import`: rows go in by small batches, and at the end it is said what came in, what did not, and why."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click

from ideas_hub.imports import CommentRow, Fate, Outcome, bring_in, tell_imported
from web.cli.importing.reading import Numbered, Opened, Reader, in_order, open_file

BATCH = 20  # rows that go in together: until they are, nobody else can write
PAUSE = 0.02  # seconds between batches: a server that waits to write looks every 10 ms, and gets its turn
MOST_SHOWN = 10  # rows by number, for each reason
EVERY = 1000  # rows, between two lines of progress where there is no terminal


@dataclass(slots=True)
class Report:
    """What became of all rows: numbers by fate, and for each reason the rows that it is about."""

    came: dict[str, int] = field(default_factory=lambda: {"ideas": 0, "comments": 0})
    here_before: int = 0
    left_out: dict[str, list[Numbered]] = field(default_factory=dict)
    changed: dict[str, list[Numbered]] = field(default_factory=dict)

    def note(self, numbered: Numbered, outcome: Outcome) -> None:
        if outcome.fate is Fate.LEFT_OUT:
            self.left_out.setdefault(str(outcome.why), []).append(numbered)
        elif outcome.fate is Fate.HERE_BEFORE:
            self.here_before += 1
        else:
            self.came["comments" if isinstance(numbered.row, CommentRow) else "ideas"] += 1
            for note in outcome.notes:
                self.changed.setdefault(str(note), []).append(numbered)

    def lines(self) -> Iterator[str]:
        left = sum(map(len, self.left_out.values()))
        yield f"Came in: {self.came['ideas']:,} ideas and {self.came['comments']:,} comments."
        yield f"Here before, and left as they are: {self.here_before:,}."
        if self.changed:
            yield "Came in, but differ from the source:"
            yield from _reasons(self.changed)
        yield f"Left out: {left:,}{':' if left else '.'}"
        yield from _reasons(self.left_out)


def run(paths: Sequence[Path], readers: Sequence[Reader]) -> None:
    """Bring in those files. Raises RuleBroken before anything is written where one of them cannot be read."""
    files, report = in_order(open_file(path, readers) for path in paths), Report()
    for file in files:
        _bring(file, report)
    tell_imported()
    for line in report.lines():
        click.echo(line)
    for leaves in dict.fromkeys(file.reader.leaves for file in files if file.reader.leaves):
        click.echo(leaves)


def _bring(file: Opened, report: Report) -> None:
    with progress(f"{file.name} ({file.reader.source.name})", len(file.rows)) as advance:
        for start in range(0, len(file.rows), BATCH):
            batch = file.rows[start : start + BATCH]
            readable = [numbered for numbered in batch if numbered.row is not None]
            outcomes = iter(bring_in(file.reader.source, [numbered.row for numbered in readable if numbered.row is not None]))
            for numbered in batch:
                report.note(numbered, Outcome(Fate.LEFT_OUT, numbered.why) if numbered.row is None else next(outcomes))
            advance(len(batch))
            time.sleep(PAUSE)


@contextmanager
def progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, elsewhere a line now and then."""
    if sys.stdout.isatty():
        with click.progressbar(length=length, label=label, show_pos=True) as bar:
            yield bar.update
        return
    done = 0

    def advance(number: int) -> None:
        nonlocal done
        before, done = done, done + number
        if done == length or before // EVERY < done // EVERY:
            click.echo(f"{label}: {done:,} of {length:,} rows")

    yield advance


def _reasons(reasons: dict[str, list[Numbered]]) -> Iterator[str]:
    """Each reason with its rows, the most frequent first."""
    for reason, rows in sorted(reasons.items(), key=lambda item: (-len(item[1]), item[0])):
        yield f"  {len(rows):,}: {reason}"
        for file in dict.fromkeys(row.file for row in rows):
            numbers = [row.number for row in rows if row.file == file]
            more = f" and {len(numbers) - MOST_SHOWN:,} more" if len(numbers) > MOST_SHOWN else ""
            yield f"    {file}: row {', '.join(map(str, numbers[:MOST_SHOWN]))}{more}"
