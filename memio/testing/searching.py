"""Search: by meaning, by words and by both, on any store."""

from __future__ import annotations

import asyncio

from memio.models import Mode
from memio.testing.base import S, standard
from memio.testing.rows import Row, RowSuite, ids
from memio.testing.samples import HARD_QUERIES, HARD_TEXTS, TEXTS


def check_scores(rows: list[Row]) -> None:
    """Scores lie in [0, 1] and fall from the first row to the last."""
    scores = [row.score for row in rows if row.score is not None]
    assert len(scores) == len(rows), "every row found has a score"
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)


class SearchSuite(RowSuite[S]):
    """What every search of every store does."""

    async def _check_texts_find_themselves(self, store: S, mode: Mode) -> None:
        await self.put_all(store, TEXTS)
        for text in TEXTS:
            found = await self.find(store, text, mode=mode)
            check_scores(found)
            assert found[0].text == text
            assert len(set(ids(found))) == len(found)

    @standard
    async def test_hybrid_search(self, store: S) -> None:
        """A text is the best answer to itself; scores are in [0, 1], best first."""
        await self._check_texts_find_themselves(store, "hybrid")

    @standard
    async def test_semantic_search(self, store: S) -> None:
        """A text is the best answer to itself; scores are in [0, 1], best first."""
        await self._check_texts_find_themselves(store, "semantic")

    @standard
    async def test_keyword_search(self, store: S) -> None:
        """A text is the best answer to itself; scores are in [0, 1], best first."""
        await self._check_texts_find_themselves(store, "keyword")

    @standard
    async def test_keyword_search_finds_a_word(self, store: S) -> None:
        """One exact word finds the rows that hold it, in any case, and only those."""
        await self.put_all(store, TEXTS)
        for query in ("puffins", "PUFFINS", "Puffins"):
            found = await self.find(store, query, mode="keyword")
            assert [row.text for row in found] == [TEXTS[3]]
            check_scores(found)

    @standard
    async def test_keyword_search_needs_a_shared_word(self, store: S) -> None:
        """A row that shares no word with the query is not an answer."""
        await self.put_all(store, TEXTS)
        assert await self.find(store, "xylophone", mode="keyword") == []
        found = await self.find(store, "xylophone puffins", mode="keyword")
        assert {row.text for row in found} <= {TEXTS[3]}

    @standard
    async def test_keyword_search_reads_other_scripts(self, store: S) -> None:
        """A word is a word in any script."""
        texts = ("Привет мир", "Zażółć gęślą jaźń", "Καλημέρα κόσμε", "東京 大阪")
        await self.put_all(store, texts)
        for text in texts:
            for word in text.split():
                found = await self.find(store, word, mode="keyword")
                assert [row.text for row in found] == [text]

    @standard
    async def test_search_keeps_its_limit(self, store: S) -> None:
        """There are at most ``limit`` answers, ten unless told, and the best ones."""
        await self.put_all(store, (f"harbour lantern {n}" for n in range(12)))
        everything = await self.find(store, "harbour lantern", limit=100)
        assert len(everything) == 12
        check_scores(everything)
        assert len(await self.find(store, "harbour lantern")) == 10
        for limit in (1, 5):
            found = await self.find(store, "harbour lantern", limit=limit)
            assert [row.score for row in found] == [
                row.score for row in everything[:limit]
            ]

    @standard
    async def test_min_score_drops_what_lies_below(self, store: S) -> None:
        """Only rows of at least ``min_score`` are answers; others keep their score."""
        query = "harbour lantern boat"
        await self.put_all(store, ("harbour lantern boat", "boat", *TEXTS))
        everything = await self.find(store, query)
        check_scores(everything)
        scores = [row.score or 0 for row in everything]
        limit = (scores[0] + scores[-1]) / 2
        assert scores[-1] < limit, "an unlike text scores lower than the query itself"
        best = await self.find(store, query, min_score=limit)
        assert ids(best) == [row.id for row in everything if (row.score or 0) >= limit]
        assert await self.find(store, query, min_score=0) == everything

    @standard
    async def test_any_text_is_a_query(self, store: S) -> None:
        """No query is a syntax error."""
        known = set(ids(await self.put_all(store, (*TEXTS, *HARD_TEXTS))))
        for query in HARD_QUERIES:
            found = await self.find(store, query)
            check_scores(found)
            assert set(ids(found)) <= known

    @standard
    async def test_any_text_is_a_keyword_query(self, store: S) -> None:
        """No query is a syntax error, least of all where words are looked up."""
        known = set(ids(await self.put_all(store, (*TEXTS, *HARD_TEXTS))))
        for query in HARD_QUERIES:
            found = await self.find(store, query, mode="keyword")
            check_scores(found)
            assert set(ids(found)) <= known

    @standard
    async def test_found_rows_are_whole(self, store: S) -> None:
        """What is found is what is listed, and a score."""
        await self.put(store, TEXTS[0], {"n": [10**30, None]})
        (listed,) = await self.page(store)
        (found,) = await self.find(store, TEXTS[0])
        assert (found.id, found.text) == (listed.id, listed.text)
        assert found.metadata == listed.metadata
        assert found.created_at == listed.created_at

    @standard
    async def test_filters_do_not_starve_a_search(self, store: S) -> None:
        """Better rows that the filter excludes leave room for those that match."""
        await asyncio.gather(
            *(self.put(store, "harbour lantern", {"lang": "fr"}) for _ in range(60))
        )
        wanted = [
            await self.put(store, f"harbour lantern {text}", {"lang": "en"})
            for text in TEXTS
        ]
        found = await self.find(
            store, "harbour lantern", limit=5, filters={"lang": "en"}
        )
        assert sorted(ids(found)) == sorted(ids(wanted))

    @standard
    async def test_searching_while_adding(self, store: S) -> None:
        """Searches amid writes do not fail, and every row is found afterwards."""
        texts = [f"lantern{n} at the harbour" for n in range(20)]
        await asyncio.gather(
            *(self.put(store, text) for text in texts),
            *(self.find(store, text) for text in texts),
        )
        for text in texts:
            assert (await self.find(store, text))[0].text == text
