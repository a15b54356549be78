"""The edge under test: a small spec, handlers of its own, in-process or listening."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from edge_testing import KEY, SPEC, StubFacts, connect, serve

from memio.client import Memio
from memio.server import EdgeSettings, Spec, create_app


@pytest.fixture(scope="session")
def spec() -> Spec:
    return Spec.load(SPEC)


MakeApp = Callable[..., Any]


@pytest.fixture(scope="session")
def make_app(spec: Spec) -> MakeApp:
    def make(*, facts: Any = None, spec: Spec = spec, **settings: Any) -> Any:
        return create_app(
            spec=spec,
            memio=Memio(facts=facts or StubFacts()),
            handlers="edge_handlers",
            settings=EdgeSettings(**settings),
        )

    return make


@pytest.fixture(scope="session")
def open_app(make_app: MakeApp) -> Any:
    return make_app()


@pytest.fixture(scope="session")
def locked_app(make_app: MakeApp) -> Any:
    return make_app(api_keys=("another", KEY))


@pytest.fixture
async def client(open_app: Any):
    async with connect(open_app) as client:
        yield client


@pytest.fixture
async def locked(locked_app: Any):
    async with connect(locked_app) as client:
        yield client


@pytest.fixture(scope="module")
def port(make_app: MakeApp) -> Iterator[int]:
    with serve(make_app(body_limit=100_000, body_timeout=0.5)) as port:
        yield port
