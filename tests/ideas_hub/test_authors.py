"""Co-authors: asked, accepting, declining, leaving; and whom an invitation tells what."""

import pytest

from events.catalogue import CoAuthorJoined, CoAuthorLeft, View, VoteWithdrawn
from ideas_hub.audiences import change_idea
from ideas_hub.authors import (
    MOST_INVITED,
    Invitation,
    accept_invitation,
    colleagues,
    decline_invitation,
    invitations_to,
    invite_author,
    invited,
    leave_authors,
    take_back_invitation,
)
from ideas_hub.errors import Invalid, Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.people import NOBODY
from ideas_hub.settings import change_settings
from ideas_hub.sponsors import take_on
from ideas_hub.votes import Vote, cast_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.support.witness import news, nothing_written, refused, rows


def authors(ref):
    return [author.ref for author in make.row(ref) and whole_idea(make.overseer(), ref).card.authors]


def asked(ann, ref, who):
    return invite_author(ann, ref, email=make.address(who))


def test_who_accepts_is_an_author_and_their_vote_goes(hub):
    ann, bob = make.resident("Ann"), make.resident("Bob")
    ref = make.idea(ann, votes=2)
    cast_vote(bob, ref)
    invitation = asked(ann, ref, bob)
    assert [(card.ref, card.title, card.by.name) for card in invitations_to(bob)] == [
        (invitation, whole_idea(bob, ref).card.title, "Ann")
    ]
    with news() as facts:
        assert accept_invitation(bob, invitation) == ref
    gone, joined = facts
    assert isinstance(gone, VoteWithdrawn)
    assert joined == CoAuthorJoined(idea=ref, person=bob.ref, audience=View.PUBLIC)
    card = whole_idea(bob, ref).card
    assert (card.votes, card.votes_residents, card.voted, len(rows(Vote))) == (2, 2, False, 2)
    assert authors(ref) == [ann.ref, bob.ref]
    with refused(NotAllowed):
        cast_vote(bob, ref)
    with refused(Missing):
        accept_invitation(bob, invitation)
    change_idea(bob, ref, texts={"title": "Ours"})
    assert invitations_to(bob) == invited(ann, ref) == []


@pytest.mark.sqlite_only
def test_an_address_that_nobody_has_is_answered_like_one_that_somebody_has(hub):
    ann, bob = make.resident(), make.resident()
    ref = make.idea(ann)
    for address in (make.address(bob).upper(), "nobody.at.all@example.org"):
        first = invite_author(ann, ref, email=address)
        with nothing_written():
            assert invite_author(ann, ref, email=address) == first
    known, unknown = invited(ann, ref)
    assert (known.person, unknown.person) == (None, None)
    decline_invitation(bob, next(card.ref for card in invited(ann, ref) if card.email == make.address(bob)))
    assert len(invited(ann, ref)) == 2  # who invited is not told
    assert invitations_to(bob) == []
    for row in invited(ann, ref):
        take_back_invitation(ann, ref, row.ref)
    asked(ann, ref, bob)
    assert invitations_to(bob) == []  # a no stands
    for wrong in ("", "x", make.address(ann)):
        with refused(Invalid):
            invite_author(ann, ref, email=wrong)


@pytest.mark.sqlite_only
def test_only_authors_invite_and_only_while_the_idea_is_new(hub):
    ann, bob = make.resident(), make.resident()
    ref, moved = make.idea(ann), make.idea(ann, stage="exploring")
    invitation = asked(ann, ref, bob)
    for other in (bob, make.overseer(), make.admin()):
        for act in (lambda who: asked(who, ref, bob), lambda who: take_back_invitation(who, ref, invitation)):
            with refused(NotAllowed):
                act(other)
        with pytest.raises(NotAllowed):
            invited(other, ref)
    with refused(SignInNeeded):
        asked(NOBODY, ref, bob)
    with refused(RuleBroken):
        asked(ann, moved, bob)
    make.moved(ref, "parked")
    assert invitations_to(bob) == []
    with refused(RuleBroken):
        accept_invitation(bob, invitation)


@pytest.mark.sqlite_only
def test_an_invitation_is_for_one_person_and_can_be_taken_back_and_declined(hub):
    ann, bob, eve = make.resident(), make.resident(), make.overseer()
    ref = make.idea(ann)
    invitation = asked(ann, ref, bob)
    for act in (accept_invitation, decline_invitation):
        with refused(Missing):
            act(eve, invitation)
        with refused(SignInNeeded):
            act(NOBODY, invitation)
    with news() as facts:
        take_back_invitation(ann, ref, invitation)
    assert facts == []
    with nothing_written():
        take_back_invitation(ann, ref, invitation)
    with refused(Missing):
        accept_invitation(bob, invitation)
    assert asked(ann, ref, bob) == invitation
    with news() as facts:
        decline_invitation(bob, invitation)
    assert facts == []
    with nothing_written():
        decline_invitation(bob, invitation)
    with refused(Missing):
        accept_invitation(bob, invitation)


@pytest.mark.sqlite_only
def test_an_idea_that_one_does_not_see_invites_nobody(hub):
    ann, bob = make.staff(), make.resident()
    ref = make.idea(ann, audience="staff")
    invitation = asked(ann, ref, bob)
    assert invitations_to(bob) == []
    for act in (accept_invitation, decline_invitation):
        with refused(Missing):
            act(bob, invitation)
    change_idea(make.leader(), ref, audience=View.PUBLIC)
    assert len(invitations_to(bob)) == 1


@pytest.mark.sqlite_only
def test_staff_find_colleagues_who_could_join_and_residents_find_nobody(hub):
    ann, rhys, sue = make.staff("Ann"), make.resident("Carys the resident"), make.sponsor("Carys the sponsor")
    other = make.staff("Carys Jones")
    make.leader("Carys Leader")
    ref, own = make.idea(ann), make.idea(rhys)
    take_on(sue, ref)
    assert [card.name for card in colleagues(ann, ref, " carys ")] == ["Carys Jones", "Carys Leader"]
    assert colleagues(ann, ref, "c") == colleagues(ann, ref, "%%") == colleagues(rhys, own, "carys") == []
    invitation = invite_author(ann, ref, person=other.ref)
    assert [card.person.name for card in invited(ann, ref)] == ["Carys Jones"]
    accept_invitation(other, invitation)
    for who, idea, person in ((ann, ref, rhys.ref), (ann, ref, sue.ref), (ann, ref, "nobody"), (rhys, own, other.ref)):
        with refused(Invalid):
            invite_author(who, idea, person=person)
    secret = make.idea(make.leader("Lea"), audience="leadership")
    lea = make.actor(authors(secret)[0])
    assert [card.name for card in colleagues(lea, secret, "carys")] == ["Carys Leader"]


@pytest.mark.sqlite_only
def test_so_many_are_invited_and_no_more(hub):
    ann = make.resident()
    ref = make.idea(ann)
    for number in range(MOST_INVITED):
        invite_author(ann, ref, email=f"n{number}@example.org")
    with refused(RuleBroken):
        invite_author(ann, ref, email="one.more@example.org")
    assert len(rows(Invitation)) == MOST_INVITED


@pytest.mark.sqlite_only
def test_the_sponsor_does_not_join_and_the_clock_names_no_author(hub):
    ann, lead = make.resident(), make.lead("Parks")
    sue = make.sponsor()
    ref = make.idea(ann, sponsor=sue)
    invitation = asked(ann, ref, sue)
    with refused(RuleBroken):
        accept_invitation(sue, invitation)
    change_settings(answer_votes={"public": 2, "staff": 2, "leadership": 2})
    other = make.idea(ann, votes=2)
    assert make.row(other).answer_by_ref == lead.ref
    accept_invitation(lead, asked(ann, other, lead))
    assert make.row(other).answer_by_ref != lead.ref
    leave_authors(lead, other)
    assert make.row(other).answer_by_ref == lead.ref


@pytest.mark.sqlite_only
def test_a_co_author_may_leave_and_the_last_one_may_not(hub):
    ann, bob = make.resident(), make.resident()
    ref = make.idea(ann, co_authors=[bob], stage="exploring")
    with news() as facts:
        leave_authors(ann, ref)
    assert facts == [CoAuthorLeft(idea=ref, person=ann.ref, audience=View.PUBLIC)]
    assert authors(ref) == [bob.ref]
    with refused(NotAllowed):
        leave_authors(ann, ref)
    with refused(RuleBroken):
        leave_authors(bob, ref)
    with refused(SignInNeeded):
        leave_authors(NOBODY, ref)
    assert cast_vote(ann, ref).votes == 1
