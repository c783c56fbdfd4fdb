"""Petitions to the UK Government and Parliament. The data names nobody, and has no words but each petition's title.

A petition is open for six months. A closed one is parked since then: nothing was decided, and nobody can sign it any more.
"""

from collections.abc import Mapping
from datetime import timedelta

from ideas_hub.errors import Invalid, _
from ideas_hub.imports import IdeaRow, Pseudonym, Source
from web.cli.importing.reading import Reader, moment, whole_number

SOURCE = Source("uk-petitions", "UK Parliament petitions", lang="en")
PETITIONER = Pseudonym("petitioner", "A petitioner")
OPEN_FOR = timedelta(days=183)
STATUS = {"open": False, "closed": True}


def petition(row: Mapping[str, str]) -> IdeaRow:
    if row["status"] not in STATUS:
        raise Invalid.field("status", _("Its status is none that we know."))
    posted_at = moment(row["created_at"])
    return IdeaRow(
        key=row["id"],
        author=PETITIONER,
        title=row["title"],
        posted_at=posted_at,
        supports=whole_number(row["signatures"]),
        parked=STATUS[row["status"]],
        parked_at=posted_at + OPEN_FOR,
        reason="Closed to signatures, six months after it was opened.",
    )


READERS = (Reader(SOURCE, ("id", "title", "created_at", "signatures", "status"), petition),)
