"""Rounds that alternate between rivals, and the figures that come out of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

OURS = "memio"
"""What we are called among the rivals."""

T = TypeVar("T")

Samples = dict[str, dict[str, list[float]]]
"""What was measured -> who -> one value per round."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was measured on everybody.

    Attributes:
        samples: Who -> one value per round.
        better: Which values are better.
        targets: Rival -> how many times better than it we mean to be, at least.
        limit: The worst value that we mean to have.
    """

    what: str
    unit: str
    samples: Mapping[str, Sequence[float]]
    better: Literal["higher", "lower"] = "higher"
    targets: Mapping[str, float] = field(default_factory=dict)
    limit: float | None = None

    def median(self, who: str) -> float:
        return statistics.median(self.samples[who])

    def spread(self, who: str) -> float:
        """Return half of the range of the rounds, as a share of the median."""
        values, median = self.samples[who], self.median(who)
        return (max(values) - min(values)) / 2 / median if median else 0.0

    def ratio(self, rival: str) -> float:
        """Return how many times better than the rival we are: of the medians."""
        ours, theirs = self.median(OURS), self.median(rival)
        if self.better == "lower":
            ours, theirs = theirs, ours
        return ours / theirs if theirs else float("inf")

    @property
    def misses(self) -> list[str]:
        """What we meant to reach and did not, in words."""
        short = [
            f"{self.what}: {self.ratio(rival):.2f}x {rival}, meant {least:g}x"
            for rival, least in self.targets.items()
            if rival in self.samples and self.ratio(rival) < least
        ]
        if self.limit is not None:
            value = self.median(OURS)
            worse = value > self.limit
            if worse if self.better == "lower" else value < self.limit:
                short.append(
                    f"{self.what}: {value:.3g} {self.unit}, meant {self.limit:g}"
                )
        return short


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows of one comparison.

    Attributes:
        notes: What a reader must know to judge the figures.
    """

    title: str
    rows: list[Row]
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """How much is measured, and where files may be put.

    Attributes:
        size: "full" takes minutes per comparison, "quick" about half a minute, "smoke"
            only shows that everything runs.
        million: Whether a million memories are wanted, too.
    """

    size: Literal["full", "quick", "smoke"]
    directory: Path
    million: bool = False

    def pick(self, *, full: T, quick: T, smoke: T) -> T:
        """Return the one of these that fits the size."""
        return {"full": full, "quick": quick, "smoke": smoke}[self.size]

    @property
    def rounds(self) -> int:
        return self.pick(full=5, quick=2, smoke=1)


def alternate(
    rivals: Mapping[str, Callable[[], Mapping[str, float]]],
    *,
    rounds: int,
    warm_up: int = 1,
) -> Samples:
    """Measure everybody once per round, the order turned round each time.

    So whatever else the machine does meets all of them. The rounds of warming up are
    thrown away.
    """
    samples: Samples = {}
    order = list(rivals)
    for number in range(-warm_up, rounds):
        for who in order:
            measured = rivals[who]()
            if number >= 0:
                for what, value in measured.items():
                    samples.setdefault(what, {}).setdefault(who, []).append(value)
        order.reverse()
    return {
        what: {who: values[who] for who in rivals if who in values}
        for what, values in samples.items()
    }


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison with every sample, and what is said about them."""
    return {
        "title": comparison.title,
        "notes": list(comparison.notes),
        "rows": [
            {
                "what": row.what,
                "unit": row.unit,
                "better": row.better,
                "samples": row.samples,
                "medians": {who: row.median(who) for who in row.samples},
                "ratios": {
                    who: row.ratio(who)
                    for who in row.samples
                    if who != OURS and OURS in row.samples
                },
                "targets": row.targets,
                "limit": row.limit,
            }
            for row in comparison.rows
        ],
    }
