"""The static embedder against WordLlama itself, and with other tables."""

import asyncio
import json
import subprocess
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from memio.embedding import make_embedder

TEXTS = [
    "Where does Anna live?",
    "x",
    " two  spaces ",
    "naïve café, 日本語, \U0001f600",
    "<s> not a control token </s>",
    "a\x00b",
    "many words " * 100,
    *(f"memory number {number}" for number in range(100)),
]

REFERENCE = """
import json, logging, pathlib, sys, importlib.util
import numpy as np
from wordllama import WordLlama
folder = pathlib.Path(importlib.util.find_spec("wordllama").origin).parent
model = WordLlama.load(cache_dir=folder, disable_download=True)
np.save(sys.argv[1], model.embed(json.load(sys.stdin), norm=True, batch_size=1))
"""


def write_model(folder, *, table, words, dtype="F16", extra=None, unknown="[UNK]"):
    tokenizer = Tokenizer(models.WordLevel(vocab=words, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(length=4)
    tokenizer.enable_truncation(2)
    tokenizer.save(str(folder / "tokenizer.json"))
    data = table.astype({"F16": "<f2", "F32": "<f4", "F64": "<f8"}[dtype]).tobytes()
    tensor = {"dtype": dtype, "shape": table.shape, "data_offsets": [0, len(data)]}
    header = {"__metadata__": {"by": "test"}, "embeddings": tensor, **(extra or {})}
    encoded = json.dumps(header).encode()
    path = folder / "model.safetensors"
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + data)
    return path


WORDS = {"[UNK]": 0, "red": 1, "green": 2, "blue": 3}
TABLE = np.array([[9, 9], [1, 0], [0, 1], [3, 4]], float)


@pytest.fixture
async def wordllama():
    embedder = make_embedder("static", {})
    await embedder.open()
    yield embedder
    await embedder.close()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The vectors that WordLlama itself makes of TEXTS."""
    path = tmp_path_factory.mktemp("wordllama") / "reference.npy"
    subprocess.run(
        [sys.executable, "-c", REFERENCE, str(path)],
        input=json.dumps(TEXTS),
        text=True,
        check=True,
        capture_output=True,
    )
    return np.load(path)


async def test_vectors_are_those_of_wordllama(wordllama, reference):
    vectors = await wordllama.embed(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, reference, rtol=0, atol=1e-6)


async def test_a_long_text_is_averaged_exactly(wordllama):
    text = "many different words, not only a few of them " * 3000
    ids = wordllama._tokenizer.encode(text, add_special_tokens=False).ids
    exact = wordllama._table[ids].astype(float).mean(axis=0)
    exact /= np.linalg.norm(exact)
    (vector,) = await wordllama.embed([text])
    np.testing.assert_allclose(vector, exact, rtol=0, atol=1e-6)


async def test_wordllama_is_known_by_its_name_and_dimension(wordllama):
    assert wordllama.fingerprint == "static:l2_supercat:256"
    assert wordllama.dim == 256
    assert wordllama.weight == 0.60


async def test_a_text_without_tokens_has_a_row_of_zeros(wordllama):
    vectors = await wordllama.embed(["", "word"])
    assert np.linalg.norm(vectors, axis=1).round(6).tolist() == [0, 1]
    assert (await wordllama.embed([])).shape == (0, 256)


async def test_many_tasks_get_the_vectors_that_one_would(wordllama):
    texts = [[f"text {number} " * 2500] for number in range(8)]
    together = await asyncio.gather(*map(wordllama.embed, texts))
    for text, vectors in zip(texts, together, strict=True):
        np.testing.assert_array_equal(vectors, await wordllama.embed(text))


def test_wordllama_is_read_without_importing_it():
    code = (
        "import asyncio, sys; from memio.embedding import make_embedder;"
        "asyncio.run(make_embedder('static', {}).open());"
        "print({'wordllama', 'requests', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_a_missing_wordllama_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(ImportError, match="pip install wordllama"):
        make_embedder("static", {})


@pytest.mark.parametrize("dtype", ["F16", "F32"])
async def test_a_folder_can_be_given(tmp_path, dtype):
    write_model(tmp_path, table=TABLE, words=WORDS, dtype=dtype)
    embedder = make_embedder("static", {"path": str(tmp_path)})
    await embedder.open()
    vectors = await embedder.embed(
        ["red", "red green", "blue what", "what", "red " * 9]
    )
    half = np.sqrt(0.5)
    expected = [[1, 0], [half, half], [0.6, 0.8], [0, 0], [1, 0]]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert embedder.dim == 2


async def test_another_table_or_tokenizer_has_another_fingerprint(tmp_path):
    prints = set()
    for table, words in [
        (TABLE, WORDS),
        (TABLE + 1, WORDS),
        (TABLE, {"[UNK]": 0, "red": 2, "green": 1, "blue": 3}),
    ]:
        write_model(tmp_path, table=table, words=words)
        embedder = make_embedder("static", {"path": str(tmp_path)})
        await embedder.open()
        await embedder.open()
        prints.add(embedder.fingerprint)
    assert len(prints) == 3


async def open_error(folder):
    with pytest.raises(ValueError, match=str(folder)) as caught:
        await make_embedder("static", {"path": str(folder)}).open()
    return str(caught.value)


async def test_a_folder_must_hold_both_files_once(tmp_path):
    assert "holds 0 files '*.safetensors'" in await open_error(tmp_path)
    path = write_model(tmp_path, table=TABLE, words=WORDS)
    (tmp_path / "other.safetensors").write_bytes(path.read_bytes())
    assert "holds 2 files '*.safetensors'" in await open_error(tmp_path)
    path.unlink()
    (tmp_path / "tokenizer.json").unlink()
    assert "holds 0 files 'tokenizer.json'" in await open_error(tmp_path)


async def test_a_table_must_have_a_row_for_each_token(tmp_path):
    write_model(tmp_path, table=TABLE[:3], words=WORDS)
    assert "has 3 vectors for the 4 tokens" in await open_error(tmp_path)


async def test_a_broken_tokenizer_is_told(tmp_path):
    write_model(tmp_path, table=TABLE, words=WORDS)
    (tmp_path / "tokenizer.json").write_text('{"version"')
    assert "is not a tokenizer" in await open_error(tmp_path)


@pytest.mark.parametrize("size", [0, 5, 40, -1])
async def test_an_incomplete_table_is_told(tmp_path, size):
    path = write_model(tmp_path, table=TABLE, words=WORDS)
    path.write_bytes(path.read_bytes()[:size])
    assert "not a complete safetensors file" in await open_error(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "F64"},
        {"table": TABLE.ravel()},
        {"extra": {"weights": {"dtype": "F16", "shape": [4], "data_offsets": [0, 8]}}},
    ],
)
async def test_a_table_that_would_need_another_reading_is_refused(tmp_path, options):
    write_model(tmp_path, **{"table": TABLE, "words": WORDS, **options})
    assert "one two-dimensional tensor" in await open_error(tmp_path)


async def test_garbage_is_told(tmp_path):
    path = write_model(tmp_path, table=TABLE, words=WORDS)
    for garbage in (
        b"\xff" * 100,
        b"\x02" + bytes(7) + b"[]",
        b"\x02" + bytes(7) + b"{}",
    ):
        path.write_bytes(garbage)
        assert "not a complete safetensors file" in await open_error(tmp_path)
