"""Statements that go straight to the driver say the same as by SQLAlchemy, on every database."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from events.moment import Moment
from events.prepared import DRIVER, Prepared
from ideas_hub import db
from ideas_hub.people import Kind, Person

PEOPLE = Person.__table__
ADD = Prepared(sa.insert(PEOPLE).returning(PEOPLE.c.id, PEOPLE.c.kind))
NAMED = Prepared(sa.insert(PEOPLE).returning(PEOPLE.c.ref))
BY_KIND = Prepared(
    sa.select(Person.name, Person.kind, sa.literal(7).label("seven"))
    .where(Person.kind == sa.bindparam("kind"))
    .order_by(Person.name)
)
RENAME = Prepared(sa.update(PEOPLE).where(PEOPLE.c.ref == sa.bindparam("of")).values(name=sa.bindparam("to")))


def person(ref: str, kind: Kind = Kind.RESIDENT) -> dict[str, object]:
    return {"ref": ref, "name": ref.title(), "kind": kind}


def add(*refs: str) -> None:
    with db.transaction() as session:
        for ref in refs:
            ADD(session, person(ref))


def test_values_and_rows_are_converted_as_sqlalchemy_converts_them(hub: db.Database) -> None:
    with db.transaction() as session:
        [added] = ADD(session, person("ann"))
        assert added.kind is Kind.RESIDENT
        RENAME(session, {"of": "ann", "to": "Anna"})
        by_driver = BY_KIND(session, {"kind": Kind.RESIDENT})
        by_sqlalchemy = session.execute(BY_KIND.statement, {"kind": Kind.RESIDENT}).all()
        assert [tuple(row) for row in by_driver] == [tuple(row) for row in by_sqlalchemy] == [("Anna", Kind.RESIDENT, 7)]
        assert by_driver[0].seven == 7


def test_each_of_many_values_has_its_row(hub: db.Database) -> None:
    with db.transaction() as session:
        assert len(ADD.each(session, [person("ann"), person("bob", Kind.STAFF)])) == 2
    assert [row.name for row in db.glance(BY_KIND, {"kind": Kind.STAFF})] == ["Bob"]


def test_a_glance_sees_what_is_committed_at_the_moment(hub: db.Database) -> None:
    for count, ref in enumerate(("ann", "bob"), 1):
        add(ref)
        assert len(db.glance(BY_KIND, {"kind": Kind.RESIDENT})) == count


def test_a_refusal_of_the_driver_is_one_of_sqlalchemy_and_undoes_the_command_only(hub: db.Database) -> None:
    add("ann")
    with pytest.raises(sa.exc.IntegrityError):
        add("bob", "ann")
    assert [row.name for row in db.glance(BY_KIND, {"kind": Kind.RESIDENT})] == ["Ann"]


def test_what_is_left_out_is_as_its_column_has_it_and_another_time_it_may_be_given(hub: db.Database) -> None:
    with db.transaction() as session:
        [left_out] = NAMED(session, {"name": "Ann", "kind": Kind.RESIDENT})
        [given] = NAMED(session, {"ref": "bob", "name": "Bob", "kind": Kind.RESIDENT})
    assert (len(left_out.ref), given.ref) == (8, "bob")


@pytest.mark.sqlite_only
def test_what_has_no_fixed_shape_is_refused(hub: db.Database) -> None:
    several = Prepared(sa.select(Person.name).where(Person.name.in_(sa.bindparam("names", expanding=True))))
    with db.transaction() as session:
        assert DRIVER in session.info
        with pytest.raises(TypeError, match="no fixed shape"):
            several(session, {"names": ["Ann"]})


def test_a_moment_comes_back_as_it_was(hub: db.Database) -> None:
    moment = datetime(2026, 11, 28, 12, 30, 1, 234567, tzinfo=UTC)
    same = Prepared(sa.select(sa.bindparam("moment", type_=Moment).label("moment")))
    with db.transaction() as session:
        [row] = same(session, {"moment": moment})
    assert row.moment == moment
