"""The page for developers says all that is in the two documents, and every link in it leads somewhere."""

import re
from collections import Counter

import pytest

from web.api.live import DATA

pytestmark = pytest.mark.sqlite_only


def test_every_route_event_and_shape_has_its_place_on_the_page(app, visit):
    page = visit().get("/developers").text
    ids = Counter(re.findall(r' id="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    document = app.extensions["papers"]()
    operations = [
        told["operationId"] for path in document["paths"].values() for name, told in path.items() if name != "parameters"
    ]
    assert set(operations) | {f"event-{kind}" for kind in DATA} <= set(ids)
    assert {f"shape-{name}" for name in document["components"]["schemas"]} <= set(ids)
    inside = re.findall(r'href="#([^"]+)"', page)
    assert sorted({place for place in inside if place not in ids}) == []
