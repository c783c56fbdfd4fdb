""" "Look now", from server to server, by way of Redis: the others need not wait until they look by themselves.

Nothing depends on it. A wake-up carries no news, only the name of who sent it; one that is lost costs the pause between two
looks of the relay, and nobody who commits waits for one.
"""

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

CHANNEL = "ideas-hub look"
PAUSE = 0.02  # seconds between two wake-ups: many commits are one
SILENCE, PATIENCE = 5.0, 2.0  # seconds: after which Redis is asked whether it is there, and that it has to answer
SHORTEST, LONGEST = 0.5, 15.0  # seconds between two attempts to reach it

logger = logging.getLogger(__name__)


class Wakeups:
    """`send()` wakes the other servers; `woken()` is called when one of them did so."""

    def __init__(self, url: str, woken: Callable[[], None]) -> None:
        self.url, self.woken = url, woken
        self.name = secrets.token_bytes(8)
        self.committed = threading.Event()

    def send(self) -> None:
        """Something was committed here. Never waits."""
        self.committed.set()

    def start(self) -> None:
        for loop, what in ((self._publish, "waking other servers"), (self._listen, "being woken by other servers")):
            threading.Thread(target=self._keep_on, args=(loop, what), daemon=True).start()

    def _keep_on(self, loop: Callable[[Redis, Callable[[], None]], None], what: str) -> None:
        """For ever; again where Redis was lost. One line is logged when it goes, and one when it is back."""
        lost, pause = False, SHORTEST

        def works() -> None:
            nonlocal lost, pause
            if lost:
                logger.warning("%s: Redis is back", what)
            lost, pause = False, SHORTEST

        once = Retry(NoBackoff(), 0)  # its own way is to try ten times and to say nothing
        while True:
            redis = Redis.from_url(self.url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE, retry=once)
            try:
                loop(redis, works)
            except (RedisError, OSError) as away:
                if not lost:
                    logger.warning("%s: Redis is away (%s); until it is back they look by themselves", what, away)
                lost = True
            finally:
                redis.close()
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(LONGEST, pause * 2)

    def _publish(self, redis: Redis, works: Callable[[], None]) -> None:
        redis.ping()
        works()
        while True:
            self.committed.wait()
            self.committed.clear()
            redis.publish(CHANNEL, self.name)
            time.sleep(PAUSE)

    def _listen(self, redis: Redis, works: Callable[[], None]) -> None:
        with redis.pubsub() as subscription:
            subscription.subscribe(CHANNEL)
            asked = False
            while True:
                message = subscription.get_message(timeout=PATIENCE if asked else SILENCE)
                if message is None:
                    if asked:
                        raise TimeoutError("it does not answer")
                    subscription.ping()
                    asked = True
                    continue
                asked = False
                if message["type"] == "subscribe":
                    works()
                    self.woken()  # by what was missed
                elif message["type"] == "message" and message["data"] != self.name:
                    self.woken()
