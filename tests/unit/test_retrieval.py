"""Texts are taken apart and evidence is weighed as the recipe says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memio.retrieval import scoring, text

floats = st.floats(-1, 1, width=32)


def test_stop_words_and_possessives_are_dropped() -> None:
    assert text.telling_words("What is Caroline's Dog called?") == [
        "caroline",
        "dog",
        "called",
    ]


def test_a_query_of_stop_words_keeps_them() -> None:
    assert text.telling_words("who am I") == ["who", "am", "i"]


def test_names_are_capitalised_and_no_stop_words() -> None:
    assert text.capitalised("When did Melanie see melons in Rome?") == [
        "Melanie",
        "Rome",
    ]


def test_names_are_taken_out_of_a_query_whole() -> None:
    assert text.without("Mel's melon, Mel", ["Mel"]).split() == ["melon,"]
    assert text.without("Mel", ["Mel"]) == "Mel"


@given(st.text(), st.lists(st.text("abc", min_size=1)))
def test_any_text_can_be_taken_apart(query: str, names: list[str]) -> None:
    assert all(text.telling_words(query))
    assert len(text.telling_words(query)) <= text.MOST_WORDS
    text.capitalised(query)
    assert text.without(query, names) or not query


@given(st.integers(0, 30_000))
def test_chunks_hold_every_word_and_are_few(count: int) -> None:
    words = [f"w{n}" for n in range(count)]
    parts = text.chunks(" ".join(words))
    assert {w for part in parts for w in part.split()} == set(words)
    assert len(parts) <= text.MOST_CHUNKS + 1


@given(st.text())
def test_a_short_text_is_its_own_chunk(short: str) -> None:
    assert text.chunks(short) == [short]


@given(st.lists(st.tuples(floats, floats, floats), min_size=1))
def test_scores_are_at_most_one_and_grow_with_each_evidence(
    evidence: list[tuple[float, float, float]],
) -> None:
    cosine, words, who = (
        np.array(column, np.float32) for column in zip(*evidence, strict=True)
    )
    words, who = abs(words), abs(who)
    priors = np.full(len(cosine), scoring.MOST_PRIOR, np.float32)
    scores = scoring.hybrid(cosine, priors, words, who, weight=0.6)
    assert (scores <= 1 + 1e-6).all()
    for more in ((cosine + 0.1, words, who), (cosine, words + 0.1, who)):
        better = scoring.hybrid(more[0], priors, *more[1:], weight=0.6)
        assert (better > scores).all()


def test_the_best_hit_counts_in_a_collection_where_no_word_is_rare() -> None:
    tiny = scoring.lexical(np.array([2e-6, 1e-6], np.float32))
    assert np.allclose(tiny, [1 / 3, 1 / 6])
    large = scoring.lexical(np.array([30, 7.5], np.float32))
    assert large.tolist() == [1, 0.5]


def test_a_message_leans_towards_the_one_before_but_less_than_to_itself() -> None:
    own, before = np.eye(3, dtype=np.float32)[:2]
    leant = scoring.in_context(own[np.newaxis], before)
    assert np.isclose(np.linalg.norm(leant[0]), 1)
    assert leant[0] @ own > leant[0] @ before > 0
