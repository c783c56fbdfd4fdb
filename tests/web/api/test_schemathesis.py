"""schemathesis asks every route by the API's own document, as a resident and as staff: what fits it, and what does not.

No answer is a 5xx, none has a status, a header or a shape that the document does not name. 400 cases for each of the two.
"""

from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ideas_hub.people import Actor
from tests import make
from tests.web.api.conftest import Api

pytestmark = [pytest.mark.sqlite_only, pytest.mark.timeout(240)]

CASES = 400  # for each of the two people
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PEOPLE = {"a resident": make.resident, "staff": lambda: make.regular("leader", "sponsor", "moderator")}


def things(who: Actor) -> dict[str, list[str]]:
    """What stands in the hub: ideas in several stages, some of one's own, and comments, so that not every question is a 404."""
    ideas = [make.idea(who), make.idea(stage="trial", votes=2), make.idea(), make.idea(audience="staff"), "zzzzzzzz"]
    return {"idea": ideas, "comment": [make.comment(ideas[0], author=who), make.comment(ideas[2]), "yyyyyyyy"]}


@pytest.mark.parametrize("kind", PEOPLE)
def test_whatever_is_asked_is_answered_as_the_document_says(api: Api, kind: str) -> None:
    who = PEOPLE[kind]()
    there, headers = things(who), api.by(who).headers
    schema = schemathesis.openapi.from_dict(api.app.extensions["papers"]())
    schema.app = api.app
    operations = [result.ok() for result in schema.get_all_operations()]
    each, asked = -(-CASES // len(operations)), Counter[str]()

    def ask(operation: Any, mode: GenerationMode, cases: int) -> None:
        made_up = operation.as_strategy(generation_mode=mode)

        @settings(
            max_examples=cases,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=made_up, picked=some.data())
        def question(case: Any, picked: Any) -> None:
            for name, refs in there.items():
                if name in (case.path_parameters or {}) and picked.draw(some.booleans() | some.just(True)):
                    case.path_parameters[name] = picked.draw(some.sampled_from(refs))
            answer = case.call(headers=headers)
            asked[operation.label] += 1
            case.validate_response(answer, checks=CHECKS)

        question()

    for operation in operations:
        ask(operation, GenerationMode.POSITIVE, each - each // 3)
        ask(operation, GenerationMode.NEGATIVE, each // 3)
    assert sum(asked.values()) >= CASES, asked
