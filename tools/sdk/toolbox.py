"""Where the generators are: installed once, by pinned version, in build/sdk."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / "build" / "sdk"


class ToolError(Exception):
    """A tool could not be installed, or failed, or had something to warn of."""


def python_tools() -> Path:
    """Return the folder of the commands of requirements.txt; Node is one of them.

    Raises:
        ToolError: They could not be installed.
    """
    folder = BUILD / "python"
    commands = folder / "bin"
    wanted = HERE / "requirements.txt"
    with _made_from(wanted, folder) as is_made:
        if not is_made:
            run(sys.executable, "-m", "venv", folder)
            pip = (commands / "python", "-m", "pip", "--disable-pip-version-check")
            run(*pip, "install", "--quiet", "--requirement", wanted)
    return commands


def node_tools() -> Path:
    """Return the folder of the commands of package.json.

    Raises:
        ToolError: They could not be installed.
    """
    npm = python_tools() / "npm"
    folder = BUILD / "node"
    wanted = HERE / "package-lock.json"
    with _made_from(wanted, folder) as is_made:
        if not is_made:
            for file in (wanted, HERE / "package.json"):
                shutil.copy(file, folder)
            # Nothing here needs what packages want to run when they are installed.
            run(npm, "ci", "--ignore-scripts", "--no-fund", "--no-audit", cwd=folder)
    return folder / "node_modules" / ".bin"


def run(*command: str | Path, cwd: Path = ROOT, **environ: str) -> str:
    """Run a tool, with ours first on its path, and return all that it said.

    Raises:
        ToolError: It failed; the error tells what it said.
    """
    path = f"{BUILD / 'python' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    try:
        done = subprocess.run(  # noqa: S603, the commands are those of this package
            list(map(str, command)),
            cwd=cwd,
            env={**os.environ, **environ, "PATH": path, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ToolError(f"{command[0]} cannot be run: {error}") from error
    if done.returncode:
        raise ToolError(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


@contextmanager
def _made_from(wanted: Path, folder: Path) -> Iterator[bool]:
    """Say whether the folder is made from the file; if not, it is emptied to be.

    Two that ask at once take turns, and what is left half made is made anew.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    stamp = folder / f"made-from-{wanted.name}"
    with (BUILD / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_made = stamp.exists() and stamp.read_bytes() == wanted.read_bytes()
        if not is_made:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield is_made
        stamp.write_bytes(wanted.read_bytes())
