"""Templates are compiled once for all processes, as Python does with modules: beside them, where that can be written.

To compile them all takes a second of each start.
"""

from contextlib import suppress
from pathlib import Path

import jinja2
from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket

WEB = Path(__file__).parent
BESIDE = WEB / "__pycache__"


def newest(folder: Path = WEB) -> int:
    """When a module was changed last, in nanoseconds: filters may have been at work on what a template says."""
    return max(file.stat().st_mtime_ns for file in folder.rglob("*.py"))


class Compiled(FileSystemBytecodeCache):
    """Where the folder belongs to others, as the code in it does, each process compiles for itself."""

    def __init__(self, folder: Path = BESIDE) -> None:
        super().__init__(str(folder))
        self.by = f"{jinja2.__version__} {newest()} "
        with suppress(OSError):
            folder.mkdir(exist_ok=True)

    def get_source_checksum(self, source: str) -> str:
        """What was compiled by something else than this is another template."""
        return super().get_source_checksum(self.by + source)

    def dump_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError):
            super().dump_bytecode(bucket)
