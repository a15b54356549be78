"""Metadata as it is stored: one JSON text, within the size that memio keeps."""

from __future__ import annotations

from typing import Final

from memio import jsontext
from memio.exceptions import ValidationError
from memio.models import Metadata

MOST_METADATA: Final = 64 * 1024
"""Bytes of JSON that the metadata of one row may take."""


def load_metadata(text: str | None) -> Metadata | None:
    """Read what ``dump_metadata`` wrote."""
    return None if text is None else jsontext.loads(text)


def dump_metadata(metadata: Metadata | None) -> str | None:
    """Write metadata; None stays None.

    Raises:
        ValidationError: It is larger than memio keeps, or not JSON.
    """
    if metadata is None:
        return None
    try:
        text = jsontext.dumps(metadata)
    except (TypeError, ValueError) as error:
        raise ValidationError("metadata must be a JSON object.") from error
    if len(text) > MOST_METADATA:
        raise ValidationError(
            f"metadata takes {len(text)} bytes as JSON; keep it under {MOST_METADATA}."
        )
    return text.decode()
