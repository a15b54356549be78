"""Two workers on one file: each sees what the other acknowledged, and may die."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.contract import Api
from tests.serving import Server

CONFIG = "server: {workers: 2}\nembedding: {provider: hash}"

if not Path("/proc/net/tcp").exists():
    pytest.skip("needs /proc to tell the workers apart", allow_module_level=True)


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def worker_of(server: Server, api: Api) -> int | None:
    """Return the process that has the other end of a client's connection."""
    response = api.get("/health")
    stream = response.extensions["network_stream"]
    port = stream.get_extra_info("client_addr")[1]
    ends = f":{server.port:04X}", f":{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    inodes = [
        row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends and row[9] != "0"
    ]
    assert server.process
    for pid in children(server.process.pid):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(fd.readlink())[8:-1] in inodes:
                    return pid
            except FileNotFoundError:  # closed since it was listed
                continue
    return None


@contextmanager
def client_of_each_worker(server: Server) -> Iterator[dict[int, Api]]:
    """Open connections until each of two workers holds one."""
    with ExitStack() as opened:
        found: dict[int, Api] = {}
        for _ in range(200):
            limits = httpx.Limits(max_connections=1)
            api = opened.enter_context(Api(base_url=server.url, limits=limits))
            pid = worker_of(server, api)
            if pid is not None:
                found.setdefault(pid, api)
            if len(found) == 2:
                break
        assert len(found) == 2
        yield found


def test_a_write_is_seen_through_the_other_worker_at_once(tmp_path: Path) -> None:
    server = Server(tmp_path, CONFIG)
    with server, client_of_each_worker(server) as clients:
        for number in range(20):
            writer, reader = list(clients.values())[:: 1 if number % 2 else -1]
            user = f"user{number}"
            body = {"content": f"likes tea number{number}", "user_id": user}
            fact = writer.post("/v1/facts", json=body).json()
            path = f"/v1/facts/{fact['id']}"
            assert reader.get(path).json() == fact
            assert reader.get("/v1/facts", params={"user_id": user}).json() == [fact]
            for scope in ({}, {"user_id": user}):
                for mode in ("hybrid", "semantic", "keyword"):
                    query = {"query": f"number{number}", "mode": mode, **scope}
                    found = reader.post("/v1/facts/search", json=query).json()
                    assert found[0]["id"] == fact["id"]
            changed = reader.put(path, json={"content": f"grows bonsai{number}"}).json()
            assert writer.get(path).json() == changed
            query = {"query": f"bonsai{number}", "mode": "semantic", "limit": 1}
            for client in (writer, reader):
                found = client.post("/v1/facts/search", json=query).json()
                assert found[0]["content"] == changed["content"]
            assert writer.delete(path).status_code == 204
            assert reader.get(path).status_code == 404
            query = {"query": "bonsai", "user_id": user}
            assert reader.post("/v1/facts/search", json=query).json() == []
        assert len({worker_of(server, api) for api in clients.values()}) == 2


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_worker_that_is_killed_is_replaced_and_loses_nothing(tmp_path: Path) -> None:
    server, kept = Server(tmp_path, CONFIG), []
    with server:
        for _ in range(2):
            with client_of_each_worker(server) as clients:
                for api in clients.values():
                    body = {"content": f"fact {len(kept)}"}
                    kept.append(api.post("/v1/facts", json=body).json())
                victim = next(iter(clients))
            os.kill(victim, signal.SIGKILL)
            assert server.process
            wait_for(lambda: victim not in children(server.process.pid))  # noqa: B023
            with client_of_each_worker(server) as clients:
                for api in clients.values():
                    assert api.get("/v1/facts").json() == kept[::-1]
        assert server.stop() == 0


def test_workers_stop_when_their_parent_is_killed(tmp_path: Path) -> None:
    server = Server(tmp_path, CONFIG)
    with server, Api(base_url=server.url) as api:
        fact = api.post("/v1/facts", json={"content": "likes tea"}).json()
        assert server.process
        server.process.kill()
        server.process.wait(10)
        wait_for(lambda: not listens(server.port))
        server.start()
        with Api(base_url=server.url) as again:
            assert again.get("/v1/facts").json() == [fact]
        assert server.stop() == 0
