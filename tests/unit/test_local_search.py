"""The scopes in memory follow what is written, by this process or another.

Two databases on one file stand for two processes: they share nothing but the file.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from memio.embedding import make_embedder
from memio.providers.local import LocalDatabase, LocalFactAdapter

USERS = ("ann", "bob", None)
WORDS = ("granite", "harbour", "lantern", "melon", "puffin", "saddle")

texts = st.one_of(
    st.sampled_from(WORDS),
    # Long enough for several vectors, so that an update changes their number.
    st.sampled_from(WORDS).map(lambda word: f"{word} filler " * 150),
)
steps = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(USERS), texts),
    st.tuples(st.just("update"), st.integers(0, 9), texts),
    st.tuples(st.just("delete"), st.integers(0, 9), st.none()),
    st.tuples(st.just("delete_all"), st.sampled_from(USERS), st.none()),
)


async def connect(path: Path, cache_mb: int = 512) -> LocalFactAdapter:
    embedder = make_embedder("hash", {"dim": 32})
    await embedder.open()
    store = LocalFactAdapter(LocalDatabase(path, embedder, cache_mb=cache_mb))
    await store.open()
    return store


async def play(path: Path, script: list[tuple[int, tuple]]) -> None:
    both = [await connect(path), await connect(path, cache_mb=0)]
    ids = [(await both[0].add(content=word, user_id="ann")).id for word in WORDS]
    for which, (step, argument, text) in script:
        store = both[which]
        if step == "add":
            ids.append((await store.add(content=text, user_id=argument)).id)
        elif step == "delete_all":
            gone = await store.get_all(user_id=argument, limit=1000)
            ids = [fact_id for fact_id in ids if fact_id not in {f.id for f in gone}]
            assert await store.delete_all(user_id=argument) == len(gone)
        elif ids:
            fact_id = ids[argument % len(ids)]
            if step == "update":
                await store.update(fact_id=fact_id, content=text)
            else:
                ids.remove(fact_id)
                await store.delete(fact_id=fact_id)
        for user in ("ann", None):
            await compare(path, both, user, WORDS[0])
    for store in both:
        await store.close()


async def compare(
    path: Path, both: list[LocalFactAdapter], user: str | None, query: str
) -> None:
    """Assert that stores with a past answer as one does that reads everything anew."""
    fresh = await connect(path)
    for mode in ("hybrid", "semantic", "keyword"):
        asked = {"query": query, "user_id": user, "limit": 1000, "mode": mode}
        expected = await fresh.search(**asked)
        for store in both:
            assert await store.search(**asked) == expected
    await fresh.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), steps), min_size=5, max_size=12))
def test_what_is_cached_is_what_is_stored(script: list[tuple[int, tuple]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(play(Path(directory, "memio.db"), script))
