"""Decide Madrid: what residents proposed to their city, and what others said of it.

A proposal has a day and no time: one in the morning is taken, which is that day in London too, and stands before its comments.
Authors have numbers and no names. Votes on comments have no place here.
"""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from ideas_hub.errors import Invalid, _
from ideas_hub.imports import CommentRow, IdeaRow, Pseudonym, Source
from web.cli.importing.reading import Reader, moment, whole_number

SOURCE = Source("decide-madrid", "Decide Madrid", lang="es")
MADRID = ZoneInfo("Europe/Madrid")
STATUS = {"open": False, "archived": True}


def proposal(row: Mapping[str, str]) -> IdeaRow:
    if row["status"] not in STATUS:
        raise Invalid.field("status", _("Its status is none that we know."))
    return IdeaRow(
        key=row["id"],
        author=_author(row),
        title=row["title"],
        problem=row["summary"],
        proposal=row["text"],
        posted_at=moment(f"{row['date']}T01:00", MADRID),
        supports=whole_number(row["supports"]),
        parked=STATUS[row["status"]],
        reason="Archived on Decide Madrid. Its data does not say when.",
    )


def comment(row: Mapping[str, str]) -> CommentRow:
    return CommentRow(
        key=row["id"],
        idea=row["proposal_id"],
        parent=row["parent_id"],
        author=_author(row),
        body=row["text"],
        posted_at=moment(f"{row['date']}T{row['time']}", MADRID),
    )


def _author(row: Mapping[str, str]) -> Pseudonym:
    return Pseudonym(row["author_id"], f"Participant {row['author_id']}")


PROPOSALS = ("id", "title", "summary", "text", "author_id", "date", "status", "supports")
COMMENTS = ("id", "parent_id", "proposal_id", "author_id", "date", "time", "text")
READERS = (
    Reader(SOURCE, PROPOSALS, proposal),
    Reader(SOURCE, COMMENTS, comment, leaves=_("Votes for and against a comment have no place here.")),
)
