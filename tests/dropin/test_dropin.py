"""A client of memio 0.3.1's server works here: the same requests, compared in pairs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from memio.client import STORES
from tests.dropin.differences import DIFFERENCES, KEY, REQUESTS, Request
from tests.serving import Server

ORIGINAL = (
    "memio[server]==0.3.1",
    *("fastapi==0.165.0", "pydantic==2.14.3", "starlette==1.10.0", "uvicorn==0.54.0"),
)
TIMES = {"created_at", "updated_at", "timestamp"}


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment in which the original is installed."""
    directory = tmp_path_factory.mktemp("original")
    python = directory / "bin/python"
    for command in (
        ["venv", "--without-pip", str(directory)],
        ["pip", "--python", str(python), "install", "--quiet", *ORIGINAL],
    ):
        subprocess.run([sys.executable, "-m", *command], check=True)
    return python


Pair = tuple[httpx.Client, httpx.Client]


@pytest.fixture(scope="session")
def pairs(
    original: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Pair]]:
    """Ours and the original: open, with a key, and with nothing but documents."""
    script = str(Path(__file__).with_name("original.py"))
    kinds = {
        "open": (tuple(STORES), {}),
        "locked": (tuple(STORES), {"MEMIO_API_KEY": KEY}),
        "partial": (("documents",), {}),
    }
    with ExitStack() as stack:
        clients = {}
        for kind, (stores, environ) in kinds.items():
            listed = "".join(f"  {name}: {{provider: local}}\n" for name in stores)
            ours = Server(
                tmp_path_factory.mktemp("ours"),
                f"embedding: {{provider: hash}}\nstores:\n{listed}",
                environ,
            )
            theirs = Server(
                tmp_path_factory.mktemp("theirs"),
                environ={**environ, "STORES": ",".join(stores)},
                command=(str(original), script),
            )
            clients[kind] = tuple(
                stack.enter_context(
                    # The original closes connections on which it failed.
                    httpx.Client(
                        base_url=stack.enter_context(server).url,
                        limits=httpx.Limits(max_keepalive_connections=0),
                    )
                )
                for server in (ours, theirs)
            )
        yield clients


@pytest.fixture(scope="session")
def answers(pairs: dict[str, Pair]) -> dict[str, list[httpx.Response]]:
    """What both answered to every request, in order."""
    return {
        request.title: [send(client, request) for client in pairs[request.to]]
        for request in REQUESTS
    }


def send(client: httpx.Client, request: Request) -> httpx.Response:
    ids = {}
    if "{fact}" in request.path:
        ids["fact"] = client.get("/v1/facts").json()[-1]["id"]
    if "{triple}" in request.path:
        (*_, first) = client.get("/v1/graph/triples").json()["triples"]
        ids["triple"] = first.get("id", "1")  # the original tells nobody
    path, mark, query = request.path.partition("?")
    body = {"content": request.content} if request.content else {"json": request.body}
    return client.request(
        request.method,
        path.format_map(ids) + mark + query,
        headers={name: text.encode() for name, text in request.headers.items()},
        **(body if any(body.values()) or request.body == {} else {}),
    )


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what a body says, without what no two servers have in common."""
    name = place.rpartition(".")[2]
    if name == "metadata":
        yield place, json.dumps(value, sort_keys=True)
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from leaves(child, f"{place}.{key}".strip("."))
    elif isinstance(value, list):
        yield f"{place}[]", len(value)
        for number, child in enumerate(value):
            yield from leaves(child, f"{place}[{number}]")
    elif re.search(r"\bscores?\b", name) and value is not None:
        yield place, "a score"
    elif name in TIMES and value is not None:
        yield place, "a time"
    elif name == "id" and len(value) == 36:
        yield place, "an id"
    else:
        yield place, value


def outline(answer: httpx.Response) -> dict[str, Any]:
    kind = answer.headers.get("content-type", "")
    if "json" not in kind or answer.request.url.path == "/openapi.json":
        return {}
    body = answer.json()
    return {} if answer.is_error and "error" not in body else dict(leaves(body))


def word(answer: httpx.Response) -> str:
    """Tell an error's word, or that it has none."""
    if answer.status_code < 400 or not answer.content:
        return str(answer.status_code)
    if "json" not in answer.headers["content-type"]:
        return f"{answer.status_code} as text"
    return f"{answer.status_code} {answer.json().get('error', 'detail only')}"


def compare(ours: httpx.Response, theirs: httpx.Response) -> tuple[str, str]:
    """Tell two answers by what they do not share."""
    told = [word(ours), word(theirs)]
    if told[0] != told[1]:
        return told[0], told[1]
    outlines = [outline(ours), outline(theirs)]
    for number, (mine, other) in enumerate((outlines, outlines[::-1])):
        names = dict.fromkeys(
            place.rpartition(".")[2] for place in mine if place not in other
        )
        if names:
            told[number] += f" with {', '.join(names)}"
        for place, value in mine.items():
            if place in other and other[place] != value:
                told[number] += f", {place} {value}"
    return told[0], told[1]


TITLES = [request.title for request in REQUESTS]
LISTED = {title: each for each in DIFFERENCES for title in each.requests}


@pytest.mark.parametrize("title", TITLES)
def test_the_answers_differ_only_as_listed(
    answers: dict[str, list[httpx.Response]], title: str
) -> None:
    ours, theirs = compare(*answers[title])
    if title in LISTED:
        assert ours != theirs
        assert (ours, theirs) == (LISTED[title].ours, LISTED[title].theirs)
    else:
        assert ours == theirs


def test_what_is_listed_is_asked_once() -> None:
    assert len(set(TITLES)) == len(TITLES)
    assert set(LISTED) <= set(TITLES)
    assert len(LISTED) == sum(len(each.requests) for each in DIFFERENCES)


def test_every_operation_of_the_original_succeeds_here(
    pairs: dict[str, Pair], answers: dict[str, list[httpx.Response]]
) -> None:
    """All that its own document lists, asked in one way at least."""
    document = pairs["open"][1].get("/openapi.json").json()
    operations = {
        (method.upper(), re.sub(r"{\w+}", "[^/]+", path))
        for path, item in document["paths"].items()
        for method in item
    }
    assert sum(path.startswith("/v1") for _, path in operations) == 27
    succeeded = {
        (answer.request.method, answer.request.url.raw_path.decode().partition("?")[0])
        for both in answers.values()
        for answer in both[:1]
        if all(each.is_success for each in both)
    }
    for method, path in operations:
        hits = [m == method and re.fullmatch(path, p) for m, p in succeeded]
        assert any(hits), f"{method} {path}"
