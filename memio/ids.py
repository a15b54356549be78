"""Identifiers that memio makes: row ids and page cursors."""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def uuid7() -> str:
    """Return a UUIDv7 (RFC 9562, 5.7): ids made later in this process sort later.

    The 12 bits behind the milliseconds count on within one millisecond, which is the
    RFC's method 1 of monotonicity.
    """
    global _last  # noqa: PLW0603 (one counter per process is the point)
    with _lock:
        _last = max(_last + 1, (time.time_ns() // 1_000_000) << 12)
        stamp = _last
    tail = int.from_bytes(os.urandom(8)) & (1 << 62) - 1
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | tail
    return str(uuid.UUID(int=value))


def cursor_at(position: int) -> str:
    """Return the opaque cursor for a row's position, 0 <= position < 2**63."""
    return f"{position:016x}"


def position_of(cursor: str) -> int:
    """Return the position that a cursor stands for; any hex string has one."""
    return min(int(cursor, 16), (1 << 63) - 1)
