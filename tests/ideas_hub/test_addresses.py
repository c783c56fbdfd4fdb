"""One mailbox, however its address is spelled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ideas_hub.addresses import mailbox_of, normalise_email
from ideas_hub.errors import Invalid

SPELLINGS = [  # of one mailbox at a provider that leaves dots out of names
    "annlee@gmail.com",
    "AnnLee@Gmail.com",
    "ANNLEE@GMAIL.COM",
    "ann.lee@gmail.com",
    "Ann.Lee@gmail.com",
    "a.n.n.l.e.e@gmail.com",
    "an.nlee@gmail.com",
    "annl.ee@gmail.com",
    "annlee@googlemail.com",
    "Ann.Lee@GoogleMail.com",
    "a.nnlee@googlemail.com",
    " annlee@gmail.com",
    "annlee@gmail.com ",
    "\tannlee@gmail.com\r\n",
    "annlee@gmail.com.",
    "ann.lee@googlemail.com.",
    "annlee+ideas@gmail.com",
    "annlee+1@gmail.com",
    "annlee+2@gmail.com",
    "annlee+@gmail.com",
    "annlee++@gmail.com",
    "annlee+a+b@gmail.com",
    "annlee+a.b@gmail.com",
    "ann.lee+Ideas@googlemail.com",
    "AnnLee+HUB@GMAIL.COM",
    '"annlee"@gmail.com',
    '"ann.lee"@gmail.com',
    '"Ann.Lee+x"@googlemail.com',
    '"ann\\lee"@gmail.com',
    '"\\a\\n\\n\\l\\e\\e"@gmail.com',
    "ann\u200blee@gmail.com",  # signs that nobody sees
    "annlee\u200d@gmail.com",
    "\ufeffannlee@gmail.com",
    "ann\u00adlee@gmail.com",
    "annlee@g\u200bmail.com",
    "annlee@gmail\u2060.com",
    "\u202aannlee\u202c@gmail.com",
    "ａｎｎｌｅｅ@gmail.com",  # letters of full width
    "annlee＠gmail.com",
    "annlee@ｇｍａｉｌ．ｃｏｍ",
    "annlee@gmail。com",
    "annlee@gmail｡com",
    "ann．lee@gmail.com",
    "annlee＋ideas@gmail.com",
    "𝐚𝐧𝐧𝐥𝐞𝐞@gmail.com",  # mathematical letters
    "𝖆𝖓𝖓𝖑𝖊𝖊@gmail.com",
    "ⓐⓝⓝⓛⓔⓔ@gmail.com",
    "annlee@𝐠𝐦𝐚𝐢𝐥.com",
    "annlee@ⓖⓜⓐⓘⓛ.com",
    "ᵃnnlee@gmail.com",
]


def test_fifty_spellings_are_one_mailbox():
    assert len(set(SPELLINGS)) == 50
    assert {mailbox_of(normalise_email(spelling)) for spelling in SPELLINGS} == {"annlee@gmail.com"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@BÜCHER.example", "ann@bu\u0308cher.example"),
        ("josé@example.org", "jose\u0301@example.org"),
        ("Ann@icloud.com", "ann@me.com"),
        ("ann-lee@protonmail.com", "annlee@pm.me"),
        ("ann+x@council.gov.uk", "ann@council.gov.uk"),
    ],
)
def test_two_spellings_of_one_mailbox(one, other):
    assert mailbox_of(normalise_email(one)) == mailbox_of(normalise_email(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann.lee@example.org", "annlee@example.org"),  # only where the provider says so
        ("ann-lee@example.org", "ann@example.org"),
        ("ann_lee@gmail.com", "annlee@gmail.com"),
        ("ann@example.org", "ann@example.com"),
        ("ann@mail.example.org", "ann@example.org"),
        ("+ann@example.org", "+bob@example.org"),  # nothing would be left
        ("анн@example.org", "ahh@example.org"),
    ],
)
def test_two_mailboxes(one, other):
    assert mailbox_of(normalise_email(one)) != mailbox_of(normalise_email(other))


def test_mail_goes_where_it_was_asked_to_go():
    assert normalise_email(" Ann.Lee+Ideas@GoogleMail.com. ") == "ann.lee+ideas@googlemail.com"
    assert normalise_email("ann@BÜCHER.example") == "ann@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "none",
    [
        "",
        "ann",
        "ann@",
        "@example.org",
        "ann@example",
        "=?utf-8?q?ann?=@example.org",  # which a mail's header spells ann@example.org
        "=?us-ascii*en?q?ann?=@example.org",
        "lee.=?utf-8?q?ann?=@example.org",
        "ann lee@example.org",
        "ann@exam ple.org",
        "ann..lee@example.org",
        ".ann@example.org",
        "ann.@example.org",
        "ann@bob@example.org",
        "Ann <ann@example.org>",
        "ann(home)@example.org",
        "ann@example.org\r\nBcc: bob@example.org",
        '"ann\r\nBcc: bob"@example.org',
        "ann@[192.0.2.1]",
        "ann@-example.org",
        "ann@example..org",
        "ann\x00@example.org",
        '""@example.org',
        "a" * 65 + "@example.org",
        "ann@" + "a." * 130 + "org",
    ],
)
def test_what_is_no_address_is_refused(none):
    with pytest.raises(Invalid):
        normalise_email(none)


@given(st.text(max_size=60) | st.builds("{}@{}.org".format, st.text(max_size=20), st.text(max_size=20)))
def test_whatever_is_typed_is_refused_or_has_one_spelling_which_has_itself(typed):
    try:
        email = normalise_email(typed)
    except Invalid:
        return
    assert normalise_email(email) == email
    assert mailbox_of(mailbox_of(email)) == mailbox_of(email)
    assert not set(email) & set("\r\n\0 <>,;")
