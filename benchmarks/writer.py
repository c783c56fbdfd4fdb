"""Another process that states facts in the log, as imports and other servers do: `python -m benchmarks.writer DATABASE REDIS`.

It says `ready`. For each line `IDEA COUNT RATE` on stdin it then states so often in the log that the idea was answered, in small
batches, RATE a second (0: one batch after the other), and says `stated` when all of it is committed.
"""

import sys
import time

from sqlalchemy import select

from events.catalogue import IdeaAnswered
from ideas_hub import db
from ideas_hub.answers import Answer
from ideas_hub.ideas import Idea
from web.wakeups import Wakeups

BATCH, PAUSE = 10, 0.02  # facts in a commit at the most where no rate is asked for; seconds between two commits otherwise


def state(idea: str, count: int, rate: float) -> None:
    with db.reading() as session:
        query = select(Answer.ref, Idea.effective_audience).join(Idea, Idea.id == Answer.idea_id).where(Idea.ref == idea)
        answer, audience = session.execute(query.limit(1)).one()
    begun, stated = time.monotonic(), 0
    while stated < count:
        due = min(count, int((time.monotonic() - begun) * rate) + 1) - stated if rate else min(count - stated, BATCH)
        with db.transaction() as session:
            for _ in range(due):
                db.record(session, IdeaAnswered(idea=idea, answer=answer, audience=audience))
        stated += due
        if rate:
            time.sleep(max(PAUSE, begun + stated / rate - time.monotonic()))


def main() -> None:
    database, redis = sys.argv[1:]
    wakeups = Wakeups(redis, woken=lambda: None)
    wakeups.start()
    db.connect(database).committed = wakeups.send
    print("ready", flush=True)
    for line in sys.stdin:
        idea, count, rate = line.split()
        state(idea, int(count), float(rate))
        print("stated", flush=True)


if __name__ == "__main__":
    main()
