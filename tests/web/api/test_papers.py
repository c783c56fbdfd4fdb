"""The papers of the API are valid, complete and true. Every answer of these tests is held against them too (`conftest.py`)."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from events.catalogue import LEDGER, TYPES
from tests import make
from tests.support.hub import ROOT
from tests.support.papers import Schemas
from tests.web.api.conftest import Api
from tests.web.api.routes import OWN, ROUTES
from web.api.live import DATA, asyncapi
from web.api.papers import EXAMPLES

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def document(api: Api) -> dict[str, Any]:
    return api.by().get("/openapi.json").json


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def test_the_document_of_the_api_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()
    assert {where for where, _ in operations(document)} == {f"{route.method} /api/v1{route.path}" for route in ROUTES + OWN}


def test_each_route_says_what_it_does_who_may_and_what_it_refuses(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(names)) == len(names)
    for where, operation in operations(document):
        assert operation["summary"], f"{where} has no docstring"
        assert operation["tags"][0] in {tag["name"] for tag in document["tags"] if tag.get("description")}, where
        assert {"401", "422", "429"} <= set(operation["responses"]), where
        assert "default" not in operation["responses"], f"{where}: everything it may answer is named"


def test_what_can_be_sent_has_its_size_and_an_example_that_fits(document: dict[str, Any]) -> None:
    schemas = Schemas(document)
    for where, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            name = content["schema"]["$ref"].rpartition("/")[2]
            schema = document["components"]["schemas"][name]
            assert schema["additionalProperties"] is False, where
            assert name in EXAMPLES, f"{where}: {name} has no example in web/api/papers.py"
            assert schemas.complaints(content["schema"], EXAMPLES[name]) == []
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


SIZED = [
    ("POST", "/ideas", "NewIdea"),
    ("PATCH", "/ideas/{idea}", "IdeaChange"),
    ("POST", "/ideas/{idea}/comments", "NewComment"),
    ("POST", "/ideas/{idea}/answers", "NewAnswer"),
    ("POST", "/ideas/{idea}/moves", "Move"),
    ("DELETE", "/ideas/{idea}/sponsor", "Reason"),
]
NEEDED_BY = {"hypothesis": "trial", "test": "trial", "measure": "trial", "lesson": "learned"}


@pytest.mark.parametrize(("method", "path", "name"), SIZED)
def test_a_text_may_be_as_long_as_the_document_says_and_no_longer(
    api: Api, document: dict[str, Any], method: str, path: str, name: str
) -> None:
    who = make.regular("leader", "sponsor")
    for field, schema in document["components"]["schemas"][name]["properties"].items():
        if "maxLength" not in schema or schema["maxLength"] == 0 or (name == "NewAnswer" and field in NEEDED_BY):
            continue
        stage = {"trial": "exploring", "learned": "trial"}.get(NEEDED_BY.get(field, ""), "new")
        for excess in (1, 0):
            idea = make.idea(make.actor(who.ref or ""), stage=stage, sponsor=who)
            body = {"title": "T", "problem": "P", "proposal": "P"} if name == "NewIdea" else {}
            body |= {"body": "B"} if name == "NewComment" else {}
            body |= {"text": "T"} if name == "NewAnswer" else {}
            if name == "Move":
                to = NEEDED_BY.get(field, "declined")
                plan = {"hypothesis": "H", "test": "T", "measure": "M", "ends": "2090-01-01"} if to == "trial" else {}
                body = {"to": to, "reason": "R", **plan}
            if name == "NewAnswer" and field == "reason":
                body["to"] = "declined"
            body[field] = "x" * (schema["maxLength"] + excess)
            answer = api.by(who).ask(method, path.format(idea=idea), body)
            if excess:
                assert (answer.status_code, list(answer.json["errors"])) == (422, [field]), (field, answer.text)
            else:
                assert answer.status_code in (200, 201, 204), (field, answer.text)


# The live stream


def test_the_document_of_the_stream_is_valid_asyncapi_3(api: Api) -> None:
    told = api.by().get("/asyncapi.json").json
    official = json.loads((ROOT / "node_modules/@asyncapi/specs/schemas/3.0.0.json").read_text())
    complaints = sorted(Draft7Validator(official).iter_errors(told), key=lambda error: error.path)
    assert not complaints, complaints[0].message
    for schema in told["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_event_stands_in_the_document_with_its_data() -> None:
    told = {kind.type for kind in TYPES.values() if kind not in LEDGER}
    assert set(DATA) == told, "say in `DATA` of web/api/live.py what is joined to each event"
    assert told <= set(asyncapi("http://hub.test")["components"]["messages"])


def test_timelines_and_the_stream_over_http_tell_events_as_the_document_has_them(api: Api) -> None:
    schemas = Schemas(asyncapi("http://hub.test"))
    start, idea = api.by().here(), make.idea(stage="trial")
    make.comment(idea)
    told = api.by().told(start) + api.by().get(f"/ideas/{idea}/timeline").json["items"]
    assert len(told) > 5
    for event in told:
        assert schemas.complaints({"$ref": f"#/components/schemas/{event['type']}"}, event) == []
