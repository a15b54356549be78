"""Several workers listen at one address, where the system spreads connections."""

from __future__ import annotations

import pickle
import select
import socket
import subprocess

import pytest

from memio.server.run import _SharedAddress
from tests.serving import SERVER, Server

CONNECTIONS = 64


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_every_process_has_a_socket_of_its_own(family, host):
    taken = socket.socket(family)
    taken.bind((host, 0))
    port = taken.getsockname()[1]
    parent = _SharedAddress.like(taken)
    workers = [pickle.loads(pickle.dumps(parent)) for _ in range(2)]
    for worker in workers:
        assert worker.getsockname()[:2] == (host, port)
        worker.listen(CONNECTIONS)
    clients = [socket.create_connection((host, port)) for _ in range(CONNECTIONS)]
    counts = []
    for worker in workers:
        accepted = 0
        while select.select([worker], [], [], 0)[0]:
            worker.accept()[0].close()
            accepted += 1
        counts.append(accepted)
    assert sum(counts) == CONNECTIONS
    assert min(counts) > CONNECTIONS // 8
    for each in (*clients, *workers, parent):
        each.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_another_server_may_not_share_it(tmp_path, workers):
    config = "server: {workers: 2}"
    with Server(tmp_path / "first", config) as server:
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "memio-server.yaml").write_text(
            f"server: {{workers: {workers}}}"
        )
        second = subprocess.run(
            [SERVER, "--port", str(server.port)],
            cwd=tmp_path / "second",
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert second.returncode == 2
    assert "Cannot listen" in second.stderr
