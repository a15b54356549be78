"""An index of words answers as a look through all texts would."""

from __future__ import annotations

from itertools import compress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memio.retrieval import postings as module
from memio.retrieval.keywords import bm25
from memio.retrieval.postings import BEFORE_WEIGHT, Postings
from memio.retrieval.terms import pack, terms

WORDS = ("granite", "harbour", "lantern", "melon")

texts = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
batches = st.lists(st.lists(st.tuples(texts, texts), max_size=5), max_size=6)


def by_hand(documents, alive, query, *, in_context):
    """Score what is alive by the formula for whole texts."""
    living = list(compress(documents, alive))
    often = [
        [
            terms(said).count(term)
            + (BEFORE_WEIGHT * terms(before).count(term) if in_context else 0)
            for said, before in living
        ]
        for term in terms(query)
    ]
    lengths = [len(terms(said)) + len(terms(before)) for said, before in living]
    return bm25(often, lengths)


@pytest.mark.parametrize("in_context", [False, True])
@given(batches, st.sets(st.integers(0, 29)), st.integers(0, 12))
def test_scores_are_those_of_the_formula(in_context, added, removed, recent):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LEAST_RECENT", recent)
        index = Postings()
        for batch in added:
            index.extend([pack(*document) for document in batch])
            index.now()
    documents = [document for batch in added for document in batch]
    removed = {number for number in removed if number < len(documents)}
    for number in removed:
        index.remove(number)
        index.remove(number)
    alive = [number not in removed for number in range(len(documents))]
    now = index.now()
    assert now.count == sum(alive)
    for query in ("granite", "melon lantern", "absent"):
        scores = now.bm25(terms(query), in_context=in_context)
        expected = by_hand(documents, alive, query, in_context=in_context)
        assert scores.shape == (len(documents),)
        assert np.allclose(scores[alive], expected, atol=1e-5)
        assert not scores[np.logical_not(alive)].any()
    for word in WORDS:
        having = [word in said for said, _ in compress(documents, alive)]
        assert now.count_saying(*terms(word)) == sum(having)


def test_what_is_looked_at_stays_as_it_was():
    index = Postings()
    index.extend([pack("granite"), pack("harbour")])
    before = index.now()
    scores = before.bm25(terms("granite"), in_context=False)
    index.extend([pack("granite")])
    index.remove(0)
    assert (before.bm25(terms("granite"), in_context=False) == scores).all()
    assert index.now().count_saying(*terms("granite")) == 1
    assert index.removed == 1
    assert index.nbytes > 0
