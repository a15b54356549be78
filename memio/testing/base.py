"""What every suite stands on: how a test gets its store, and what guards the tests."""

from __future__ import annotations

import asyncio
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from memio.exceptions import NotSupportedError
from memio.protocols import Store

S = TypeVar("S", bound=Store)

Test = Callable[..., Coroutine[Any, Any, None]]


def standard(test: Test) -> Callable[..., None]:
    """Make a coroutine ``(self, store, ...)`` a standard test that pytest can run."""

    @functools.wraps(test)
    def run(
        self: Suite[Any], request: pytest.FixtureRequest, tmp_path: Path, **given: Any
    ) -> None:
        reason = self.unsupported.get(
            request.node.name, self.unsupported.get(test.__name__)
        )
        body = functools.partial(test, self, **given)
        asyncio.run(self.run_test(body, tmp_path, unsupported=reason))

    own, _store, *given = inspect.signature(test).parameters.values()
    fixtures = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        for name in ("request", "tmp_path")
    ]
    # pytest reads from the signature which fixtures and parameters to pass.
    vars(run).update(
        __signature__=inspect.Signature([own, *fixtures, *given]), standard=True
    )
    return run


class Suite(ABC, Generic[S]):
    """Standard tests, for one store.

    Attributes:
        protocol: The protocol that the store fulfils.
        unsupported: Standard tests that ask for what the provider cannot do, by name
            ("test_x", or "test_x[parameter]"), each with the reason.
        timeout: Seconds that one test may take, so that a store that hangs is heard.
    """

    protocol: ClassVar[type]
    unsupported: ClassVar[Mapping[str, str]] = {}
    timeout: ClassVar[float] = 60

    _path: Path
    _store: S

    @abstractmethod
    async def make_store(self, path: Path) -> S:
        """Make the store that keeps its data under (or named after) ``path``.

        The kit opens it, and may later close it and ask for another one on the same
        path, which must hold what the first one stored.
        """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        tests: dict[str, object] = {}
        for base in reversed(cls.__mro__):
            for name, member in vars(base).items():
                if getattr(member, "standard", False):
                    tests.setdefault(name, member)
        for name, test in tests.items():
            if inspect.getattr_static(cls, name) is not test:
                raise TypeError(
                    f"{cls.__name__} replaces the standard test {name}; "
                    f"say in `unsupported` what the provider cannot do instead"
                )
        for name, reason in cls.unsupported.items():
            if name.partition("[")[0] not in tests:
                raise TypeError(f"{cls.__name__}.unsupported: there is no test {name}")
            if not reason.strip():
                raise TypeError(f"{cls.__name__}.unsupported: give a reason for {name}")

    async def run_test(
        self,
        test: Callable[[S], Coroutine[Any, Any, None]],
        path: Path,
        *,
        unsupported: str | None = None,
    ) -> None:
        """Run one test on a store of its own; if ``unsupported``, see it refused."""
        async with asyncio.timeout(self.timeout):
            self._path = path
            self._store = await self._open()
            try:
                if unsupported is None:
                    await test(self._store)
                else:
                    await self._see_refused(test, unsupported)
            finally:
                await self._store.close()

    async def reopen(self) -> S:
        """Close the store and return a new one on the same data."""
        await self._store.close()
        self._store = await self._open()
        return self._store

    async def _open(self) -> S:
        store = await self.make_store(self._path)
        await store.open()
        return store

    async def _see_refused(
        self, test: Callable[[S], Coroutine[Any, Any, None]], reason: str
    ) -> None:
        try:
            await test(self._store)
        except NotSupportedError as error:
            assert error.hint.strip(), "NotSupportedError must say what to do instead"
        else:
            pytest.fail(f"works, though `unsupported` says: {reason}")

    @standard
    async def test_fulfils_the_protocol(self, store: S) -> None:
        """The store has every method that its protocol asks for."""
        assert isinstance(store, self.protocol)

    @standard
    async def test_answers_a_ping(self, store: S) -> None:
        """An open store says that it can serve."""
        await store.ping()

    @standard
    async def test_closing_twice_is_fine(self, store: S) -> None:
        """The second close does nothing and raises nothing."""
        await store.close()
        await store.close()
