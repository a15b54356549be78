"""Letta's agent is never run, and what its server loses is kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

import pytest

from memio.exceptions import NotFoundError, ProviderError
from memio.models import Message
from memio.providers.letta import (
    LettaDocumentAdapter,
    LettaFactAdapter,
    LettaHistoryAdapter,
    LettaSettings,
)
from tests.standins.letta import AGENT, LettaStandin
from tests.standins.service import serving


@pytest.fixture(params=["own server", "cloud"])
def standin(request) -> LettaStandin:
    return LettaStandin(cloud=request.param == "cloud")


@pytest.fixture
def settings(standin: LettaStandin) -> Iterator[dict[str, str]]:
    with serving(standin) as url:
        yield {"agent_id": AGENT, "api_key": LettaStandin.KEY, "base_url": url}


async def opened(kind, settings):
    store = kind(**settings)
    await store.open()
    return store


def say(*texts):
    return [Message(role="user", content=text) for text in texts]


def contents(rows):
    return [row.content for row in rows]


async def test_the_agent_is_never_run(settings, standin):
    history = await opened(LettaHistoryAdapter, settings)
    await history.add(session_id="s", messages=say("hello"), user_id="ann")
    assert contents(await history.get(session_id="s")) == ["hello"]
    assert contents(await history.search(query="hello", user_id="ann")) == ["hello"]
    await history.delete(session_id="s")
    await history.close()
    paths = [path for _, path, _ in standin.requests]
    assert not [path for path in paths if "message" in path or "conversation" in path]


async def test_found_rows_are_whole_even_where_search_loses_metadata(settings):
    facts = await opened(LettaFactAdapter, settings)
    fact = await facts.add(
        content="oat milk", user_id="ann", agent_id="bot", metadata={"n": [10**30]}
    )
    await facts.add(content="cow milk", user_id="bob")
    (found,) = await facts.search(query="milk", user_id="ann")
    assert (found.id, found.metadata, found.agent_id) == (
        *(fact.id, {"n": [10**30]}, "bot"),
    )
    await facts.close()


async def test_facts_and_documents_share_the_agents_archive(settings, standin):
    """An agent with two archives could not search its memory any more."""
    facts = await opened(LettaFactAdapter, settings)
    documents = await opened(LettaDocumentAdapter, settings)
    await facts.add(content="a fact")
    await documents.add(content="a document", doc_id="d")
    history = await opened(LettaHistoryAdapter, settings)
    await history.add(session_id="s", messages=say("hello"))
    assert len(standin.attached) == 1
    assert contents(await facts.get_all()) == ["a fact"]
    assert contents(await documents.search(query="fact")) == ["a document"]
    assert await documents.delete_all() == 1
    assert contents(await facts.get_all()) == ["a fact"]
    for store in (facts, documents, history):
        await store.close()


async def test_an_archive_that_the_agent_has_is_used(settings, standin):
    theirs = standin.create_archive({"name": "the agent's own"})["id"]
    standin.attach(AGENT, theirs)
    standin.create_passage({"text": "remembered by the agent"}, theirs)
    facts = await opened(LettaFactAdapter, settings)
    await facts.add(content="a fact")
    assert contents(await facts.get_all()) == ["a fact"]
    assert contents(await facts.search(query="remembered")) == ["a fact"]
    assert await facts.delete_all() == 1
    assert list(standin.archives) == [theirs]
    assert [each["text"] for each in standin.passages.values()] == [
        "remembered by the agent"
    ]
    await facts.close()


async def test_an_archive_that_was_deleted_is_made_anew(settings, standin):
    facts = await opened(LettaFactAdapter, settings)
    await facts.add(content="old")
    standin.delete_archive(standin.attached[0])
    await facts.add(content="new")
    assert contents(await facts.get_all()) == ["new"]
    await facts.close()


async def test_processes_that_begin_at_once_agree_on_the_archive(settings, standin):
    stores = [await opened(LettaFactAdapter, settings) for _ in range(6)]
    await asyncio.gather(*(store.add(content="a fact") for store in stores))
    assert len(standin.attached) == len(standin.archives) == 1
    for store in stores:
        assert len(await store.get_all()) == 6
        await store.close()


async def test_an_archive_made_before_a_crash_is_used(settings, standin):
    left = standin.create_archive({"name": f"memio {AGENT}"})["id"]
    store = await opened(LettaFactAdapter, settings)
    await store.add(content="a fact")
    assert (standin.attached, list(standin.archives)) == ([left], [left])
    await store.close()


async def test_an_archive_that_another_process_replaced_is_read(settings, standin):
    one, two = [await opened(LettaFactAdapter, settings) for _ in range(2)]
    await one.add(content="old")
    assert contents(await two.get_all()) == ["old"]
    standin.delete_archive(standin.attached[0])
    await one.add(content="new")
    assert contents(await two.get_all()) == ["new"]
    await one.close()
    await two.close()


async def test_processes_that_begin_a_session_at_once_agree(settings, standin):
    stores = [await opened(LettaHistoryAdapter, settings) for _ in range(5)]
    users = ["ann", "bob", "ann", "bob", "ann"]
    await asyncio.gather(
        *(
            store.add(session_id="s", messages=say(user), user_id=user)
            for store, user in zip(stores, users, strict=True)
        ),
        return_exceptions=True,
    )
    assert len(standin.archives) == 1
    assert len({each.content for each in await stores[0].get(session_id="s")}) == 1
    for store in stores:
        await store.close()


async def test_a_session_goes_with_what_an_interrupted_start_left(settings, standin):
    history = await opened(LettaHistoryAdapter, settings)
    await history.add(session_id="s", messages=say("hello"), user_id="ann")
    (made,) = standin.archives.values()
    standin.create_archive({key: made[key] for key in ("name", "description")})
    assert list(await history.get_all()) == ["s"]
    await history.delete(session_id="s")
    assert standin.archives == {}
    await history.close()


async def test_an_update_that_another_process_overtook_is_kept_once(settings, standin):
    one, two = [await opened(LettaDocumentAdapter, settings) for _ in range(2)]
    await one.add(content="first", doc_id="d")
    await asyncio.gather(
        *(
            store.update(doc_id="d", content=f"by {n}")
            for n, store in enumerate((one, two))
        )
    )
    (found,) = await one.get_all()
    assert found.content in ("by 0", "by 1")
    assert (await two.get(doc_id="d")).content == found.content
    await one.delete(doc_id="d")
    assert standin.passages == {}
    await one.close()
    await two.close()


async def test_a_fact_is_looked_up_in_its_own_moment(settings, standin):
    facts = await opened(LettaFactAdapter, settings)
    fact = await facts.add(content="a fact")
    await facts.get(fact_id=fact.id)
    _, path, body = standin.requests[-1]
    assert path == "/v1/passages/search"
    assert {"start_date", "end_date"} <= body.keys()
    await facts.close()


async def test_archives_of_many_pages_are_read_whole(settings):
    facts = await opened(LettaFactAdapter, settings)
    for n in range(230):
        await facts.add(content=f"fact {n}")
    listed = await facts.get_all(limit=1000)
    assert contents(listed) == [f"fact {n}" for n in reversed(range(230))]
    await facts.close()


async def test_an_interrupted_update_leaves_one_fact(settings, standin):
    """Its new version; the old one goes with it."""
    facts = await opened(LettaFactAdapter, settings)
    fact = await facts.add(content="old")
    answer = standin._answer

    def broken(verb, *rest):
        if verb == "DELETE":
            raise standin.refuse(500, "broken")
        return answer(verb, *rest)

    standin._answer = broken
    with pytest.raises(ProviderError):
        await facts.update(fact_id=fact.id, content="new")
    standin._answer = answer
    assert len(standin.passages) == 2
    assert contents(await facts.get_all()) == ["new"]
    assert contents(await facts.search(query="old")) == ["new"]
    await facts.delete(fact_id=fact.id)
    assert standin.passages == {}
    await facts.close()


async def test_a_session_deleted_at_letta_begins_anew(settings, standin):
    history = await opened(LettaHistoryAdapter, settings)
    await history.add(session_id="s", messages=say("old"), user_id="ann")
    for archive in list(standin.archives):
        standin.delete_archive(archive)
    with pytest.raises(NotFoundError):
        await history.get(session_id="s")
    await history.add(session_id="s", messages=say("new"), user_id="bob")
    assert contents(await history.get(session_id="s")) == ["new"]
    await history.close()


async def test_a_text_that_is_too_long_to_embed_comes_back_whole(settings, standin):
    documents = await opened(LettaDocumentAdapter, settings)
    text = "A long document. " * 2000 + "\x00"
    await documents.add(content=text, doc_id="d")
    assert (await documents.get(doc_id="d")).content == text
    (passage,) = standin.passages.values()
    assert len(passage["text"]) == 4000
    (found,) = await documents.search(query="document", mode="keyword")
    assert found.content == text
    await documents.close()


@pytest.mark.long
@pytest.mark.skipif(
    "MEMIO_LETTA_URL" not in os.environ,
    reason="set MEMIO_LETTA_URL and MEMIO_LETTA_AGENT to a Letta server of your own "
    "and to an agent there whose memory may be deleted",
)
async def test_a_real_letta_server():
    """Last passed with letta 0.16.8 on PostgreSQL, and embeddings of a stand-in."""
    settings = {
        "agent_id": os.environ["MEMIO_LETTA_AGENT"],
        "base_url": os.environ["MEMIO_LETTA_URL"],
        "api_key": os.environ.get("MEMIO_LETTA_KEY"),
    }
    facts = await opened(LettaFactAdapter, settings)
    await facts.ping()
    await facts.delete_all()
    fact = await facts.add(
        content="oat milk\x00", user_id="ann", metadata={"n": [10**30, None]}
    )
    assert await facts.get(fact_id=fact.id) == fact
    await facts.add(content="cow milk", user_id="bob")
    (found,) = await facts.search(query="milk", user_id="ann")
    assert (found.id, found.metadata) == (fact.id, {"n": [10**30, None]})
    await facts.update(fact_id=fact.id, content="soy milk")
    assert contents(await facts.get_all()) == ["cow milk", "soy milk"]

    documents = await opened(LettaDocumentAdapter, settings)
    await documents.delete_all()
    await documents.add(content="A long document. " * 2000, doc_id="a/b")
    assert (await documents.get(doc_id="a/b")).content == "A long document. " * 2000
    assert await documents.delete_all() == 1
    assert await facts.delete_all() == 2
    with pytest.raises(NotFoundError):
        await facts.get(fact_id=fact.id)

    history = await opened(LettaHistoryAdapter, settings)
    await history.delete_all()
    await history.add(session_id="s/1", messages=say("hello", ""), user_id="ann")
    await history.add(session_id="s/1", messages=say("again"))
    assert contents(await history.get(session_id="s/1")) == ["hello", "", "again"]
    assert contents(await history.search(query="hello", limit=1)) == ["hello"]
    assert list(await history.get_all()) == ["s/1"]
    await history.delete(session_id="s/1")
    assert list(await history.get_all()) == []
    for store in (facts, documents, history):
        await store.close()


def test_settings(monkeypatch: pytest.MonkeyPatch):
    for name in ("LETTA_API_KEY", "LETTA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match="LETTA_API_KEY"):
        LettaFactAdapter(agent_id=AGENT)
    with pytest.raises(ValueError, match="agent_id"):
        LettaSettings(agent_id="bot")
    settings = LettaSettings(agent_id=AGENT, api_key="secret")
    assert "secret" not in repr(settings)
    for kind in (LettaFactAdapter, LettaHistoryAdapter, LettaDocumentAdapter):
        assert kind.from_config(settings, None)
