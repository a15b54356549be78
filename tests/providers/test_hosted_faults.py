"""However a hosted service fails, callers get one kind of error, in time."""

from __future__ import annotations

import time

import pytest

from memio.exceptions import ProviderError, ProviderTimeoutError
from memio.providers.letta import LettaFactAdapter
from memio.providers.supermemory import SupermemoryFactAdapter
from memio.providers.zep import ZepFactAdapter
from tests.standins.faults import FAULTS, LATE, faulty
from tests.standins.letta import AGENT

every_fault = pytest.mark.parametrize("fault", FAULTS)
every_provider = pytest.mark.parametrize("provider", ["letta", "supermemory", "zep"])


def make_store(provider, url, tmp_path):
    common = {"api_key": "key", "base_url": url, "timeout": 0.8}
    if provider == "letta":
        return LettaFactAdapter(agent_id=AGENT, **common)
    if provider == "supermemory":
        return SupermemoryFactAdapter(**common)
    return ZepFactAdapter(path=str(tmp_path / "zep.db"), **common)


@every_provider
@every_fault
async def test_a_fault_is_an_error_of_the_provider(provider, fault, tmp_path):
    with faulty(fault) as url:
        store = make_store(provider, url, tmp_path)
        await store.open()
        wanted = ProviderTimeoutError if fault in LATE else ProviderError
        for operation, work in (
            ("ping", store.ping()),
            ("add", store.add(content="text", user_id="ann")),
        ):
            started = time.monotonic()
            with pytest.raises(wanted) as caught:
                await work
            assert time.monotonic() - started < 5
            assert caught.value.provider == provider
            assert caught.value.operation == operation
        await store.close()
