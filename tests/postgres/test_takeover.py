"""What the embedded provider has stored moves to PostgreSQL, and nobody notices."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import SERVER, Server

PATHS = (
    "/v1/facts",
    "/v1/facts?user_id=ann",
    '/v1/facts?filters={"lang":"en"}',
    "/v1/documents",
    "/v1/history/sessions",
    "/v1/history/sessions?user_id=ann",
    "/v1/history/sessions/of-ann/messages",
    "/v1/history/sessions/of-nobody/messages",
    "/v1/graph/triples",
    "/v1/graph/triples?user_id=ann",
    "/v1/graph/entities/tea",
)
METADATA = {"lang": "en", "big": 2**70, "deep": {"a": [None, 1.0, "é"]}}


def config(dsn: str, schema: str) -> str:
    store = f"{{provider: postgres, config: {{dsn: '{dsn}', schema: {schema}}}}}"
    stores = ", ".join(
        f"{name}: {store}" for name in ("facts", "history", "documents", "graph")
    )
    return f"stores: {{{stores}}}"


def fill(api: httpx.Client) -> None:
    def post(path: str, **body: Any) -> httpx.Response:
        return api.post(f"/v1/{path}", json=body).raise_for_status()

    for n in range(5):
        post("facts", content=f"fact {n}", user_id="ann", metadata=METADATA)
    gone = post("facts", content="forgotten").json()["id"]
    api.delete(f"/v1/facts/{gone}").raise_for_status()
    post("facts", content="of an agent", agent_id="bot")
    post("documents", doc_id="a/b", content="long " * 600)
    post("documents", content="Puffins nest in granite cliffs", metadata={})
    said = [{"role": "user", "content": f"word {n}"} for n in range(3)]
    post("history/sessions/of-ann/messages", messages=said, user_id="ann")
    said = [{"role": "user", "content": "hi", "timestamp": "2020-01-01T00:00:00+05:30"}]
    post("history/sessions/of-nobody/messages", messages=said)
    triples = [{"subject": "ann", "predicate": "likes", "object": "tea"}]
    post("graph/triples", triples=triples, user_id="ann")
    post("graph/triples", triples=triples)


def read(api: httpx.Client) -> list[Any]:
    found = [api.get(path).raise_for_status().json() for path in PATHS]
    page = api.get("/v1/facts?limit=2")
    return [*found, page.links["next"]["url"]]


def bring(directory: Path, source: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SERVER), "import", "--from", str(source)],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def test_moving_from_the_embedded_provider(
    tmp_path: Path, postgres: str, schema: str
) -> None:
    with Server(tmp_path / "old") as server, httpx.Client(base_url=server.url) as api:
        fill(api)
        before = read(api)
    new = tmp_path / "new"
    new.mkdir()
    (new / "memio-server.yaml").write_text(config(postgres, schema))
    done = bring(new, tmp_path / "old" / "memio-data" / "memio.db")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "facts: 6 imported",
        "history: 4 imported",
        "documents: 2 imported",
        "graph: 2 imported",
    ]
    with (
        Server(new, config(postgres, schema)) as server,
        httpx.Client(base_url=server.url) as api,
    ):
        assert read(api) == before
        body = {"query": "where do puffins nest?", "limit": 1}
        (found,) = api.post("/v1/documents/search", json=body).json()
        assert found["content"] == "Puffins nest in granite cliffs"
        triples = [{"subject": "ann", "predicate": "likes", "object": "tea"}]
        api.post("/v1/graph/triples", json={"triples": triples, "user_id": "ann"})
        fact = api.post("/v1/facts", json={"content": "new"}).json()
        again = read(api)
    assert again[8] == before[8], "a triple that was imported is known"
    assert again[0] == [fact, *before[0]], "what is new comes first"

    done = bring(new, tmp_path / "old" / "memio-data" / "memio.db")
    assert done.returncode == 2
    assert "There are facts in PostgreSQL already" in done.stderr


@pytest.mark.parametrize("content", [None, b"", b"not a database at all"])
def test_a_file_that_is_not_memios(
    tmp_path: Path, postgres: str, schema: str, content: bytes | None
) -> None:
    (tmp_path / "memio-server.yaml").write_text(config(postgres, schema))
    file = tmp_path / "some.db"
    if content is not None:
        file.write_bytes(content)
    done = bring(tmp_path, file)
    assert done.returncode == 2
    assert "some.db'" in done.stderr
    assert "Traceback" not in done.stderr


def test_import_wants_a_file() -> None:
    done = subprocess.run(
        [str(SERVER), "import"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--from FILE" in done.stderr
