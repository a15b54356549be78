"""The edge behind a real uvicorn, spoken to byte by byte."""

import http.client
import json
import socket
import time

import pytest

GOOD = b'{"content": "x"}'


def talk(port: int, *parts: bytes, pause: float = 0.0) -> http.client.HTTPResponse:
    """Send parts one by one and read the answer; the socket is kept as ``.sock``."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    for part in parts:
        sock.sendall(part)
        time.sleep(pause)
    return answer_of(sock)


def answer_of(sock: socket.socket, method: str = "POST") -> http.client.HTTPResponse:
    answer = http.client.HTTPResponse(sock, method=method)
    answer.begin()
    answer.content = answer.read()
    answer.sock = sock
    return answer


def post(*lines: bytes, path: bytes = b"/v1/things") -> bytes:
    start = b"POST " + path + b" HTTP/1.1"
    kind = b"Content-Type: application/json"
    return b"\r\n".join([start, b"Host: edge", kind, *lines, b"", b""])


def is_closed(sock: socket.socket) -> bool:
    sock.settimeout(2)
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = b"Transfer-Encoding: chunked"


def test_a_body_may_come_in_chunks(port):
    parts = [chunk(GOOD[i : i + 5]) for i in range(0, len(GOOD), 5)]
    answer = talk(port, post(CHUNKED), *parts, b"0\r\n\r\n", pause=0.01)
    assert answer.status == 201
    assert json.loads(answer.content)["body"] == {"content": "x"}
    answer.sock.close()


def test_an_empty_chunked_body_is_missing(port):
    answer = talk(port, post(CHUNKED), b"0\r\n\r\n")
    assert answer.status == 422
    answer.sock.close()


def test_a_long_announced_body_is_refused_at_once_and_the_connection_kept(port):
    answer = talk(port, post(b"Content-Length: 200000"))
    assert answer.status == 413
    sock = answer.sock
    for _ in range(20):
        sock.sendall(b"x" * 10_000)
    sock.sendall(post(b"Content-Length: 16") + GOOD)
    assert answer_of(sock).status == 201
    sock.close()


def test_a_long_chunked_body_is_cut_off(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.sendall(post(CHUNKED) + chunk(b"x" * 60_000) + chunk(b"x" * 60_000))
    answer = answer_of(sock)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert is_closed(sock)
    sock.close()


@pytest.mark.parametrize(
    "parts",
    [
        [post(b"Content-Length: 16")],
        [post(b"Content-Length: 16"), GOOD[:-1]],
        [post(CHUNKED), chunk(GOOD)],
        [post(CHUNKED), *([chunk(b" ")] * 4)],
    ],
    ids=["nothing", "not all", "no end", "drop by drop"],
)
def test_a_body_that_does_not_arrive_is_cut_off(port, parts):
    started = time.monotonic()
    answer = talk(port, *parts, pause=0.1)
    assert 0.4 < time.monotonic() - started < 3
    assert (answer.status, answer.headers["connection"]) == (422, "close")
    detail = json.loads(answer.content)["detail"]
    assert detail == "The body did not arrive within 0.5 seconds."
    assert is_closed(answer.sock)
    answer.sock.close()


def test_a_client_that_goes_away_is_no_error(port, caplog):
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.sendall(post(b"Content-Length: 16") + GOOD[:3])
    time.sleep(0.1)
    sock.close()
    time.sleep(0.1)
    answer = talk(port, post(b"Content-Length: 16") + GOOD)
    assert answer.status == 201
    answer.sock.close()
    assert not [record for record in caplog.records if record.levelname != "INFO"]


def test_an_unread_body_does_not_spoil_the_connection(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    body = b"GET /nothing HTTP/1.1\r\n\r\n" * 1000
    length = b"Content-Length: %d" % len(body)
    for path, status in ((b"/v1/nothing", 404), (b"/v1/things?x=1", 422)):
        sock.sendall(post(length, path=path) + body)
        assert answer_of(sock).status == status
    sock.sendall(post(b"Content-Length: 16") + GOOD)
    assert answer_of(sock).status == 201
    sock.close()


def test_expect_100_continue_is_not_answered_for_what_is_refused(port):
    answer = talk(port, post(b"Content-Length: 200000", b"Expect: 100-continue"))
    assert answer.status == 413
    answer.sock.close()


def test_requests_may_be_pipelined(port):
    get = b"GET /v1/things/%d HTTP/1.1\r\nHost: edge\r\n\r\n"
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.sendall(b"".join(get % number for number in range(3)))
    text = b""
    while text.count(b"thing_id") < 3:
        text += sock.recv(4096)
    assert [text.find(b'"%d"' % n) > 0 for n in range(3)] == [True] * 3
    sock.close()


def test_raw_bytes_in_the_target_do_no_harm(port):
    for target in (b"/v1/things/\xff", b"/v1/things?user_id=\xff", b"/\x00", b"*"):
        answer = talk(port, b"GET " + target + b" HTTP/1.1\r\nHost: edge\r\n\r\n")
        assert answer.status in {400, 404, 422}
        answer.sock.close()


def test_an_answer_that_breaks_off_is_seen_to_be_incomplete(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.sendall(b"GET /v1/answers/broken HTTP/1.1\r\nHost: edge\r\n\r\n")
    answer = http.client.HTTPResponse(sock)
    answer.begin()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    sock.close()
