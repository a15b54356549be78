"""openapi.yaml before the linters that people hold contracts to."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from openapi_spec_validator import validate

from tools.sdk.toolbox import ROOT, run

SPEC = ROOT / "openapi.yaml"


def test_the_contract_is_valid_openapi() -> None:
    validate(yaml.safe_load(SPEC.read_text()))


def test_redocly_finds_nothing(node_bin: Path, tmp_path: Path) -> None:
    config = tmp_path / "redocly.yaml"
    # The address / redirects, which this rule does not know of.
    rules = {"operation-2xx-response": "off"}
    config.write_text(json.dumps({"extends": ["recommended-strict"], "rules": rules}))
    said = run(
        *(node_bin / "redocly", "lint", SPEC, "--config", config, "--format", "json"),
        REDOCLY_TELEMETRY="off",
        REDOCLY_SUPPRESS_UPDATE_NOTICE="true",
    )
    assert json.JSONDecoder().raw_decode(said[said.index("{") :])[0]["problems"] == []


def test_spectral_finds_nothing(node_bin: Path, tmp_path: Path) -> None:
    rules = tmp_path / "spectral.json"
    rules.write_text(json.dumps({"extends": "spectral:oas"}))
    options = ("--ruleset", rules, "--fail-severity", "hint")
    said = run(node_bin / "spectral", "lint", SPEC, *options)
    assert said.startswith("No results")
