"""Mem0: facts in its hosted service, or in its open source library in this process."""

import importlib.util

if importlib.util.find_spec("mem0") is None:
    # Importing it takes seconds, which the adapters spend in a thread when they open.
    raise ImportError("No module named 'mem0'")

from memio.providers.mem0.facts import Mem0FactAdapter
from memio.providers.mem0.graph import Mem0GraphAdapter
from memio.providers.mem0.settings import Mem0GraphSettings, Mem0Settings

__all__ = [
    "Mem0FactAdapter",
    "Mem0GraphAdapter",
    "Mem0GraphSettings",
    "Mem0Settings",
]
