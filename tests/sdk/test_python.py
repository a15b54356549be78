"""The Python client: generated, checked by mypy, and driven against the server."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.sdk.conftest import KEY, STORIES
from tests.serving import Server
from tools.sdk.toolbox import run


def test_the_python_client_tells_a_story(
    generated: Callable[[str], Path], python_bin: Path, served: Server
) -> None:
    client = generated("python")
    story = client / "story.py"
    shutil.copy(STORIES / "story.py", story)
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-incremental"),
            *("--config-file=", "--python-executable", str(python_bin / "python")),
            *("story.py", "memio_client"),
        ],
        cwd=client,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Success" in checked.stdout, checked.stdout + checked.stderr
    told = run(python_bin / "python", "-W", "error", story, served.url, KEY, cwd=client)
    assert told == "told\n"


def test_the_python_client_is_named_as_a_person_would(
    generated: Callable[[str], Path],
) -> None:
    client = generated("python") / "memio_client"
    modules = {path.stem for path in (client / "models").glob("*.py")}
    assert {"fact_create", "filters", "metadata", "error_code"} <= modules
    # What the generator makes of names that the contract does not give.
    assert [name for name in modules if "type_" in name or "response_200" in name] == []
    assert {path.name for path in (client / "api").iterdir() if path.is_dir()} == {
        "documents",
        "facts",
        "graph",
        "history",
        "meta",
    }
    assert "def sync(" in (client / "api" / "facts" / "create_fact.py").read_text()
