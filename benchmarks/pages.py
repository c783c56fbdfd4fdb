"""How pages open on a phone on a slow line, measured by the browser itself: `make pages`.

Each page is opened five times by a Chromium that has nothing of it yet, over a line of 1.6 Mbit/s with 150 ms there and back,
on a processor slowed down fourfold; the medians are printed, as rows of docs/performance.md.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
BITS, ROUND_TRIP, SLOWER = 1_600_000, 150, 4
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}

# Buffered: what happened before is told as well.
WATCH = """() => {
  window.measured = { shift: 0, long: [] };
  new PerformanceObserver((list) => list.getEntries().forEach((e) => { if (!e.hadRecentInput) measured.shift += e.value; }))
    .observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => list.getEntries().forEach((e) => measured.long.push(e.duration)))
    .observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => list.getEntries().forEach((e) => (measured.largest = e.startTime)))
    .observe({ type: "largest-contentful-paint", buffered: true });
}"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@dataclass(frozen=True)
class Opening:
    """One opening of a page: first and largest paint in ms, layout shift, the longest task in ms, and kilobytes over the line."""

    first: float
    largest: float
    shift: float
    longest: float
    kilobytes: float


def open_once(browser: Browser, address: str, *, slow: bool = True) -> Opening:
    context = browser.new_context(**PHONE)
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": False})
    received: list[float] = []
    devtools.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    if slow:
        line = {"offline": False, "latency": ROUND_TRIP, "downloadThroughput": BITS / 8, "uploadThroughput": BITS / 8}
        devtools.send("Network.emulateNetworkConditions", line)
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.add_init_script(f"({WATCH})()")
    page.goto(address, wait_until="load", timeout=60_000)
    page.wait_for_function("() => document.querySelector('[data-live-sign]')?.classList.contains('live--on')", timeout=60_000)
    page.wait_for_timeout(500)
    measured = page.evaluate("() => measured")
    first = page.evaluate(PAINTED)
    context.close()
    return Opening(first, measured["largest"], measured["shift"], max(measured["long"], default=0), sum(received) / 1000)


def medians(openings: list[Opening]) -> Opening:
    return Opening(*(statistics.median(getattr(o, name) for o in openings) for name in Opening.__dataclass_fields__))


@contextmanager
def demo_hub() -> Iterator[str]:
    """A hub with its demo council, on a port of its own."""
    with tempfile.TemporaryDirectory() as folder:
        url = "http://127.0.0.1:8099"
        settings = {
            "DATABASE_URL": f"sqlite:///{folder}/hub.db",
            "PORT": "8099",
            "BASE_URL": url,
            "DEMO": "1",
            "RATE_LIMITS": "off",
        }
        environment = os.environ | {"FLASK_APP": "web"} | {f"IDEAS_HUB_{name}": value for name, value in settings.items()}
        for command in ("migrate", "demo"):
            subprocess.run([sys.executable, "-m", "flask", command], cwd=ROOT, env=environment, check=True, capture_output=True)  # noqa: S603
        server = subprocess.Popen([sys.executable, "wsgi.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    requests.get(f"{url}/healthz", timeout=2)
                    break
                except requests.RequestException:
                    time.sleep(0.2)
            yield url
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a hub that runs already (one with the demo council is started otherwise)")
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    with demo_hub() if asked.url is None else _given(asked.url) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        listed = requests.get(f"{url}/ideas?sort=top", timeout=30).text
        idea = re.search(r'href="(/ideas/[0-9a-z]{8})"', listed)
        pages = {"`/`": "/", "`/ideas`": "/ideas", "an idea": idea[1] if idea else "/", "`/board`": "/board"}
        print("| page | first paint | largest paint | layout shift | longest task | over the line |\n|---|---|---|---|---|---|")
        for name, path in pages.items():
            open_once(browser, url + path, slow=False)  # the server's first answer is not what is measured
            m = medians([open_once(browser, url + path) for _ in range(asked.times)])
            print(
                f"| {name} | {m.first:.0f} ms | {m.largest:.0f} ms | {m.shift:.3f} | {m.longest:.0f} ms | {m.kilobytes:.0f} KB |",
                flush=True,
            )
        browser.close()


@contextmanager
def _given(url: str) -> Iterator[str]:
    yield url.rstrip("/")


if __name__ == "__main__":
    main()
