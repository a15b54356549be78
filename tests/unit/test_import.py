"""Importing memio is quick, since every command and every script pays for it."""

import subprocess
import sys

import pytest

import memio

HEAVY = ("importlib.metadata", "numpy", "connexion", "httpx", "yaml", "uvicorn")


def test_nothing_heavy_is_imported():
    code = "import sys, memio; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(HEAVY) & set(done.stdout.split())


def test_the_version_is_there_when_asked_for():
    assert memio.__version__ == memio.__version__ != ""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = memio.nothing
