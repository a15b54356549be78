"""The ONNX embedder on tiny models that are built here."""

import asyncio
import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from memio.embedding import make_embedder
from memio.exceptions import ProviderError

WORDS = {"[PAD]": 0, "[CLS]": 1, "a": 2, "red": 3, "green": 4, "blue": 5}
TABLE = np.array(
    [[50, 50, 50], [0, 0, 3], [9, 9, 9], [4, 0, 0], [0, 4, 0], [1, 2, 2]], np.float32
)
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def write_tokenizer(folder):
    tokenizer = Tokenizer(models.WordLevel(vocab=WORDS, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 1)]
    )
    # As published tokenizers come: padded to a fixed length, which is not wanted here.
    tokenizer.enable_padding(length=128)
    tokenizer.save(str(folder / "tokenizer.json"))


def write_model(
    folder, *, table=TABLE, inputs=NAMES, output="last_hidden_state", axes=None
):
    """Write a model that looks up each token; ``axes`` are summed over, if given."""
    name = "looked_up" if axes else output
    nodes = [helper.make_node("Gather", ["table", "input_ids"], [name])]
    initializers = [numpy_helper.from_array(table, "table")]
    if axes:
        initializers.append(numpy_helper.from_array(np.array(axes), "axes"))
        nodes.append(
            helper.make_node("ReduceSum", ["looked_up", "axes"], [output], keepdims=0)
        )
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(n, TensorProto.INT64, ["n", "t"])
            for n in inputs
        ],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        initializers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )
    onnx.save(model, str(folder / "model.onnx"))
    write_tokenizer(folder)


@pytest.fixture
async def opened(tmp_path):
    embedders = []

    async def open_embedder(config=None, **model):
        write_model(tmp_path, **model)
        embedder = make_embedder("onnx", {"path": str(tmp_path), **(config or {})})
        embedders.append(embedder)
        await embedder.open()
        return embedder

    yield open_embedder
    for embedder in embedders:
        await embedder.close()


def units(*rows):
    array = np.array(rows, float)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


@pytest.mark.parametrize("batch", [1, 2, 32])
async def test_token_vectors_are_averaged_over_the_mask(opened, batch):
    embedder = await opened({"batch": batch})
    vectors = await embedder.embed(["red green red", "blue", "red"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(
        vectors, units([8, 4, 3], [1, 2, 5], [4, 0, 3]), atol=1e-6
    )


@pytest.mark.parametrize("inputs", [NAMES[:1], NAMES[:2], NAMES])
async def test_only_the_inputs_that_the_model_has_are_fed(opened, inputs):
    embedder = await opened(inputs=inputs)
    vectors = await embedder.embed(["red"])
    np.testing.assert_allclose(vectors, units([4, 0, 3]), atol=1e-6)


async def test_a_sentence_vector_is_taken_as_it_is(opened):
    embedder = await opened(output="sentence_embedding", axes=[1])
    # Padding too is summed by this model, as it has no mask.
    vectors = await embedder.embed(["red", "red blue"])
    np.testing.assert_allclose(vectors, units([54, 50, 53], [5, 2, 5]), atol=1e-6)


async def test_dim_weight_and_fingerprint_are_known_once_open(opened):
    embedder = await opened()
    await embedder.open()
    assert embedder.dim == 3
    assert embedder.weight == 0.65
    kind, digest, length, dim = embedder.fingerprint.split(":")
    assert (kind, len(digest), length, dim) == ("onnx", 16, "256", "3")


async def test_another_model_has_another_fingerprint(opened, tmp_path):
    prints = {(await opened(table=TABLE * factor)).fingerprint for factor in (1, 2)}
    prints.add((await opened({"max_length": 100})).fingerprint)
    (tmp_path / "model.onnx_data").write_bytes(b"weights beside the model")
    prints.add((await opened()).fingerprint)
    assert len(prints) == 4
    assert (await opened()).fingerprint in prints


async def test_a_long_text_is_cut(opened):
    embedder = await opened({"max_length": 8})
    cut, whole = await embedder.embed(["red " * 7 + "green " * 90, "red " * 7])
    np.testing.assert_array_equal(cut, whole)


async def test_blank_texts_have_rows_of_zeros_and_order_is_kept(opened):
    embedder = await opened()
    vectors = await embedder.embed(["green green green", "", " \n", "red"])
    np.testing.assert_allclose(
        vectors,
        [*units([0, 12, 3]), [0, 0, 0], [0, 0, 0], *units([4, 0, 3])],
        atol=1e-6,
    )
    assert (await embedder.embed([])).shape == (0, 3)


async def test_the_model_runs_in_one_thread_beside_the_event_loop(opened):
    embedder = await opened()
    run, threads = embedder._run, set()

    def watched(texts):
        threads.add(threading.current_thread().name)
        return run(texts)

    embedder._run = watched
    await asyncio.gather(*(embedder.embed(["red"]) for _ in range(20)))
    assert len(threads) == 1
    assert threads.pop().startswith("memio-onnx")


async def test_not_a_number_is_a_failure_of_the_model(opened):
    table = TABLE.copy()
    table[5] = np.nan
    embedder = await opened(table=table)
    await embedder.embed(["red"])
    with pytest.raises(ProviderError, match="NaN") as caught:
        await embedder.embed(["blue"])
    assert (caught.value.provider, caught.value.operation) == (
        "embedding:onnx",
        "embed",
    )


async def test_a_failing_run_is_a_provider_error(opened):
    embedder = await opened(table=TABLE[:5])
    with pytest.raises(ProviderError, match=r"\[embedding:onnx\] embed failed"):
        await embedder.embed(["blue"])


async def test_a_closed_embedder_says_so_and_closes_twice(opened):
    embedder = await opened()
    await embedder.close()
    await embedder.close()
    with pytest.raises(ProviderError, match="shutdown"):
        await embedder.embed(["red"])


async def test_inputs_beyond_a_text_encoder_are_refused(opened):
    with pytest.raises(ValueError, match=r"wants the inputs \['pixels'\]"):
        await opened(inputs=("input_ids", "pixels"))


async def test_an_output_that_is_no_vector_per_text_is_refused(opened):
    with pytest.raises(ValueError, match="neither"):
        await opened(axes=[1, 2])


async def test_a_model_that_cannot_run_at_all_is_refused(opened):
    with pytest.raises(ValueError, match="cannot be run with"):
        await opened(table=TABLE[:2])


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(tmp_path, missing):
    write_model(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(ValueError, match=f"holds 0 files '{missing}'"):
        make_embedder("onnx", {"path": str(tmp_path)})


@pytest.mark.parametrize("garbage", [b"", b"garbage" * 99])
async def test_garbage_is_told(tmp_path, garbage):
    write_model(tmp_path)
    (tmp_path / "model.onnx").write_bytes(garbage)
    embedder = make_embedder("onnx", {"path": str(tmp_path)})
    with pytest.raises(ValueError, match="cannot be loaded"):
        await embedder.open()
    await embedder.close()
