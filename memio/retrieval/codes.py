"""Vectors in a byte per dimension, which say nearly how near they are, and how nearly.

Comparing a query with all codes goes through a quarter of the memory that the vectors
take. The error has a bound that is kept beside the codes, so that whoever compares the
vectors themselves, where it matters, misses nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import simsimd
from numpy.typing import NDArray

from memio.retrieval.scoring import Floats

Codes = NDArray[np.int8]

_MOST: Final = 127
_ROUNDING: Final = 1e-5  # what float32 arithmetic may add to the bound


def encode(vectors: Floats) -> tuple[Codes, Floats, Floats]:
    """Return codes, shape (n, dim), their scales and their errors, shape (n,).

    ``scale * code`` is the vector, but for a difference whose L2 norm is the error.
    """
    largest = np.abs(vectors).max(axis=1, initial=0)
    scales = np.where(largest == 0, np.float32(1), largest / np.float32(_MOST))
    scales = scales.astype(np.float32)
    codes = np.rint(vectors / scales[:, np.newaxis]).astype(np.int8)
    lost = vectors - codes * scales[:, np.newaxis]
    errors: Floats = np.sqrt(np.einsum("ij,ij->i", lost, lost))
    return codes, scales, errors


def compare(
    query: Floats, codes: Codes, scales: Floats, worst: float
) -> tuple[Floats, float]:
    """Return about how near vectors are to a query, and how far off that may be.

    Args:
        query: Of length 1 or 0, as the vectors are.
        codes: The vectors' codes.
        scales: The vectors' scales.
        worst: The largest of the vectors' errors.
    """
    if not len(codes):
        return np.zeros(0, np.float32), 0.0
    code, scale, error = encode(query[np.newaxis])
    near = np.asarray(simsimd.cdist(code, codes, "dot", out_dtype="f32")).reshape(-1)
    near *= scales
    near *= scale[0]
    lost = float(error[0])
    return near, lost + (1 + lost) * worst + _ROUNDING
