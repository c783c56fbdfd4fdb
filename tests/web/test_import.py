"""`flask import`, as somebody at the console runs it; the files are of the shape that their sources have."""

import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from ideas_hub.comments import Comment
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Idea, Stage
from ideas_hub.imports import Origin
from ideas_hub.lists import Sort, Wanted
from ideas_hub.people import NOBODY
from ideas_hub.whole import idea_page
from tests import make
from tests.support.hub import ROOT, environment
from tests.support.witness import entries, nothing_written, rows
from web.cli.importing import running

PROPOSALS = """id,title,summary,text,author_id,date,status,supports
1,Sombra en la plaza,"En agosto, nadie se sienta.","Diez árboles.

Y bancos.",31,2016-08-02,archived,412
2,Autobús de noche,Los sábados no hay.,,32,2016-03-27,open,7
3,Demasiado,x,,33,2016-03-27,lost,7
"""
COMMENTS = """id,parent_id,proposal_id,author_id,author_kind,date,time,text,votes_for,votes_against
10,,1,32,,2016-08-02,09:00:00,"¡Por fin! 🌳",3,0
11,10,1,31,Autor,2016-08-02,09:05:00,Gracias.,0,0
12,11,1,33,,2016-08-03,10:00:00,"Y agua, por favor.",0,1
13,99,1,34,,2016-08-03,11:00:00,Yo estuve allí.,0,0
14,,1,34,,2016-08-03,11:00:01,"  ",0,0
15,,1,34,,2016-13-03,11:00:02,¿Cuándo?,0,0
16,,5,34,,2016-08-03,11:00:03,¿Dónde?,0,0
17,,2,34,,2016-08-03,11:00:04
"""
PETITIONS = """id,title,created_at,signatures,status
501,"Teach every child to swim
before they leave school",2016-01-20T08:02:12.106Z,10311,closed
502,Mend the bridge,2016-12-01T08:00:00.000Z,12,open
"""

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def files(tmp_path: Path):
    for name, text in {"proposals": PROPOSALS, "comments": COMMENTS, "petitions": PETITIONS}.items():
        (tmp_path / f"{name}.csv").write_text(text, "utf-8")
    return lambda *names: [str(tmp_path / f"{name}.csv") for name in names]


@pytest.fixture
def importing(app: Flask):
    return lambda files: app.test_cli_runner().invoke(args=["import", *files])


def titled(title: str) -> str:
    return next(card.ref for card in list_ideas(NOBODY, Wanted(sort=Sort.NEW), limit=100).items if card.title == title)


def test_proposals_and_comments_come_in_whatever_the_order_of_the_files(importing, files):
    done = importing(files("comments", "proposals"))
    assert done.exit_code == 0, done.output
    page = idea_page(NOBODY, titled("Sombra en la plaza"))
    card = page.idea.card
    assert (page.idea.problem, page.idea.proposal) == ("En agosto, nadie se sienta.", "Diez árboles.\n\nY bancos.")
    assert (card.stage, card.carried_over, card.votes, card.lang) == (Stage.PARKED, 412, 0, "es")
    assert [author.name for author in card.authors] == ["Participant 31"]
    assert idea_page(NOBODY, titled("Autobús de noche")).idea.card.stage is Stage.NEW
    found = {comment.body: comment for comment in rows(Comment)}
    assert set(found) == {"¡Por fin! 🌳", "Gracias.", "Y agua, por favor.", "Yo estuve allí."}
    assert {found[text].parent_id for text in ("Gracias.", "Y agua, por favor.")} == {found["¡Por fin! 🌳"].id}
    assert found["Yo estuve allí."].parent_id is None


def test_times_of_madrid_are_those_of_madrid_in_summer_and_in_winter(importing, files):
    importing(files("proposals", "comments"))
    assert rows(Comment)[0].posted_at == datetime(2016, 8, 2, 7, 0, tzinfo=UTC)
    assert {idea.posted_at for idea in rows(Idea)} == {
        datetime(2016, 8, 1, 23, 0, tzinfo=UTC),  # 2 August in London, too
        datetime(2016, 3, 27, 0, 0, tzinfo=UTC),
    }


def test_at_the_end_it_says_what_came_in_and_what_did_not_and_why(importing, files):
    said = importing(files("proposals", "comments")).output
    assert "Came in: 2 ideas and 4 comments." in said
    assert "  1: A reply to a reply" in said
    assert "  1: The comment it replied to is not here" in said
    assert "Left out: 5:" in said
    for reason, row in {
        "Its status is none that we know.": "proposals.csv: row 4",
        "It has no words.": "comments.csv: row 6",
        "A date or a time in it is none.": "comments.csv: row 7",
        "The idea it stands under is not here.": "comments.csv: row 8",
        "It has another number of columns than the header.": "comments.csv: row 9",
    }.items():
        assert f"  1: {reason}\n    {row}\n" in said
    assert "comments.csv (Decide Madrid): 8 of 8 rows" in said
    assert "Votes for and against a comment have no place here." in said


def test_a_petition_comes_in_with_its_title_and_its_signatures(importing, files):
    assert importing(files("petitions")).exit_code == 0
    page = idea_page(NOBODY, titled("Teach every child to swim before they leave school"))
    assert (page.idea.problem, page.idea.proposal, page.idea.card.carried_over) == ("", "", 10_311)
    assert (page.idea.card.stage, page.idea.card.stage_since.date().isoformat()) == (Stage.PARKED, "2016-07-21")


def test_running_it_twice_changes_nothing(importing, files):
    importing(files("proposals", "comments", "petitions"))
    with nothing_written():
        said = importing(files("proposals", "comments", "petitions")).output
    assert "Came in: 0 ideas and 0 comments." in said
    assert "Here before, and left as they are: 8." in said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"name,age\nAnn,40\n", "No reader knows the file odd.csv by its header (name,age)"),
        (b"", "No reader knows the file odd.csv by its header (nothing)"),
        (PETITIONS.encode("utf-16"), "odd.csv is not UTF-8"),
        (None, "No such file"),
    ],
    ids=["an unknown header", "nothing in it", "another encoding", "no such file"],
)
def test_a_file_that_cannot_be_read_is_refused_before_anything_comes_in(importing, files, tmp_path, content, why):
    if content is not None:
        (tmp_path / "odd.csv").write_bytes(content)
    with nothing_written():
        done = importing([*files("petitions"), str(tmp_path / "odd.csv")])
    assert done.exit_code == 1
    assert why in done.output
    assert done.output.count("\n") == 1


def test_a_byte_order_mark_and_another_order_of_columns_are_no_matter(importing, tmp_path):
    file = tmp_path / "petitions.csv"
    file.write_bytes(b"\xef\xbb\xbfstatus,signatures,created_at,title,id\r\nopen,12,2016-12-01T08:00:00Z,Mend the bridge,502\r\n")
    assert importing([str(file)]).exit_code == 0
    assert titled("Mend the bridge")


def test_an_import_that_was_killed_half_way_goes_on_where_it_was_and_ends_as_if_it_had_not(
    hub, database_url, tmp_path, importing, files
):
    """SIGKILL, at any moment behind the first batch."""
    more = "".join(f"{number},Idea {number},x,,1,2016-01-01,open,1\n" for number in range(100, 500))
    (tmp_path / "proposals.csv").write_text(PROPOSALS + more)
    start = [sys.executable, "-m", "flask", "import", *files("proposals", "comments")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = subprocess.Popen(start, cwd=ROOT, env=environment(database_url), **quiet)
    while not rows(Origin):
        assert running.poll() is None, "it ended too early"
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert 0 < len(rows(Idea)) < 402
    said = importing(files("proposals", "comments")).output
    assert "Came in:" in said
    assert (len(rows(Idea)), len(rows(Comment))) == (402, 4)
    assert [entry.event.data() for entry in entries() if entry.event.type == "hub.imported"] == [{"ideas": 402, "comments": 4}]


def test_the_real_proposals_and_petitions_come_in(shared, importing, tmp_path):
    """A slice: the first comments are under many of the proposals. `docs/performance.md` has the figures of all of it."""
    for name in ("decide-madrid/comments.csv", "uk-petitions/petitions.csv"):
        with (shared / "data" / name).open("rb") as whole:
            (tmp_path / Path(name).name).write_bytes(b"".join(line for line, _ in zip(whole, range(301), strict=False)))
    real = [str(shared / "data/decide-madrid/proposals.csv"), str(tmp_path / "comments.csv"), str(tmp_path / "petitions.csv")]
    done = importing(real)
    assert done.exit_code == 0
    assert len(rows(Comment)) > 200
    assert len(rows(Idea)) > 300
    with nothing_written():
        importing(real)


def test_whatever_came_in_can_be_read_on_every_page_and_through_the_api(importing, files, visit):
    importing(files("proposals", "comments", "petitions"))
    browser = visit()
    pages = ("/", "/ideas", "/ideas?sort=top", "/ideas?q=swim", "/ideas?q=sombra", "/board", "/sign-in", "/api/v1/board")
    for address in pages:
        assert browser.get(address).status_code == 200, address
    for idea in rows(Idea):
        for part in ("", "/revisions", "/card", "/words", "/timeline", "/comments"):
            assert browser.get(f"/ideas/{idea.ref}{part}").status_code == 200, part
        for part in ("", "/comments", "/timeline", "/answers"):
            assert browser.get(f"/api/v1/ideas/{idea.ref}{part}").status_code == 200, part
    petition = browser.get(f"/ideas/{titled('Mend the bridge')}").text
    assert "This idea came from UK Parliament petitions with its title and no other words." in petition
    assert "What is wrong today" not in petition
    assert "12 supports carried over from UK Parliament petitions" in petition
    assert 'lang="es" dir="auto">Sombra en la plaza' in browser.get(f"/ideas/{titled('Sombra en la plaza')}").text
    assert "A petitioner" not in browser.get("/sign-in").text
    told = browser.get(f"/api/v1/ideas/{titled('Sombra en la plaza')}/timeline").json["items"]
    assert [event["time"] for event in told] == sorted(event["time"] for event in told)
    assert told[0]["time"].startswith("2016-08-01T23:00:00")


def test_a_comment_has_an_address_at_which_it_stands_however_many_there_are(importing, files, visit):
    importing(files("proposals", "comments"))
    idea, first = titled("Sombra en la plaza"), rows(Comment)[0]
    for _ in range(40):
        make.comment(idea)
    browser = visit()
    assert f'id="comment-{first.ref}"' not in browser.get(f"/ideas/{idea}").text
    page = browser.get(f"/ideas/{idea}?comment={first.ref}").text
    assert f'id="comment-{first.ref}"' in page
    assert f'href="/ideas/{idea}?comment={first.ref}#comment-{first.ref}"' in page
    assert "later comments, with their replies" in page
    assert "That comment is not here." in browser.get(f"/ideas/{idea}?comment=zzzzzzzz").text


def test_the_reader_that_the_papers_show_reads(hub, tmp_path):
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs/importing.md").read_text("utf-8"), re.DOTALL)
    assert example is not None
    written: dict[str, Any] = {}
    exec(example[1], written)  # noqa: S102  our own papers
    file = tmp_path / "box.csv"
    file.write_text(
        "number,suggestion,because,received,agreed,state\n"
        "1,A clock at the market,Nobody knows when the bus goes,2024-07-01T09:00,14,filed\n"
        "2,A second clock,,sometime,3,open\n"
    )
    running.run([file], written["READERS"])
    (idea,) = rows(Idea)
    assert (idea.title, idea.carried_over, idea.stage) == ("A clock at the market", 14, Stage.PARKED)
    assert idea.posted_at == datetime(2024, 7, 1, 8, 0, tzinfo=UTC)
