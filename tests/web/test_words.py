"""How pages speak of numbers."""

import re

import pytest

from tests import make

pytestmark = pytest.mark.sqlite_only

COUNTED = ("vote", "comment", "idea", "resident", "day", "lesson", "trial")
ONE_OF_MANY = re.compile(rf"\b1\s+(?:{'|'.join(COUNTED)})s\b")


def words(html: str) -> str:
    """What is read on a page, also by those who only hear it."""
    return " ".join(re.sub(r"<[^>]+>|<!--.*?-->", " ", html, flags=re.DOTALL).split())


@pytest.mark.parametrize("page", ["/", "/ideas", "/ideas?q=Benches", "/board", "/me", "/ideas/{idea}"])
def test_one_is_spoken_of_in_the_singular(visit, page):
    author = make.resident()
    idea = make.idea(author, title="Benches on the hill", votes=1)
    make.comment(idea)
    make.idea(stage="learned")
    make.idea(stage="trial")
    read = words(visit(author).get(page.format(idea=idea)).text)
    assert re.search(r"\b1 (vote|comment)\b", read)
    assert not ONE_OF_MANY.findall(read)
