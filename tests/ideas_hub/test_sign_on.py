"""Whom the council's own sign-in vouches for. What it says on the wire is tested in `tests/web/test_staff.py`."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from events.catalogue import SIGN_ON, PersonChanged, RightsChanged, SessionEnded
from ideas_hub.errors import Clash, Missing
from ideas_hub.people import Person, Role
from ideas_hub.sessions import Credential, Means, identify, make_token
from ideas_hub.sign_on import SEEN_WITHIN, SignOn, Voucher, end_forsaken_tokens, end_sign_ons, forget_sign_on, sign_on
from tests import make
from tests.support.witness import news, nothing_written, refused, rows

ANN = Voucher(issuer="https://sso", subject="a1", name="Ann Lee", email="ann@calder.example", session="s1")


def test_many_first_sign_ins_at_the_same_moment_are_one_person(hub):
    """Two tabs that were open when a laptop woke up. One may be told to try again; nobody is there twice."""

    def come(_: int) -> bool:
        try:
            sign_on(ANN, key="k")
        except Clash:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        came = list(pool.map(come, range(8)))
    assert any(came)
    assert len(rows(Person)) == len(rows(SignOn)) == 1
    assert len(rows(Credential)) == sum(came)
    assert come(9)


def test_a_role_that_is_given_or_taken_is_told_and_nothing_else_is(hub):
    of_it = frozenset({Role.LEADER})
    leader = replace(ANN, roles=of_it, decides=of_it)
    plain = replace(ANN, email=None, decides=of_it)
    sign_on(ANN, key="k")
    (person,) = rows(Person)
    for voucher, told in ((leader, True), (leader, False), (plain, True), (plain, False), (ANN, False)):
        with news() as facts:
            secret = sign_on(voucher, key="k")
        was, to = ("", "leader") if voucher is leader else ("leader", "")
        changed = PersonChanged(person=person.ref, what="roles", was=was, to=to, by=SIGN_ON)
        assert facts == ([changed, RightsChanged(person=person.ref)] if told else [])
        assert (Role.LEADER in identify(secret, Means.SESSION).actor.roles) is (voucher is leader)
    assert rows(Person)[0].email == ANN.email  # who says nothing of it leaves it


def test_the_same_subject_of_another_issuer_is_somebody_else(hub):
    sign_on(ANN, key="k")
    sign_on(Voucher(issuer="https://other", subject=ANN.subject, name="Another Ann"), key="k")
    assert [person.name for person in rows(Person)] == ["Ann Lee", "Another Ann"]


def test_forgetting_by_what_somebody_comes_is_harmless_twice_and_refused_for_nobody(hub):
    sign_on(ANN, key="k")
    forget_sign_on("ANN@calder.example")
    assert rows(SignOn) == []
    with nothing_written():
        forget_sign_on("ann@calder.example")
    with refused(Missing):
        forget_sign_on("nobody@calder.example")


def test_tokens_of_who_has_not_come_for_a_month_end_and_no_others(hub, clock):
    sign_on(ANN, key="k")
    sign_on(replace(ANN, subject="b1", name="Bob", email="bob@calder.example"), key="k")
    cat = make.address(make.staff("Cat"))  # who never came by it
    tokens = [make_token(email, 365) for email in ("ann@calder.example", "bob@calder.example", cat)]
    clock.goes_on(seconds=SEEN_WITHIN.total_seconds() - 60)
    session = sign_on(ANN, key="k")
    with nothing_written():
        assert end_forsaken_tokens() == 0
    clock.goes_on(minutes=2)
    with news() as facts:
        assert end_forsaken_tokens() == 1
    assert [type(fact) for fact in facts] == [SessionEnded]
    assert [identify(token, Means.TOKEN).person is None for token in tokens] == [False, True, False]
    assert identify(session, Means.SESSION).person is not None


def test_a_session_that_ended_over_there_ends_here_and_no_other(hub):
    sign_on(ANN, key="k")
    other = sign_on(Voucher(issuer="https://other", subject="b", name="Bob", session="s1"), key="k")
    with nothing_written():
        assert end_sign_ons("https://sso", session_there="s2") == 0
        assert end_sign_ons("https://sso", subject="b") == 0
    assert end_sign_ons("https://sso", session_there="s1") == 1
    assert identify(other, Means.SESSION).person is not None
