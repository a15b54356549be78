"""Words are told apart as people would, and counted."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memio.retrieval import terms as module
from memio.retrieval.terms import RECORD, pack, terms

TEXTS = st.text(max_size=60)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("nesting Puffins", "NESTED puffin"),
        ("café", "cafe\u0301"),
        ("Straße", "STRASSE"),
        ("snake_case", "snake case"),
        ("l’amour", "l'amour"),  # noqa: RUF001
    ],
)
def test_words_that_mean_the_same_have_one_number(one, other):
    assert terms(one) == terms(other)


def test_other_words_have_other_numbers():
    found = terms("granite harbour lantern 7 77 東京 привет")
    assert len(set(found)) == len(found) == 7


def test_a_run_without_a_break_is_cut():
    assert len(terms("A" * 200)) == 4


@given(TEXTS, TEXTS)
def test_a_packed_text_has_every_word_and_its_counts(said, before):
    records = np.frombuffer(pack(said, before), RECORD)
    own = {int(r["term"]): int(r["said"]) for r in records if r["said"]}
    other = {int(r["term"]): int(r["before"]) for r in records if r["before"]}
    assert own == Counter(terms(said))
    assert other == Counter(terms(before))
    assert len(records) == len(own.keys() | other.keys())


def test_counts_stop_at_what_a_record_holds():
    (record,) = np.frombuffer(pack("ha " * 70_000), RECORD)
    assert record["said"] == 65_535


def test_threads_get_the_numbers_that_one_would():
    words = [f"{word}{ending}" for word in ("nest", "hop", "lik") for ending in
             ("s", "ing", "ed", "er", "ings", "able")]  # fmt: skip
    expected = list(map(terms, words))
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            module._number.cache_clear()
            assert list(threads.map(terms, words)) == expected
