"""The page that shows how an idea's words changed."""

import pytest

from events.catalogue import View
from ideas_hub.audiences import change_idea
from tests import make

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def revised(app):
    ann = make.resident("Ann")
    ref = make.idea(ann, title="Bench on the hill", problem="No seat on the hill.", proposal="One.")
    change_idea(ann, ref, texts={"problem": "No seat on the <b>steep</b> hill."})
    change_idea(ann, ref, texts={"title": "Benches on the hill", "proposal": "Two."})
    return ann, ref


def test_each_revision_stands_beside_the_one_before_with_marks_that_are_read_aloud(visit, revised):
    _ann, ref = revised
    page = visit().get(f"/ideas/{ref}/revisions").text
    assert page.index('id="revision-3"') < page.index('id="revision-2"') < page.index('id="revision-1"')
    assert (
        '<del><span class="govuk-visually-hidden">[removed: </span>Bench<span class="govuk-visually-hidden">]</span></del>'
        in page
    )
    assert '<ins><span class="govuk-visually-hidden">[added: </span>Benches<span' in page
    assert "&lt;b&gt;steep&lt;/b&gt;" in page
    assert "<b>steep" not in page


def test_any_two_revisions_are_compared_the_earlier_first(visit, revised):
    _ann, ref = revised
    for query in ({"from": "1", "to": "3"}, {"from": "3", "to": "1"}):
        page = visit().get(f"/ideas/{ref}/revisions", query_string=query).text
        assert "beside revision 1" in page
        assert "steep" in page
        assert page.count("<del>") == 3  # title, proposal, and the key
        assert 'id="revision-2"' not in page
    assert "No word differs." in visit().get(f"/ideas/{ref}/revisions?from=2&to=2").text


def test_a_revision_that_is_not_there_is_not_found_and_a_wrong_number_is_named(visit, revised):
    _ann, ref = revised
    assert visit().get(f"/ideas/{ref}/revisions?from=1&to=9").status_code == 404
    for wrong in ("x", "-1", "1e3", "²"):
        assert visit().get(f"/ideas/{ref}/revisions", query_string={"from": wrong, "to": "1"}).status_code == 422


def test_many_revisions_come_in_pieces(visit, revised):
    ann, ref = revised
    for number in range(4, 13):
        change_idea(ann, ref, texts={"gain": f"{number} people."})
    seen, address = [], f"/ideas/{ref}/revisions"
    while address:
        page = visit().get(address).text
        seen += [number for number in range(12, 0, -1) if f'id="revision-{number}"' in page]
        following = [number for number in range(1, 13) if f'revisions?until={number}"' in page]
        address = f"/ideas/{ref}/revisions?until={following[0]}" if following else None
    assert seen == list(range(12, 0, -1))


def test_revisions_are_open_to_who_may_see_the_idea_and_to_nobody_else(visit, revised):
    ann, ref = revised
    change_idea(make.leader(), ref, audience=View.STAFF)
    for query in ("", "?from=1&to=2"):
        assert visit(ann).get(f"/ideas/{ref}/revisions{query}").status_code == 404
        assert visit(make.staff()).get(f"/ideas/{ref}/revisions{query}").status_code == 200
