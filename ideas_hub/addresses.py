"""E-mail addresses: how one is written down to be sent to, and when two of them are one mailbox.

Nothing is looked up: only what is true of every provider counts, and of a few large ones what they say of themselves.
"""

import re
import unicodedata

import idna

from ideas_hub.errors import Invalid, _

LONGEST, LONGEST_LOCAL = 254, 64  # RFC 5321
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
ATOM = r'[^\x00-\x20\x7f\s@()<>\[\]:;,\\".]+'
# Not with the sign that begins an encoded word: who reads a mail's header would take it for another name.
LOCAL = re.compile(rf"(?!.*=\?){ATOM}(?:\.{ATOM})*")
ONE_PROVIDER = {  # domains under which a provider gives everybody the same name
    "googlemail.com": "gmail.com",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
    "protonmail.com": "proton.me",
    "protonmail.ch": "proton.me",
    "pm.me": "proton.me",
}
IGNORED = {"gmail.com": ".", "proton.me": ".-_"}  # signs that a provider leaves out of a name


def normalise_email(address: str) -> str:
    """The address as mail is sent to it: small letters, no invisible signs, its domain in ASCII. Raises Invalid for what is none.

    Whom it reaches is not changed: dots and what stands behind a plus stay.
    """
    visible = "".join(letter for letter in address if unicodedata.category(letter) != "Cf")
    local, at, domain = unicodedata.normalize("NFKC", visible).strip().lower().rpartition("@")
    if quoted := QUOTED.fullmatch(local):
        local = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        domain = idna.encode(domain, uts46=True).decode().rstrip(".")
    except idna.IDNAError:
        domain = ""
    written = f"{local}@{domain}"
    if not at or "." not in domain or not LOCAL.fullmatch(local) or len(local) > LONGEST_LOCAL or len(written) > LONGEST:
        raise Invalid.field("email", _("Write an e-mail address, like name@example.org."))
    return written


def mailbox_of(email: str) -> str:
    """What all spellings of an address have in common that reach one mailbox. `email` is one that was normalised."""
    local, _at, domain = email.rpartition("@")
    local = unicodedata.normalize("NFKC", local.casefold())
    domain = ONE_PROVIDER.get(domain, domain)
    name = local.split("+")[0] or local  # the rest is for the reader's own sorting
    without = "".join(sign for sign in name if sign not in IGNORED.get(domain, ""))
    return f"{without or name}@{domain}"
