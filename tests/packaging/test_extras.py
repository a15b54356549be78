"""The oldest SDKs that the extras allow serve as well as the newest."""

from __future__ import annotations

import re
import shutil
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
TOOLS = [each for each in EXTRAS["dev"] if not each.startswith("memio")]
RANGE = re.compile(r"([\w-]+)>=([\d.]+),<\d+")


def test_every_sdk_has_a_lowest_and_a_highest_version() -> None:
    for requirements in SDKS.values():
        assert all(RANGE.fullmatch(each) for each in requirements)


@pytest.mark.long
@pytest.mark.parametrize(
    "names",
    # The oldest Chroma cannot be installed together with any Mem0 that will do.
    [["chroma"], [name for name in SDKS if name != "chroma"]],
    ids=["chroma", "the others"],
)
def test_the_oldest_sdks_pass_what_the_newest_do(
    names: list[str], tmp_path: Path
) -> None:
    oldest = [
        RANGE.sub(r"\1==\2", requirement)
        for name in names
        for requirement in SDKS[name]
    ]
    (tmp_path / "oldest.txt").write_text("\n".join(oldest))
    extras = ["chroma"] if names == ["chroma"] else SDKS
    project = f"{ROOT}[{','.join(extras)},onnx,openai]"
    environment = tmp_path / "environment"
    python = environment / "bin" / "python"
    tests = [
        path
        for folder in ("conformance", "providers")
        for name in names
        for path in (ROOT / "tests" / folder).glob(f"test_{name}*.py")
    ]
    for command in (
        (sys.executable, "-m", "venv", environment),
        (
            *(python, "-m", "pip", "install", "--quiet", "--editable", project),
            *("--constraint", tmp_path / "oldest.txt", *TOOLS),
        ),
        (python, "-m", "pytest", "-q", "-m", "not long", "-n", "2", *tests),
    ):
        done = subprocess.run(
            list(map(str, command)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
    shutil.rmtree(environment)  # a gigabyte and more
