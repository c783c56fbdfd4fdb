"""The loop that runs the chores, in every server: any number of them may, and none has to be the one."""

import logging
import random
import threading
import time

from ideas_hub.chores import CHORES, run
from ideas_hub.errors import Busy

logger = logging.getLogger(__name__)


class Worker:
    def __init__(self) -> None:
        self.stopping = threading.Event()

    def stop(self) -> None:
        self.stopping.set()

    def run(self) -> None:
        """Run each chore when it is due, until stopped. One that fails is logged, and tried again at its next time."""
        # Servers that start together shall not all come at once.
        due = {chore: time.monotonic() + random.uniform(0, 2) for chore in CHORES}  # noqa: S311
        while not self.stopping.wait(max(0.0, min(due.values()) - time.monotonic())):
            chore = min(due, key=lambda each: due[each])
            try:
                run(chore)
            except Busy:
                logger.warning("chore %s: the database is taken, next time", chore.name)
            except Exception:
                logger.exception("chore %s failed", chore.name)
            due[chore] = time.monotonic() + chore.every.total_seconds()
