"""Rows are ranked as if every vector had been compared."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from memio.providers.local.ranking import Ranking
from memio.providers.local.snapshot import Snapshot
from memio.retrieval.codes import encode
from memio.retrieval.postings import Postings
from memio.retrieval.scoring import hybrid, lexical, prior
from memio.retrieval.terms import pack, terms
from memio.retrieval.text import telling_words

WORDS = ("granite", "harbour", "lantern", "melon", "puffin", "saddle")
QUERY = "Which melon did Ann see in the harbour?"
DIM = 48


def make(
    seed: int, rows: int, *, chunked: bool, near: float
) -> tuple[Snapshot, list[np.ndarray]]:
    """Make a scope; the smaller ``near``, the closer its vectors are to each other."""
    random = np.random.default_rng(seed)
    each = random.integers(1, 4 if chunked else 2, rows)
    vectors = random.standard_normal(DIM) + near * random.standard_normal(
        (int(each.sum()), DIM)
    )
    matrix = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    codes, scales, errors = encode(matrix)
    postings = Postings()
    postings.extend([pack(" ".join(random.choice(WORDS, 5))) for _ in range(rows)])
    scope = Snapshot(
        seqs=np.arange(rows) * 3 + 1,
        alive=random.random(rows) < 0.9,
        priors=np.array([prior(n) for n in random.integers(1, 300, rows)], "f4"),
        who=random.integers(0, 2, rows).astype("i4"),
        names=["ann", "bob"],
        docs=None,
        words=postings.now(),
        starts=np.cumsum(each) - each if chunked else None,
        codes=codes,
        scales=scales,
        worst=float(errors.max(initial=0)),
    )
    return scope, np.split(matrix, np.cumsum(each)[:-1]) if rows else []


def by_hand(
    scope: Snapshot, vectors: list[np.ndarray], meaning: np.ndarray, mode: str
) -> list[int]:
    wanted = [t for word in telling_words(QUERY) for t in terms(word)]
    words = lexical(scope.words.bm25(wanted, in_context=False))
    each = [np.einsum("ij,j->i", block, meaning).max() for block in vectors]
    cosine = np.array(each, "f4")
    who = np.array([1, 0], "f4")[scope.who]
    scores = {
        "semantic": cosine,
        "keyword": words,
        "hybrid": hybrid(cosine, scope.priors, words, who, weight=0.6),
    }[mode]
    rows = [n for n in range(len(scores)) if scope.alive[n]]
    if mode == "keyword":
        rows = [n for n in rows if words[n] > 0]
    return sorted(rows, key=lambda n: (-scores[n], -scope.seqs[n]))


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 200),
    st.booleans(),
    st.sampled_from((0.0, 0.01, 0.1, 1.0)),
    st.sampled_from(("hybrid", "semantic", "keyword")),
)
def test_the_best_are_the_best_of_all(seed, rows, chunked, near, mode):
    scope, vectors = make(seed, rows, chunked=chunked, near=near)
    meaning = np.random.default_rng(seed + 1).standard_normal(DIM).astype("f4")
    meaning /= np.linalg.norm(meaning)
    expected = by_hand(scope, vectors, meaning, mode)
    ranking = Ranking(scope, QUERY, mode, meaning=meaning, names=["Ann"], weight=0.6)
    assert ranking.total == len(expected)
    for count in (1, 10, 50, 1000):
        candidates = ranking.candidates(count)
        blobs = None
        if mode != "keyword":
            blobs = {scope.seqs[n]: vectors[n].tobytes() for n in candidates}
        best, scores = ranking.ordered(candidates, blobs)
        assert best[:count].tolist() == [scope.seqs[n] for n in expected[:count]]
        assert (np.diff(scores) <= 0).all()


def test_few_rows_are_candidates():
    scope, _ = make(7, 200, chunked=False, near=1.0)
    meaning = np.eye(DIM, dtype="f4")[0]
    ranking = Ranking(scope, QUERY, "hybrid", meaning=meaning, weight=0.6)
    assert len(ranking.candidates(10)) < 40
