"""What the relay needs of those who hold the sockets. Tests put a list in their place."""

from collections.abc import Collection
from typing import Protocol

from events.catalogue import View


class Rooms(Protocol):
    """One room for each view and topic, and one with the empty topic for all who watch anything in a view."""

    def watched(self, view: View, topic: str) -> bool:
        """Is anybody in that room?"""
        ...

    def send(self, message: str, content: str, rooms: Collection[tuple[View, str]], *, about: Collection[str] = ()) -> bool:
        """To each socket in any of the rooms, once, at the next `flush`. `content` is JSON, `about` the paths of its subjects.

        What is true only as it is now (`head`, `facts`) is not sent to whom something newer is being answered; say whether
        there was nobody of that kind.
        """
        ...

    def flush(self) -> None:
        """Send all that waits for this. Never waits itself."""
        ...

    def forget(self, subject: str | None = None) -> None:
        """Not a byte about that subject, or about any, goes out any more of what was sent before."""
        ...

    def recheck(self, person: str) -> None:
        """That person's rights may have changed: their connections are asked again who they are."""
        ...

    def expire(self) -> None:
        """Ask again those whose time is up, and let go of sockets that went without a word."""
        ...
