"""The TypeScript clients: generated, compiled strictly, driven against the server."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sdk.conftest import KEY, STORIES
from tests.serving import Server
from tools.sdk.toolbox import run

STRICT = ("--strict", "--noUncheckedIndexedAccess", "--types", "node")


@pytest.fixture(scope="module")
def compiled(generated: Callable[[str], Path], node_bin: Path) -> Path:
    """The stories of both clients, checked and made JavaScript in one go."""
    folder = generated("typescript").parent
    generated("typescript-fetch")
    stories = [shutil.copy(story, folder) for story in sorted(STORIES.glob("*.ts"))]
    (folder / "package.json").write_text('{"type": "commonjs"}')
    (folder / "node_modules").symlink_to(node_bin.parent)
    target = ("--target", "es2022", "--module", "node16", "--outDir", "built")
    run(node_bin / "tsc", *STRICT, *target, *stories, cwd=folder)
    return folder / "built"


@pytest.mark.parametrize("story", ["hey_api", "openapi_fetch"])
def test_a_typescript_client_tells_a_story(
    story: str, compiled: Path, served: Server
) -> None:
    assert run("node", compiled / f"{story}.js", served.url, KEY) == "told\n"
