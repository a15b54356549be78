"""Folders that hold a model: finding, naming and reading their files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer


def find_file(folder: str, pattern: str) -> Path:
    """Return the one file in ``folder`` that matches the glob ``pattern``.

    Raises:
        ValueError: There is no such folder, no such file, or more than one.
    """
    directory = Path(folder).expanduser()
    if not directory.is_dir():
        raise ValueError(
            f"embedding.config.path: there is no folder '{directory}'; "
            "name one that holds the model's files."
        )
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise ValueError(
            f"embedding.config.path: the folder '{directory}' holds {len(found)} files "
            f"'{pattern}'; it must hold exactly one."
        )
    return found[0]


def hash_files(paths: Iterable[Path]) -> str:
    """Return the first 16 hex digits of the SHA-256 of the files' contents."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a ``tokenizer.json``; texts are neither cut nor padded.

    Raises:
        ValueError: The file is not one.
    """
    # Texts are short and requests many: one thread each is faster than a pool, and a
    # process without that pool may fork without a warning.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises no narrower class
        raise ValueError(f"'{path}' is not a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
