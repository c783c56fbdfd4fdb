"""How fresh are pages on other servers? `python -m benchmarks.freshness`: four servers on one PostgreSQL, with and without Redis.

Somebody votes on the first server, at irregular times; watchers on all four hear of it. A line for each: the time from sending
the vote until it was heard, on the voter's own server and on the others.
"""

import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

import requests

from ideas_hub import db, sessions
from tests import make
from tests.live.watcher import Watcher
from tests.support.hub import PostgresDatabases, Server
from tests.support.services import Postgres, Redis

VOTES = 100


def percentiles(seconds: list[float]) -> str:
    cuts = quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:4.0f} ms   p99 {cuts[98] * 1000:4.0f} ms"


def measure(what: str, url: str, folder: Path, **settings: object) -> None:
    """With these settings, print what was measured."""
    with ExitStack() as at_the_end:
        servers = [Server(folder / f"{what}-{number}", url, **settings) for number in range(4)]
        for server in servers:
            at_the_end.callback(server.kill)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda server: server.start(within=60), servers))
        idea = make.idea()
        tokens = [sessions.make_token(make.address(make.person()), 1) for _ in range(VOTES)]
        watchers = [Watcher(server.url) for server in servers]
        for watcher in watchers:
            at_the_end.callback(watcher.leave)
            watcher.watch(f"idea:{idea}")
        own: list[float] = []
        others: list[float] = []
        voter = requests.Session()

        def wait(watcher: Watcher, votes: int) -> float:
            watcher.wait_for_fact(f"idea:{idea}", votes=votes)
            return time.monotonic()

        with ThreadPoolExecutor(4) as pool:
            for number, token in enumerate(tokens, 1):
                time.sleep(random.uniform(0.15, 0.45))  # noqa: S311
                waiting = [pool.submit(wait, watcher, number) for watcher in watchers]
                sent = time.monotonic()
                headers = {"Authorization": f"Bearer {token}"}
                voter.put(f"{servers[0].url}/api/v1/ideas/{idea}/vote", headers=headers, timeout=10).raise_for_status()
                heard = [each.result() - sent for each in waiting]
                own.append(heard[0])
                others += heard[1:]
        print(f"{what:14} own server: {percentiles(own)}   other servers: {percentiles(others)}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster, redis = Postgres(durable=True), Redis(folder)
        try:
            cluster.start()
            redis.start()
            url = PostgresDatabases(cluster, folder).make(demo=False)
            db.connect(url)
            measure("without Redis", url, folder)
            measure("with Redis", url, folder, REDIS_URL=redis.url)
        finally:
            db.disconnect()
            redis.kill()
            cluster.remove()


if __name__ == "__main__":
    main()
