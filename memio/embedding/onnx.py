"""Embeddings by a transformer in ONNX form, out of a folder that the operator names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from tokenizers import Tokenizer

from memio.embedding.base import Vectors, check_least, unit_rows
from memio.embedding.files import find_file, hash_files, load_tokenizer
from memio.exceptions import ProviderError

_PROVIDER = "embedding:onnx"
_INPUTS = {
    "input_ids": "ids",
    "attention_mask": "attention_mask",
    "token_type_ids": "type_ids",
}
"""The inputs that can be fed, and the attribute of an encoding that each is made of."""

_OUTPUTS = ("sentence_embedding", "last_hidden_state")
"""The outputs that are taken if the model has them; its first one otherwise."""

_PADDING_TOKENS = ("[PAD]", "<pad>")
_MIN_LENGTH = 8


@dataclass(frozen=True, slots=True)
class OnnxSettings:
    """Settings of the ONNX embedder.

    Attributes:
        path: Folder with ``model.onnx`` and ``tokenizer.json``.
        max_length: Tokens of a text that are read; what follows them is cut off.
        batch: Texts in one run of the model.
        threads: Threads that one run may use.
    """

    path: str
    max_length: int = 256
    batch: int = 32
    threads: int = 1

    def __post_init__(self) -> None:
        check_least(
            max_length=(self.max_length, _MIN_LENGTH),
            batch=(self.batch, 1),
            threads=(self.threads, 1),
        )


class OnnxEmbedder:
    """Runs the model in one thread of its own, so that it never takes more than that.

    The vectors of a text's tokens are averaged, unless the model does so itself.
    """

    SETTINGS: ClassVar[type[OnnxSettings]] = OnnxSettings
    weight: float = 0.65

    def __init__(self, settings: OnnxSettings) -> None:
        """Look for the files.

        Raises:
            ValueError: One of them is not there.
        """
        self._settings = settings
        self._model_path = find_file(settings.path, "model.onnx")
        self._tokenizer_path = find_file(settings.path, "tokenizer.json")
        self.dim = 0
        self.fingerprint = ""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="memio-onnx")
        self._session: InferenceSession
        self._tokenizer: Tokenizer
        self._inputs: list[str]
        self._output: str

    async def open(self) -> None:
        """Load the model and run it once; see ``Embedder.open``."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Run the model over the texts; see ``Embedder.embed``."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._embed, texts)
        except Exception as error:  # onnxruntime raises no narrower class
            raise ProviderError(_PROVIDER, "embed", error) from error

    async def close(self) -> None:
        """End the thread; what it has begun is finished."""
        self._thread.shutdown(wait=False)

    def _load(self) -> None:
        if self.dim:
            return
        options = SessionOptions()
        options.intra_op_num_threads = self._settings.threads
        options.inter_op_num_threads = 1
        try:
            self._session = InferenceSession(
                str(self._model_path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises no narrower class
            raise ValueError(
                f"'{self._model_path}' cannot be loaded: {error}"
            ) from error
        self._tokenizer = load_tokenizer(self._tokenizer_path)
        self._tokenizer.enable_truncation(self._settings.max_length)
        # Some models count positions by which ids are not padding: it must be theirs.
        padding = map(self._tokenizer.token_to_id, _PADDING_TOKENS)
        self._tokenizer.enable_padding(pad_id=next(filter(None, padding), 0))
        self._inputs = [item.name for item in self._session.get_inputs()]
        if unknown := sorted(set(self._inputs) - _INPUTS.keys()):
            raise ValueError(
                f"'{self._model_path}' wants the inputs {unknown}, which are beyond "
                f"what memio feeds: {sorted(_INPUTS)}; take a text encoder."
            )
        outputs = [item.name for item in self._session.get_outputs()]
        self._output = next((n for n in _OUTPUTS if n in outputs), outputs[0])
        try:
            # As long a text as there will be: the model may have a limit of its own.
            dim = self._run(["a " * self._settings.max_length]).shape[1]
        except Exception as error:  # onnxruntime raises no narrower class
            raise ValueError(
                f"'{self._model_path}' cannot be run with embedding.config.max_length "
                f"{self._settings.max_length}: {error}"
            ) from error
        # Large models keep their weights in files beside model.onnx.
        model_files = sorted(self._model_path.parent.glob("model.onnx*"))
        name = hash_files([*model_files, self._tokenizer_path])
        self.fingerprint = f"onnx:{name}:{self._settings.max_length}:{dim}"
        self.dim = dim

    def _embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dim), np.float32)
        # Texts of like length together, so that little padding is computed.
        rows = sorted(
            (row for row, text in enumerate(texts) if text.strip()),
            key=lambda row: len(texts[row]),
        )
        for start in range(0, len(rows), self._settings.batch):
            batch = rows[start : start + self._settings.batch]
            vectors[batch] = self._run([texts[row] for row in batch])
        return unit_rows(vectors)

    def _run(self, texts: list[str]) -> Vectors:
        """Return one vector for each text, of any length."""
        encodings = self._tokenizer.encode_batch(texts)
        feeds = {
            name: np.array([getattr(e, attribute) for e in encodings], np.int64)
            for name, attribute in _INPUTS.items()
        }
        mask = feeds["attention_mask"]
        (output,) = self._session.run(
            [self._output], {name: feeds[name] for name in self._inputs}
        )
        vectors = np.asarray(output, np.float32)
        if vectors.shape[:-1] == mask.shape:
            # The sum serves as the mean, since rows are scaled to norm 1 at the end.
            vectors = np.einsum("ntd,nt->nd", vectors, mask.astype(np.float32))
        if vectors.shape[:-1] != (len(texts),):
            raise ValueError(
                f"its output '{self._output}' has the shape {vectors.shape}, which is "
                "neither (texts, tokens, dim) nor (texts, dim)"
            )
        return vectors
