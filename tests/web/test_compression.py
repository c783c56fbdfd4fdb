"""What is sent packed, and what is not, so that its length gives nothing away."""

import gzip

import pytest

from tests import make

pytestmark = pytest.mark.sqlite_only
PACKED = {"Accept-Encoding": "gzip, br"}


def test_a_page_for_nobody_is_packed_and_the_same_page(visit):
    make.idea()
    browser = visit()
    answer = browser.get("/ideas?sort=top", headers=PACKED)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert b"</html>" in gzip.decompress(answer.data)
    assert "Content-Encoding" not in browser.get("/ideas?sort=top").headers


def test_a_page_for_somebody_is_not_packed_where_others_could_have_put_words_into_its_address(visit):
    browser = visit(make.resident())
    assert browser.get("/", headers=PACKED).headers["Content-Encoding"] == "gzip"
    for address in ("/ideas?q=csrf-token", "/ideas/csrftokn", "/csrf-token"):
        assert "Content-Encoding" not in browser.get(address, headers=PACKED).headers, address


def test_a_file_is_packed_kept_for_ever_and_known_again(visit):
    browser = visit()
    answer = browser.get("/static/v1/js/facts.js", headers=PACKED)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "immutable" in answer.headers["Cache-Control"]
    assert b"export function take(" in gzip.decompress(answer.data)
    answer.close()
    again = browser.get("/static/v1/js/facts.js", headers=PACKED | {"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    again.close()


def test_what_is_changed_by_its_tag_keeps_its_bytes(visit):
    address = f"/api/v1/ideas/{make.idea(problem='Long. ' * 300)}"
    answer = visit().get(address, headers=PACKED)
    assert answer.headers["ETag"].startswith('"')
    assert "Content-Encoding" not in answer.headers
