"""The small world that the examples of the contract tell of, on a live server.

There is alice, who prefers dark mode, her trip to Lisbon, her employer, and a returns
policy. The requests that create it are themselves examples.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import httpx

from tests.contract import OPERATIONS, Api, Operation
from tests.spec.reading import request_body

CREATING = ("createFact", "addMessages", "createDocument", "addTriples")
# What makes an operation that can answer in two ways choose the other one.
SWITCHES = {"dry_run": 200, "Prefer": 201, "upsert": 201}

by_id = {operation.id: operation for operation in OPERATIONS}


def example_of(media: dict[str, Any]) -> Any:
    (example,) = media["examples"].values()
    return example["value"]


class World:
    """The examples' world on a live server."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.ids: dict[str, str] = {}

    def create(self) -> None:
        for name in CREATING:
            self.send(by_id[name], {"Prefer"})
        self.ids["fact_id"] = self.api.get("/v1/facts").json()[0]["id"]
        triples = self.api.get("/v1/graph/triples").json()["triples"]
        self.ids["triple_id"] = triples[0]["id"]

    def send(
        self, operation: Operation, with_: Collection[str] = (), **options: Any
    ) -> httpx.Response:
        """Send an operation's example with some of its optional parameters.

        Options of httpx replace or add to what the example holds.
        """
        given: dict[str, Any] = {"path": {}, "query": {}, "header": {}}
        for parameter in operation.parameters:
            if parameter.get("required") or parameter["name"] in with_:
                example = parameter["example"]
                value = self.ids.get(parameter["name"], example)
                text = value if isinstance(value, str) else json.dumps(value)
                given[parameter["in"]][parameter["name"]] = text
        body = request_body(operation)
        if body and "content" not in options:
            options["json"] = example_of(body)
        return self.api.request(
            operation.method,
            operation.template.format_map(given["path"]),
            params=given["query"] | options.pop("params", {}),
            headers=given["header"] | options.pop("headers", {}),
            **options,
        )
