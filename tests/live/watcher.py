"""Somebody who watches the live stream, with the real Socket.IO client."""

import threading
import time
from collections.abc import Callable
from typing import Any

import socketio

WITHIN = 5.0  # seconds; nothing here needs more than a fraction of it


class Watcher:
    def __init__(
        self, url: str, *, token: str | None = None, headers: Any = None, transports: Any = None, **options: Any
    ) -> None:
        self.messages: list[tuple[str, Any]] = []
        self.changed = threading.Condition()
        self.ack: dict[str, Any] = {}
        self.client = socketio.Client(reconnection=False, **options)
        for name in ("event", "facts", "head", "reset", "disconnect"):
            self.client.on(name, self._hear(name), namespace="/live")
        self.client.connect(
            url,
            namespaces=["/live"],
            auth={"token": token} if token else None,
            headers=headers or {},
            transports=transports or ["websocket"],
            wait_timeout=10,  # the client's own second is short where everybody's servers start at once
        )

    def _hear(self, name: str) -> Callable[..., None]:
        def heard(*content: Any) -> None:
            with self.changed:
                self.messages.append((name, content[0] if content else None))
                self.changed.notify_all()

        return heard

    def watch(self, *topics: str, cursor: str | None = None) -> dict[str, Any]:
        self.ack = self.call("watch", {"topics": list(topics), "cursor": cursor})
        return self.ack

    def call(self, message: str, content: Any) -> Any:
        return self.client.call(message, content, namespace="/live", timeout=WITHIN)

    def of(self, name: str) -> list[Any]:
        """The contents of all messages of that name so far."""
        with self.changed:
            return [content for kind, content in self.messages if kind == name]

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.of("event")

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def wait(self, question: Callable[[], Any], *, within: float = WITHIN) -> Any:
        """What the question answers, as soon as that is something; AssertionError when nothing came in time."""
        deadline = time.monotonic() + within
        with self.changed:
            while not (answer := question()):
                assert self.changed.wait(deadline - time.monotonic()), f"waited in vain; heard {self.messages}"
            return answer

    def wait_for(self, type: str, **options: Any) -> dict[str, Any]:
        """The first event of that type."""
        found: dict[str, Any] = self.wait(lambda: next((e for e in self.events if e["type"] == type), None), **options)
        return found

    def wait_for_fact(self, topic: str, **values: Any) -> dict[str, Any]:
        """The first facts of the topic that hold these values."""

        def found() -> Any:
            frames = [frame[topic] for frame in self.of("facts") if topic in frame]
            return next((facts for facts in frames if values.items() <= facts.items()), None)

        facts: dict[str, Any] = self.wait(found)
        return facts

    def leave(self) -> None:
        self.client.disconnect()
