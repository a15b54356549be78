"""The example of a provider in a package of its own: it passes the kit, and serves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memio.embedding import make_embedder
from memio.exceptions import SetupError
from memio.testing import FactStoreSuite
from tests.contract import ROOT, Api
from tests.example_provider.memio_folder.facts import FolderFactAdapter
from tests.serving import Server

EXAMPLE = ROOT / "tests" / "example_provider"
CONFIG = """
embedding: {provider: hash}
stores:
  facts: {provider: folder, config: {path: facts}}
"""


class TestFolderFacts(FactStoreSuite):
    async def make_store(self, path: Path) -> FolderFactAdapter:
        embedder = make_embedder("hash", {})
        await embedder.open()
        return FolderFactAdapter(path, embedder)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example installed, as pip does it."""
    target = tmp_path_factory.mktemp("site-packages")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps")
    subprocess.run([*pip, "--target", target, EXAMPLE], check=True)
    return target


@pytest.fixture
def serving(installed: Path, tmp_path: Path) -> Iterator[Server]:
    paths = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
    with Server(tmp_path, CONFIG, environ={"PYTHONPATH": paths}) as running:
        yield running


def test_an_installed_package_is_known_by_its_entry_point(serving: Server) -> None:
    with Api(base_url=serving.url) as api:
        stored = api.post("/v1/facts", json={"content": "likes tea", "user_id": "u"})
        assert stored.status_code == 201
        found = api.post("/v1/facts/search", json={"query": "tea"}).json()
        assert [fact["id"] for fact in found] == [stored.json()["id"]]
    (file,) = (serving.directory / "facts").iterdir()
    assert file.name == f"{stored.json()['id']}.json"


async def test_a_file_that_is_no_fact_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[1]")
    store = FolderFactAdapter(tmp_path, make_embedder("hash", {}))
    with pytest.raises(SetupError, match=r"list\.json holds no fact"):
        await store.open()


async def test_half_a_write_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "0199.new").write_text('{"id": "01')
    store = FolderFactAdapter(tmp_path, make_embedder("hash", {}))
    await store.open()
    assert list(await store.get_all()) == []
    await store.close()
