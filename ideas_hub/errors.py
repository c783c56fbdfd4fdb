"""The few ways in which the hub refuses. Each carries a sentence for people, marked for translation; `web/errors.py` turns
each into an HTTP status, once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence for people, in English until `web/` translates it; `values` fill its places."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text % self.values if self.values else self.text


def _(text: str) -> str:
    """Mark a sentence for translation. It is translated where it is shown."""
    return text


class Refusal(Exception):
    """Something was not done, and nothing was changed."""

    def __init__(self, text: str, **values: Any) -> None:
        super().__init__(text)
        self.sentence = Sentence(text, values)

    def __str__(self) -> str:
        return str(self.sentence)


class SignInNeeded(Refusal):
    """Nobody is signed in, and only somebody may do this."""

    def __init__(self) -> None:
        super().__init__(_("Sign in first: we need to know who you are to do this."))


class NotAllowed(Refusal):
    """This person may not do this to this thing."""


class Missing(Refusal):
    """It is not there, or the actor may not see it: the two are not to be told apart."""

    def __init__(self) -> None:
        super().__init__(_("We could not find that, or it is not open to you."))


class RuleBroken(Refusal):
    """A rule of the hub stands in the way, whoever asks."""


class Clash(Refusal):
    """Somebody else's change came first."""


class AtWork(Refusal):
    """The same request is being carried out at this moment; what came of it can be asked for in a second."""

    def __init__(self) -> None:
        super().__init__(_("This is being done already. Wait a moment, then ask again."))


class Changed(Refusal):
    """It was changed since the actor read it."""

    def __init__(self) -> None:
        super().__init__(_("Somebody changed this after you opened it. Look at it again, then save your change."))


class Invalid(Refusal):
    """What was sent is wrong; `errors` says what, by field."""

    def __init__(self, errors: Mapping[str, Sentence]) -> None:
        super().__init__(_("Something in what you sent needs mending."))
        self.errors = dict(errors)

    @classmethod
    def field(cls, name: str, text: str, **values: Any) -> "Invalid":
        return cls({name: Sentence(text, values)})


class Busy(Refusal):
    """The database is away or taken; the same request may succeed in a moment."""

    def __init__(self) -> None:
        super().__init__(_("The hub is busy. Nothing was lost; try again in a moment."))
