"""What admins do to people and to the parts of the council, who may not, what is foolish, and what the audit log says of it."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from events import log
from ideas_hub import administration as admin
from ideas_hub import organisation
from ideas_hub.audit import SENTENCES, TYPES, audit
from ideas_hub.comments import comments
from ideas_hub.db import reading
from ideas_hub.errors import Invalid, Missing, NotAllowed, RuleBroken, SignInNeeded
from ideas_hub.people import NOBODY, Actor, Kind, Role, add_person, name_lead
from ideas_hub.sessions import Means, identify, make_token, start_session
from ideas_hub.settings import change_settings, current_settings
from ideas_hub.sign_on import Voucher, sign_on
from ideas_hub.sponsors import name_sponsor
from ideas_hub.verify import verify
from ideas_hub.votes import cast_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.support.witness import news, nothing_written, refused

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def boss(hub) -> Actor:
    return make.admin("Boss")


def said(boss: Actor, **options) -> list[str]:
    return [str(line.sentence) for line in audit(boss, **options)[0]]


# Who may


def everything(who: Actor, ref: str):
    """Everything that admins do, as somebody."""
    yield lambda: admin.find_people(who)
    yield lambda: admin.person_file(who, ref)
    yield lambda: admin.change_person(who, ref, roles=[Role.LEADER])
    yield lambda: admin.suspend(who, ref, reason="x")
    yield lambda: admin.lift_suspension(who, ref, reason="x")
    yield lambda: organisation.put_directorate(who, name="Roads")
    yield lambda: organisation.put_team(who, name="Potholes", directorate=1)
    yield lambda: organisation.set_settings(who, {"answer_days": 3})
    yield lambda: organisation.set_theme(who, "roads", name="Roads")
    yield lambda: organisation.directorates(who)
    yield lambda: organisation.theme_files(who)
    yield lambda: organisation.possible_leads(who)
    yield lambda: audit(who)


def test_nobody_but_an_admin_does_any_of_it_and_nothing_is_written(boss):
    ann = make.staff()
    people = [make.resident(), make.staff(), make.sponsor(), make.moderator(), make.safeguarding(), make.leader()]
    for who, refusal in ((NOBODY, SignInNeeded), *((who, NotAllowed) for who in people)):
        with nothing_written():
            for act in everything(who, ann.ref):
                with pytest.raises(refusal):
                    act()


# People


def test_an_admin_changes_what_somebody_is_and_the_log_says_what_without_names(boss):
    place = organisation.put_directorate(boss, name="Roads")
    team = organisation.put_team(boss, name="Potholes", directorate=place)
    ann = make.staff("Ann")
    with news() as facts:
        admin.change_person(boss, ann.ref, name="Annie", team=team, roles=[Role.SPONSOR, Role.MODERATOR])
    assert [fact.type for fact in facts] == ["person.changed"] * 3 + ["person.rights_changed"]
    assert {fact.what: (fact.was, fact.to) for fact in facts[:3]} == {
        "name": ("", ""),
        "team": ("", str(team)),
        "roles": ("", "moderator sponsor"),
    }
    with nothing_written():
        admin.change_person(boss, ann.ref, name="Annie", team=team, roles=[Role.SPONSOR, Role.MODERATOR])
    file = admin.person_file(boss, ann.ref)
    assert (file.card.name, file.card.team, file.directorate, file.roles) == (
        "Annie",
        "Potholes",
        "Roads",
        {Role.SPONSOR, Role.MODERATOR},
    )
    with reading() as session:
        assert "Annie" not in repr(session.execute(sa.select(log.event_table)).all())
    assert "Annie: from the roles none to moderator, sponsor." in said(boss)
    assert "Annie: from the team none to Potholes." in said(boss)


def test_residents_hold_no_roles_and_work_in_no_team(boss):
    ann, bob = make.resident(), make.staff(team="Potholes")
    with refused(Invalid):
        admin.change_person(boss, ann.ref, roles=[Role.SPONSOR])
    with refused(Invalid):
        admin.change_person(boss, bob.ref, kind=Kind.RESIDENT)
    admin.change_person(boss, bob.ref, kind=Kind.RESIDENT, team=0)
    admin.change_person(boss, ann.ref, kind=Kind.STAFF, roles=[Role.SPONSOR])
    assert make.actor(ann.ref).holds(Role.SPONSOR)
    with refused(Missing):
        admin.change_person(boss, "nowhere", name="X")


def test_the_last_admin_stays_one(boss):
    with refused(RuleBroken):
        admin.change_person(boss, boss.ref, roles=[])
    with refused(RuleBroken):
        admin.change_person(boss, boss.ref, kind=Kind.RESIDENT, roles=[])
    other = make.admin()
    admin.suspend(boss, other.ref, reason="Away.")
    with refused(RuleBroken):  # who cannot act is no admin
        admin.change_person(boss, boss.ref, roles=[])
    admin.lift_suspension(boss, other.ref, reason="Back.")
    admin.change_person(boss, boss.ref, roles=[])
    assert not make.actor(boss.ref).roles


def test_people_are_found_by_a_part_of_their_name_or_address_and_in_pieces(boss):
    ann, bob = make.resident("Ann Jones"), make.staff("Bob 100% Jones")
    found, following = admin.find_people(boss, question="jones", limit=1)
    rest, end = admin.find_people(boss, question="jones", limit=1, after=following)
    assert ([one.card.ref for one in found + rest], end) == ([ann.ref, bob.ref], None)
    assert [one.card.ref for one in admin.find_people(boss, question=make.address(ann))[0]] == [ann.ref]
    assert [one.card.ref for one in admin.find_people(boss, question="0% j")[0]] == [bob.ref]
    assert [one.card.ref for one in admin.find_people(boss, role=Role.ADMIN)[0]] == [boss.ref]
    assert ann.ref not in {one.card.ref for one in admin.find_people(boss, kind=Kind.STAFF)[0]}


# Suspended


def test_who_is_suspended_is_nobody_until_it_is_lifted_and_what_they_wrote_stays(boss):
    ann = make.resident("Ann")
    idea = make.idea(ann, title="Benches")
    make.comment(idea, ann, body="My words")
    session, token = start_session(ann.ref), make_token(make.address(ann), 1)
    admin.suspend(boss, ann.ref, reason="Threatened a neighbour.")
    for secret, means in ((session, Means.SESSION), (token, Means.TOKEN)):
        assert identify(secret, means).actor is NOBODY
    for again in (lambda: start_session(ann.ref), lambda: make_token(make.address(ann), 1)):
        with refused(RuleBroken):
            again()
    assert whole_idea(NOBODY, idea).card.title == "Benches"
    assert "My words" in repr(comments(NOBODY, idea))
    with nothing_written():
        admin.suspend(boss, ann.ref, reason="Again.")
    admin.lift_suspension(boss, ann.ref, reason="They said sorry.")
    assert identify(session, Means.SESSION).actor.ref == ann.ref
    with nothing_written():
        admin.lift_suspension(boss, ann.ref, reason="Again.")
    lines = {str(line.sentence): line.reason for line in audit(boss, who=ann.ref)[0]}
    assert lines == {
        "Ann was added: resident.": "",
        "Ann was suspended.": "Threatened a neighbour.",
        "The suspension of Ann was lifted.": "They said sorry.",
    }
    ((file,),) = [admin.person_file(boss, ann.ref).suspensions]
    assert (file.reason, file.by.name, file.lift_reason) == ("Threatened a neighbour.", "Boss", "They said sorry.")


def test_nobody_suspends_themselves_and_a_reason_is_needed(boss):
    make.admin()
    ann = make.resident()
    with refused(RuleBroken):
        admin.suspend(boss, boss.ref, reason="Tired.")
    with refused(Invalid):
        admin.suspend(boss, ann.ref, reason=" ")


def test_who_is_suspended_answers_for_nothing_new_and_others_answer_in_their_place(boss):
    change_settings(answer_votes={"public": 1, "staff": 1, "leadership": 1})
    lead, other = make.lead("Streets"), make.lead("Water")
    idea = make.idea()
    cast_vote(make.resident(), idea)
    assert whole_idea(NOBODY, idea).card.answer_by.ref == lead.ref
    admin.suspend(boss, lead.ref, reason="Away.")
    assert whole_idea(NOBODY, idea).card.answer_by.ref == other.ref
    sponsor = make.sponsor()
    admin.suspend(boss, sponsor.ref, reason="Away.")
    with refused(Invalid):
        name_sponsor(boss, idea, person=sponsor.ref, reason="Good at it.")
    assert [check.first for check in verify() if check.wrong] == []


# The parts of the council


def test_an_admin_arranges_teams_directorates_and_their_leads(boss):
    ann = make.staff("Ann")
    roads, water = (organisation.put_directorate(boss, name=name) for name in ("Roads", "Water"))
    team = organisation.put_team(boss, name="Potholes", directorate=roads)
    organisation.put_directorate(boss, id=roads, name="Streets", lead=ann.ref)
    organisation.put_team(boss, id=team, name="Holes", directorate=water)
    shown = {
        place.name: (place.lead and place.lead.name, [each.name for each in place.teams])
        for place in organisation.directorates(boss)
    }
    assert shown == {"Streets": ("Ann", []), "Water": (None, ["Holes"])}
    assert said(boss)[:7] == [
        "The team Holes moved from Streets to Water.",
        "The team Holes got this name.",
        "The directorate Streets: led by nobody, now by Ann.",
        "The directorate Streets got this name.",
        "The team Holes was added.",
        "The directorate Water was added.",
        "The directorate Streets was added.",
    ]
    for act in (
        lambda: organisation.put_directorate(boss, name="water"),
        lambda: organisation.put_directorate(boss, name=" "),
        lambda: organisation.put_directorate(boss, name="Parks", lead=make.actor(ann.ref).ref + "x"),
        lambda: organisation.put_team(boss, name="Lamps", directorate=99),
    ):
        with refused(Invalid):
            act()
    with refused(Missing):
        organisation.put_team(boss, id=99, name="Lamps", directorate=roads)


def test_a_resident_leads_no_directorate(boss):
    resident = make.resident()
    with refused(Invalid):
        organisation.put_directorate(boss, name="Parks", lead=resident.ref)


# Themes and settings


def test_an_admin_sets_thresholds_and_themes_and_the_log_says_from_what_to_what(boss):
    organisation.put_directorate(boss, name="Roads")
    organisation.set_settings(boss, {"answer_days": 10, "burst_votes": 30, "council": "Calder Vale"})
    organisation.set_settings(boss, {"answer_votes": {"public": 50, "staff": 5, "leadership": 2}})
    organisation.set_theme(boss, "streets", name="Streets", directorate="Roads")
    assert (current_settings().answer_days, current_settings().burst_votes, current_settings().council) == (10, 30, "Calder Vale")
    assert said(boss)[:6] == [
        "The theme Streets: answered for by nobody, now by Roads.",
        "The theme Streets was added.",
        "Votes that oblige an answer (of all, of staff, of leaders): from 100 25 5 to 50 5 2.",
        "The council got another name.",
        "Votes from one network that count before others are held: from 20 to 30.",
        "Working days for an answer: from 15 to 10.",
    ]
    with refused(Invalid) as caught:
        organisation.set_settings(boss, {"answer_days": 0, "burst_votes": 1})
    assert set(caught.value.errors) == {"answer_days", "burst_votes"}


# The audit log


def test_the_audit_log_is_read_in_pieces_and_by_who_and_what(boss):
    other, ann = make.admin("Other"), make.staff("Ann")
    for number in range(3):
        admin.change_person(boss, ann.ref, name=f"Ann {number}")
    admin.suspend(other, ann.ref, reason="Away.")
    first, following = audit(boss, limit=2)
    rest, end = audit(boss, limit=2, before=following)
    assert [line.type for line in first + rest] == ["person.suspended"] + ["person.changed"] * 3
    assert end is not None  # before that, they were added
    assert [line.by.name for line in audit(boss, who=other.ref)[0] if line.by] == ["Other"]
    assert [line.type for line in audit(boss, what="person.suspended")[0]] == ["person.suspended"]
    assert len(audit(boss, who=ann.ref)[0]) == 5


def test_what_is_done_at_the_console_and_by_the_councils_sign_in_stands_there_too(boss):
    """Who makes somebody an admin at the console leaves a trace, and so does a provider that gives a role or takes it."""
    add_person("eve@example.org", name="Eve", kind=Kind.STAFF, roles=[Role.ADMIN], team="Mowing", directorate="Parks")
    name_lead("Parks", "eve@example.org")
    add_person("eve@example.org", name="Eve", kind=Kind.STAFF, team="Mowing", directorate="Streets")
    name_lead("Parks", "eve@example.org")  # is it already
    voucher = Voucher("https://sso", "e1", "Eve", "eve@example.org", roles=frozenset({Role.LEADER}))
    sign_on(replace(voucher, decides=frozenset({Role.LEADER})), key="k")
    lines = list(reversed(audit(boss)[0]))
    assert [(str(line.sentence), line.by, str(line.elsewhere)) for line in lines][2:] == [
        ("The directorate Parks was added.", None, "the console"),
        ("The team Mowing was added.", None, "the console"),
        ("Eve was added: staff.", None, "the console"),
        ("Eve: from the team none to Mowing.", None, "the console"),
        ("Eve: from the roles none to admin.", None, "the console"),
        ("The directorate Parks: led by nobody, now by Eve.", None, "the console"),
        ("The directorate Streets was added.", None, "the console"),
        ("The team Mowing moved from Parks to Streets.", None, "the console"),
        ("Eve: from the roles admin to none.", None, "the console"),
        ("Eve: from the roles none to leader.", None, "the council’s sign-in"),
    ]


def test_every_fact_of_the_audit_log_has_its_sentence(boss):

    assert {name.split()[0] for name in SENTENCES} == set(TYPES)
