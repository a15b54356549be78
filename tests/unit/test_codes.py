"""A byte per dimension says how near vectors are, within the bound that is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memio.retrieval.codes import compare, encode

seeds = st.integers(0, 2**32 - 1)


def unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms == 0, 1, norms)).astype(np.float32)


@given(seeds, st.integers(0, 40), st.sampled_from((3, 32, 256, 1536)), st.floats(0, 40))
def test_the_error_is_within_its_bound(seed, count, dim, skew):
    random = np.random.default_rng(seed)
    # Some have their length in a few dimensions, which a byte serves worst.
    scale = np.exp(-skew * random.random(dim))
    rows = unit(random.standard_normal((count + 1, dim)) * scale)
    query, vectors = rows[0], rows[1:]
    codes, scales, errors = encode(vectors)
    near, bound = compare(query, codes, scales, float(errors.max(initial=0)))
    assert near.shape == (count,)
    assert (np.abs(near - vectors @ query) <= bound).all()


def test_the_bound_is_narrow_for_what_embedders_make():
    rows = unit(np.random.default_rng(1).standard_normal((100, 256)))
    codes, scales, errors = encode(rows)
    _, bound = compare(rows[0], codes, scales, float(errors.max()))
    assert bound < 0.03


def test_vectors_of_nothing_are_near_to_nothing():
    zeros = np.zeros((2, 8), np.float32)
    codes, scales, errors = encode(zeros)
    assert not errors.any()
    near, bound = compare(zeros[0], codes, scales, 0.0)
    assert near.tolist() == [0, 0]
    assert bound == pytest.approx(0, abs=1e-4)
