"""What writers did to a server, noted so that the server can be held to its word.

Everything is written at *places*: a user's facts, a document, a session, a user's
triples. A place has one writer, who does one thing after the other; so a server that
died owes each place the rows that it acknowledged, or those that the one request under
way would have made, and nothing in between.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

Row = tuple[str, str]
"""What a row says (a triple's object, if it is one) and the token in its metadata."""

State = tuple[Row, ...]
"""The rows of a place, oldest first."""

MESSAGES = 5
TRIPLES = 3
MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class Request:
    """A write, and the rows of its place once it is done."""

    method: str
    path: str
    after: State
    body: Any = None


@dataclass(slots=True)
class Place:
    """The rows that one writer wrote under one name.

    Attributes:
        acknowledged: The rows that the server owes.
        ids: Of these rows, in the same order.
        pending: The rows if the request under way is carried out.
    """

    kind: str
    name: str
    acknowledged: State = ()
    ids: tuple[str, ...] = ()
    pending: State | None = None


@dataclass(slots=True)
class Ledger:
    """All places, and counts of what happened to them."""

    places: dict[tuple[str, str], Place] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)

    def add(self, kind: str, name: str) -> Place:
        place = self.places[kind, name] = Place(kind, name)
        return place

    def settle(self, found: dict[tuple[str, str], tuple[State, tuple[str, ...]]]):
        """Compare with what a server has; return a sentence for each broken promise.

        What is found is taken over, so that writing can go on.
        """
        broken = [f"{key} came from nowhere" for key in found.keys() - self.places]
        for key, place in self.places.items():
            state, ids = found.get(key, ((), ()))
            if state not in {place.acknowledged, place.pending}:
                broken.append(f"{key} is {state}, not {place}")
            elif place.pending not in {None, place.acknowledged}:
                self.counts["landed" if state == place.pending else "lost"] += 1
            place.acknowledged, place.ids, place.pending = state, ids, None
        return broken

    @property
    def rows(self) -> int:
        return sum(len(place.acknowledged) for place in self.places.values())


_numbers = count()


def new_row(kind: str) -> Row:
    """Return a row that no other is mistaken for."""
    token = f"zq{next(_numbers)}x{random.getrandbits(32):08x}"
    return f"{random.choice(_SAYINGS)} {kind} {token}", token


_SAYINGS = (
    "prefers window seats on night trains",
    "the boiler was serviced in March",
    "asks for the recipe with saffron and lemon",
)


def facts(place: Place) -> Iterator[Request]:
    """Yield writes that fit a user's facts as they are."""
    user, state, row = place.name, place.acknowledged, new_row("fact")
    stored = body_of(row)
    yield Request("POST", "/v1/facts", (*state, row), {**stored, "user_id": user})
    if state:
        path = f"/v1/facts/{place.ids[-1]}"
        yield Request("PUT", path, (*state[:-1], row), stored)
        yield Request("DELETE", path, state[:-1])
        yield Request("DELETE", f"/v1/facts?user_id={user}", ())


def documents(place: Place) -> Iterator[Request]:
    """Yield writes that fit a document, there or not."""
    row = new_row("document")
    path, stored = f"/v1/documents/{place.name}", body_of(row)
    yield Request("PUT", f"{path}?upsert=true", (row,), stored)
    if place.acknowledged:
        yield Request("PUT", path, (row,), stored)
        yield Request("DELETE", path, ())
    else:
        body = {**stored, "doc_id": place.name}
        yield Request("POST", "/v1/documents", (row,), body)


def sessions(place: Place) -> Iterator[Request]:
    """Yield writes that fit a session, there or not."""
    path, state = f"/v1/history/sessions/{place.name}", place.acknowledged
    said = tuple(new_row("message") for _ in range(MESSAGES))
    messages = [{"role": "user", **body_of(row)} for row in said]
    yield Request("POST", f"{path}/messages", (*state, *said), {"messages": messages})
    if state:
        yield Request("DELETE", path, ())


def triples(place: Place) -> Iterator[Request]:
    """Yield writes that fit a user's triples as they are."""
    user, state = place.name, place.acknowledged
    new = tuple(new_row("thing") for _ in range(TRIPLES))
    yield Request("POST", "/v1/graph/triples", (*state, *new), _graph(user, new))
    if state:
        again = tuple((says, new_row("")[1]) for says, _ in state)
        yield Request("POST", "/v1/graph/triples", again, _graph(user, again))
        yield Request("DELETE", f"/v1/graph/triples/{place.ids[-1]}", state[:-1])
        yield Request("DELETE", f"/v1/graph/entities/{user}?user_id={user}", ())


def body_of(row: Row) -> dict[str, Any]:
    says, token = row
    return {"content": says, "metadata": {"token": token}}


def _graph(user: str, rows: State) -> dict[str, Any]:
    return {
        "user_id": user,
        "triples": [
            {
                "subject": user,
                "predicate": "owns",
                "object": says,
                "metadata": {"token": token},
            }
            for says, token in rows
        ],
    }


KINDS: dict[str, Callable[[Place], Iterator[Request]]] = {
    "facts": facts,
    "documents": documents,
    "sessions": sessions,
    "triples": triples,
}


async def write(client: httpx.AsyncClient, ledger: Ledger, place: Place) -> None:
    """Do something at a place, and note whether the server acknowledged it."""
    options = [r for r in KINDS[place.kind](place) if len(r.after) <= MOST_ROWS]
    request = random.choice(options)
    place.pending = request.after
    ledger.counts["sent"] += 1
    headers = {"Prefer": "return=representation"}
    answer = await client.request(
        request.method, request.path, json=request.body, headers=headers
    )
    if not answer.is_success:
        ledger.refused.append(f"{request} was answered {answer.status_code}")
        return
    ledger.counts["acknowledged"] += 1
    place.ids = _ids(place, request, answer)
    place.acknowledged, place.pending = request.after, None


def _ids(place: Place, request: Request, answer: httpx.Response) -> tuple[str, ...]:
    if request.method == "DELETE":
        return place.ids[: len(request.after)]
    stored = answer.json()
    new = [row["id"] for row in (stored if isinstance(stored, list) else [stored])]
    return tuple(dict.fromkeys((*place.ids, *new)))


async def write_until_it_dies(
    url: str, ledger: Ledger, *, writers: int, after_each: Callable[[], None]
) -> None:
    """Let writers write, each at places of its own, until the server is gone."""
    limits = httpx.Limits(max_connections=writers)

    async def run(places: list[Place]) -> None:
        try:
            while not ledger.refused:
                await write(client, ledger, random.choice(places))
                after_each()
        except httpx.TransportError:
            ledger.counts["cut off"] += 1

    places = list(ledger.places.values())
    async with (
        httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as client,
        asyncio.TaskGroup() as group,
    ):
        for number in range(writers):
            group.create_task(run(places[number::writers]))
