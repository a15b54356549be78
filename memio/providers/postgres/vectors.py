"""pgvector's ``vector`` as it travels to the server."""

from __future__ import annotations

import struct

import numpy as np

from memio.providers.postgres.connection import Connection
from memio.retrieval.scoring import Floats

_HEAD = struct.Struct(">HH")  # the dimension, and two bytes that mean nothing yet


def packed(vector: Floats, last: float) -> bytes:
    """Return a vector with one more number, as it is sent."""
    whole = np.append(vector, np.float32(last)).astype(">f4")
    return _HEAD.pack(len(whole), 0) + whole.tobytes()


async def teach(conn: Connection, schema: str) -> None:
    """Let a connection send vectors, already packed; ``schema`` is pgvector's."""
    await conn.set_type_codec(
        "vector", schema=schema, encoder=bytes, decoder=bytes, format="binary"
    )
