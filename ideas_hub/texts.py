"""How long what people write may be: measured in characters, trimmed."""

from collections.abc import Mapping

from ideas_hub.errors import Invalid, Sentence, _

TOO_LONG = _("Your text is %(excess)d characters too long. We kept it.")


def measured(texts: Mapping[str, str], sizes: Mapping[str, int], needed: Mapping[str, str]) -> dict[str, str]:
    """The texts, trimmed. Raises Invalid, naming every one that is longer than its size, or needed and empty.

    `needed` holds, by field, the sentence for somebody who left it empty.
    """
    trimmed = {name: text.strip() for name, text in texts.items()}
    errors = {}
    for name, text in trimmed.items():
        if len(text) > sizes[name]:
            errors[name] = Sentence(TOO_LONG, {"excess": len(text) - sizes[name]})
        elif name in needed and not text:
            errors[name] = Sentence(needed[name])
    if errors:
        raise Invalid(errors)
    return trimmed
