"""Sponsors: who answers for an idea, by their own will or a leader's, from one day to another."""

import pytest

from events.catalogue import IdeaSponsored, IdeaSponsorLeft, View
from ideas_hub.errors import Clash, Invalid, Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.people import NOBODY
from ideas_hub.sponsors import SponsorTerm, end_sponsorship, name_sponsor, take_on
from ideas_hub.whole import possible_sponsors, whole_idea
from tests import make
from tests.support.witness import news, nothing_written, refused, rows

pytestmark = pytest.mark.sqlite_only


def sponsor_of(ref):
    card = whole_idea(make.regular("admin"), ref).card.sponsor
    return card and card.ref


def test_a_sponsor_takes_on_an_idea_and_its_stage_stays(hub, clock):
    sue, ref = make.sponsor(), make.idea()
    with news() as facts:
        take_on(sue, ref)
    (term,) = rows(SponsorTerm)
    assert (term.person_id, term.since, term.until) == (sue.person_id, clock(), None)
    assert facts == [IdeaSponsored(idea=ref, term=term.id, sponsor=sue.ref, by=sue.ref, audience=View.PUBLIC)]
    card = whole_idea(NOBODY, ref).card
    assert (card.sponsor.ref, card.stage) == (sue.ref, "new")
    with nothing_written():
        take_on(sue, ref)


def test_an_idea_that_somebody_sponsors_is_not_taken_from_them(hub):
    sue, sam = make.sponsor(), make.leader()
    ref = make.idea(sponsor=sue)
    with refused(Clash):
        take_on(sam, ref)


def test_only_sponsors_and_leaders_take_on_ideas_that_they_see(hub):
    ref, inside, merged, sue = make.idea(), make.idea(audience="leadership"), make.idea(stage="merged"), make.sponsor()
    for other in (make.resident(), make.staff(), make.moderator(), make.safeguarding(), make.admin()):
        with refused(NotAllowed):
            take_on(other, ref)
    with refused(SignInNeeded):
        take_on(NOBODY, ref)
    for nowhere in (inside, "nowhere"):
        with refused(Missing):
            take_on(sue, nowhere)
    with refused(RuleBroken):
        take_on(sue, merged)
    take_on(make.leader(), ref)


def test_a_leader_names_a_sponsor_in_the_place_of_another(hub, clock):
    lea, sue, sam, ref = make.leader(), make.sponsor(), make.sponsor(), make.idea()
    name_sponsor(lea, ref, person=sue.ref, reason=" Knows it. ")
    clock.goes_on(days=3)
    with news() as facts:
        name_sponsor(lea, ref, person=sam.ref, reason="Knows it better.")
    old, new = rows(SponsorTerm)
    assert (old.person_id, old.reason, old.until, old.end_reason) == (sue.person_id, "Knows it.", clock(), "Knows it better.")
    assert (new.person_id, new.reason, new.since, new.until) == (sam.person_id, "Knows it better.", clock(), None)
    assert facts == [
        IdeaSponsorLeft(idea=ref, term=old.id, sponsor=sue.ref, by=lea.ref, audience=View.PUBLIC),
        IdeaSponsored(idea=ref, term=new.id, sponsor=sam.ref, by=lea.ref, audience=View.PUBLIC),
    ]
    assert sponsor_of(ref) == sam.ref
    with nothing_written():
        name_sponsor(lea, ref, person=sam.ref, reason="Again.")


def test_only_leaders_and_admins_name_a_sponsor(hub):
    sue = make.sponsor()
    ref = make.idea(sponsor=sue)
    for other in (make.resident(), make.staff(), sue, make.moderator()):
        with refused(NotAllowed):
            name_sponsor(other, ref, person=sue.ref, reason="Me.")
    with refused(SignInNeeded):
        name_sponsor(NOBODY, ref, person=sue.ref, reason="Me.")
    name_sponsor(make.admin(), ref, person=make.leader().ref, reason="So be it.")


def test_who_is_named_can_sponsor_the_idea_and_the_reason_is_given(hub):
    lea, sue, ref, inside = make.leader(), make.sponsor(), make.idea(), make.idea(audience="leadership")
    for idea, person in (
        *((ref, other.ref) for other in (make.resident(), make.staff(), make.moderator(), make.admin())),
        (ref, "nobody"),
        (inside, sue.ref),
    ):
        with refused(Invalid) as refusal:
            name_sponsor(lea, idea, person=person, reason="Do.")
        assert set(refusal.value.errors) == {"person"}
    for reason in (" ", "r" * 2001):
        with refused(Invalid) as refusal:
            name_sponsor(lea, ref, person=sue.ref, reason=reason)
        assert set(refusal.value.errors) == {"reason"}
    leaders = {lea.ref, *make.row(inside).author_refs}
    assert {card.ref for card in possible_sponsors(lea, inside)} == leaders
    assert {card.ref for card in possible_sponsors(lea, ref)} == {*leaders, sue.ref}
    assert possible_sponsors(NOBODY, ref) == possible_sponsors(sue, ref) == []


def test_a_sponsor_a_leader_or_an_admin_ends_it_with_a_reason(hub, clock):
    for end in (lambda sue: sue, lambda sue: make.leader(), lambda sue: make.admin()):
        sue = make.sponsor()
        ref, by = make.idea(sponsor=sue), end(sue)
        with news() as facts:
            end_sponsorship(by, ref, reason="New post.")
        term = rows(SponsorTerm)[-1]
        assert (term.until, term.end_reason) == (clock(), "New post.")
        assert facts == [IdeaSponsorLeft(idea=ref, term=term.id, sponsor=sue.ref, by=by.ref, audience=View.PUBLIC)]
        assert sponsor_of(ref) is None


def test_ending_it_again_is_harmless_for_who_may(hub):
    lea, ref = make.leader(), make.idea(sponsor=make.sponsor())
    end_sponsorship(lea, ref, reason="New post.")
    with nothing_written():
        end_sponsorship(lea, ref, reason="New post.")


def test_nobody_else_ends_it_and_no_one_without_a_reason(hub):
    sue = make.sponsor()
    ref = make.idea(sponsor=sue)
    for other in (make.resident(), make.staff(), make.sponsor(), make.moderator()):
        with refused(NotAllowed):
            end_sponsorship(other, ref, reason="Out.")
    with refused(SignInNeeded):
        end_sponsorship(NOBODY, ref, reason="Out.")
    with refused(Invalid):
        end_sponsorship(sue, ref, reason=" ")
