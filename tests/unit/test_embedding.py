"""The registry of embedders, what they share, and the one that hashes."""

import asyncio
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from memio.embedding import EMBEDDERS, make_embedder
from memio.embedding import base as embedding_base
from memio.embedding.base import unit_rows
from memio.embedding.hash import HashEmbedder, HashSettings


def test_names_stand_sorted_and_lead_to_classes_with_settings():
    assert list(EMBEDDERS) == sorted(EMBEDDERS)
    for path in EMBEDDERS.values():
        module, _, name = path.partition(":")
        cls = getattr(__import__(module, fromlist=[name]), name)
        assert cls.SETTINGS.__dataclass_params__.frozen
        assert 0 < cls.weight <= 1


def test_choosing_an_embedder_imports_no_other():
    code = (
        "import sys; from memio.embedding import make_embedder;"
        "make_embedder('hash', {});"
        "print({'onnxruntime', 'httpx', 'tokenizers', 'wordllama'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("provider", "config", "message"),
    [
        ("opena", {}, "Did you mean 'openai'?"),
        ("?", {}, "Known are: hash, onnx, openai, static."),
        ("hash", {"dims": 8}, "there is no 'dims'. Did you mean 'dim'?"),
        ("hash", {3: 8}, "there is no '3'. Known are: dim."),
        ("hash", {"dim": "8"}, "embedding.config.dim must be of the type int, not str"),
        ("hash", {"dim": True}, "dim must be of the type int, not bool"),
        ("hash", {"dim": 0}, "embedding.config.dim must be at least 1"),
        ("openai", {}, "embedding.config.model is missing"),
        ("openai", {"model": "m", "dimensions": 0}, "dimensions must be at least 1"),
        ("openai", {"model": "m", "dimensions": "9"}, "must be of the type int | None"),
        ("openai", {"model": "m", "batch": 0}, "batch must be at least 1"),
        ("openai", {"model": "m", "retries": -1}, "retries must be at least 0"),
        ("openai", {"model": "m", "timeout": 0}, "timeout must be above 0"),
        ("onnx", {"path": "/nonexistent"}, "there is no folder '/nonexistent'"),
        ("onnx", {"path": "/", "max_length": 2}, "max_length must be at least 8"),
        ("static", {"path": "/nonexistent"}, "there is no folder '/nonexistent'"),
    ],
)
def test_a_wrong_configuration_is_told_in_a_sentence(provider, config, message):
    with pytest.raises(ValueError, match="embedding") as caught:
        make_embedder(provider, config)
    assert message in str(caught.value)


def test_a_whole_number_of_seconds_is_a_timeout():
    make_embedder("openai", {"model": "m", "timeout": 5, "dimensions": None})


@pytest.mark.parametrize(
    ("provider", "package"), [("onnx", "onnxruntime"), ("openai", "httpx")]
)
def test_a_missing_package_is_told_with_its_install_line(
    monkeypatch, provider, package
):
    monkeypatch.delitem(
        sys.modules, EMBEDDERS[provider].partition(":")[0], raising=False
    )
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError) as caught:
        make_embedder(provider, {})
    assert package in str(caught.value)
    assert f"pip install 'memio[{provider}]'" in str(caught.value)


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(0, 4), st.integers(1, 6)),
        elements={"allow_nan": False, "allow_infinity": False},
    )
)
def test_unit_rows_have_norm_1_or_are_zero_whatever_their_size(rows):
    unit = unit_rows(rows)
    assert unit.dtype == np.float32
    assert unit.shape == rows.shape
    norms = np.linalg.norm(unit, axis=1)
    np.testing.assert_allclose(norms, rows.any(axis=1).astype(float), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(value):
    with pytest.raises(ValueError, match="NaN or infinite"):
        unit_rows(np.array([[1.0, value]]))


def embed(embedder, texts):
    async def run():
        await embedder.open()
        return await embedder.embed(texts)

    return asyncio.run(run())


@given(st.lists(st.text(), max_size=5), st.integers(1, 300))
def test_hash_gives_each_text_its_own_row_of_norm_1_or_0(texts, dim):
    embedder = HashEmbedder(HashSettings(dim=dim))
    vectors = embed(embedder, texts)
    assert vectors.shape == (len(texts), dim)
    assert vectors.dtype == np.float32
    norms = np.linalg.norm(vectors, axis=1)
    assert np.all((np.abs(norms - 1) < 1e-6) | (norms == 0))
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_array_equal(embed(embedder, [text])[0], vector)


def test_hash_is_the_same_everywhere():
    vector = embed(make_embedder("hash", {"dim": 8}), ["Ada, naïve"])[0]
    expected = np.array([0, 1, 1, 0, -1, 0, -1, 2]) / np.sqrt(8)
    np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_hash_puts_texts_that_share_words_closer():
    vectors = embed(
        make_embedder("hash", {}),
        ["where does Anna live", "Anna lives in Lyon", "the stock market fell"],
    )
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2


def test_hash_takes_lone_surrogates_and_blank_texts():
    vectors = embed(make_embedder("hash", {}), ["\ud800", "", " \n", "a\ud800b"])
    assert np.linalg.norm(vectors, axis=1).round(6).tolist() == [0, 0, 0, 1]


def test_much_text_is_read_in_a_thread(monkeypatch):
    calls = []

    async def to_thread(function, *args):
        calls.append(args)
        return function(*args)

    monkeypatch.setattr(embedding_base.asyncio, "to_thread", to_thread)
    embedder = make_embedder("hash", {})
    short, long = ["word " * 4000], ["word " * 2001] * 2
    assert embed(embedder, short).shape == (1, 256)
    assert calls == []
    assert embed(embedder, long).shape == (2, 256)
    assert calls == [(long,)]


def test_fingerprints_tell_dimensions_apart():
    prints = {make_embedder("hash", {"dim": dim}).fingerprint for dim in (64, 128)}
    assert len(prints) == 2
