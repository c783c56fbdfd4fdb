"""What the hub asks of its database, seen at run time: nothing here is taken on trust from a setting."""

import re
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from alembic import command

from ideas_hub import db, finding, schema, sqlite
from ideas_hub.errors import Busy, Clash
from ideas_hub.lists import Wanted
from ideas_hub.people import Kind, Person, add_person
from ideas_hub.votes import Vote
from tests import make
from tests.support import warm
from tests.support.hub import ROOT
from tests.support.witness import everything


@pytest.mark.sqlite_only
def test_what_is_acknowledged_on_sqlite_survives_a_power_cut(hub):
    with db.transaction() as session:
        pragma = {name: session.scalar(sa.text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert pragma == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.sqlite_only
def test_the_sqlite_at_hand_is_safe_for_two_writing_processes_where_there_is_a_wheel(hub):
    pytest.importorskip("pysqlite3")
    assert sqlite.sqlite.sqlite_version_info >= sqlite.SAFE_FOR_TWO_WRITERS


@pytest.mark.sqlite_only
def test_an_old_sqlite_never_writes_beside_a_server(hub, monkeypatch):
    monkeypatch.setattr(sqlite, "SAFE_FOR_TWO_WRITERS", (99,))
    server = db.SQLite(hub.url)
    with server.claimed(), pytest.raises(Clash, match="too old"):
        add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)
    add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)
    server.close()


@pytest.mark.sqlite_only
def test_who_waits_in_vain_for_another_process_to_finish_writing_is_told_so(hub, monkeypatch):
    monkeypatch.setattr(sqlite, "WAIT_FOR_WRITER", 0.05)
    other = db.SQLite(hub.url)
    with other.writing() as session:
        session.execute(sa.text("UPDATE log_head SET position = position"))
        with pytest.raises(Busy):
            add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)
    other.close()
    add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)


def test_a_change_that_fails_leaves_nothing_and_blocks_nobody(hub):
    def half_a_change() -> None:
        with db.transaction() as session:
            session.add(Person(name="Half", kind=Kind.RESIDENT))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_a_change()
    with db.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Person)) == 0
    add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)


def test_reading_can_change_nothing(hub):
    with pytest.raises(sa.exc.DBAPIError), db.reading() as session:
        session.execute(sa.text("UPDATE log_head SET position = 7"))


def test_what_is_read_together_is_of_one_moment(hub):
    count = sa.select(sa.func.count()).select_from(Person)
    with db.reading() as session:
        before = session.scalar(count)
        add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)
        assert session.scalar(count) == before


def test_migrating_twice_is_harmless(hub):
    assert schema.current() == schema.migrate() == schema.newest()


@pytest.mark.postgresql_only
def test_a_query_that_takes_long_does_not_stop_the_others(database_url):
    """psycopg2 under eventlet, as the server runs it: eight half seconds at once are half a second, not four."""
    program = """
import warnings; warnings.simplefilter("ignore")
import eventlet; eventlet.monkey_patch()
import sys, time, sqlalchemy as sa
from ideas_hub import db
db.connect(sys.argv[1])
def wait():
    with db.reading() as session:
        session.execute(sa.text("SELECT pg_sleep(0.5)"))
wait()
begun = time.monotonic()
pool = eventlet.GreenPool()
for _ in range(8):
    pool.spawn(wait)
pool.waitall()
print(time.monotonic() - begun)
"""
    done = subprocess.run([sys.executable, "-c", program, database_url], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 2


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SECRET_KEY": "x"}, "IDEAS_HUB_DATABASE_URL"),
        ({"DATABASE_URL": "mysql://x"}, "IDEAS_HUB_DATABASE_URL"),
        ({"PORT": "many"}, "IDEAS_HUB_PORT"),
        ({"PORT": "0"}, "IDEAS_HUB_PORT"),  # links would lead nowhere
        ({"BASE_URL": "ideas.example"}, "IDEAS_HUB_BASE_URL"),
        ({"DEMO": "1", "BASE_URL": "https://ideas.example"}, "IDEAS_HUB_DEMO"),
        ({"RATE_LIMITS": "off", "BASE_URL": "https://ideas.example"}, "IDEAS_HUB_RATE_LIMITS"),
        ({"DATABASE_URL": "postgresql://x@127.0.0.1:1/x"}, "IDEAS_HUB_SECRET_KEY"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_setting_that_is_wrong_stops_the_start_with_a_line_that_names_it(tmp_path, settings, said):
    environ = {"PATH": "", **{f"IDEAS_HUB_{name}": value for name, value in settings.items()}}
    log = tmp_path / "log"
    with log.open("wb") as file:
        assert warm.start(file, altered="", cwd=str(tmp_path), env=environ).wait(30) == 1
    assert said in log.read_text()
    assert "Traceback" not in log.read_text()


def test_what_stands_is_found_after_the_search_has_been_made_anew(hub):
    """As a hub of before has it: another search, and places that are only written."""
    ref = make.idea(title="Zebra crossings", place="Mill Rd", stage="learned")
    make.comment(ref, body="A kestrel", audience="staff")
    make.comment(ref, body="Gone", withdrawn=True)
    make.comment(ref, body="Hidden", hidden=True)
    make.idea(hidden=True, stage="parked")
    make.idea(audience="staff", stage="exploring")
    before = {
        name: sorted(map(repr, (row[-5:] for row in rows))) for name, rows in everything().items() if name.startswith("search_")
    }
    with hub.engine.begin() as connection:
        for table in sorted(sa.inspect(connection).get_table_names(), reverse=True):
            if re.fullmatch("search_(idea|said)(_(public|staff|leadership))?", table):
                connection.execute(sa.text(f"DROP TABLE {table}"))
        for index in ("ix_idea_place", "ix_idea_stage_due", "ix_answer_clock_stopped"):
            connection.execute(sa.text(f"DROP INDEX {index}"))
        connection.execute(sa.text("ALTER TABLE idea DROP COLUMN place_key"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0006'"))
        for table in ("search_public", "search_staff", "search_leadership", "search_entry"):
            connection.execute(sa.text(f"CREATE TABLE {table} (id INTEGER)"))
    with hub.engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        newest = sa.text("UPDATE alembic_version SET version_num = :newest")  # the rest stands as it was
        connection.execute(newest, {"newest": schema.newest()})
    assert {
        name: sorted(map(repr, (row[-5:] for row in rows))) for name, rows in everything().items() if name.startswith("search_")
    } == before
    found = finding.list_ideas(make.staff(), Wanted(question="kestrels", places=frozenset({"mill rd"}))).items
    assert [card.ref for card in found] == [ref]


def test_people_of_before_have_their_mailbox_and_who_has_two_accounts_keeps_both(hub):
    first = add_person("ann.lee@gmail.com", name="Ann", kind=Kind.RESIDENT)
    bob = add_person("Bob+ideas@example.org", name="Bob", kind=Kind.RESIDENT)
    with hub.engine.begin() as connection:
        connection.execute(sa.text("DROP INDEX ix_person_mailbox"))
        for table in ("mail_link", "mail", "departure"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        connection.execute(sa.text("ALTER TABLE person DROP COLUMN mailbox"))
        added = "INSERT INTO person (ref, email, name, kind) VALUES ('second', 'annlee@gmail.com', 'Ann', 'resident')"
        connection.execute(sa.text(added))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0009'"))
    with hub.engine.begin() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0012")
        newest = sa.text("UPDATE alembic_version SET version_num = :newest")  # the rest stands as it was
        connection.execute(newest, {"newest": schema.newest()})
    with db.reading() as session:
        people = {row.ref: (row.email, row.mailbox) for row in session.scalars(sa.select(Person))}
    assert people == {
        first: ("ann.lee@gmail.com", "annlee@gmail.com"),
        bob: ("bob+ideas@example.org", "bob@example.org"),
        "second": ("annlee@gmail.com", None),
    }


def test_when_votes_were_cast_is_read_from_the_log(hub):
    """As a hub of before has it: votes without a time, and people who have always been there."""
    ref = make.idea(votes=2)
    with db.reading() as session:
        cast_at = session.scalars(sa.select(Vote.at).order_by(Vote.voter)).all()
    with hub.engine.begin() as connection:
        for table in ("held_vote", "burst", "arrival", "suspension", "joining"):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        for place in ("idea votes_held", "idea votes_refused", "vote at", "person since", "person suspended", "sign_on last_at"):
            table, column = place.split()
            connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(sa.text("ALTER TABLE person RENAME COLUMN joined_id TO of_before"))  # SQLite drops none that refers
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("ALTER TABLE person DROP COLUMN of_before"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0012'"))
    assert schema.migrate() == schema.newest()
    with db.reading() as session:
        dated = session.scalars(sa.select(Vote.at).order_by(Vote.voter)).all()
        assert session.scalars(sa.select(Person.since)).all() == [None] * 3
    assert all(timedelta() <= told - cast < timedelta(seconds=5) for told, cast in zip(dated, cast_at, strict=True))
    assert make.row(ref).votes == 2
