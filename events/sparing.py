"""What strangers can cause to be logged they can cause a million times: a few lines are written, and the rest is counted."""

import logging
import time

A_PERIOD, PERIOD = 20, 10.0  # lines, in so many seconds; a traceback counts as many as it has, and is written once


class Sparing(logging.Filter):
    """Lets the first records of each period pass; the first one that has a traceback keeps it, others are one line."""

    def __init__(self) -> None:
        super().__init__()
        self.ends, self.passed, self.kept_back, self.traced = 0.0, 0, 0, False

    def filter(self, record: logging.LogRecord) -> bool:
        if time.monotonic() >= self.ends:
            self._begin()
        if self.passed >= A_PERIOD:
            self.kept_back += 1
            return False
        self.passed += 1
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and self.traced:
            record.msg, record.args, record.exc_info, record.exc_text = f"{record.getMessage()}: {error!r}", (), None, None
        self.traced = self.traced or error is not None
        return True

    def _begin(self) -> None:
        """Of what was kept back it says so in the next period, where there is one."""
        kept_back, self.kept_back, self.passed, self.traced = self.kept_back, 0, 0, False
        self.ends = time.monotonic() + PERIOD
        if kept_back:
            logging.getLogger(__name__).warning("%d lines about sockets were left out", kept_back)
