"""Leaving, and the name one is known by."""

import pytest

from events.catalogue import RightsChanged, SessionEnded
from ideas_hub.authors import invite_author
from ideas_hub.comments import comments
from ideas_hub.drafts import keep_draft
from ideas_hub.errors import Invalid, NotAllowed, SignInNeeded
from ideas_hub.ideas import OPEN_TO_VOTES, Stage
from ideas_hub.joining import join_people
from ideas_hub.links import MailLink, ask_for_link
from ideas_hub.outbox import claim_mails
from ideas_hub.pending import confirm, vote_later
from ideas_hub.people import NOBODY, Person, change_name
from ideas_hub.privacy import CLOSED_FOR_GOOD, Departure, forget_departures, leave
from ideas_hub.sessions import Means, identify, make_token, start_session
from ideas_hub.sign_on import Voucher, sign_on
from ideas_hub.stages import MOVES
from ideas_hub.votes import Vote, VoterKey, cast_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.ideas_hub.test_pending import KEY, delivered
from tests.support.witness import everything, news, nothing_written, refused, rows

rule = pytest.mark.sqlite_only


def test_who_leaves_takes_name_and_address_along_and_leaves_votes_and_texts(hub):
    ann = make.resident("Quetzalcoatlus Lee")
    email = make.address(ann)
    own, other = make.idea(ann, title="Benches"), make.idea()
    comment = make.comment(other, author=ann)
    cast_vote(ann, other)
    keep_draft(ann, "post", values={"title": ["Half an idea"]})
    invite_author(make.actor(whole_idea(NOBODY, other).card.authors[0].ref), other, email=email)
    secret, token = start_session(ann.ref), make_token(email, 7)
    ask_for_link(email, key=KEY)
    with news() as facts:
        leave(ann, key=KEY)
    assert facts == [SessionEnded(person=ann.ref), RightsChanged(person=ann.ref)]
    assert identify(secret, Means.SESSION).actor == identify(token, Means.TOKEN).actor == NOBODY
    left = repr(everything())
    assert not [trace for trace in ("Quetzalcoatlus", email, "Half an idea") if trace in left]
    assert (claim_mails(), rows(MailLink), rows(VoterKey, VoterKey.person_id == ann.person_id)) == ([], [], [])
    idea = whole_idea(NOBODY, own).card
    assert (idea.title, [author.name for author in idea.authors]) == ("Benches", ["Somebody who left"])
    [said] = comments(NOBODY, other)
    assert (said.ref, said.author.name) == (comment, "Somebody who left")
    assert whole_idea(NOBODY, other).card.votes == 1


def test_nobody_has_two_votes_by_leaving_and_coming_back(hub, clock):
    ref, other = make.idea(), make.idea()
    for spelling in ("ann.lee@gmail.com", "annlee@gmail.com", "a.nnlee+x@googlemail.com"):
        for idea in (ref, other):
            vote_later(spelling, idea, key=KEY)
        [person] = {confirm(token, key=KEY).person for token, _code in delivered()}
        assert (whole_idea(NOBODY, ref).card.votes, whole_idea(NOBODY, other).card.votes) == (1, 1)
        leave(make.actor(person), key=KEY)
        assert "annlee" not in repr(everything())
        clock.goes_on(hours=2)
    assert (len(rows(Vote)), len(rows(Departure))) == (2, 1)


@rule
def test_who_comes_back_has_their_votes_again_and_no_name(hub):
    ref = make.idea()
    vote_later("ann@example.org", ref, key=KEY)
    first = confirm(delivered()[0][0], key=KEY).person
    leave(make.actor(first), key=KEY)
    ask_for_link("ann@example.org", key=KEY)
    again = confirm(delivered()[0][0], key=KEY).person
    assert again != first
    assert whole_idea(make.actor(again), ref).card.voted
    assert rows(Departure) == []


def test_who_left_and_comes_back_by_the_council_s_sign_in_has_no_second_vote(hub):
    ann, idea = make.resident(), make.idea()
    email = make.address(ann)
    cast_vote(ann, idea)
    leave(ann, key=KEY)
    secret = sign_on(Voucher(issuer="https://sso", subject="a", name="Ann Lee", email=email), key=KEY)
    staff = identify(secret, Means.SESSION).actor
    cast_vote(staff, idea)
    assert make.row(idea).votes == len(rows(Vote)) == 1
    assert rows(Departure) == []


def test_who_left_with_two_addresses_comes_back_by_both_as_one_person_with_one_vote(hub):
    ref, other = make.idea(), make.idea()
    vote_later("ann@example.org", ref, key=KEY)
    vote_later("lee@example.org", other, key=KEY)
    ann, lee = (make.actor(confirm(token, key=KEY).person) for token, _code in delivered())
    join_people(make.admin(), ann.ref, into=lee.ref, reason="One human.")
    leave(lee, key=KEY)
    assert len(rows(Departure)) == 2
    back = set()
    for email in ("lee@example.org", "ann@example.org", "lee@example.org"):
        for idea in (ref, other):
            vote_later(email, idea, key=KEY)
        back |= {confirm(token, key=KEY).person for token, _code in delivered()}
    assert len(back) == 1
    assert [whole_idea(NOBODY, idea).card.votes for idea in (ref, other)] == [1, 1]
    assert rows(Departure) == []


def test_who_left_is_known_again_only_as_long_as_something_they_voted_for_can_take_votes(hub):
    adopted, declined = make.idea(), make.idea()
    for email, idea in (("ann@example.org", adopted), ("bob@example.org", declined)):
        vote_later(email, idea, key=KEY)
    for token, _code in delivered():
        leave(make.actor(confirm(token, key=KEY).person), key=KEY)
    assert (forget_departures(), len(rows(Departure))) == (0, 2)
    make.sponsored(adopted)
    for stage in ("exploring", "adopted"):
        make.moved(adopted, stage)
    make.moved(declined, "declined")  # which may be explored again
    assert (forget_departures(), len(rows(Departure))) == (1, 1)
    assert (forget_departures(), whole_idea(NOBODY, adopted).card.votes) == (0, 1)


def test_a_stage_that_is_closed_for_good_leads_to_none_that_takes_votes(hub):
    reached = set(CLOSED_FOR_GOOD)
    for _ in Stage:
        reached |= {to for to, ways in MOVES.items() if ways & reached}
    assert not reached & OPEN_TO_VOTES


@rule
def test_what_is_not_ones_own_to_end_is_refused(hub):
    bob = make.staff()
    with refused(NotAllowed):
        leave(bob, key=KEY)
    with refused(SignInNeeded):
        leave(NOBODY, key=KEY)
    with refused(NotAllowed):
        change_name(bob, "Robert")
    with refused(SignInNeeded):
        change_name(NOBODY, "Robert")


@rule
def test_a_name_of_ones_choice_stands_beside_all_that_one_wrote(hub):
    ann = make.resident("Ann Lee")
    ref = make.idea(ann)
    with news() as facts:
        change_name(ann, " Ann  of the hill ")
    assert facts == [RightsChanged(person=ann.ref)]
    assert whole_idea(NOBODY, ref).card.authors[0].name == "Ann of the hill"
    with nothing_written():
        change_name(ann, "Ann of the hill")
    for nothing in (" ", "\u200b", "\u3164 \u2800", "Ann\x07", "A" * 121):
        with refused(Invalid):
            change_name(ann, nothing)
    change_name(ann, "Ann\u202e of the hill")
    assert [person.name for person in rows(Person, Person.ref == ann.ref)] == ["Ann of the hill"]
