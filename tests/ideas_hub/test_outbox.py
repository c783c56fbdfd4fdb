"""Mails wait until they are sent: claimed by one, tried again, and given up in the end where everybody can see it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from ideas_hub.db import transaction
from ideas_hub.outbox import (
    GIVEN_UP_AFTER,
    LEASE,
    LONGEST_WAIT,
    Mail,
    claim_mails,
    forget_mails,
    mail_failed,
    mail_sent,
    put_back_mail,
    put_mail,
    unsent_mails,
    wait_after,
)
from ideas_hub.people import Kind, add_person
from tests.support.witness import rows

rule = pytest.mark.sqlite_only


def put(email="ann@example.org", **data):
    with transaction() as session:
        return put_mail(session, "link", email, data).ref


def test_a_mail_is_claimed_by_one_and_sent_once(hub, clock):
    ref = put(word="secret")
    [letter] = claim_mails()
    assert (letter.ref, letter.email, letter.data, letter.tries) == (ref, "ann@example.org", {"word": "secret"}, 1)
    assert claim_mails() == []
    mail_sent(letter)
    mail_sent(letter)
    clock.goes_on(days=1)
    assert claim_mails() == []
    assert unsent_mails() == []


def test_many_at_once_claim_each_mail_once(hub):
    refs = {put(f"a{number}@example.org") for number in range(24)}
    with ThreadPoolExecutor(4) as senders:
        claimed = [letter.ref for batch in senders.map(lambda _: claim_mails(3), range(12)) for letter in batch]
    assert len(claimed) == len(set(claimed))
    claimed += [letter.ref for letter in claim_mails(24)]  # one may have found another's locked, and gone on with less
    assert sorted(claimed) == sorted(refs)


@rule
def test_of_a_mail_that_was_sent_no_word_and_no_address_is_kept(hub):
    put(word="secret")
    [letter] = claim_mails()
    mail_sent(letter)
    [mail] = rows(Mail)
    assert (mail.email, mail.mailbox, mail.data) == (None, None, {})


def test_whose_sender_died_is_sent_by_another_after_the_lease_and_the_first_can_no_longer_say_anything(hub, clock):
    put()
    [dead] = claim_mails()
    clock.goes_on(seconds=LEASE.total_seconds() - 1)
    assert claim_mails() == []
    clock.goes_on(seconds=1)
    [alive] = claim_mails()
    assert (alive.ref, alive.tries) == (dead.ref, 2)
    mail_failed(dead, "came back to life")
    put_back_mail(dead)
    assert claim_mails() == []
    mail_sent(alive)
    assert unsent_mails() == []


def test_what_fails_is_tried_again_later_and_later(hub, clock):
    put()
    waits = []
    for _ in range(9):
        [letter] = claim_mails()
        assert not mail_failed(letter, "451 not now")
        [waiting] = unsent_mails()
        waits.append(waiting.due_at - clock())
        clock.moment = waiting.due_at - timedelta(seconds=1)
        assert claim_mails() == []
        clock.goes_on(seconds=1)
    assert waits[:4] == [timedelta(seconds=seconds) for seconds in (15, 30, 60, 120)]
    assert waits[-1] == wait_after(1000) == LONGEST_WAIT
    assert unsent_mails()[0].error == "451 not now"


@rule
def test_what_nobody_takes_is_given_up_after_days_and_stays_to_be_seen(hub, clock):
    ref = put()
    clock.goes_on(seconds=GIVEN_UP_AFTER.total_seconds() - 60)
    assert not mail_failed(claim_mails()[0], "no answer")
    clock.goes_on(minutes=1)
    assert mail_failed(claim_mails()[0], "no answer")
    clock.goes_on(days=1)
    assert claim_mails() == []
    assert [(mail.ref, mail.due_at, mail.error) for mail in unsent_mails()] == [(ref, None, "no answer")]
    assert forget_mails() == 0
    clock.goes_on(days=30)
    assert forget_mails() == 1
    assert rows(Mail) == []


@rule
def test_an_address_that_is_refused_for_good_is_not_tried_again(hub, clock):
    put()
    assert mail_failed(claim_mails()[0], "550 nobody here", for_good=True)
    clock.goes_on(days=1)
    assert claim_mails() == []


@rule
def test_what_was_put_back_is_due_as_if_nobody_had_claimed_it(hub, clock):
    put()
    put_back_mail(claim_mails()[0])
    assert [letter.tries for letter in claim_mails()] == [1]


@rule
def test_a_mail_for_another_spelling_of_somebodys_address_goes_to_the_address_they_gave(hub):
    add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)
    put("ann+elsewhere@example.org")
    put("bob+x@example.org")
    assert [letter.email for letter in claim_mails()] == ["ann@example.org", "bob+x@example.org"]
