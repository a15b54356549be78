"""The OpenAI-compatible embedder against a real HTTP server that may misbehave."""

import asyncio
import json
import logging
import threading
import time
import traceback
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from memio.embedding import make_embedder
from memio.embedding import openai as openai_module
from memio.exceptions import ProviderError, ProviderTimeoutError

KEY = "sk-a-very-secret-key"


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    """Bytes that the Content-Length promises beyond those sent."""
    pause: float = 0
    """Seconds before each byte."""


HANG_UP = Reply(status=0)


def vector_of(text):
    return [3, 4] if len(text) % 2 else [4, -3]


def answer(body, **options):
    """Answer as the real endpoint may, the last text first."""
    items = [
        {"object": "embedding", "index": index, "embedding": vector_of(text)}
        for index, text in enumerate(body["input"])
    ]
    return Reply(
        json.dumps({"object": "list", "data": items[::-1]}).encode(), **options
    )


def data(*items):
    return Reply(json.dumps({"data": items}).encode())


def vectors(*rows):
    return data(*({"index": i, "embedding": row} for i, row in enumerate(rows)))


class Endpoint:
    """Plays ``script``, one reply for each request, and answers well afterwards."""

    def __init__(self):
        self.script, self.requests = [], []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(size))
                endpoint.requests.append((self.path, self.headers, body))
                step = endpoint.script.pop(0) if endpoint.script else answer
                reply = step(body) if callable(step) else step
                self.close_connection = bool(reply.missing or reply.pause)
                if reply is HANG_UP:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for header in reply.headers.items():
                    self.send_header(*header)
                length = len(reply.body) + reply.missing
                self.send_header("Content-Length", str(length))
                self.end_headers()
                try:
                    for byte in reply.body if reply.pause else ():
                        time.sleep(reply.pause)
                        self.wfile.write(bytes([byte]))
                except OSError:
                    return
                if not reply.pause:
                    self.wfile.write(reply.body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def endpoint():
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
async def make(endpoint):
    embedders = []

    def build(**config):
        settings = {"base_url": endpoint.url, "model": "tiny", "timeout": 5, **config}
        embedders.append(make_embedder("openai", settings))
        return embedders[-1]

    yield build
    for embedder in embedders:
        await embedder.close()


@pytest.fixture
async def embedder(endpoint, make):
    """An embedder that is open, with the request for its dimension forgotten."""
    embedder = make(api_key=KEY)
    await embedder.open()
    endpoint.requests.clear()
    return embedder


@pytest.fixture
def pauses(monkeypatch):
    """The pauses between attempts, which are not waited for."""
    taken = []
    sleep = asyncio.sleep

    async def note(seconds):
        taken.append(seconds)
        await sleep(0)

    monkeypatch.setattr(openai_module.asyncio, "sleep", note)
    return taken


async def test_rows_are_in_the_order_of_the_texts_and_of_norm_1(endpoint, embedder):
    rows = await embedder.embed(["odd", "even", "1"])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.8, -0.6], [0.6, 0.8]], atol=1e-6)
    ((path, headers, body),) = endpoint.requests
    assert path == "/v1/embeddings"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body == {"model": "tiny", "input": ["odd", "even", "1"]}


async def test_opening_asks_once_for_the_dimension(endpoint, make):
    embedder = make()
    await embedder.open()
    await embedder.open()
    assert len(endpoint.requests) == 1
    assert embedder.dim == 2
    assert embedder.weight == 0.65
    assert embedder.fingerprint == "openai:tiny:2"


async def test_given_dimensions_are_asked_for_and_not_probed(endpoint, make):
    embedder = make(dimensions=2)
    await embedder.open()
    assert endpoint.requests == []
    assert embedder.dim == 2
    await embedder.embed(["odd"])
    assert endpoint.requests[0][2]["dimensions"] == 2


@pytest.mark.parametrize("key", [None, ""])
async def test_without_a_key_no_header_is_sent(endpoint, make, key):
    await make(api_key=key).open()
    assert endpoint.requests[0][1]["Authorization"] is None


async def test_the_path_is_added_before_a_query(endpoint, make):
    await make(base_url=f"{endpoint.url}/?api-version=2").open()
    assert endpoint.requests[0][0] == "/v1/embeddings?api-version=2"


async def test_texts_go_in_batches_and_blank_ones_not_at_all(endpoint, make):
    embedder = make(batch=2)
    await embedder.open()
    rows = await embedder.embed(["odd", "", "even", " \n", "1"])
    assert [body["input"] for _, _, body in endpoint.requests[1:]] == [
        ["odd", "even"],
        ["1"],
    ]
    expected = [[0.6, 0.8], [0, 0], [0.8, -0.6], [0, 0], [0.6, 0.8]]
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    assert (await embedder.embed([])).shape == (0, 2)
    assert (await embedder.embed([""])).shape == (1, 2)


@pytest.mark.parametrize(
    "failure",
    [
        *(Reply(b"later", status) for status in (408, 409, 429, 500, 502, 503, 529)),
        lambda body: answer(body, missing=10),
        HANG_UP,
    ],
)
async def test_what_may_pass_is_tried_again(endpoint, embedder, pauses, failure):
    endpoint.script = [failure, failure]
    assert (await embedder.embed(["odd"])).shape == (1, 2)
    assert len(endpoint.requests) == 3
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1


async def test_tries_come_to_an_end(endpoint, embedder, pauses):
    endpoint.script = [Reply(b"still   ill", 500)] * 9
    with pytest.raises(ProviderError, match="answered 500: still ill") as caught:
        await embedder.embed(["odd"])
    assert type(caught.value) is ProviderError
    assert caught.value.provider == "embedding:openai"
    assert caught.value.operation == "embed"
    assert len(endpoint.requests) == 4
    assert len(pauses) == 3


async def test_pauses_stop_growing(endpoint, make, pauses):
    embedder = make(retries=8, dimensions=2)
    await embedder.open()
    endpoint.script = [Reply(status=500)] * 8
    await embedder.embed(["odd"])
    assert max(pauses) <= 8


async def test_retry_after_is_honoured(endpoint, embedder, pauses):
    endpoint.script = [
        Reply(status=429, headers={"Retry-After": "3"}),
        Reply(status=503, headers={"Retry-After": formatdate(time.time() + 4)}),
        Reply(status=429, headers={"Retry-After": "soon"}),
    ]
    await embedder.embed(["odd"])
    assert pauses[0] == 3
    assert 2 <= pauses[1] <= 4
    assert 1 <= pauses[2] <= 2


async def test_a_long_retry_after_is_not_waited_for(endpoint, embedder, pauses):
    endpoint.script = [Reply(b"quota", 429, {"Retry-After": "3600"})]
    with pytest.raises(ProviderError, match="answered 429: quota"):
        await embedder.embed(["odd"])
    assert pauses == []


@pytest.mark.parametrize("status", [301, 400, 404, 422])
async def test_a_refusal_is_told_at_once(endpoint, embedder, status):
    endpoint.script = [Reply(b'{"error": "too long"}', status)]
    with pytest.raises(ProviderError, match=f"answered {status}.*too long"):
        await embedder.embed(["odd"])
    assert len(endpoint.requests) == 1


async def test_an_endpoint_that_is_not_there_is_told(make, endpoint, pauses):
    embedder = make()
    endpoint.server.server_close()
    with pytest.raises(ProviderError, match=r"127\.0\.0\.1:\d+ failed") as caught:
        await embedder.open()
    assert type(caught.value) is ProviderError
    assert len(pauses) == 3


@pytest.mark.parametrize(
    "slow",
    [lambda body: answer(body, pause=0.05), lambda body: answer(body, pause=60)],
    ids=["byte by byte", "not at all"],
)
async def test_an_answer_that_does_not_end_is_a_timeout(endpoint, make, slow):
    embedder = make(timeout=0.3, dimensions=2)
    endpoint.server.daemon_threads = True
    await embedder.open()
    endpoint.script = [slow]
    began = time.monotonic()
    with pytest.raises(ProviderTimeoutError, match=r"did not answer within 0\.3 s"):
        await embedder.embed(["odd"])
    assert time.monotonic() - began < 2
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(b"<html>"), "something else than a JSON object"),
        (Reply(b"\xff"), "something else than a JSON object"),
        (Reply(b"[" * 100_000), "failed"),
        (Reply(b"{}"), "something else than a JSON object"),
        (Reply(b'{"data": null}'), "something else than a JSON object"),
        (Reply(b'{"data": 3}'), "something else than a JSON object"),
        (Reply(b'{"data": [3, 4]}'), "something else than a JSON object"),
        (data({"embedding": [3, 4]}, {"embedding": [3, 4]}), "something else than"),
        (vectors([3, 4]), "answered 1 vectors to 2 texts"),
        (vectors([3, 4], [3, 4], [3, 4]), "answered 3 vectors to 2 texts"),
        (data(*[{"index": 0, "embedding": [3, 4]}] * 2), "numbered them wrongly"),
        (data(*[{"index": i, "embedding": [3, 4]} for i in (1, 2)]), "wrongly"),
        (vectors([3, 4], [3]), "different lengths"),
        (vectors([3], [4]), "vectors of 1 numbers instead of 2"),
        (vectors([], []), "not lists of numbers"),
        (vectors("ab", "cd"), "not lists of numbers"),
        (vectors(["3", "4"], ["3", "4"]), "not lists of numbers"),
        (vectors([3, None], [3, 4]), "not lists of numbers"),
        (vectors([10**400, 1], [3, 4]), "not lists of numbers"),
        (vectors([[3], [4]], [[3], [4]]), "not lists of numbers"),
        (vectors([float("nan"), 1], [3, 4]), "NaN or infinite"),
        (vectors([float("inf"), 1], [3, 4]), "NaN or infinite"),
    ],
)
async def test_garbage_is_refused_and_not_asked_for_again(
    endpoint, embedder, reply, message
):
    endpoint.script = [reply]
    with pytest.raises(ProviderError, match=message) as caught:
        await embedder.embed(["odd", "even"])
    assert type(caught.value) is ProviderError
    assert len(endpoint.requests) == 1


async def test_a_failed_opening_can_be_tried_again(endpoint, make):
    embedder = make()
    endpoint.script = [Reply(b"no such model", 404)]
    with pytest.raises(ProviderError, match="no such model"):
        await embedder.open()
    await embedder.open()
    assert embedder.dim == 2


async def test_it_closes_twice(embedder):
    await embedder.close()
    await embedder.close()


@pytest.mark.parametrize("status", [400, 401, 403, 429])
@pytest.mark.usefixtures("pauses")
async def test_the_key_is_shown_nowhere(endpoint, make, caplog, status):
    caplog.set_level(logging.DEBUG)
    embedder = make(api_key=KEY)
    reply = Reply(f"wrong key {KEY[:9]}*** {KEY}".encode(), status)
    endpoint.script = [reply] * 9
    with pytest.raises(ProviderError) as caught:
        await embedder.open()
    shown = "".join(traceback.format_exception(caught.value))
    if status in {401, 403}:
        assert "check embedding.config.api_key" in shown
        assert KEY[:9] not in shown
    for text in (shown, caplog.text, repr(embedder), repr(embedder._settings)):
        assert KEY not in text


@pytest.mark.parametrize("key", ["sk-key\n", "sk key", "sk-schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(key):
    with pytest.raises(ValueError, match=r"config\.api_key") as caught:
        make_embedder("openai", {"model": "m", "api_key": key})
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8080", "ftp://host", "http://", "http://u:p@h", "http://h:port"],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match=r"config\.base_url"):
        make_embedder("openai", {"model": "m", "base_url": url})
