"""A watcher who keeps all that was heard, and comes back by cursor whenever the line breaks.

It speaks Socket.IO over a plain websocket: no queue and no thread but one, so that hundreds cost little.
"""

import json
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import websocket

NAMESPACE = "/live"
LOST = (websocket.WebSocketException, OSError)


class Listener:
    """`urls`: servers of one hub; when one is away the next is tried.

    `heard` are the events since `start`, the cursor at which the first watch (or the one after a reset) began; `facts` the last
    of each topic. `backwards` says which versions of facts went back, `resets` why everything had to be loaded anew, and
    `resumed` how many seconds each lost line took.
    """

    def __init__(self, urls: str | Sequence[str], *topics: str, token: str | None = None) -> None:
        self.urls = [urls] if isinstance(urls, str) else list(urls)
        self.topics, self.token = list(topics), token
        self.start, self.cursor = "", ""
        self.heard: list[dict[str, Any]] = []
        self.facts: dict[str, dict[str, Any]] = {}
        self.backwards: list[str] = []
        self.resets: list[str] = []
        self.resumed: list[float] = []
        self.arrived: list[tuple[float, str, int]] = []  # when facts came (monotonic), of which topic, and their votes
        self.lost_at: float | None = None
        self.watching, self.stopped = threading.Event(), threading.Event()
        self.socket: websocket.WebSocket | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def ready(self, within: float = 30.0) -> "Listener":
        assert self.watching.wait(within), f"{self.urls} did not answer a watch"
        return self

    def stop(self) -> None:
        """Hang up. What was heard stays."""
        self.stopped.set()
        with suppress(OSError, AttributeError):  # it may be between two lines just now
            self.socket.sock.shutdown(socket.SHUT_RDWR)  # closing alone would not wake who reads
        self.thread.join()

    def _run(self) -> None:
        while not self.stopped.is_set():
            try:
                self._connect()
                self._watch()
                while not self.stopped.is_set():
                    self._hear(self._packet())
            except LOST:
                if self.lost_at is None:
                    self.lost_at = time.monotonic()
                self.watching.clear()
                self.urls.append(self.urls.pop(0))
                self.stopped.wait(random.uniform(0.05, 0.25))  # noqa: S311
            finally:
                if self.socket is not None:
                    self.socket.shutdown()

    # Socket.IO

    def _connect(self) -> None:
        address = self.urls[0].replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self.socket = websocket.create_connection(address, timeout=40)
        self._packet()
        self.socket.send(f"40{NAMESPACE},{json.dumps({'token': self.token}) if self.token else ''}")
        while not (packet := self._packet()).startswith("40"):
            if packet.startswith("44"):
                raise ConnectionError(packet)

    def _packet(self) -> str:
        """The next packet that is no ping."""
        assert self.socket is not None
        while (packet := self.socket.recv()) == "2":
            self.socket.send("3")
        if self.stopped.is_set() or not packet or packet[0] == "1" or packet.startswith("41"):
            raise ConnectionError("closed")
        return str(packet)

    def _watch(self) -> None:
        """Watch from the cursor on, or anew where there is none."""
        assert self.socket is not None
        cursor = self.cursor or None
        self.socket.send(f"42{NAMESPACE},7" + json.dumps(["watch", {"topics": self.topics, "cursor": cursor}]))
        while not (packet := self._packet()).startswith(f"43{NAMESPACE},7["):
            self._hear(packet)  # nothing yet, unless rooms were joined before
        (ack,) = json.loads(packet[len(f"43{NAMESPACE},7") :])
        if not ack["ok"]:
            raise ConnectionError(ack["error"])
        if ack["mode"] != "resume":
            if ack["mode"] == "reset":
                self.resets.append(ack["why"])
            self._begin(ack["cursor"])
        for event in ack["events"]:
            self._keep(event)
        self.cursor = ack["cursor"]
        self._note(ack["facts"])
        if self.lost_at is not None:
            self.resumed.append(time.monotonic() - self.lost_at)
            self.lost_at = None
        self.watching.set()

    def _begin(self, cursor: str) -> None:
        self.start, self.heard, self.facts = cursor, [], {}

    def _hear(self, packet: str) -> None:
        name, content = json.loads(packet[len(f"42{NAMESPACE},") :])
        if name == "event":
            self._keep(content)
        elif name == "facts":
            self._note(content)
        elif name == "head":
            self.cursor = content["cursor"]
        elif name == "reset":
            self.watching.clear()
            self.resets.append(content["why"])
            self.cursor = ""
            self._watch()

    def _keep(self, event: dict[str, Any]) -> None:
        self.heard.append(event)
        self.cursor = event["cursor"]

    def _note(self, facts: dict[str, dict[str, Any]]) -> None:
        for topic, values in facts.items():
            before = self.facts.get(topic, values)
            if values["version"] < before["version"]:
                self.backwards.append(f"{topic}: version {values['version']} after {before['version']}")
            self.facts[topic] = values
            if "votes" in values:
                self.arrived.append((time.monotonic(), topic, values["votes"]))


def listeners(number: int, make: Callable[[int], Listener]) -> list[Listener]:
    """That many, each of which watches."""
    made = [make(each) for each in range(number)]
    return [listener.ready() for listener in made]
