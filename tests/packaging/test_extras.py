"""The oldest SDKs that the extras allow serve as well as the newest."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from memio.registry import PROVIDERS
from tests.contract import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
SDKS = {
    name: EXTRAS[provider.extra]
    for name, provider in PROVIDERS.items()
    if provider.extra is not None
}
RANGE = re.compile(r"([\w-]+)>=([\d.]+),<\d+")


def test_every_sdk_has_a_lowest_and_a_highest_version() -> None:
    for requirements in SDKS.values():
        assert all(RANGE.fullmatch(each) for each in requirements)


@pytest.mark.long
def test_the_oldest_sdks_pass_what_the_newest_do(tmp_path: Path) -> None:
    oldest = [
        RANGE.fullmatch(each).expand(r"\1==\2")  # type: ignore[union-attr]
        for requirements in SDKS.values()
        for each in requirements
    ]
    (tmp_path / "oldest.txt").write_text("\n".join(oldest))
    python = tmp_path / "bin" / "python"
    tests = [
        path
        for folder in ("conformance", "providers")
        for name in SDKS
        for path in (ROOT / "tests" / folder).glob(f"test_{name}*.py")
    ]
    for command in (
        (sys.executable, "-m", "venv", tmp_path),
        (
            *(python, "-m", "pip", "install", "--quiet", "--editable", f"{ROOT}[dev]"),
            *("--constraint", tmp_path / "oldest.txt"),
        ),
        (python, "-m", "pytest", "-q", "-m", "not long", *tests),
    ):
        done = subprocess.run(
            list(map(str, command)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
