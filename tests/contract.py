"""The client that all functional tests use: it holds every exchange to openapi.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import jsonschema_rs
import yaml

from memio import jsontext

ROOT = Path(__file__).parent.parent
SPEC: dict[str, Any] = yaml.safe_load((ROOT / "openapi.yaml").read_text())
METHODS = ("get", "put", "post", "delete")


def deref(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = SPEC
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def as_draft4(node: Any) -> Any:
    """Translate OpenAPI 3.0's ``nullable``, which JSON Schema does not know."""
    if isinstance(node, list):
        return [as_draft4(item) for item in node]
    if not isinstance(node, dict):
        return node
    schema = {key: as_draft4(value) for key, value in node.items() if key != "example"}
    if schema.pop("nullable", False) is True:
        return {"anyOf": [{"type": "null"}, schema]}
    return schema


_COMPONENTS = as_draft4(SPEC["components"]["schemas"])


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft4Validator:
    document = {**as_draft4(schema), "components": {"schemas": _COMPONENTS}}
    return jsonschema_rs.Draft4Validator(document, validate_formats=True)


@dataclass(frozen=True)
class Operation:
    """One operation of the contract."""

    id: str
    method: str
    template: str
    spec: dict[str, Any]
    parameters: tuple[dict[str, Any], ...]

    @property
    def pattern(self) -> re.Pattern[str]:
        parts = re.split(r"\{\w+\}", self.template)
        return re.compile("([^/]+)".join(map(re.escape, parts)))

    def response(self, status: int) -> dict[str, Any] | None:
        found = self.spec["responses"].get(str(status))
        return deref(found) if found else None


def _operations() -> list[Operation]:
    found = []
    for template, item in SPEC["paths"].items():
        for method in METHODS:
            if method in item:
                spec = item[method]
                listed = [*item.get("parameters", []), *spec.get("parameters", [])]
                parameters = tuple(map(deref, listed))
                found.append(
                    Operation(spec["operationId"], method, template, spec, parameters)
                )
    # A literal path is preferred to a template, as OpenAPI says.
    return sorted(found, key=lambda op: op.template.count("{"))


OPERATIONS = _operations()


def find(method: str, raw_path: str) -> Operation | None:
    for operation in OPERATIONS:
        wanted = "get" if method == "HEAD" else method.lower()
        if operation.method == wanted and operation.pattern.fullmatch(raw_path):
            return operation
    return None


def check_request(operation: Operation, request: httpx.Request) -> None:
    """Assert that a request that was accepted is one that the contract allows."""
    url = urlsplit(str(request.url))
    declared = {p["name"]: p for p in operation.parameters if p["in"] == "query"}
    for name, text in parse_qsl(url.query, keep_blank_values=True):
        assert name in declared, f"{operation.id} accepted the parameter {name}"
        schema = deref(declared[name]["schema"])
        value = {"integer": int, "boolean": lambda t: t == "true"}.get(
            schema["type"], str
        )(text)
        validator(schema).validate(value)
    names = re.findall(r"\{(\w+)\}", operation.template)
    match = operation.pattern.fullmatch(url.path)
    assert match
    for name, text in zip(names, match.groups(), strict=True):
        (parameter,) = (p for p in operation.parameters if p["name"] == name)
        validator(parameter["schema"]).validate(unquote(text))
    if "requestBody" in operation.spec:
        content = operation.spec["requestBody"]["content"]["application/json"]
        validator(content["schema"]).validate(jsontext.loads(request.content))


def check_response(
    operation: Operation | None, request: httpx.Request, response: httpx.Response
) -> None:
    """Assert that a response is one that the contract promises."""
    status = response.status_code
    described = operation.response(status) if operation else None
    if described is None:
        routed_nowhere = status in {404, 405} and operation is None
        assert routed_nowhere, f"{operation and operation.id} answered {status}"
        described = deref({"$ref": "#/components/responses/NotFound"})
    for name, written in described.get("headers", {}).items():
        header = deref(written)
        if header.get("required"):
            assert name in response.headers, f"{status} lacks the header {name}"
        if name in response.headers:
            validator(header["schema"]).validate(response.headers[name])
    content = described.get("content")
    if not content or request.method == "HEAD":
        assert response.content == b""
        assert content or "content-type" not in response.headers
        return
    media_type = response.headers["content-type"].partition(";")[0]
    assert media_type in content, f"{status} came as {media_type}"
    read = {"application/json": jsontext.loads, "application/yaml": yaml.safe_load}
    body = read.get(media_type, bytes.decode)(response.content)
    validator(content[media_type]["schema"]).validate(body)


class Api(httpx.Client):
    """An HTTP client that asserts the contract on every exchange."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        response = super().send(request, **options)
        response.read()
        raw_path = request.url.raw_path.decode().partition("?")[0]
        operation = find(request.method, raw_path)
        check_response(operation, request, response)
        if operation and response.is_success:
            check_request(operation, request)
        return response


def error_of(response: httpx.Response) -> tuple[int, str]:
    """Return what is asserted of most errors: the status and the word for it."""
    return response.status_code, response.json()["error"]
