"""What readers are made of, and how a file finds the one that can read it: by its header."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from ideas_hub.errors import Invalid, RuleBroken, Sentence, _
from ideas_hub.imports import CommentRow, Row, Source

LONGEST_FIELD = 2**31 - 1  # characters; a text that is too long for the hub costs its row, not the file


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the rows of one kind of file.

    `columns`: those that its header must have, by which it is known. `read` makes of a row's fields what comes in, and raises
    Invalid with a sentence where it cannot. `leaves`: what such files hold that has no place in a hub, as a sentence.
    """

    source: Source
    columns: tuple[str, ...]
    read: Callable[[Mapping[str, str]], Row]
    leaves: str = ""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A row of a file by its number (the header is row 1): what it holds, or why it could not be read."""

    file: str
    number: int
    row: Row | None
    why: Sentence | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A file and all that is in it."""

    name: str
    reader: Reader
    rows: tuple[Numbered, ...]

    @property
    def holds_comments(self) -> bool:
        return any(isinstance(numbered.row, CommentRow) for numbered in self.rows)


def open_file(path: Path, readers: Iterable[Reader]) -> Opened:
    """The file as the reader for its header reads it. Raises RuleBroken where it is no such file, and says why."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise RuleBroken(_("%(file)s is not UTF-8: see byte %(byte)d."), file=path.name, byte=wrong.start) from wrong
    except OSError as wrong:
        raise RuleBroken(_("%(file)s cannot be read: %(why)s."), file=str(path), why=wrong.strerror) from wrong
    csv.field_size_limit(LONGEST_FIELD)
    lines = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(lines, [])]
    reader = _reader(path, header, readers)
    rows = tuple(_numbered(path.name, number, header, fields, reader) for number, fields in enumerate(lines, start=2) if fields)
    return Opened(path.name, reader, rows)


def _reader(path: Path, header: list[str], readers: Iterable[Reader]) -> Reader:
    """The reader that knows most of the columns, all of its own being there."""
    able = [reader for reader in readers if set(reader.columns) <= set(header)]
    if not able:
        shown = ",".join(header)[:200] or _("nothing")
        raise RuleBroken(
            _("No reader knows the file %(file)s by its header (%(header)s). docs/importing.md says how to write one."),
            file=path.name,
            header=shown,
        )
    return max(able, key=lambda reader: len(reader.columns))


def _numbered(file: str, number: int, header: list[str], fields: list[str], reader: Reader) -> Numbered:
    if len(fields) != len(header):
        return Numbered(file, number, None, Sentence(_("It has another number of columns than the header.")))
    try:
        return Numbered(file, number, reader.read(dict(zip(header, fields, strict=True))))
    except Invalid as wrong:
        return Numbered(file, number, None, next(iter(wrong.errors.values())))


def in_order(files: Iterable[Opened]) -> list[Opened]:
    """Files with ideas before files with comments: a comment needs its idea."""
    return sorted(files, key=lambda file: file.holds_comments)


# For readers


def whole_number(text: str) -> int:
    """Raises Invalid."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise Invalid.field("number", _("A number in it is none."))
    return int(text)


def moment(text: str, zone: tzinfo = UTC) -> datetime:
    """A moment as ISO 8601 has it, of that zone where it names none. Raises Invalid."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as wrong:
        raise Invalid.field("date", _("A date or a time in it is none.")) from wrong
