"""Zep's own ids, bounds and tasks stay hidden, and nothing is lost in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from memio.exceptions import (
    NotFoundError,
    NotSupportedError,
    ProviderError,
    ValidationError,
)
from memio.models import Message, Triple
from memio.providers.zep import (
    ZepFactAdapter,
    ZepGraphAdapter,
    ZepHistoryAdapter,
    ZepSettings,
    client,
)
from tests.standins.service import serving
from tests.standins.zep import ZepStandin


@pytest.fixture
def standin() -> ZepStandin:
    return ZepStandin()


@pytest.fixture
def settings(
    standin: ZepStandin, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.003)
    with serving(standin) as url:
        path = str(tmp_path / "zep.db")
        yield {"api_key": ZepStandin.KEY, "base_url": url, "path": path}


async def opened(kind, settings):
    store = kind(**settings)
    await store.open()
    return store


def say(*texts):
    return [Message(role="user", content=text) for text in texts]


def contents(messages):
    return [message.content for message in messages]


def failing(standin: ZepStandin, method: str, ending: str, after: int = 0):
    """Make requests to a path fail, once ``after`` of them have worked."""
    answer, left = standin._answer, after

    def broken(verb, path, *rest):
        nonlocal left
        if verb == method and path.endswith(ending):
            left -= 1
            if left < 0:
                raise standin.refuse(500, "broken")
        return answer(verb, path, *rest)

    standin._answer = broken
    return answer


async def test_a_lost_map_is_made_anew(settings, standin, tmp_path):
    """Users are looked up; sessions are read off their messages."""
    history = await opened(ZepHistoryAdapter, settings)
    await history.add(session_id="s/1", messages=say("one"), user_id="ann")
    await history.add(session_id="s/1", messages=say("two"))
    await history.add(session_id="s2", messages=say("nobody's"))
    facts = await opened(ZepFactAdapter, settings)
    await facts.add(content="a fact", user_id="ann")
    await history.close()
    await facts.close()

    settings = {**settings, "path": str(tmp_path / "new.db")}
    history = await opened(ZepHistoryAdapter, settings)
    assert list(await history.get_all()) == ["s2", "s/1"]
    assert list(await history.get_all(user_id="ann")) == ["s/1"]
    assert contents(await history.get(session_id="s/1")) == ["one", "two"]
    facts = await opened(ZepFactAdapter, settings)
    await facts.add(content="another", user_id="ann")
    assert len(await facts.get_all(user_id="ann")) == 2
    assert len(standin.users) == 2
    await history.close()
    await facts.close()


async def test_making_a_lost_map_anew_may_take_several_calls(
    settings, standin, tmp_path
):
    """What one call had read before its time was up, the next one does not ask for."""
    history = await opened(ZepHistoryAdapter, settings)
    for n in range(20):
        await history.add(session_id=f"s{n}", messages=say("hi"))
    await history.close()
    history = await opened(
        ZepHistoryAdapter, {**settings, "path": str(tmp_path / "new.db")}
    )
    working = failing(standin, "GET", "/messages", after=12)
    with pytest.raises(ProviderError):
        await history.get_all()
    standin._answer = working
    standin.requests.clear()
    assert len(await history.get_all()) == 20
    asked = [path for _, path, _ in standin.requests if "/messages" in path]
    assert 8 <= len(asked) < 20
    await history.close()


async def test_stores_that_share_the_file_share_what_they_know(settings, standin):
    """As the processes of a server do: one session is one thread, one user one user."""
    stores = [await opened(ZepHistoryAdapter, settings) for _ in range(3)]
    await asyncio.gather(
        *(
            store.add(session_id="s", messages=say(f"{n}"), user_id="ann")
            for n, store in enumerate(stores * 4)
        )
    )
    assert (len(standin.threads), len(standin.users)) == (1, 1)
    for store in stores:
        assert len(await store.get(session_id="s")) == 12
    await stores[0].delete(session_id="s")
    with pytest.raises(NotFoundError):
        await stores[1].get(session_id="s")
    await stores[2].add(session_id="s", messages=say("anew"), user_id="bob")
    assert contents(await stores[1].get(session_id="s")) == ["anew"]
    for store in stores:
        await store.close()


async def test_a_fact_deleted_during_its_update_stays_deleted(settings, standin):
    store = await opened(ZepFactAdapter, settings)
    fact = await store.add(content="old", user_id="ann")
    add = standin.add_episode

    def then_deleted(body, graph):
        standin.episodes.clear()
        return add(body, graph)

    standin._routes = [
        (found, then_deleted if handle == add else handle)
        for found, handle in standin._routes
    ]
    with pytest.raises(NotFoundError):
        await store.update(fact_id=fact.id, content="new")
    assert standin.episodes == {}
    await store.close()


async def test_a_user_deleted_at_zep_begins_anew(settings, standin):
    store = await opened(ZepFactAdapter, settings)
    fact = await store.add(content="old", user_id="ann")
    standin.users.clear()
    assert list(await store.get_all(user_id="ann")) == []
    with pytest.raises(NotFoundError):
        await store.get(fact_id=fact.id)
    await store.add(content="new", user_id="ann")
    assert contents(await store.get_all(user_id="ann")) == ["new"]
    await store.close()


async def test_a_thread_deleted_at_zep_begins_anew(settings, standin):
    store = await opened(ZepHistoryAdapter, settings)
    await store.add(session_id="s", messages=say("old"), user_id="ann")
    standin.threads.clear()
    with pytest.raises(NotFoundError):
        await store.get(session_id="s")
    await store.add(session_id="s", messages=say("new"), user_id="ann")
    assert contents(await store.get(session_id="s")) == ["new"]
    await store.close()


async def test_a_part_of_a_batch_is_never_read(settings, standin):
    store = await opened(ZepHistoryAdapter, settings)
    await store.add(session_id="s", messages=say("first"))
    working = failing(standin, "POST", "/messages", after=1)
    with pytest.raises(ProviderError):
        await store.add(session_id="s", messages=say(*map(str, range(50))))
    standin._answer = working
    thread = next(iter(standin.threads.values()))
    assert len(thread["messages"]) == 31
    assert contents(await store.get(session_id="s", limit=100)) == ["first"]
    await store.add(session_id="s", messages=say("last"))
    assert contents(await store.get(session_id="s")) == ["first", "last"]
    assert contents(await store.search(query="17", session_id="s")) == ["first", "last"]
    await store.close()


async def test_long_messages_are_cut_for_zep_alone(settings, standin):
    store = await opened(ZepHistoryAdapter, settings)
    texts = ["long " * 3000, " " * 5000, "", "short"]
    await store.add(session_id="s", messages=say(*texts))
    assert contents(await store.get(session_id="s")) == texts
    stored = next(iter(standin.threads.values()))["messages"]
    assert [len(each["content"]) for each in stored[:4]] == [4000, 4000, 4000, 3000]
    await store.close()


async def test_messages_of_others_in_a_thread_do_no_harm(settings, standin):
    store = await opened(ZepHistoryAdapter, settings)
    await store.add(session_id="s", messages=say("mine"))
    (thread,) = standin.threads
    body = {"messages": [{"content": "theirs", "role": "user"}]}
    standin.add_messages(body, thread)
    assert contents(await store.get(session_id="s")) == ["mine"]
    await store.close()


async def test_an_interrupted_update_leaves_one_fact(settings, standin):
    """Its new version; the old one goes with it."""
    store = await opened(ZepFactAdapter, settings)
    fact = await store.add(content="old", user_id="ann")
    working = failing(standin, "DELETE", "")
    with pytest.raises(ProviderError):
        await store.update(fact_id=fact.id, content="new")
    standin._answer = working
    assert len(standin.episodes) == 2
    assert (await store.get(fact_id=fact.id)).content == "new"
    assert contents(await store.get_all()) == ["new"]
    assert contents(await store.search(query="old")) == ["new"]
    await store.delete(fact_id=fact.id)
    assert standin.episodes == {}
    await store.close()


async def test_episodes_of_others_are_left_alone(settings, standin):
    store = await opened(ZepFactAdapter, settings)
    await store.add(content="mine", user_id="ann")
    (user,) = standin.users
    standin.add_episode({"data": "learned elsewhere"}, user)
    assert contents(await store.get_all()) == ["mine"]
    assert await store.delete_all() == 1
    assert [each["content"] for each in standin.episodes.values()] == [
        "learned elsewhere"
    ]
    await store.close()


async def test_an_entity_is_one_node(settings, standin):
    store = await opened(ZepGraphAdapter, settings)
    knows = [Triple("ann", "knows", name) for name in ("bob", "cy", "ann")]
    await store.add(triples=knows, user_id="u")
    await store.add(triples=[Triple("bob", "works_at", "ann")], user_id="u")
    assert sorted(each["name"] for each in standin.nodes.values()) == [
        *("ann", "bob", "cy")
    ]
    assert {each["name"] for each in standin.edges.values()} == {"KNOWS", "WORKS_AT"}
    await store.close()


async def test_a_triple_that_two_processes_added_at_once_is_one(settings, standin):
    store = await opened(ZepGraphAdapter, settings)
    (triple,) = await store.add(triples=[Triple("a", "b", "c", {"n": 1})])
    (edge,) = standin.edges.values()
    twin = {**edge, "uuid": "ffffffff-ffff-4fff-bfff-ffffffffffff"}
    standin.edges[twin["uuid"]] = twin
    assert (await store.get_all()).triples == [triple]
    assert (await store.search(query="a b c")).triples == [triple]
    (changed,) = await store.add(triples=[Triple("a", "b", "c", {"n": 2})])
    assert (await store.get(entity="a")).triples == [changed]
    assert changed.id == triple.id
    await store.delete(entity="c")
    assert standin.edges == {}
    await store.close()


async def test_triples_of_nobody_and_of_a_user_of_that_name(settings):
    store = await opened(ZepGraphAdapter, settings)
    await store.add(triples=[Triple("a", "b", "c", {"whose": "nobody's"})])
    theirs = [Triple("a", "b", "c", {"whose": "theirs"})]
    await store.add(triples=theirs, user_id=client.NOBODY)
    found = (await store.get_all(user_id=client.NOBODY)).triples
    assert [each.metadata for each in found] == [{"whose": "theirs"}]
    assert len((await store.get_all()).triples) == 2
    await store.close()


async def test_more_triples_than_zep_stores_at_once_are_refused(settings, standin):
    store = await opened(ZepGraphAdapter, settings)
    many = [Triple("hub", "has", str(n)) for n in range(101)]
    with pytest.raises(NotSupportedError, match="several requests"):
        await store.add(triples=many)
    assert standin.edges == {}
    assert len(await store.add(triples=many[:100] + many[:50])) == 150
    await store.close()


async def test_a_task_that_fails_is_an_error(settings, standin):
    shown = standin._shown
    standin._shown = lambda task: {**shown(task), "status": "failed"}
    store = await opened(ZepGraphAdapter, settings)
    with pytest.raises(ProviderError, match="failed"):
        await store.add(triples=[Triple("a", "b", "c")])
    await store.close()


async def test_there_is_a_bound_to_looking_at_everybody(
    settings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(client, "MOST_USERS", 2)
    store = await opened(ZepFactAdapter, settings)
    for user in "abc":
        await store.add(content="fact", user_id=user)
    with pytest.raises(NotSupportedError, match="give a user_id"):
        await store.get_all()
    assert len(await store.get_all(user_id="b")) == 1
    await store.close()


async def test_texts_and_ids_beyond_zep_are_refused_with_a_hint(settings, standin):
    store = await opened(ZepFactAdapter, settings)
    with pytest.raises(NotSupportedError, match="10000"):
        await store.add(content="x" * 10_001)
    with pytest.raises(ValidationError, match="500"):
        await store.add(content="x", user_id="u" * 501)
    assert standin.episodes == {}
    assert list(await store.get_all(user_id="u" * 501)) == []
    await store.close()


def test_settings(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.delenv("ZEP_API_KEY", raising=False)
    with pytest.raises(ValueError, match="ZEP_API_KEY"):
        ZepFactAdapter()
    settings = ZepSettings(api_key="secret")
    assert "secret" not in repr(settings)

    class Context:
        data_dir = tmp_path

    for kind in (ZepFactAdapter, ZepHistoryAdapter, ZepGraphAdapter):
        assert kind.from_config(settings, Context())
