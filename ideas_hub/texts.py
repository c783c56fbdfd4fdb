"""How long what people write may be: measured in characters, trimmed."""

import re
import unicodedata
from collections.abc import Mapping

from ideas_hub.errors import Invalid, Sentence, _

BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and signs that are drawn as nothing
TOO_LONG_BY_ONE = _("Your text is 1 character too long. We kept it.")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # all but tab and line break
CONTROL_FOUND = _("There is an invisible control character in this text. Delete it, or type the text again.")
# Marks that force a direction: with them a text can be made to read as another one, also in a title beside others. Hebrew and
# Arabic need none of them, and they come along unseen when somebody pastes a name.
FORCING = re.compile("[\u202a-\u202e\u2066-\u2069]")
TOO_LONG = _("Your text is %(excess)d characters too long. We kept it.")


def shows(letter: str) -> bool:
    """Does the letter leave a mark on a page of its own? Spaces, marks of direction, accents and empty letters do not."""
    return unicodedata.category(letter)[0] not in "CMZ" and letter not in BLANK


def measured(texts: Mapping[str, str], sizes: Mapping[str, int], needed: Mapping[str, str]) -> dict[str, str]:
    """The texts, trimmed, without marks that force a direction.

    Raises Invalid, naming every one that holds a control character, is longer than its size, or needed and empty.

    `needed` holds, by field, the sentence for somebody who left it empty.
    """
    trimmed = {name: FORCING.sub("", text).strip() for name, text in texts.items()}
    errors = {}
    for name, text in trimmed.items():
        if CONTROL.search(text):
            errors[name] = Sentence(CONTROL_FOUND)
        elif len(text) > sizes[name]:
            excess = len(text) - sizes[name]
            errors[name] = Sentence(TOO_LONG_BY_ONE) if excess == 1 else Sentence(TOO_LONG, {"excess": excess})
        elif name in needed and not any(map(shows, text)):
            errors[name] = Sentence(needed[name])
    if errors:
        raise Invalid(errors)
    return trimmed
