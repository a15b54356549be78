"""The server's log: one line per record, as key=value text or as JSON."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from memio import jsontext

LogFormat = Literal["text", "json"]

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being served, for every record made meanwhile."""

_PLAIN = re.compile(r"[!#-<>-~]+")  # neither space, quote nor equals sign


def configure_logging(log_format: LogFormat = "text", level: str = "info") -> None:
    """Send every log record to standard error.

    Args:
        log_format: "text" is key=value pairs, "json" one object per line.
        level: Least level of memio's and uvicorn's own records: "debug", "info",
            "warning", "error" or "critical". Other packages speak from "warning" on,
            since below it some log addresses and bodies.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    least = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(least, logging.WARNING))
    for name in ("memio", "uvicorn"):
        logging.getLogger(name).setLevel(least)


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
