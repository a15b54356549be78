"""What makes the client libraries: the contract it hands on, and what it refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from tests.contract import SPEC
from tools.sdk import generate
from tools.sdk.contract import for_clients, for_compiled_clients
from tools.sdk.toolbox import HERE, ToolError, run


@pytest.mark.parametrize("variant", [for_clients, for_compiled_clients])
def test_generators_get_a_valid_contract_of_all_stores(variant):
    before = copy.deepcopy(SPEC)
    document = variant(SPEC)
    assert before == SPEC
    validate(document)
    left_out = SPEC["paths"].keys() - document["paths"].keys()
    assert left_out == {"/", "/docs", "/openapi.json", "/openapi.yaml"}


def test_null_stays_where_it_has_a_meaning_of_its_own() -> None:
    schemas = for_compiled_clients(SPEC)["components"]["schemas"]
    assert "nullable" not in schemas["FactCreate"]["properties"]["user_id"]
    assert schemas["FactUpdate"]["properties"]["metadata"] == {
        "$ref": "#/components/schemas/Metadata"
    }
    assert schemas["Metadata"]["nullable"]
    assert schemas["Fact"]["properties"]["score"]["nullable"]


def test_a_warning_of_a_generator_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(generate.LANGUAGES, "go", lambda _: "[main] WARN  renamed")
    with pytest.raises(ToolError, match="generator for go warns"):
        generate.generate("go", tmp_path)


def test_a_tool_that_fails_or_is_missing_is_told() -> None:
    with pytest.raises(ToolError, match="false failed"):
        run("false")
    with pytest.raises(ToolError, match="no-such-tool cannot be run"):
        run("no-such-tool")


def test_every_version_is_pinned() -> None:
    wanted = (HERE / "requirements.txt").read_text().splitlines()
    assert all("==" in line for line in wanted if not line.startswith("#"))
    package = json.loads((HERE / "package.json").read_text())["devDependencies"]
    assert all(version[0].isdigit() for version in package.values())
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert lock[""]["devDependencies"] == package
    # An address there would hold others to the registry of whoever wrote it.
    assert not any("resolved" in entry for entry in lock.values())
