"""`flask import FILE…`: files of other places, read by readers. A reader is one small file in here (docs/importing.md)."""

from web.cli.importing import decide_madrid, uk_petitions
from web.cli.importing.reading import Reader

READERS: tuple[Reader, ...] = (*decide_madrid.READERS, *uk_petitions.READERS)
