"""What the tests of the client libraries share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving import Server
from tools.sdk.generate import generate
from tools.sdk.toolbox import ToolError, node_tools, python_tools

KEY = "a-key-of-the-tests"
STORIES = Path(__file__).parent / "stories"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    """A server whose stores are empty, and which wants a key."""
    config = "embedding: {provider: hash}"
    environ = {"MEMIO_API_KEY": KEY}
    with Server(tmp_path / "server", config, environ) as server:
        yield server


@pytest.fixture(scope="session")
def python_bin() -> Path:
    """The folder of the generators, once they could be installed."""
    try:
        return python_tools()
    except ToolError as error:
        return _skip("pip and PyPI", error)


@pytest.fixture(scope="session")
def node_bin(python_bin: Path) -> Path:
    """The folder of the tools for TypeScript and of the linters."""
    del python_bin
    try:
        return node_tools()
    except ToolError as error:
        return _skip("npm's registry", error)


def _skip(what: str, error: ToolError) -> Path:
    pytest.skip(f"needs {what} once, to install what generates clients: {error}")


@pytest.fixture(scope="session")
def generated(
    node_bin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Generate the client library of a language, once; any warning is an error."""
    del node_bin
    folder = tmp_path_factory.mktemp("sdk")
    return functools.cache(lambda language: generate(language, folder))
