"""``memio-server`` as its users meet it: real processes, their exit codes and words."""

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from memio.embedding import make_embedder
from memio.providers.local import LocalDatabase, LocalFactAdapter

ENVIRONMENT = {
    name: value for name, value in os.environ.items() if not name.startswith("MEMIO_")
}
SECONDS = 20


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "memio.cli", *arguments],
        cwd=cwd,
        env=ENVIRONMENT | environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class Server:
    """A server that runs: where it listens and what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self.output = output
        self.port = 0

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", self.said):
                self.port = int(found[1])
                try:
                    self.get("/health")
                except OSError:
                    pass
                else:
                    return
            time.sleep(0.02)
        pytest.fail(f"the server did not start:\n{self.said}")

    def request(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        result = answer.status, json.loads(answer.read())
        connection.close()
        return result

    def get(self, path: str) -> tuple[int, dict]:
        return self.request("GET", path)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def serving(*arguments: str, cwd: Path, **environ: str):
    output = cwd / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "memio.server", *arguments],
            cwd=cwd,
            env=ENVIRONMENT | environ,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        server = Server(process, output)
        server.wait_until_ready()
        yield server
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def store_facts(path: Path, *contents: str) -> None:
    """Store facts with the hash embedder, as an earlier server would have."""

    async def store() -> None:
        embedder = make_embedder("hash", {})
        facts = LocalFactAdapter(LocalDatabase(path, embedder))
        await facts.open()
        for content in contents:
            await facts.add(content=content)
        await facts.close()

    asyncio.run(store())


def test_version_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from memio.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: pass\n"
        "print(*sorted({'numpy', 'connexion', 'uvicorn', 'yaml'} & set(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True
    )
    assert re.fullmatch(rb"memio \d+\.\d+\.\d+\S*\n\n", out.stdout)


def test_check_tells_what_would_be_served_and_touches_nothing(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(
        "stores: {facts: {provider: local}}\nembedding: {provider: hash}",
        encoding="utf-8",
    )
    done = run(
        "check",
        *("--config", "c.yaml", "--port", "9", "--workers", "2"),
        cwd=tmp_path,
        MEMIO_API_KEY="s3cret",
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "configuration from c.yaml",
        "  address    http://127.0.0.1:9",
        "  workers    2",
        "  auth       1 API key",
        "  embedding  hash",
        f"  data       {tmp_path / 'memio-data'}",
        "  facts      local",
    ]
    assert list(tmp_path.iterdir()) == [config]


@pytest.mark.parametrize("command", ["serve", "check", "reindex"])
def test_every_problem_is_a_line_on_stderr_and_the_exit_code_is_2(tmp_path, command):
    done = run(
        command, "--port", "abc", "--config", "gone", cwd=tmp_path, MEMIO_HOST="::"
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "--config names 'gone', which does not exist; name the file to read.",
        "--port must be a whole number from 0 to 65535, not 'abc'.",
    ]


def test_an_unknown_flag_or_command_is_told(tmp_path):
    assert run("--prot", "1", cwd=tmp_path).returncode == 2
    done = run("chek", cwd=tmp_path)
    assert done.returncode == 2
    assert "serve" in done.stderr


def test_it_serves_without_any_configuration_and_says_how(tmp_path):
    with serving("--port", "0", cwd=tmp_path) as server:
        assert server.get("/health")[0] == 200
        assert "no configuration file: all four stores are embedded" in server.said
        assert re.search(
            rf"memio \S+ at http://127\.0\.0\.1:{server.port}: facts \(local\), "
            r"history \(local\), documents \(local\), graph \(local\); "
            r"embedding static; no API key",
            server.said,
        )
        assert server.stop() == 0
    assert "Traceback" not in server.said
    assert (tmp_path / "memio-data" / "memio.db").exists()


def test_the_key_opens_the_server_and_is_not_shown(tmp_path):
    with serving("--port", "0", cwd=tmp_path, MEMIO_API_KEY="s3cret") as server:
        assert server.get("/v1/facts")[0] == 401
        assert "1 API key" in server.said
        assert "s3cret" not in server.said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_requests_under_way_finish_and_keeps_what_they_wrote(
    tmp_path, number
):
    body = json.dumps({"content": "likes tea", "user_id": "alice"}).encode()
    head = (
        "POST /v1/facts HTTP/1.1\r\nHost: memio\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with serving("--port", "0", cwd=tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port), SECONDS) as client:
            client.sendall(head + body[:5])
            time.sleep(0.3)
            server.process.send_signal(number)
            time.sleep(0.3)
            client.sendall(body[5:])
            answer = client.makefile("rb").readline()
        assert answer.split()[1] == b"201"
        assert server.process.wait(SECONDS) == 0
    assert not (tmp_path / "memio-data" / "memio.db-wal").exists()
    with serving("--port", "0", cwd=tmp_path) as server:
        assert server.get("/v1/facts")[1][0]["content"] == "likes tea"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_it_starts_is_quiet(tmp_path, number):
    config = tmp_path / "config"
    os.mkfifo(config)
    process = subprocess.Popen(
        [sys.executable, "-m", "memio.cli", "--config", "config"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):  # until it reads its configuration, and waits for us
            writer = os.open(config, os.O_WRONLY | os.O_NONBLOCK)
            break
        time.sleep(0.02)
    process.send_signal(number)
    os.close(writer)  # or a signal just before it reads would be heard only after it
    assert process.communicate(timeout=SECONDS)[1] == b""
    assert process.returncode == 0


def test_a_request_that_never_ends_does_not_keep_the_server_from_stopping(tmp_path):
    config = tmp_path / "memio-server.yaml"
    config.write_text("server: {shutdown_timeout: 1}", encoding="utf-8")
    head = (
        b"POST /v1/facts HTTP/1.1\r\nHost: memio\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\n\r\n{"
    )
    with serving("--port", "0", cwd=tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port), SECONDS) as client:
            client.sendall(head)
            time.sleep(0.3)
            begin = time.monotonic()
            assert server.stop() == 0
        assert time.monotonic() - begin < 5


def test_a_port_in_use_is_a_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for workers in ("1", "2"):
            done = run("--port", str(port), "--workers", workers, cwd=tmp_path)
            assert done.returncode == 2
            assert done.stderr == (
                f"Cannot listen on http://127.0.0.1:{port} (Address already in use): "
                "stop what uses it, or choose another --host or --port.\n"
            )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_store_that_cannot_be_opened_is_a_sentence(tmp_path, workers):
    (tmp_path / "memio-data").mkdir()
    (tmp_path / "memio-data" / "memio.db").write_bytes(b"garbage" * 1000)
    done = run("--port", str(free_port()), "--workers", workers, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "memio.db cannot be opened" in done.stderr.splitlines()[-1]


def test_another_embedder_is_refused_until_everything_is_embedded_anew(tmp_path):
    store_facts(tmp_path / "memio-data" / "memio.db", "likes tea", "likes coffee")
    config = tmp_path / "memio-server.yaml"
    config.write_text(
        "embedding: {provider: hash, config: {dim: 64}}", encoding="utf-8"
    )
    done = run("--port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "memio-server reindex" in done.stderr

    done = run("reindex", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "facts: 2 embedded anew",
        "history: 0 embedded anew",
        "documents: 0 embedded anew",
        "graph: 0 embedded anew",
    ]
    assert done.returncode == 0
    with serving("--port", "0", cwd=tmp_path) as server:
        found = server.request("POST", "/v1/facts/search", {"query": "coffee"})
        assert found[1][0]["content"] == "likes coffee"


def test_several_workers_serve_one_address_and_stop_together(tmp_path):
    config = tmp_path / "two.yaml"
    config.write_text("embedding: {provider: hash}", encoding="utf-8")
    flags = ("--port", str(free_port()), "--workers", "2", "--config", "two.yaml")
    with serving(*flags, cwd=tmp_path) as server:
        created = server.request("POST", "/v1/facts", {"content": "likes tea"})[1]
        for _ in range(20):
            assert server.get(f"/v1/facts/{created['id']}")[0] == 200
        assert "embedding hash" in server.said
        children = Path(
            f"/proc/{server.process.pid}/task/{server.process.pid}/children"
        )
        if children.exists():
            assert len(children.read_text(encoding="ascii").split()) >= 2
        assert server.stop() == 0
    assert "Traceback" not in server.said
