"""The server's log: one line per record, as key=value text or as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import threading
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TextIO

from memio import jsontext

LogFormat = Literal["text", "json"]

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being served, for every record made meanwhile."""

_PLAIN = re.compile(r"[!#-<>-~]+")  # neither space, quote nor equals sign
_MOST_AT_ONCE = 4096  # characters, which processes write without mixing
_TEXT_LINE = (
    "time=%s.%sZ level=info logger=memio.access request_id=%s "
    "%s status=%s ms=%.2f bytes=%s\n"
)
_JSON_LINE = (
    '{"time":"%s.%sZ","level":"info","logger":"memio.access","request_id":"%s",'
    '%s,"status":%s,"ms":%.2f,"bytes":%s}\n'
)
_MILLISECONDS = [f"{number:03}" for number in range(1000)]
_access = logging.getLogger("memio.access")


def configure_logging(log_format: LogFormat = "text", level: str = "info") -> None:
    """Send every log record to standard error.

    Args:
        log_format: "text" is key=value pairs, "json" one object per line.
        level: Least level of memio's and uvicorn's own records: "debug", "info",
            "warning", "error" or "critical". Other packages speak from "warning" on,
            since below it some log addresses and bodies.
    """
    handler = _Handler(log_format)
    least = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(least, logging.WARNING))
    for name in ("memio", "uvicorn"):
        logging.getLogger(name).setLevel(least)


def log_request(
    method: str, route: str, status: int, size: int, *, seconds: float
) -> None:
    """Tell of an answered request in one line, to where ``configure_logging`` says."""
    if _access.isEnabledFor(logging.INFO):
        for handler in logging.root.handlers:
            if isinstance(handler, _Handler):
                handler.tell(method, route, status, size, seconds)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes records, and lines about requests, to standard error.

    There are many more of these lines than of records: they are put together without
    a record, and those of one turn of the event loop are written at once after it, or
    with the next record, so that their order stays.
    """

    def __init__(self, log_format: LogFormat) -> None:
        super().__init__(sys.stderr)
        as_json = log_format == "json"
        self.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
        self._line = _JSON_LINE if as_json else _TEXT_LINE
        # The same few again and again, as far as clients are well.
        self._target = lru_cache(256)(_json_target if as_json else _text_target)
        self._waiting: list[str] = []
        self._size = 0
        self._held = threading.RLock()
        self._second, self._clock = -1, ""

    def tell(
        self, method: str, route: str, status: int, size: int, seconds: float
    ) -> None:
        now = time.time()
        second = int(now)
        if second != self._second:
            clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second, self._clock = second, clock
        line = self._line % (
            self._clock,
            _MILLISECONDS[int((now - second) * 1000)],
            REQUEST_ID.get(),
            self._target(method, route),
            status,
            seconds * 1000,
            size,
        )
        with self._held:
            if self._size + len(line) > _MOST_AT_ONCE:
                self.flush()
            if not self._waiting:
                asyncio.get_running_loop().call_soon(self.flush)
            self._waiting.append(line)
            self._size += len(line)

    def emit(self, record: logging.LogRecord) -> None:
        self.flush()
        super().emit(record)

    def flush(self) -> None:
        with self._held:
            lines = "".join(self._waiting)
            self._waiting.clear()
            self._size = 0
            if not lines:
                return
            try:
                self.stream.write(lines)
                self.stream.flush()
            except (OSError, ValueError):  # nobody reads the log any more
                pass


def _pairs(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record says; ``extra={"fields": {...}}`` adds to it."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    pairs: dict[str, Any] = {
        "time": at.replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
    }
    request_id = REQUEST_ID.get()
    if request_id is not None:
        pairs["request_id"] = request_id
    message = record.getMessage()
    if message:
        pairs["message"] = message
    pairs.update(getattr(record, "fields", {}))
    return pairs


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = " ".join(f"{key}={_text(v)}" for key, v in _pairs(record).items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        pairs = _pairs(record)
        if record.exc_info:
            pairs["exception"] = self.formatException(record.exc_info)
        return jsontext.dumps(pairs).decode()


def _text(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _text_target(method: str, route: str) -> str:
    return f"method={_text(method)} route={_text(route)}"


def _json_target(method: str, route: str) -> str:
    return f'"method":{json.dumps(method)},"route":{json.dumps(route)}'
