"""People, what they hold, and how the hub knows them again."""

from datetime import timedelta

import pytest

from events.catalogue import SessionEnded, View
from ideas_hub.addresses import normalise_email
from ideas_hub.chores import CHORES, run
from ideas_hub.errors import Invalid, Missing
from ideas_hub.people import (
    HUB,
    NOBODY,
    Directorate,
    Kind,
    Role,
    RoleHeld,
    Team,
    add_person,
    everybody,
    name_lead,
)
from ideas_hub.sessions import SESSION_LASTS, Credential, Means, end, end_expired, identify, make_token, start_session
from ideas_hub.settings import change_settings, current_settings, themes
from tests import make
from tests.support.witness import everything, news, nothing_written, refused, rows

rule = pytest.mark.sqlite_only


def add(email="ann@example.org", **given):
    return add_person(email, **{"name": "Ann", "kind": Kind.STAFF} | given)


@rule
def test_a_person_is_added_then_changed_and_every_change_of_rights_is_told(hub):
    with news() as facts:
        ref = add(" Ann@Example.ORG ", name="  Ann   Lee ", team="Mowing", directorate="Parks", roles=[Role.SPONSOR])
    assert [fact.type for fact in facts] == [
        *("hub.directorate_changed", "hub.team_changed"),
        *["person.changed"] * 3,  # added, with a team, with a role
        "person.rights_changed",
    ]
    ann = make.actor(ref)
    assert (ann.name, ann.kind, ann.team, ann.roles) == ("Ann Lee", "staff", "Mowing", {Role.SPONSOR})
    assert add(roles=[Role.LEADER]) == ref
    assert (make.actor(ref).roles, make.actor(ref).team) == ({Role.LEADER}, None)
    assert [(row.person_id, row.role) for row in rows(RoleHeld)] == [(ann.person_id, "leader")]
    assert add(kind=Kind.RESIDENT) == ref
    assert (make.actor(ref).roles, make.actor(ref).view) == (frozenset(), View.PUBLIC)


@rule
def test_a_new_team_stands_in_a_directorate_of_its_own_name_unless_told(hub):
    add("a@example.org", team="Mowing")
    add("b@example.org", team="Pruning", directorate="Parks")
    add("c@example.org", directorate="Streets")
    add("d@example.org", team="Pruning")
    places = {row.id: row.name for row in rows(Directorate)}
    assert {row.name: places[row.directorate_id] for row in rows(Team)} == {
        "Mowing": "Mowing",
        "Pruning": "Parks",
        "Streets": "Streets",
    }


@rule
@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nobody"},
        {"email": "a@b"},
        {"email": "@example.org"},
        {"email": "a b@example.org"},
        {"email": f"{'a' * 250}@example.org"},
        {"name": "  "},
        {"name": "n" * 121},
        {"kind": Kind.RESIDENT, "roles": [Role.LEADER]},
        {"kind": Kind.RESIDENT, "team": "Mowing"},
    ],
)
def test_what_makes_no_person_is_refused(hub, wrong):
    with refused(Invalid):
        add(**wrong)


@rule
def test_an_address_has_one_spelling():
    assert {normalise_email(spelling) for spelling in ("Ann@Example.org", " ann@EXAMPLE.ORG\n")} == {"ann@example.org"}


@rule
def test_roles_decide_the_view(hub):
    views = {NOBODY: View.PUBLIC, make.resident(): View.PUBLIC, HUB: View.LEADERSHIP}
    views |= dict.fromkeys((make.staff(), make.sponsor(), make.moderator(), make.safeguarding()), View.STAFF)
    views |= dict.fromkeys((make.leader(), make.admin()), View.LEADERSHIP)
    assert {who: who.view for who in views} == views


@rule
def test_a_lead_is_a_member_of_staff_of_a_directorate_that_there_is(hub):
    add(team="Parks")
    make.resident()
    name_lead("Parks", "ann@example.org")
    for place, email in (("Nowhere", "ann@example.org"), ("Parks", "nobody@example.org"), ("Parks", "p1@example.org")):
        with refused(Invalid):
            name_lead(place, email)


@rule
def test_everybody_is_listed_staff_with_roles_first(hub):
    ann, bob, lea = make.resident("Ann"), make.staff("Bob"), make.leader("Lea")
    assert [who.ref for who in everybody()] == [lea.ref, bob.ref, ann.ref]


# Known again


def test_a_session_and_a_token_are_known_until_they_end(hub, clock):
    ann = make.leader("Ann")
    session, token = start_session(ann.ref), make_token(make.address(ann), 7)
    assert (identify(session, Means.SESSION).actor, identify(session, Means.SESSION).until) == (ann, clock() + SESSION_LASTS)
    assert identify(token, Means.TOKEN).person == ann.ref
    for secret, means in ((token, Means.SESSION), (session, Means.TOKEN), ("x", Means.TOKEN)):
        assert identify(secret, means).actor == NOBODY
    clock.goes_on(days=7)
    assert identify(token, Means.TOKEN).actor == NOBODY
    assert identify(session, Means.SESSION).actor == ann


@rule
def test_roles_are_looked_up_and_never_remembered(hub):
    bob = make.staff()
    session = start_session(bob.ref)
    make.changed(bob, "leader")
    assert identify(session, Means.SESSION).actor.view is View.LEADERSHIP


@rule
def test_ending_is_told_once_and_twice_is_harmless(hub):
    ann = make.resident()
    session = start_session(ann.ref)
    with news() as facts:
        end(session)
    assert facts == [SessionEnded(person=ann.ref)]
    assert identify(session, Means.SESSION).actor == NOBODY
    with nothing_written():
        end(session)
        end("x")


@rule
def test_what_ran_out_is_forgotten_in_batches(hub, clock):
    ann = make.resident()
    for _ in range(3):
        make_token(make.address(ann), 1)
    kept = make_token(make.address(ann), 2)
    clock.goes_on(days=1)
    with news() as facts:
        assert end_expired(2) == 2
        assert run(CHORES[1]) == 1
    assert facts == [SessionEnded(person=ann.ref)] * 3
    assert identify(kept, Means.TOKEN).actor == ann
    assert {"tell_overdue", "end_expired", "note_uses"} <= {chore.name for chore in CHORES if chore.every <= timedelta(minutes=5)}


@rule
def test_the_database_holds_no_secret(hub):
    ann = make.resident()
    secrets = [start_session(ann.ref), make_token(make.address(ann), 1)]
    assert len(rows(Credential)) == 2
    assert not [secret for secret in secrets if secret in repr(everything())]


@rule
def test_nobody_who_is_not_there_is_given_anything(hub):
    with refused(Missing):
        start_session("nowhere")
    with refused(Missing):
        make_token("nobody@example.org", 1)


# Settings


@rule
def test_what_is_not_set_has_its_default_and_what_does_not_exist_cannot_be_set(hub):
    change_settings(answer_days=3)
    assert (current_settings().answer_days, current_settings().answer_votes) == (3, {"public": 100, "staff": 25, "leadership": 5})
    with nothing_written(), pytest.raises(TypeError):
        change_settings(nonesuch=1)
    make.theme("roads")
    make.theme("roads")
    assert [theme.slug for theme in themes()] == ["roads"]
