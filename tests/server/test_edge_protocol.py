"""HTTP/1.1 as our own protocol speaks it, under applications that misbehave."""

import contextlib
import re
import socket
import threading
import time

import pytest
import uvicorn
from edge_asgi_apps import GO_ON, SEEN, app
from edge_testing import serve

from memio.server.protocol import StrictProtocol


@pytest.fixture(scope="module")
def port():
    with serve(app, lifespan="off") as port:
        yield port


def raw(path, *headers, method="GET", version="1.1", body=""):
    lines = [f"{method} /{path} HTTP/{version}", "Host: x", *headers]
    return "\r\n".join([*lines, "", body]).encode()


CLOSE = "Connection: close"


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def read_all(sock):
    """Return what is received, part by part, until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
    return parts


def ask(port, *requests):
    with connect(port) as sock:
        sock.sendall(b"".join(requests))
        return read_all(sock)


def test_a_head_does_not_wait_for_a_slow_body(port):
    first, *rest = ask(port, raw("slow", CLOSE))
    assert first.endswith(b"\r\n\r\n")
    assert b"late" in b"".join(rest)


def test_head_and_body_come_whole_and_in_order(port):
    whole = b"".join(ask(port, raw("quick", CLOSE)))
    head, _, rest = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest == b"13\r\nHTTP/1.1 xxxxxxxxxx\r\n3\r\nend\r\n0\r\n\r\n"


def test_a_head_says_what_it_must(port):
    head = b"".join(ask(port, raw("closing"))).partition(b"\r\n\r\n")[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert re.fullmatch(r"date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", lines[1])
    assert lines[2:] == ["connection: Close", "content-length: 2"]


@pytest.mark.parametrize(
    ("request_", "kept"),
    [
        (raw("timing"), True),
        (raw("timing", "Connection: keep-alive"), True),
        (raw("timing", CLOSE), False),
        (raw("timing", version="1.0"), False),
        (raw("closing"), False),
    ],
)
def test_the_connection_is_kept_unless_somebody_objects(port, request_, kept):
    text = b"".join(ask(port, request_, raw("timing", CLOSE)))
    assert text.count(b"HTTP/1.1 200") == 1 + kept
    if not kept:
        assert text.lower().count(b"connection: close") == 1


@pytest.mark.parametrize("path", ["quick", "closing", "nothing", "odd_status"])
def test_an_answer_to_head_or_of_no_content_has_no_body(port, path):
    method = "GET" if path == "nothing" else "HEAD"
    text = b"".join(ask(port, raw(path, CLOSE, method=method)))
    head, _, rest = text.partition(b"\r\n\r\n")
    assert rest == b""
    assert b"transfer-encoding" not in head


def test_a_status_without_a_phrase_is_written(port):
    assert b"".join(ask(port, raw("odd_status", CLOSE))).startswith(
        b"HTTP/1.1 299 \r\n"
    )


def test_the_scope_tells_of_the_request(port):
    SEEN.clear()
    b"".join(ask(port, raw("%65cho?a=%20&b", "X-A: \xe4", CLOSE)))
    (scope,) = SEEN
    assert scope["path"] == "/echo"
    assert scope["raw_path"] == b"/%65cho"
    assert scope["query_string"] == b"a=%20&b"
    assert scope["headers"][:2] == [(b"host", b"x"), (b"x-a", "\xe4".encode())]
    assert scope["server"] == ("127.0.0.1", port)
    assert scope["client"][0] == "127.0.0.1"
    assert (scope["scheme"], scope["root_path"]) == ("http", "")


def test_a_request_in_single_bytes_is_read(port):
    request = raw("echo", "Content-Length: 3", CLOSE, method="POST", body="abc")
    with connect(port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request:
            sock.sendall(bytes([byte]))
        assert b"".join(read_all(sock)).endswith(b"\r\n\r\nabc")


def test_trailers_do_not_reach_the_next_request(port):
    SEEN.clear()
    chunked = raw("echo", "Transfer-Encoding: chunked", method="POST")
    trailer = b"1\r\na\r\n0\r\nX-Trailer: x\r\n\r\n"
    ask(port, chunked, trailer, raw("echo", CLOSE))
    assert [dict(scope["headers"]).get(b"x-trailer") for scope in SEEN][1] is None


@pytest.mark.parametrize("sent", [b"", b"ab"])
def test_a_client_that_waits_is_told_to_go_on(port, sent):
    head = raw(
        "echo", "Content-Length: 2", "Expect: 100-Continue", CLOSE, method="POST"
    )
    with connect(port) as sock:
        sock.sendall(head + sent)
        if not sent:
            assert sock.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(b"ab")
        assert b"".join(read_all(sock)).startswith(b"HTTP/1.1 200")


def test_a_client_whose_body_is_there_is_not_told_to_go_on(port):
    head = raw("until_gone", "Content-Length: 2", "Expect: 100-continue", method="POST")
    with connect(port) as sock:
        sock.sendall(head + b"ab")
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(4096)


def test_a_body_that_nobody_asks_for_is_not_taken_in(port):
    GO_ON.clear()
    with connect(port) as sock:
        sock.sendall(raw("deaf", "Content-Length: 100000000", CLOSE, method="POST"))
        sock.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):  # noqa: PT012
            while True:
                sent += sock.send(b"x" * 100_000)
        assert sent < 20_000_000
        GO_ON.set()
        sock.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(4096).startswith(b"HTTP/1.1 200")


def test_an_application_waits_for_a_client_that_reads_slowly(port):
    SEEN.clear()
    with connect(port) as sock:
        sock.sendall(raw("much", CLOSE))
        time.sleep(0.5)
        assert len(SEEN) < 199
        whole = b"".join(read_all(sock))
    assert len(whole.partition(b"\r\n\r\n")[2]) == 200 * 100_000


def test_a_client_that_does_not_read_and_goes_away_holds_nothing(port):
    SEEN.clear()
    with connect(port) as sock:
        sock.sendall(raw("much"))
        time.sleep(0.2)
    deadline = time.monotonic() + 5
    while len(SEEN) < 200 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(SEEN) == 200


def test_an_application_learns_that_the_client_is_gone(port):
    SEEN.clear()
    with connect(port) as sock:
        sock.sendall(raw("until_gone"))
        time.sleep(0.1)
        assert SEEN == []
    deadline = time.monotonic() + 5
    while not SEEN and time.monotonic() < deadline:
        time.sleep(0.01)
    assert SEEN == [{"type": "http.disconnect"}]


def test_requests_sent_ahead_are_answered_in_their_order(port):
    paths = ["slow", "timing", "echo", "quick"]
    post = raw("echo", "Content-Length: 6", method="POST", body="posted")
    text = b"".join(ask(port, *map(raw, paths), post, raw("timing", CLOSE)))
    assert text.count(b"HTTP/1.1 200") == 6
    marks = [b"late", b"ok", b"end", b"posted"]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_many_requests_sent_ahead_are_all_answered(port):
    count = 20_000
    requests = raw("nothing") * count + raw("nothing", CLOSE)
    with connect(port) as sock:
        sender = threading.Thread(target=sock.sendall, args=(requests,))
        sender.start()
        text = b"".join(read_all(sock))
        sender.join()
    assert text.count(b"HTTP/1.1 204") == count + 1


def test_what_one_request_sets_another_does_not_see(port):
    SEEN.clear()
    ask(port, raw("context"), raw("context"), raw("context", CLOSE))
    assert SEEN == ["nothing"] * 3


def test_a_handler_may_use_all_of_asyncio(port):
    assert b"".join(ask(port, raw("timing", CLOSE))).endswith(b"\r\n\r\nok")


@pytest.mark.parametrize(
    "path", ["fails", "silent", "out_of_order", "injected", "bad_name", "loud_name"]
)
def test_an_application_that_does_not_answer_is_500(port, path, caplog):
    text = b"".join(ask(port, raw(path)))
    assert text.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert text.endswith(b"connection: close\r\n\r\nInternal Server Error")
    assert b"set-cookie" not in text
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("path", ["breaks_off", "stops", "too_long", "too_short"])
def test_an_answer_that_is_not_whole_ends_the_connection(port, path, caplog):
    text = b"".join(ask(port, raw(path)))
    assert text.startswith(b"HTTP/1.1 200")
    assert b"500" not in text
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_word_too_much_is_not_sent(port, caplog):
    text = b"".join(ask(port, raw("twice"), raw("timing", CLOSE)))
    assert text.count(b"HTTP/1.1 200") == 2 or text.endswith(b"ok")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


GARBAGE = b"no HTTP\r\n\r\n"
CHUNKED = raw("echo", "Transfer-Encoding: chunked", method="POST")


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        ([GARBAGE], [b"400"]),
        ([raw("slow"), raw("timing"), GARBAGE], [b"200", b"200", b"400"]),
        ([CHUNKED, GARBAGE], [b"400"]),
        ([raw("slow"), CHUNKED, GARBAGE], [b"200", b"400"]),
    ],
)
def test_what_is_no_request_is_refused_after_the_answers(port, sent, statuses):
    text = b"".join(ask(port, *sent))
    assert re.findall(rb"HTTP/1.1 (\d+)", text) == statuses
    assert text.endswith(b"Invalid HTTP request received.")


def test_an_idle_connection_is_closed_after_the_keep_alive_time():
    with (
        serve(app, lifespan="off", timeout_keep_alive=1) as port,
        connect(port) as sock,
    ):
        for _ in range(3):
            time.sleep(0.6)
            sock.sendall(raw("nothing"))
            assert sock.recv(4096).startswith(b"HTTP/1.1 204")
        answered = time.monotonic()
        assert read_all(sock) == []
        assert 0.9 < time.monotonic() - answered < 2


class _Server:
    """A server that a test stops by itself."""

    def __init__(self, **options):
        self.listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, http=StrictProtocol, lifespan="off", log_config=None, **options
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, kwargs={"sockets": [self.listener]}
        )
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(10)
        self.listener.close()
        assert not self.thread.is_alive()


def test_at_the_end_requests_under_way_are_answered_and_idle_connections_closed():
    running = _Server()
    port = running.listener.getsockname()[1]
    with connect(port) as idle, connect(port) as busy:
        idle.sendall(raw("nothing"))
        assert idle.recv(4096)
        busy.sendall(raw("slow"))
        time.sleep(0.1)
        running.stop()
        assert read_all(idle) == []
        assert b"late" in b"".join(read_all(busy))
    assert running.server.server_state.total_requests == 2


def test_at_the_end_what_takes_too_long_is_cancelled():
    running = _Server(timeout_graceful_shutdown=0.2)
    with connect(running.listener.getsockname()[1]) as sock:
        sock.sendall(raw("until_gone"))
        time.sleep(0.1)
        running.stop()
        assert b"".join(read_all(sock)).startswith(b"HTTP/1.1 500")
    assert not running.server.server_state.tasks
