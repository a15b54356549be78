"""Results as people read them: a Markdown page and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from benchmarks.harness import OURS, Comparison, Row

_BAR, _GAP, _LABELS, _WIDTH = 16, 6, 470, 980
_KEY_PACKAGES = (
    "chromadb",
    "fastapi",
    "mem0ai",
    "memio",
    "orjson",
    "pydantic",
    "qdrant-client",
    "starlette",
    "uvicorn",
    "wordllama",
)


def table(comparison: Comparison) -> str:
    """Return a comparison as Markdown: medians, spreads, ratios, targets."""
    everybody = list(dict.fromkeys(who for r in comparison.rows for who in r.samples))
    if OURS in everybody:
        everybody.remove(OURS)
        everybody.insert(0, OURS)
    lines = [
        f"## {comparison.title}",
        "",
        "| what | unit | " + " | ".join(everybody) + " | target |",
        "|---|---|" + "---:|" * len(everybody) + "---|",
    ]
    lines += [_line(row, everybody) for row in comparison.rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in comparison.notes)])


def page(result: Mapping[str, Any], comparisons: Mapping[str, Comparison]) -> str:
    """Return the whole page."""
    machine = result["machine"]
    packages = ", ".join(f"{k} {v}" for k, v in machine["packages"].items())
    misses = [miss for c in comparisons.values() for r in c.rows for miss in r.misses]
    lines = [
        "# Results",
        "",
        (
            f"memio {machine['memio']} at {machine['commit']}, {machine['measured']}, "
            f"`{result['size']}` run of {result['seconds'] / 60:.0f} minutes, on "
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
            f"{machine['system']}, Python {machine['python']}; an fsync takes "
            f"{machine['fsync_ms']} ms."
        ),
        "",
        f"- memio: {packages}",
        *(
            f"- {name}: "
            + ", ".join(f"{k} {versions[k]}" for k in _KEY_PACKAGES if k in versions)
            for name, versions in result["rivals"].items()
        ),
        "",
        (
            "A figure is the median of rounds that alternate between the rivals, ± "
            "half of their range. **N x** says how many times better memio is: N "
            "times the rate, or an Nth of the time or size."
        ),
        "",
        "![How many times better memio is](results.svg)",
        "",
        "Targets not reached:" if misses else "Every target was reached.",
        *(f"- {miss}" for miss in misses),
        "",
        *(f"{table(comparison)}\n" for comparison in comparisons.values()),
    ]
    return "\n".join(lines)


def _line(row: Row, everybody: list[str]) -> str:
    cells = [_cell(row, who) for who in everybody]
    goals = [f">= {least:g}x {rival}" for rival, least in row.targets.items()]
    if row.limit is not None:
        sign = "<=" if row.better == "lower" else ">="
        goals.append(f"{sign} {row.limit:g} {row.unit}")
    if goals:
        goals.append("**missed**" if row.misses else "met")
    return f"| {row.what} | {row.unit} | {' | '.join(cells)} | {'; '.join(goals)} |"


def _cell(row: Row, who: str) -> str:
    if who not in row.samples:
        return ""
    text = f"{_number(row.median(who))} ±{row.spread(who):.0%}"
    if who == OURS or OURS not in row.samples:
        return text
    return f"{text} (**{row.ratio(who):.2f}x**)"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def picture(comparisons: Mapping[str, Comparison]) -> str:
    """Return the ratios as an SVG: a bar per rival, from 1x, on a logarithmic scale.

    Rows without a target are left to the table.
    """
    bars: list[tuple[str, float, float]] = []
    for comparison in comparisons.values():
        for row in comparison.rows:
            bars += [
                (f"{comparison.title}: {row.what} - {rival}", row.ratio(rival), least)
                for rival, least in row.targets.items()
                if rival in row.samples
            ]
    values = [value for _, *both in bars for value in both if 0 < value < math.inf]
    low, high = min([0.5, *values]), max([10.0, *values])
    scale = (_WIDTH - _LABELS - 70) / math.log(high / low)

    def x(value: float) -> float:
        return _LABELS + math.log(max(min(value, high), low) / low) * scale

    height = len(bars) * (_BAR + _GAP) + 40
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" '
            f'height="{height}" font-family="sans-serif" font-size="11">'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, (label, value, least) in enumerate(bars):
        top = 10 + number * (_BAR + _GAP)
        start, end = sorted((x(1), x(value)))
        colour = "#2a9d8f" if value >= least else "#e76f51"
        parts += [
            (
                f'<text x="{_LABELS - 8}" y="{top + 12}" text-anchor="end">'
                f"{escape(label)}</text>"
            ),
            (
                f'<rect x="{start:.1f}" y="{top}" width="{max(end - start, 1):.1f}" '
                f'height="{_BAR}" fill="{colour}"/>'
            ),
            (
                f'<line x1="{x(least):.1f}" x2="{x(least):.1f}" y1="{top - 2}" '
                f'y2="{top + _BAR + 2}" stroke="black" stroke-width="2"/>'
            ),
            f'<text x="{end + 6:.1f}" y="{top + 12}">{value:.1f}x</text>',
        ]
    parts += [
        (
            f'<line x1="{x(1):.1f}" x2="{x(1):.1f}" y1="4" y2="{height - 26}" '
            'stroke="#888"/>'
        ),
        (
            f'<text x="{_LABELS}" y="{height - 8}">how many times better memio is '
            "(logarithmic); black: what was meant</text>"
        ),
        "</svg>",
    ]
    return "\n".join(parts)
