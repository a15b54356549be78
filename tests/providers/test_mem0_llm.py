"""What Mem0's library does with a language model, which a stand-in plays."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from memio.embedding import make_embedder
from memio.exceptions import ProviderError, ProviderTimeoutError
from memio.providers.mem0 import Mem0FactAdapter
from tests.standins.faults import breakable
from tests.standins.openai import OpenAIStandin
from tests.standins.service import serving

DIM = 64


def extract(messages: list[dict[str, str]]) -> str:
    """Do as Mem0's prompt asks: say in other words what is new in what was said."""
    said = re.findall(r"user: (.*?)(?:\\n|\n|\"|$)", messages[-1]["content"])[-1]
    new = [] if said.startswith("Hm") else [{"id": "0", "text": f"User {said}"}]
    return json.dumps({"memory": new})


def inferring(llm: OpenAIStandin, **more: Any) -> dict[str, Any]:
    model = {
        "api_key": OpenAIStandin.KEY,
        "openai_base_url": f"{llm.url}/v1",
        "model": "stand-in",
    }
    return {
        "llm": {"provider": "openai", "config": model},
        "embedder": {"provider": "openai", "config": {**model, "embedding_dims": DIM}},
        "vector_store": {
            "provider": "qdrant",
            "config": {"embedding_model_dims": DIM, **more},
        },
    }


@pytest.fixture
def llm() -> Iterator[OpenAIStandin]:
    standin = OpenAIStandin(extract, dim=DIM)
    with serving(standin) as standin.url:
        yield standin


@pytest.fixture(autouse=True)
def _no_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@asynccontextmanager
async def opened(store: Mem0FactAdapter) -> AsyncIterator[Mem0FactAdapter]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_an_llm_words_what_is_added(tmp_path: Path, llm: OpenAIStandin) -> None:
    store = Mem0FactAdapter(
        config=inferring(llm, path=str(tmp_path / "q")), data_dir=tmp_path
    )
    async with opened(store):
        llm.requests.clear()
        metadata = {"n": [10**30, None]}
        fact = await store.add(
            content="likes coffee", user_id="al ice", metadata=metadata
        )
        assert fact.content == "User likes coffee"
        assert (fact.user_id, fact.metadata) == ("al ice", metadata)
        assert await store.get(fact_id=fact.id) == fact
        assert list(await store.get_all(user_id="al ice")) == [fact]
        paths = [path for _, path, _ in llm.requests]
        assert paths.count("/v1/chat/completions") == 1
        assert "/v1/embeddings" in paths
        changed = await store.update(fact_id=fact.id, content="likes tea")
        assert (changed.content, changed.metadata) == ("likes tea", metadata)


async def test_what_holds_nothing_new_is_stored_as_it_is_and_once(
    tmp_path: Path, llm: OpenAIStandin
) -> None:
    store = Mem0FactAdapter(
        config=inferring(llm, path=str(tmp_path / "q")), data_dir=tmp_path
    )
    async with opened(store):
        fact = await store.add(content="Hm, well", user_id="alice")
        assert fact.content == "Hm, well"
        assert await store.add(content="Hm, well", user_id="alice") == fact
        other = await store.add(content="Hm, well", user_id="alice", metadata={"a": 1})
        assert other.id != fact.id
        assert len(await store.get_all(user_id="alice")) == 2


async def test_the_servers_embedder_serves_an_inferring_mem0(
    tmp_path: Path, llm: OpenAIStandin
) -> None:
    config = {"llm": inferring(llm)["llm"], "embedder": "memio"}
    embedder = make_embedder("hash", {})
    await embedder.open()
    store = Mem0FactAdapter(config=config, embedder=embedder, data_dir=tmp_path)
    async with opened(store):
        llm.requests.clear()
        fact = await store.add(content="likes coffee", user_id="alice")
        assert fact.content == "User likes coffee"
        assert {path for _, path, _ in llm.requests} == {"/v1/chat/completions"}


async def test_an_llm_that_fails_is_told_and_one_that_hangs_waited_for_no_longer(
    tmp_path: Path, llm: OpenAIStandin
) -> None:
    with breakable(llm.url) as proxy:
        config = inferring(llm, path=str(tmp_path / "q"))
        config["llm"]["config"]["openai_base_url"] = f"{proxy.url}/v1"
        store = Mem0FactAdapter(config={**config, "timeout": 2}, data_dir=tmp_path)
        async with opened(store):
            proxy.fault = "500"
            with pytest.raises(ProviderError) as caught:
                await store.add(content="likes coffee", user_id="alice")
            assert (caught.value.provider, caught.value.operation) == ("mem0", "add")
            proxy.fault = "hang"
            with pytest.raises(ProviderTimeoutError):
                await store.add(content="likes coffee", user_id="alice")
            await asyncio.sleep(0.5)
            assert list(await store.get_all(user_id="alice")) == []
