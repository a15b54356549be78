"""Ranking by words finds whole words, in any case and script, and favours rare ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memio.retrieval.keywords import bm25, rank

TEXTS = st.lists(st.text(max_size=40), max_size=6)


def test_no_texts_have_no_scores():
    assert rank("tea", []).shape == (0,)


def test_only_texts_that_share_a_word_score():
    scores = rank("PUFFINS", ["Nesting puffins", "muffins", "", "puffin"])
    assert scores[0] > 0
    assert list(scores[1:]) == [0, 0, 0]


def test_a_rare_word_counts_more_than_a_common_one():
    texts = ["harbour boat", "harbour boat", "lantern boat", "harbour lantern"]
    common, _, rare, both = rank("harbour lantern", texts)
    assert both > rare > common > 0


def test_a_word_counts_more_in_a_short_text():
    short, long = rank("lantern", ["lantern", "lantern " + "harbour " * 50])
    assert short > long


@given(query=st.text(max_size=40), texts=TEXTS)
def test_scores_are_shares_whatever_the_texts(query, texts):
    scores = rank(query, texts)
    assert scores.shape == (len(texts),)
    assert all(0 <= score <= 1 for score in scores)


@given(
    texts=st.lists(st.from_regex(r"[a-z]{5,9} [0-9]{3,9}", fullmatch=True), min_size=1)
)
def test_a_text_is_the_best_answer_to_itself(texts):
    for text, scores in ((text, rank(text, texts)) for text in texts):
        assert scores[texts.index(text)] == max(scores)


def test_rare_words_in_short_texts_count_most():
    often, rare, rare_too, none = bm25([[1, 0, 0, 0], [0, 1, 1, 0]], [9, 9, 9, 9])
    assert often > rare == rare_too > none == 0
    short, long, _ = bm25([[1, 1, 0]], [3, 30, 3])
    assert short > long > 0
    assert list(bm25([], [1, 2])) == [0, 0]
    assert list(bm25([], [])) == []
