"""Embeddings by averaging the vectors of a text's tokens: fast, small, no network.

The default table is the one that the WordLlama package brings along: 256 dimensions,
distilled from the token tables of Llama models. Its two files are read here, since
importing the package takes far longer than reading them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from memio.embedding.base import Vectors, run_embedding, unit_rows
from memio.embedding.files import find_file, hash_files, load_tokenizer

_WORDLLAMA = "l2_supercat"
_DTYPES = {"F16": "<f2", "F32": "<f4"}
_TEXTS_AT_ONCE = 64
_TOKENS_AT_ONCE = 2048

_Table = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class StaticSettings:
    """Settings of the static embedder.

    Attributes:
        path: Folder with one ``*.safetensors`` file, which holds one table of token
            vectors, and its ``tokenizer.json``; None takes WordLlama's table.
    """

    path: str | None = None


class StaticEmbedder:
    """Averages token vectors out of a table that stays on disk, mapped into memory."""

    SETTINGS: ClassVar[type[StaticSettings]] = StaticSettings
    weight: float = 0.60

    def __init__(self, settings: StaticSettings) -> None:
        """Find the files.

        Raises:
            ValueError: One of them is not there.
            ImportError: WordLlama's are asked for and it is not installed.
        """
        if settings.path is None:
            package = _wordllama_folder()
            self._table_path = package / "weights" / f"{_WORDLLAMA}_256.safetensors"
            self._tokenizer_path = (
                package / "tokenizers" / f"{_WORDLLAMA}_tokenizer_config.json"
            )
        else:
            self._table_path = find_file(settings.path, "*.safetensors")
            self._tokenizer_path = find_file(settings.path, "tokenizer.json")
        self._bundled = settings.path is None
        self.dim = 0
        self.fingerprint = ""
        self._table: _Table
        self._tokenizer: Tokenizer
        self._unknown: int

    async def open(self) -> None:
        """Map the table and read the tokenizer; see ``Embedder.open``."""
        if self.dim:
            return
        table = _map_table(self._table_path)
        tokenizer = load_tokenizer(self._tokenizer_path)
        if tokenizer.get_vocab_size() > len(table):
            raise ValueError(
                f"'{self._table_path}' has {len(table)} vectors for the "
                f"{tokenizer.get_vocab_size()} tokens of '{self._tokenizer_path}'; "
                "take both files from the same model."
            )
        unknown = getattr(tokenizer.model, "unk_token", None)
        if unknown is not None:
            unknown = tokenizer.token_to_id(unknown)
        self._unknown = -1 if unknown is None else unknown
        self._table = table
        self._tokenizer = tokenizer
        name = (
            _WORDLLAMA
            if self._bundled
            else hash_files([self._table_path, self._tokenizer_path])
        )
        self.fingerprint = f"static:{name}:{table.shape[1]}"
        self.dim = table.shape[1]

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Average the vectors of each text's known tokens; see ``Embedder.embed``."""
        return await run_embedding(self._embed, texts)

    async def close(self) -> None:
        """Do nothing: the table is unmapped when its last reader has gone."""

    def _embed(self, texts: Sequence[str]) -> Vectors:
        sums = np.zeros((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            encodings = self._tokenizer.encode_batch_fast(
                list(texts[start : start + _TEXTS_AT_ONCE]), add_special_tokens=False
            )
            for row, encoding in enumerate(encodings, start):
                ids = np.array(encoding.ids, np.intp)
                sums[row] = _sum_rows(self._table, ids[ids != self._unknown])
        # Scaling to norm 1 makes the sum and the mean the same.
        return unit_rows(sums)


def _sum_rows(table: _Table, ids: NDArray[np.intp]) -> Vectors:
    total = np.zeros(table.shape[1], np.float32)
    # In pieces, so that a long text does not become a huge array.
    for start in range(0, len(ids), _TOKENS_AT_ONCE):
        rows = table[ids[start : start + _TOKENS_AT_ONCE]]
        total += rows.astype(np.float32).sum(axis=0)
    return total


def _wordllama_folder() -> Path:
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise ImportError(
            "The static embedder needs the package 'wordllama': pip install wordllama, "
            "or name another model's folder in embedding.config.path."
        )
    return Path(spec.origin).parent


def _map_table(path: Path) -> _Table:
    """Map the one tensor of a safetensors file: (tokens, dim), float16 or float32.

    The format: the length of a JSON header as 8 bytes, little-endian; the header, which
    gives each tensor's dtype, shape and place; the tensors.
    """
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(size, path.stat().st_size)))
        header.pop("__metadata__", None)
        (tensor,) = header.values()
        rows, columns = tensor["shape"]
        dtype = np.dtype(_DTYPES[tensor["dtype"]])
        offset = 8 + size + tensor["data_offsets"][0]
        table = np.memmap(path, dtype, "r", offset, (rows, columns))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(
            f"'{path}' is not a complete safetensors file with one two-dimensional "
            "tensor of the type F16 or F32; get it again or take another model."
        ) from error
    # A plain array over the same pages: indexing it is faster than a memmap.
    return table.view(np.ndarray)
