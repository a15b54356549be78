"""Mem0's package: imported without its side effects, its failures told apart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memio.exceptions import MemioError

_LATE = ("Timeout", "TimeoutError")
_BROKEN = ("ConnectError", "ReadError", "RemoteProtocolError", "WriteError")  # httpx's
_PASSING = {429, 502, 503, 504}


def import_mem0(directory: Path) -> None:
    """Import Mem0, which takes seconds; it keeps its files in ``directory``.

    By itself it would report use to its makers, and write to the home directory.
    """
    os.environ["MEM0_TELEMETRY"] = "False"
    os.environ.setdefault("MEM0_DIR", str(directory.absolute()))
    directory.mkdir(parents=True, exist_ok=True)
    import mem0  # noqa: F401, PLC0415 (here, because it reads what was set above)


@contextmanager
def failures() -> Iterator[None]:
    """Raise ``TimeoutError`` and ``ConnectionError`` for what is one in the end.

    Mem0 and the clients that it uses each wrap errors in some of their own.
    """
    try:
        yield
    except MemioError:
        raise
    except Exception as error:
        names = [type(each).__name__ for each in _chain(error)]
        if any(name.endswith(_LATE) for name in names):
            raise TimeoutError(str(error)) from error
        if status_of(error) in _PASSING or any(name in _BROKEN for name in names):
            raise ConnectionError(str(error)) from error
        raise


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of which an error tells, if it does of any."""
    for each in _chain(error):
        status = getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
