"""What others say of somebody, as the hub can keep it: whatever they send, it is a line, an address, or nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from ideas_hub.addresses import normalise_email
from ideas_hub.errors import Invalid

UNNAMED = "A member of staff"  # whom nobody named; the council's directory can


def line(said: Any, *, most: int = 120) -> str | None:
    """A text on one line, cut where it is too long; the first one of a list."""
    if isinstance(said, list) and said:
        said = said[0]
    if not isinstance(said, str):
        return None
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
    return words[:most].strip() or None


def address(said: Any) -> str | None:
    try:
        return normalise_email(line(said, most=255) or "")
    except Invalid:
        return None


def roles_named(claims: Mapping[str, Any], client: str) -> Iterator[str]:
    """What somebody is: by `roles` and `groups` as Entra ID has them, of the realm and of the client as Keycloak has them."""
    for place in (("roles",), ("groups",), ("realm_access", "roles"), ("resource_access", client, "roles")):
        found: Any = claims
        for name in place:
            found = found.get(name) if isinstance(found, dict) else None
        yield from (name for name in (found if isinstance(found, list) else [found]) if isinstance(name, str))
