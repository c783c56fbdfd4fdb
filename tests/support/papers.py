"""Answers and frames held against the papers of the API: nothing that is not in them, and nothing otherwise than they say."""

import re
from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse


def closed(part: Any, *, whole: bool = True) -> Any:
    """A schema that refuses what it does not name: for readers, resources may grow; in our own tests, not in silence."""
    if isinstance(part, dict):
        found = {name: closed(value, whole=name != "allOf") for name, value in part.items()}
        if whole and "properties" in part and "additionalProperties" not in part:
            found["additionalProperties"] = False
        return found
    return [closed(value, whole=whole) for value in part] if isinstance(part, list) else part


class Schemas:
    """The schemas of a document, ready to be held against something."""

    def __init__(self, document: dict[str, Any], *, close: bool = True) -> None:
        self.components = closed(deepcopy(document["components"])) if close else document["components"]
        self.ready: dict[str, Draft202012Validator] = {}

    def complaints(self, schema: dict[str, Any], value: Any) -> list[str]:
        key = repr(schema)
        if key not in self.ready:
            whole = {**schema, "components": self.components}
            self.ready[key] = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)
        found = sorted(self.ready[key].iter_errors(value), key=lambda error: error.path)
        return [f"{'/'.join(map(str, error.path)) or 'it'}: {error.message[:300]}" for error in found]


class OpenAPI:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document, self.schemas = document, Schemas(document)
        self.paths = sorted(document["paths"], key=lambda path: path.count("{"))  # a fixed path comes before one with places

    def operation(self, method: str, path: str) -> tuple[str, dict[str, Any] | None]:
        """The line of the document that an address belongs to, and what it says of that method, if anything."""
        method = "get" if method == "HEAD" else method.lower()
        for template in self.paths:
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return f"{method.upper()} {template}", self.document["paths"][template].get(method)
        return f"{method.upper()} {path}", None

    def check(self, method: str, path: str, answer: TestResponse) -> None:
        """Fails where the answer is not one that the document promises for this address."""
        where, operation = self.operation(method, path.partition("?")[0])
        if operation is None:
            return
        told = operation["responses"].get(str(answer.status_code))
        assert told is not None, (
            f"{where} answered {answer.status_code}, of which /api/v1/openapi.json says nothing: {answer.text}"
        )
        told = self.resolved(told)
        for name, header in told.get("headers", {}).items():
            assert name in answer.headers or not self.resolved(header).get("required"), f"{where}: no {name} with {answer.status}"
        content = told.get("content", {})
        if method == "HEAD" or not content:
            assert answer.data == b"", f"{where}: a body that the document does not know: {answer.text}"
            return
        assert answer.mimetype in content, f"{where}: {answer.status_code} as {answer.mimetype}, not {', '.join(content)}"
        if answer.mimetype.endswith("json"):
            complaints = self.schemas.complaints(content[answer.mimetype]["schema"], answer.json)
            assert not complaints, f"{where}: {answer.status_code} is not as its schema in /api/v1/openapi.json: {complaints}"

    def resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in part:
            return part
        found: Any = self.document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return found
