"""How the server is run: ids and logs, stopping, embedding anew, refusing to start."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse
from pathlib import Path

import pytest

from memio.embedding import make_embedder
from memio.providers.local import LocalDatabase, LocalDocumentAdapter
from tests.contract import Api, error_of
from tests.durability.inspection import assert_sound, take_stock
from tests.durability.ledger import KINDS, Ledger, write_until_it_dies
from tests.serving import SERVER, Server, free_port

KEY = "the-key"
HASH = "embedding: {provider: hash}"
STATIC = "embedding: {provider: static}"
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("MEMIO_")}


def told_of(request_id: str, server: Server) -> set[tuple[object, object]]:
    """Return the method and status of each request that the log has under an id."""
    lines = map(json.loads, server.log.splitlines())
    return {
        (line["method"], line["status"])
        for line in lines
        if line.get("request_id") == request_id
    }


# -- request ids and the log --------------------------------------------------------


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = f"server: {{log_format: json, body_limit: 1000}}\n{HASH}"
    directory = tmp_path_factory.mktemp("locked")
    with Server(directory, config, {"MEMIO_API_KEY": KEY}) as running:
        yield running


REQUESTS = {
    200: ("GET", "/v1/facts", {}),
    201: ("POST", "/v1/facts", {"json": {"content": "x"}}),
    204: ("DELETE", "/v1/facts", {}),
    307: ("GET", "/", {}),
    401: ("GET", "/v1/facts", {"headers": {"Authorization": "Bearer no"}}),
    404: ("GET", "/v1/nothing", {}),
    405: ("PATCH", "/v1/facts", {}),
    413: ("POST", "/v1/facts", {"content": b"x" * 2000}),
    415: ("POST", "/v1/facts", {"content": b"x", "headers": {"Content-Type": "a/b"}}),
    422: ("POST", "/v1/facts", {"json": {}}),
}


@pytest.mark.parametrize("status", REQUESTS)
@pytest.mark.parametrize("given", ["my-id.7", "not an id", None])
def test_every_answer_and_its_log_line_carry_the_request_id(
    locked: Server, status: int, given: str | None
) -> None:
    method, path, options = REQUESTS[status]
    headers = {"Authorization": f"Bearer {KEY}", **options.get("headers", {})}
    if given is not None:
        headers["X-Request-ID"] = given
    with Api(base_url=locked.url) as api:
        answer = api.request(method, path, **{**options, "headers": headers})
    assert answer.status_code == status
    (request_id,) = answer.headers.get_list("x-request-id")
    if given == "my-id.7":
        assert request_id == given
    else:
        assert re.fullmatch("[0-9a-f]{32}", request_id)
    # The line is written once the answer is sent, which the client need not await.
    deadline = time.monotonic() + 10
    while (method, status) not in told_of(request_id, locked):
        assert time.monotonic() < deadline, locked.log
        time.sleep(0.02)


def test_the_log_is_text_unless_json_is_asked_for(tmp_path: Path) -> None:
    server = Server(tmp_path, HASH)
    with server, Api(base_url=server.url) as api:
        api.get("/v1/facts", headers={"X-Request-ID": "r1"})
    shape = r"time=\S+Z level=info logger=\S+( request_id=\S+)? \w+=.*"
    assert all(re.fullmatch(shape, line) for line in server.log.splitlines())
    assert "request_id=r1 method=GET route=/v1/facts status=200" in server.log


def test_at_the_level_warning_a_server_that_does_well_is_silent(tmp_path: Path) -> None:
    server = Server(tmp_path, f"server: {{log_level: warning}}\n{HASH}")
    with server, Api(base_url=server.url) as api:
        api.post("/v1/facts", json={"content": "x"})
        api.get("/v1/nothing")
        assert server.stop() == 0
    assert server.log == ""


# -- stopping -----------------------------------------------------------------------


def test_workers_finish_the_request_under_way_and_then_stop(tmp_path: Path) -> None:
    server = Server(tmp_path, HASH, arguments=("--workers", "2"))
    body = b'{"content": "likes tea"}'
    head = (
        b"POST /v1/facts HTTP/1.1\r\nHost: memio\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    with server:
        with socket.create_connection(("127.0.0.1", server.port), 30) as client:
            client.sendall(head + body[:5])
            time.sleep(0.5)
            assert server.process
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            client.sendall(body[5:])
            answer = HTTPResponse(client)
            answer.begin()
            fact = json.loads(answer.read())
        assert answer.status == 201
        assert server.process.wait(30) == 0
        server.start()
        with Api(base_url=server.url) as api:
            assert api.get("/v1/facts").json() == [fact]
    assert "Traceback" not in server.log


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_stop_under_load_keeps_what_was_acknowledged(
    tmp_path: Path, workers: int
) -> None:
    server, ledger = (
        Server(tmp_path, f"server: {{workers: {workers}}}\n{HASH}"),
        Ledger(),
    )
    for number in range(32):
        for kind in KINDS:
            ledger.add(kind, f"{kind}-{number}")
    stopped = False

    def stop_after_enough() -> None:
        nonlocal stopped
        if ledger.counts["acknowledged"] >= 100 and not stopped:
            stopped = True
            assert server.process
            server.process.terminate()

    with server:
        await write_until_it_dies(
            server.url, ledger, writers=16, after_each=stop_after_enough
        )
        assert server.process
        assert server.process.wait(30) == 0
        # The last to close the database leaves nothing beside it to recover from.
        data = [path.name for path in (tmp_path / "memio-data").iterdir()]
        assert data == ["memio.db"]
        assert not ledger.refused
        server.start()
        with Api(base_url=server.url) as api:
            assert ledger.settle(take_stock(api)) == []
    assert "Traceback" not in server.log


# -- embedding anew -----------------------------------------------------------------


def run(
    directory: Path, *arguments: str, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, str(SERVER), *arguments],
        cwd=directory,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_does_not_start(
    directory: Path, *words: str, workers: int = 1, prefix: tuple[str, ...] = ()
) -> None:
    """Assert that it ends with exit code 2 and one sentence that says what to do."""
    flags = ("--port", str(free_port()), "--workers", str(workers))
    done = run(directory, *flags, prefix=prefix)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert all(word in line for word in words), line


def configure(directory: Path, config: str) -> None:
    (directory / "memio-server.yaml").write_text(config)


async def test_all_stores_are_searched_with_a_new_embedder_after_a_reindex(
    tmp_path: Path,
) -> None:
    with (server := Server(tmp_path, HASH)), Api(base_url=server.url) as api:
        for content in ("likes green tea", "drives a red car"):
            fact = {"content": content, "metadata": {"token": "t"}}
            assert api.post("/v1/facts", json=fact).status_code == 201
            assert api.post("/v1/documents", json=fact).status_code == 201
            said = {"messages": [{"role": "user", "content": content}]}
            api.post("/v1/history/sessions/s/messages", json=said)
        triple = {"subject": "Alice", "predicate": "drinks", "object": "green tea"}
        api.post("/v1/graph/triples", json={"triples": [triple]})
        assert server.stop() == 0

    configure(tmp_path, STATIC)
    assert_does_not_start(tmp_path, "hash:", "static:", "`memio-server reindex`")
    done = run(tmp_path, "reindex")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "facts: 2 embedded anew",
        "history: 2 embedded anew",
        "documents: 2 embedded anew",
        "graph: 1 embedded anew",
    ]

    with (server := Server(tmp_path, STATIC)), Api(base_url=server.url) as api:
        # No word of the query is in the rows: only the new embedder can find them.
        query = {"query": "beverage", "mode": "semantic", "limit": 1}
        for path in ("facts", "documents", "history"):
            (hit,) = api.post(f"/v1/{path}/search", json=query).json()
            assert hit["content"] == "likes green tea"
        assert api.post("/v1/graph/search", json=query).json()["triples"]
        assert server.stop() == 0

    configure(tmp_path, HASH)
    assert_does_not_start(tmp_path, "`memio-server reindex`")
    assert run(tmp_path, "reindex").returncode == 0
    await assert_sound(tmp_path / "memio-data" / "memio.db")
    with Server(tmp_path, HASH) as server:
        assert server.stop() == 0


async def store_documents(path: Path, count: int) -> None:
    embedder = make_embedder("hash", {})
    await embedder.open()
    documents = LocalDocumentAdapter(LocalDatabase(path, embedder))
    await documents.open()
    for number in range(count):
        await documents.add(content=f"number {number} " + "likes green tea " * 50)
    await documents.close()


def embedder_of_documents(path: Path) -> str:
    with closing(sqlite3.connect(path, timeout=30)) as conn:
        sql = "SELECT value FROM meta WHERE key = 'embedder.documents'"
        return str(conn.execute(sql).fetchone()[0])


def test_after_a_broken_reindex_nothing_opens_until_one_is_finished(
    tmp_path: Path,
) -> None:
    path = tmp_path / "memio-data" / "memio.db"
    asyncio.run(store_documents(path, 1500))
    configure(tmp_path, STATIC)
    before = embedder_of_documents(path)
    reindexing = subprocess.Popen(
        [str(SERVER), "reindex"], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE
    )
    while embedder_of_documents(path) == before and reindexing.poll() is None:
        time.sleep(0.001)
    reindexing.kill()
    reindexing.communicate()
    assert reindexing.returncode == -signal.SIGKILL
    assert embedder_of_documents(path).startswith("half ")

    for config in (STATIC, HASH):
        configure(tmp_path, config)
        assert_does_not_start(tmp_path, "documents", "`memio-server reindex`")
    configure(tmp_path, HASH)
    done = run(tmp_path, "reindex")
    assert "documents: 1500 embedded anew" in done.stdout
    asyncio.run(assert_sound(path))
    with Server(tmp_path, HASH) as server, Api(base_url=server.url) as api:
        body = {"query": "number 7", "limit": 1}
        (hit,) = api.post("/v1/documents/search", json=body).json()
        assert hit["content"].startswith("number 7 ")


# -- refusing to start --------------------------------------------------------------


def make_database(directory: Path, *statements: str) -> None:
    path = directory / "memio-data" / "memio.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as conn:
        for statement in statements:
            conn.execute(statement)
        conn.commit()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    make_database(tmp_path, "CREATE TABLE theirs (x)")
    for workers in (1, 2):
        words = ("another program", "choose another path")
        assert_does_not_start(tmp_path, *words, workers=workers)
    assert run(tmp_path, "reindex").returncode == 2
    with closing(sqlite3.connect(tmp_path / "memio-data" / "memio.db")) as conn:
        assert conn.execute("SELECT name FROM sqlite_master").fetchall() == [
            ("theirs",)
        ]


def test_a_newer_memios_database_is_left_alone(tmp_path: Path) -> None:
    with Server(tmp_path, HASH) as server, Api(base_url=server.url) as api:
        api.post("/v1/facts", json={"content": "x"})
        assert server.stop() == 0
    path = tmp_path / "memio-data" / "memio.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA user_version = 99")
    for workers in (1, 2):
        words = ("newer memio", "99", "upgrade memio")
        assert_does_not_start(tmp_path, *words, workers=workers)
    assert run(tmp_path, "reindex").returncode == 2
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (99,)
        assert conn.execute("SELECT count(*) FROM facts").fetchone() == (1,)


@pytest.mark.parametrize("is_there", [False, True])
def test_a_directory_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, *, is_there: bool
) -> None:
    if is_there:
        with Server(tmp_path, HASH) as server:
            assert server.stop() == 0
    else:
        configure(tmp_path, HASH)
    # To root permissions mean nothing, unless it gives that privilege up.
    prefix = ("setpriv", "--bounding-set=-dac_override") if os.getuid() == 0 else ()
    locked = [tmp_path, *tmp_path.glob("memio-data"), *tmp_path.glob("memio-data/*")]
    for path in locked:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert_does_not_start(tmp_path, "memio.db", "permissions", prefix=prefix)
    finally:
        for path in locked:
            path.chmod(0o755)


def test_a_store_that_breaks_fails_alone_and_tells_no_client_why(
    tmp_path: Path,
) -> None:
    with Server(tmp_path, HASH) as server, Api(base_url=server.url) as api:
        with closing(sqlite3.connect(tmp_path / "memio-data" / "memio.db")) as conn:
            conn.execute("DROP TABLE facts_index")
        failed = api.post("/v1/facts", json={"content": "x"})
        assert error_of(failed) == (502, "provider_error")
        assert "facts_index" not in failed.text
        assert api.post("/v1/documents", json={"content": "x"}).status_code == 201
