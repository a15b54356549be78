"""What several operations say in HTTP's terms: where things are, what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

T = TypeVar("T")


def created(value: T, url: str, resource_id: str) -> tuple[T, int, dict[str, str]]:
    """Answer 201 with something that is now at ``<path of url>/<resource_id>``."""
    path, _, _ = url.partition("?")
    segment = resource_id
    if not (segment.isascii() and segment.replace("-", "").isalnum()):
        segment = quote(resource_id, safe="")
    if segment in {".", ".."}:  # a client would take it for a direction
        segment = segment.replace(".", "%2E")
    return value, 201, {"Location": f"{path}/{segment}"}


def paged(
    value: T, url: str, next_cursor: str | None
) -> tuple[T, int, Mapping[str, str]]:
    """Answer 200 with a page and, if there are more, the address of the next one."""
    if next_cursor is None:
        return value, 200, {}
    path, _, query = url.partition("?")
    pairs = [pair for pair in parse_qsl(query) if pair[0] != "cursor"]
    following = urlencode([*pairs, ("cursor", next_cursor)])
    return value, 200, {"Link": f'<{path}?{following}>; rel="next"'}


def would_delete(count: int) -> dict[str, int]:
    """Answer a dry run."""
    return {"would_delete": count}


def wants_representation(prefer: str) -> bool:
    """Tell whether a Prefer header asks for what was stored (RFC 7240)."""
    preferences = prefer.replace(";", ",").split(",")
    return any(
        "".join(preference.split()).lower().replace('"', "") == "return=representation"
        for preference in preferences
    )


def graph_body(result: Any) -> dict[str, Any]:
    """Return a graph result without its cursor, which travels in the Link header."""
    return {
        "triples": result.triples,
        "nodes": result.nodes,
        "scores": result.scores,
    }
