"""Requests that no decent client sends, byte by byte, to the server as it is run."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from memio.server.errors import STATUS
from tests.edge.impatient import SECONDS
from tests.server.test_edge_sockets import answer_of, chunk, is_closed, talk
from tests.serving import Server

JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
LIMIT = 1_048_576
HEAD_LIMIT = 128 * 1024
FACT = b'{"content": "x"}'


def ask(method: str, target: bytes | str, *headers: bytes, body: bytes = b"") -> bytes:
    path = target.encode() if isinstance(target, str) else target
    lines = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: memio", *headers]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


def get(target: bytes | str, *headers: bytes) -> bytes:
    return ask("GET", target, *headers)


def post(body: bytes, *headers: bytes, kind: bytes = JSON) -> bytes:
    return ask("POST", "/v1/facts", kind, *headers, body=body)


def meta(value: bytes) -> bytes:
    return b'{"content": "x", "metadata": {"a": %s}}' % value


BODIES = {
    "malformed JSON": (post(b'{"content": '), 422),
    "invalid UTF-8": (post(b'{"content": "\xff"}'), 422),
    "half a surrogate pair": (post(b'{"content": "\\ud800"}'), 422),
    "NUL in a string": (post(b'{"content": "a\\u0000b"}'), 422),
    "NUL in metadata": (post(meta(b'{"\\u0000": "\\u0000"}')), 201),
    "NaN": (post(meta(b"NaN")), 422),
    "Infinity": (post(meta(b"-Infinity")), 422),
    "more than a double": (post(meta(b"1e400")), 422),
    "a key twice": (post(b'{"content": "x", "content": "y"}'), 201),
    "100,000 arrays": (post(b"[" * 100_000), 422),
    "100,000 objects": (post(meta(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)), 422),
    "300 levels": (post(meta(b"[" * 300 + b"]" * 300)), 422),
    "byte order mark": (post(b"\xef\xbb\xbf" + FACT), 422),
    "UTF-16": (post('{"content": "x"}'.encode("utf-16")), 422),
    "trailing comma": (post(b'{"content": "x",}'), 422),
    "two documents": (post(FACT + FACT), 422),
    "empty body": (post(b"", b"Content-Length: 0"), 422),
    "no body": (post(b""), 422),
    "array": (post(b"[]"), 422),
    "unknown field": (post(b'{"content": "x", "contents": "y"}'), 422),
    "no content type": (ask("POST", "/v1/facts", body=FACT), 201),
    "wrong content type": (post(FACT, kind=b"Content-Type: text/plain"), 415),
    "form": (
        post(b"a=b", kind=b"Content-Type: application/x-www-form-urlencoded"),
        415,
    ),
    "gzip": (post(FACT, b"Content-Encoding: gzip"), 415),
    "announced too long": (post(b"", b"Content-Length: %d" % (LIMIT + 1)), 413),
    "chunked too long": (post(b"", CHUNKED) + chunk(b" " * LIMIT) + chunk(FACT), 413),
    "chunked": (post(b"", CHUNKED) + chunk(FACT) + chunk(b""), 201),
    "body where none is taken": (ask("GET", "/v1/facts", body=b"x"), 200),
}
TARGETS = {
    "encoded slash": (get("/v1/facts/a%2Fb"), 404),
    "encoded NUL": (get("/v1/facts/%00"), 422),
    "encoded invalid UTF-8": (get("/v1/facts/%ff"), 422),
    "longest id": (get("/v1/facts/" + "%F0%9F%98%80" * 256), 404),
    "overlong id": (get("/v1/facts/" + "x" * 257), 422),
    "not hexadecimal": (get("/v1/facts/%zz"), 404),
    "trailing slash": (get("/v1/facts/"), 404),
    "doubled slash": (get("/v1//facts"), 404),
    "upper case": (get("/V1/facts"), 404),
    "dots": (get("/v1/facts/../facts"), 404),
    "encoded dots": (get("/v1/facts/%2E%2E"), 404),
    "absolute form": (get("http://memio/v1/facts"), 200),
    "asterisk": (ask("OPTIONS", "*"), 404),
    "raw bytes": (get(b"/v1/facts/\xff"), 400),
    "raw NUL": (get(b"/v1/facts/\x00"), 400),
    "space": (get("/v1/fa cts"), 400),
    "doubled parameter": (get("/v1/facts?limit=1&limit=2"), 422),
    "unknown parameter": (get("/v1/facts?limt=1"), 422),
    "empty number": (get("/v1/facts?limit="), 422),
    "number with a fraction": (get("/v1/facts?limit=1.0"), 422),
    "digits of another script": (get("/v1/facts?limit=%EF%BC%91"), 422),
    "5,000 digits": (get("/v1/facts?limit=" + "9" * 5000), 422),
    "empty user": (get("/v1/facts?user_id="), 422),
    "NUL in a user": (get("/v1/facts?user_id=%00"), 422),
    "user in invalid UTF-8": (get("/v1/facts?user_id=%FF"), 422),
    "odd cursor": (get("/v1/facts?cursor=000"), 422),
    "filter of 300 levels": (
        get("/v1/facts?filters=" + "%7B%22a%22:" * 300 + "1" + "%7D" * 300),
        422,
    ),
    "empty query": (get("/v1/facts?&&"), 200),
}
METHODS = {
    "HEAD": (ask("HEAD", "/v1/facts"), 200),
    "HEAD of nothing": (ask("HEAD", "/v1/facts/x"), 404),
    "OPTIONS": (ask("OPTIONS", "/v1/facts/search"), 204),
    "PATCH": (ask("PATCH", "/v1/facts"), 405),
    "TRACE": (ask("TRACE", "/v1/facts"), 405),
    "CONNECT": (ask("CONNECT", "/v1/facts"), 405),
    "unknown method": (ask("BREW", "/v1/facts"), 400),
    "lower case": (ask("get", "/v1/facts"), 400),
}
HEADERS = {
    "long header": (get("/health", b"X: " + b"x" * 100_000), 200),
    "huge header": (get("/health", b"X: " + b"x" * 1_000_000), 400),
    "5,000 headers": (get("/health", *[b"X: y"] * 5000), 200),
    "folded header": (get("/health", b"X: a\r\n b"), 400),
    "header in latin-1": (get("/health", b"X: \xff"), 200),
    "NUL in a header": (get("/health", b"X: a\x00b"), 400),
    "space before the colon": (get("/health", b"X : a"), 400),
    "parameter header in latin-1": (
        ask("POST", "/v1/graph/triples", JSON, b"Prefer: \xff", body=FACT),
        422,
    ),
    "two lengths": (post(FACT, b"Content-Length: 3"), 400),
    "negative length": (post(b"", b"Content-Length: -1"), 400),
    "length of 30 digits": (post(b"", b"Content-Length: " + b"9" * 30), 400),
    "length and chunks": (post(b"", b"Content-Length: 3", CHUNKED), 400),
    "bad chunk": (post(b"", CHUNKED) + b"zz\r\n", 400),
    "unknown transfer coding": (post(b"", b"Transfer-Encoding: gzip"), 400),
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\n\r\n", 200),
    "HTTP/9.9": (b"GET /health HTTP/9.9\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01", 400),
    "bare line feeds": (b"GET /health HTTP/1.1\nHost: x\n\n", 400),
    "websocket": (get("/health", b"Connection: Upgrade", b"Upgrade: websocket"), 200),
    "body with h2c": (post(FACT, b"Connection: Upgrade", b"Upgrade: h2c"), 201),
}
CASES = {**BODIES, **TARGETS, **METHODS, **HEADERS}
ALLOWED = {
    "OPTIONS": "OPTIONS, POST",
    **dict.fromkeys(("PATCH", "TRACE", "CONNECT"), "DELETE, GET, HEAD, OPTIONS, POST"),
}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of little patience, which must live on and log no error of its own."""
    script = Path(__file__).with_name("impatient.py")
    with Server(
        tmp_path_factory.mktemp("impatient"),
        "embedding: {provider: hash}",
        command=(sys.executable, str(script)),
    ) as running:
        yield running
        assert running.is_running
        assert "level=error" not in running.log
        assert "Traceback" not in running.log


@pytest.mark.parametrize("name", CASES)
def test_it_gets_the_status_that_is_documented(impatient: Server, name: str) -> None:
    sent, status = CASES[name]
    sock = socket.create_connection(("127.0.0.1", impatient.port), timeout=5)
    with sock:
        sock.sendall(sent)
        answer = answer_of(sock, method=sent.partition(b" ")[0].decode("latin-1"))
        assert answer.status == status, answer.content
        if status == 400:  # not HTTP/1.1, so that uvicorn answers by itself
            assert answer.headers["content-type"].startswith("text/plain")
            assert is_closed(sock)
            return
        assert re.fullmatch("[A-Za-z0-9._-]+", answer.headers["x-request-id"])
        assert answer.headers["allow"] == ALLOWED.get(name)
        if name.startswith(("HEAD", "OPTIONS")):
            assert answer.content == b""
        elif status > 400:
            body = json.loads(answer.content)
            assert list(body) == ["error", "detail", "provider", "operation"]
            assert STATUS[body["error"]] == status
            assert "\n" not in body["detail"]


@pytest.mark.parametrize(
    "number",
    [
        *("0", "-0.0", "1.0", "0.1", "1e+22", "5e-324", "1.7976931348623157e308"),
        *(str(2**53 + 1), str(2**63), str(2**64), str(-(2**63) - 1), "9" * 300),
    ],
)
def test_a_number_comes_back_exactly(impatient: Server, number: str) -> None:
    answer = talk(impatient.port, post(meta(b"[%s]" % number.encode())))
    answer.sock.close()
    assert answer.status == 201, answer.content
    read = talk(impatient.port, get(answer.headers["location"]))
    read.sock.close()
    for text in (answer.content, read.content):
        (value,) = json.loads(text)["metadata"]["a"]
        assert repr(value) == repr(json.loads(number))


def test_of_a_key_given_twice_the_last_counts(impatient: Server) -> None:
    answer = talk(impatient.port, post(b'{"content": "x", "content": "y"}'))
    answer.sock.close()
    assert json.loads(answer.content)["content"] == "y"


def test_pipelined_requests_are_answered_in_their_order(impatient: Server) -> None:
    paths = ("/health", "/v1/facts/none", "/health/ready", "/v1/facts?limit=0")
    sock = socket.create_connection(("127.0.0.1", impatient.port), timeout=5)
    with sock:
        requests = [get(path) for path in paths] + [post(FACT)]
        last = get("/v1/nothing", b"Connection: close")
        sock.sendall(b"".join([*requests, last]))
        text = b""
        while part := sock.recv(65536):
            text += part
    statuses = [int(s) for s in re.findall(rb"HTTP/1.1 (\d+)", text)]
    assert statuses == [200, 404, 200, 422, 201, 404]


STALLED = {
    "nothing at all": [b""],
    "half a request line": [b"GET /hea"],
    "headers that do not end": [get("/health")[:-2], *[b"X: y\r\n"] * 20],
    "a header drop by drop": [get("/health")[:-2] + b"X: ", *[b"y"] * 20],
    "nothing but line ends": [b"\r\n"] * 20,
    "a second request that stalls": [get("/health"), b"GET /hea"],
    "line ends after an answer": [get("/health"), *[b"\r\n"] * 20],
    "a refused body that does not end": [
        post(b"", b"Content-Length: %d" % (LIMIT + 1)),
        *[b"x"] * 20,
    ],
}


@pytest.mark.parametrize("name", STALLED)
def test_a_head_that_does_not_end_is_cut_off(impatient: Server, name: str) -> None:
    started = time.monotonic()
    sock = socket.create_connection(("127.0.0.1", impatient.port), timeout=5)
    with sock:
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in STALLED[name]:
                sock.sendall(part)
                time.sleep(SECONDS / 5)
        drain(sock)
    assert SECONDS * 0.9 < time.monotonic() - started < SECONDS * 5


def drain(sock: socket.socket) -> None:
    """Read until the server closes the connection; it times out if it does not."""
    sock.settimeout(SECONDS * 3)
    with suppress(ConnectionResetError):
        while sock.recv(65536):
            pass


BODY_STALLED = {
    "nothing of it": [],
    "half of it": [FACT[:5]],
    "drop by drop": [FACT[:1]] * 5,
}


@pytest.mark.parametrize("name", BODY_STALLED)
def test_a_body_that_does_not_end_is_refused(impatient: Server, name: str) -> None:
    head = post(b"", b"Content-Length: 100")
    answer = talk(impatient.port, head, *BODY_STALLED[name], pause=SECONDS / 10)
    with answer.sock:
        assert (answer.status, answer.headers["connection"]) == (422, "close")
        assert is_closed(answer.sock)


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"", b"x" * 1000),
        (b"GET /", b"x" * 1000),
        (get("/health")[:-2], b"X: y\r\n" * 100),
        (get("/health")[:-2] + b"X: ", b"x" * 1000),
        (post(b"", CHUNKED) + chunk(FACT) + b"0\r\n", b"X: y\r\n" * 100),
        (post(b"", CHUNKED) + b"5; ", b"x" * 1000),
    ],
    ids=["method", "target", "headers", "header", "trailers", "chunk extension"],
)
def test_what_grows_without_end_is_cut_off_by_its_size(
    impatient: Server, start: bytes, endless: bytes
) -> None:
    """Before the time is up, since memory fills faster than time passes."""
    sock = socket.create_connection(("127.0.0.1", impatient.port), timeout=5)
    sent = 0
    with sock, pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012
        sock.sendall(start)
        while sent < 16 * HEAD_LIMIT:
            sock.sendall(endless)
            sent += len(endless)
            time.sleep(0.0001)
    assert sent < 16 * HEAD_LIMIT


H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AA")


def test_a_wish_for_another_protocol_spoils_nothing(impatient: Server) -> None:
    """Java's client wishes for h2c with every first request of a connection."""
    hidden = get("/v1/hidden")
    length = b"Content-Length: %d" % len(hidden)
    sock = socket.create_connection(("127.0.0.1", impatient.port), timeout=5)
    with sock:
        for part, status in (
            (post(FACT, *H2C), 201),
            (post(b"", CHUNKED, *H2C) + chunk(FACT) + chunk(b""), 201),
            (get("/health", *H2C), 200),
            (post(b"", length, *H2C) + hidden, 422),
            (post(FACT), 201),
        ):
            sock.sendall(part)
            assert answer_of(sock).status == status
        sock.sendall(post(b"", length, *H2C))
        time.sleep(SECONDS / 10)
        sock.sendall(hidden)
        assert answer_of(sock).status == 422
        sock.sendall(get("/health", *H2C) * 999 + get("/", b"Connection: close"))
        text = b""
        while part := sock.recv(65536):
            text += part
        assert text.count(b"HTTP/1.1 200") == 999


def test_a_slow_but_honest_client_is_served(impatient: Server) -> None:
    """Each head and each body in time, however long the connection has lasted."""
    sock = socket.create_connection(("127.0.0.1", impatient.port), timeout=5)
    with sock:
        for _ in range(3):
            time.sleep(SECONDS / 2)
            sock.sendall(post(FACT))
            assert answer_of(sock).status == 201
