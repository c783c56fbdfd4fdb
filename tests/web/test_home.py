"""The first page: its picture of the year, and what it says of a hub that is empty, or holds one idea."""

import re
from datetime import date

import pytest

from ideas_hub.home import Course, Way, Year
from ideas_hub.ideas import Stage
from tests import make
from web.courses import FEW, HEIGHT, WIDTH, picture

pytestmark = pytest.mark.sqlite_only


def a_year(*ways: tuple[Stage, bool, bool], days: int = 10) -> Year:
    courses = tuple(Course(Way(*way), days) for way in ways)
    return Year(date(2025, 11, 1), tuple((course.way, 1) for course in courses), 1, courses)


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)]


def test_a_line_ends_in_a_dot_today_or_leaves_downwards_or_runs_out_at_the_right():
    way = {Stage.NEW: (False, False), Stage.TRIAL: (True, True), Stage.DECLINED: (True, False), Stage.ADOPTED: (True, True)}
    drawn = {lines.kind: lines for lines in picture(a_year(*((stage, *was) for stage, was in way.items()))).lines}
    assert drawn["new"].dots.startswith("M")
    assert points(drawn["trial"].dots)[0][0] > points(drawn["new"].dots)[0][0]
    assert drawn["adopted"].path.endswith(f"H{WIDTH}")
    assert drawn["adopted"].dots == drawn["off"].dots == ""
    assert points(drawn["off"].path)[-1][1] > HEIGHT
    assert points(drawn["adopted"].path)[-1][1] < points(drawn["trial"].path)[-1][1] < points(drawn["new"].path)[-1][1]


def test_lines_stay_in_the_picture_however_many_there_are():
    every = [(stage, explored, tried) for stage in Stage for explored, tried in ((False, False), (True, False), (True, True))]
    for many in (1, FEW, 250):
        drawn = picture(a_year(*(every[n % len(every)] for n in range(many)), days=3000))
        for lines in drawn.lines:
            assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT + 14 for x, y in points(lines.path))


def test_the_page_of_an_empty_hub_asks_for_the_first_idea(visit):
    page = visit().get("/").text
    assert "Nobody has posted an idea yet." in page
    assert "Each idea will be a line here" in page
    assert "Waiting longest" not in page


def test_one_idea_is_one_line_and_is_spoken_of_in_the_singular(visit):
    make.idea(votes=1)
    page = visit().get("/").text
    assert "What became of 1 idea since" in page
    assert page.count('class="thread thread--new"') == 1
    assert re.search(r'data-fact="votes">1</b> <span data-one="vote" data-many="votes">vote</span>', page)
    assert "Nobody waits" not in page


def test_the_picture_is_a_table_too(visit):
    make.idea(stage="adopted")
    make.idea(stage="parked")
    page = visit().get("/home/year").text
    rows = dict(re.findall(r'<th scope="row"><a [^>]*>(\w+)</a></th><td>(\d+)</td>', page))
    assert {stage for stage, count in rows.items() if count == "1"} == {"Adopted", "Parked"}
    assert len(rows) == len(Stage)


def test_what_a_title_holds_stays_text_in_the_news(visit):
    make.idea(title="<b>100 %(s)s</b> & more", stage="exploring")
    page = visit().get("/home/now").text
    assert "&lt;b&gt;100 %(s)s&lt;/b&gt; &amp; more</a>" in page


def test_a_title_that_is_one_character_too_long_is_told_so_in_the_singular(visit):
    answer = visit(make.resident(), ours=True).post("/ideas", data={"title": "W" * 121, "problem": "x", "proposal": "y"})
    assert answer.status_code == 422
    assert "Your text is 1 character too long. We kept it." in answer.text
