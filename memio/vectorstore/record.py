"""What is kept of a row beside its text, written as one JSON string."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from memio import jsontext
from memio.metadata import dump_metadata
from memio.models import Metadata

MOST_SCALAR: Final = 256
"""The longest text, in characters, that engines are given to filter by."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = 10**12  # microseconds: no clock has been earlier than 12 January 1970
_GREATEST: Final = 1e300

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Record:
    """A row without its text.

    Attributes:
        key: Its id, as memio shows it.
        kind: "fact" or "document", as errors call it.
        created: When it was stored, in microseconds since 1970, different for all rows
            of one process; or just a number where the time is not known.
        updated: When it changed last, likewise.
        model: The fingerprint of the embedder that its vectors are of.
        origin: Different for all rows that were ever added: tells who added a key.
        metadata: As it was given.
    """

    key: str
    kind: str
    created: int
    updated: int
    model: str
    origin: str
    metadata: Metadata | None = None
    user_id: str | None = None
    agent_id: str | None = None

    @property
    def place(self) -> str:
        """Its place in the order of creation: hex digits that compare as text does."""
        # The digest tells apart what two processes stored in one microsecond.
        return f"{self.created:016x}{_digest(self.key)}"

    def dump(self) -> str:
        """Write it as JSON.

        Raises:
            ValidationError: The metadata is larger than memio keeps, or not JSON.
        """
        dump_metadata(self.metadata)
        return jsontext.dumps(self).decode()

    @classmethod
    def load(cls, text: str) -> Record:
        """Read what ``dump`` wrote.

        Raises:
            ValueError: Something else wrote it.
        """
        values = jsontext.loads(text)
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or values.keys() != names:
            raise ValueError("a row was not written by memio, or by a newer version")
        return cls(**values)


def latest(place: str) -> int:
    """Return the greatest ``created`` that a place before ``place`` may have."""
    return min(int(place[:16], 16), 2**63 - 1)


def moment(micros: int) -> datetime | None:
    """Return a time in microseconds since 1970, or None if it is just a number."""
    return _EPOCH + timedelta(microseconds=micros) if micros >= _FIRST else None


def is_field(key: str) -> bool:
    """Tell whether every engine can filter by this key of the metadata."""
    return key.replace("_", "").replace("-", "").isalnum() and len(key) <= MOST_SCALAR


def scalar(value: Any) -> Scalar | None:
    """Return a value as engines can compare it, or None if they cannot.

    Of a number that is beyond 64 bits, or beyond any use, they have one that they can
    hold, so that what is in order stays in order.
    """
    if isinstance(value, str):
        return value if len(value) <= MOST_SCALAR else None
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, int | float):
        return float(max(-_GREATEST, min(value, _GREATEST)))
    return None


def scalars(metadata: Metadata | None) -> dict[str, Scalar]:
    """Return the part of the metadata that engines can filter by."""
    plain = {k: scalar(v) for k, v in (metadata or {}).items() if is_field(k)}
    return {key: value for key, value in plain.items() if value is not None}


def _digest(key: str) -> str:
    return blake2b(key.encode(), digest_size=8).hexdigest()
