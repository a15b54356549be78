"""schemathesis, all checks and phases, against the live server: no failure."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contract import OPERATIONS
from tests.serving import Server

HERE = Path(__file__).parent
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
KEY = "a-key-of-the-tests"


@dataclass(frozen=True)
class Setting:
    """A configuration of the server, and how schemathesis is told of it."""

    config: str
    file: str = "schemathesis.toml"
    options: tuple[str, ...] = ()
    environ: dict[str, str] = field(default_factory=dict)


SETTINGS = {
    "open": Setting("embedding: {provider: hash}"),
    "with a key": Setting(
        "embedding: {provider: hash}",
        options=("-H", f"Authorization: Bearer {KEY}"),
        environ={"MEMIO_API_KEY": f"another,{KEY}"},
    ),
    "without two stores": Setting(
        "embedding: {provider: hash}\n"
        "stores: {facts: {provider: local}, history: {provider: local}}",
        file="not-configured.toml",
    ),
}


def fuzz(setting: Setting, directory: Path, options: Sequence[str]) -> str:
    """Run schemathesis and return its report; its failure is the test's."""
    with Server(directory, setting.config, setting.environ) as server:
        done = subprocess.run(
            [
                str(SCHEMATHESIS),
                *("--config-file", str(HERE / setting.file)),
                *("run", f"{server.url}/openapi.json", "--checks", "all"),
                # By default it leaves out the address that it reads the contract from.
                *("--include-path-regex", ".*"),
                *setting.options,
                *options,
            ],
            cwd=HERE,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(HERE),
                "HOME": str(directory),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert server.is_running
        assert "level=error" not in server.log
    tested = re.findall(r"Tested: (\d+)", done.stdout)
    assert tested == [str(len(OPERATIONS))], done.stdout
    return done.stdout


@pytest.mark.parametrize("name", SETTINGS)
def test_no_case_fails(name: str, tmp_path: Path) -> None:
    fuzz(SETTINGS[name], tmp_path, ("--max-examples", "10", "--seed", "1"))


@pytest.mark.long
@pytest.mark.parametrize("seed", ["2", "3"])
@pytest.mark.parametrize("name", SETTINGS)
def test_no_case_of_many_fails(name: str, seed: str, tmp_path: Path) -> None:
    fuzz(SETTINGS[name], tmp_path, ("--max-examples", "150", "--seed", seed))


@pytest.mark.long
def test_no_story_of_many_fails(tmp_path: Path) -> None:
    options = ("--phases", "stateful", "--max-time", "120", "--seed", "4")
    fuzz(SETTINGS["open"], tmp_path, options)
