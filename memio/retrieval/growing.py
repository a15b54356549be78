"""Arrays that grow at their end while others look at what was there before."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_GROWTH: Final = 1.25
_LEAST: Final = 8


class Growing:
    """Some arrays of equal length, of which the beginning is used.

    Args:
        kinds: Of each array the type, and the shape of what it has per row.

    Attributes:
        used: How many rows there are.
        arrays: The arrays, with room for more rows.
    """

    def __init__(self, *kinds: tuple[Any, tuple[int, ...]]) -> None:
        self.used = 0
        self.arrays: list[NDArray[Any]] = [
            np.zeros((_LEAST, *shape), dtype) for dtype, shape in kinds
        ]

    @property
    def views(self) -> list[NDArray[Any]]:
        """The arrays as far as they are used."""
        return [array[: self.used] for array in self.arrays]

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return sum(array.nbytes for array in self.arrays)

    def reserve(self, size: int) -> None:
        """Make room for so many rows."""
        if size > len(self.arrays[0]):
            self.arrays = [_longer(array, self.used, size) for array in self.arrays]

    def append(self, count: int, *values: Any) -> None:
        """Add rows; whoever looks at the arrays keeps what it sees."""
        start, end = self.used, self.used + count
        if end > len(self.arrays[0]):
            self.reserve(int(end * _GROWTH))
        for array, value in zip(self.arrays, values, strict=True):
            array[start:end] = value
        self.used = end


def _longer(array: NDArray[Any], used: int, size: int) -> NDArray[Any]:
    longer = np.zeros((size, *array.shape[1:]), array.dtype)
    longer[:used] = array[:used]
    return longer
