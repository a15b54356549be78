"""What may be configured of Mem0, and a whole server that is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from memio.config import ConfigError, load_settings
from memio.providers.mem0 import Mem0Settings
from memio.providers.mem0.rows import escape
from tests.serving import Server


@pytest.fixture(autouse=True)
def _no_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def read(tmp_path: Path, config: str) -> Any:
    file = tmp_path / "memio.yaml"
    file.write_text(f"stores: {{facts: {{provider: mem0, config: {config}}}}}")
    settings = load_settings({"--config": str(file)}, {"MEM0_API_KEY": "m0-secret"})
    return settings.stores["facts"].config


def test_the_originals_configuration_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, '{api_key: "${MEM0_API_KEY}"}').api_key == "m0-secret"


def test_what_mem0_documents_is_handed_to_it(tmp_path: Path) -> None:
    config = {
        "vector_store": {"provider": "qdrant", "config": {"host": "q", "port": 6333}},
        "llm": {"provider": "ollama", "config": {"model": "m"}},
        "embedder": {"provider": "ollama", "config": {"model": "e"}},
        "custom_instructions": "Be brief.",
    }
    settings = read(tmp_path, json.dumps(config))
    assert settings.mem0_config == config
    assert (settings.infers, settings.uses_memio_embedder) == (True, False)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("{api_key: k, llm: {provider: openai}}", "takes no llm"),
        ("{host: 'http://x'}", "api_key"),
        ("{embedder: openai}", "embedder must be 'memio'"),
        ("{infer: true}", "OPENAI_API_KEY"),
        ("{vector_stor: {}}", "did you mean 'vector_store'"),
        ("{graph_store: {provider: neo4j}}", "graph_store is not a setting"),
        ("{reranker: {provider: cohere}}", "reranker is not a setting"),
        ("{config: {vector_stor: {}}}", "config.vector_stor is not a setting"),
        ("{llm: {}, config: {llm: {}}}", "llm is given twice"),
    ],
)
def test_wrong_settings_are_refused_at_start(
    tmp_path: Path, config: str, told: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        read(tmp_path, config)


def test_mem0s_configuration_may_be_a_mapping_of_its_own(tmp_path: Path) -> None:
    store = {"provider": "faiss", "config": {"path": "f"}}
    settings = read(tmp_path, json.dumps({"config": {"vector_store": store}}))
    assert settings == Mem0Settings(vector_store=store)


def test_the_services_address_is_set_or_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MEM0_HOST", raising=False)
    assert Mem0Settings(api_key="k").address == "https://api.mem0.ai"
    monkeypatch.setenv("MEM0_HOST", "http://env/")
    assert Mem0Settings(api_key="k").address == "http://env"
    assert Mem0Settings(api_key="k", host="http://set/").address == "http://set"


def test_without_openai_memio_embeds_and_nothing_is_inferred(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Mem0Settings().uses_memio_embedder
    assert not Mem0Settings().infers
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert not Mem0Settings().uses_memio_embedder
    assert Mem0Settings().infers
    assert not Mem0Settings(infer=False).infers


def test_keys_are_not_shown() -> None:
    settings = Mem0Settings(api_key="m0-secret")
    own = Mem0Settings(llm={"config": {"api_key": "sk-secret"}})
    assert "secret" not in repr(settings) + repr(own)


def test_ids_that_mem0_refuses_are_escaped() -> None:
    assert [escape(each) for each in ("a", "a b", "*", "", "50%")] == [
        *("a", "a%20b", "%2A", "%", "50%25"),
    ]


def test_importing_memio_does_not_import_mem0() -> None:
    code = "import memio.providers.mem0, sys; sys.exit('mem0' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_library_serves_and_a_graph_says_that_mem0_has_none(tmp_path: Path) -> None:
    config = """
embedding: {provider: hash}
stores:
  facts: {provider: mem0, config: {infer: false}}
  graph: {provider: mem0, config: {config: {graph_store: {provider: neo4j}}}}
"""
    environ = {"OPENAI_API_KEY": ""}
    with Server(tmp_path, config, environ) as server:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            body = {"content": "likes coffee", "user_id": "alice"}
            added = client.post("/v1/facts", json=body)
            assert added.status_code == 201, added.text
            listed = client.get("/v1/facts", params={"user_id": "alice"})
            assert listed.json() == [added.json()]
            refused = client.post("/v1/graph/search", json={"query": "coffee"})
            assert refused.status_code == 501
            assert refused.json()["error"] == "not_supported"
            assert "Mem0 took its graph store out" in refused.json()["detail"]
        assert "likes coffee" not in server.log
