"""The conformance kit: what a store must do, as pytest classes to subclass.

A provider's test file is a class per store, with one method of its own::

    from memio.testing import FactStoreSuite

    class TestMyFacts(FactStoreSuite):
        async def make_store(self, path):
            return MyFactStore(url=..., namespace=path.name)

``path`` is a fresh directory for every test; stores made on one path hold the same
data. The kit opens and closes the store, each test in an event loop of its own, so it
needs pytest and no plugin. Fixtures reach ``make_store`` through ``self``::

        @pytest.fixture(autouse=True)
        def _server(self, postgres):
            self.url = postgres

What a provider cannot do is named in ``unsupported``, test name to reason, with the
parameter in brackets where only one is meant. Such a test passes when the provider
refuses: it must raise ``NotSupportedError`` with a hint. Replacing or deleting a
standard test is a ``TypeError``.
"""

import pkgutil

import pytest

# Before the suites are imported, so that their asserts say what was compared.
pytest.register_assert_rewrite(
    *(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__))
)

from memio.testing.documents import DocumentStoreSuite  # noqa: E402 - see above
from memio.testing.facts import FactStoreSuite  # noqa: E402 - see above
from memio.testing.graph import GraphStoreSuite  # noqa: E402 - see above
from memio.testing.history import HistoryStoreSuite  # noqa: E402 - see above

__all__ = [
    "DocumentStoreSuite",
    "FactStoreSuite",
    "GraphStoreSuite",
    "HistoryStoreSuite",
]
