"""The README cannot rot: what it lists is what there is, and its snippets run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from memio.config import AuthSettings, ServerSettings
from memio.embedding import EMBEDDERS
from memio.filters import _COMBINATORS, _OPERATORS
from memio.registry import PROVIDERS, import_object
from memio.server.errors import STATUS
from tests.contract import OPERATIONS, Api, error_of
from tests.docs.support import WITNESSES, limits, support
from tests.dropin.differences import DIFFERENCES
from tests.serving import Server
from tests.standins.mem0 import Mem0Standin
from tests.standins.service import serving

README = (Path(__file__).parent.parent.parent / "README.md").read_text()


def section(title: str) -> str:
    """Return the text below a heading, up to the next one."""
    return re.split(rf"^#+ {re.escape(title)}$", README, flags=re.MULTILINE)[1].split(
        "\n#", 1
    )[0]


def rows(title: str) -> list[list[str]]:
    """Return the cells of all tables in a section, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    rules = {number for number, line in enumerate(lines) if set(line) <= set("|- ")}
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for number, line in enumerate(lines)
        if number not in rules and number + 1 not in rules
    ]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def snippet(language: str, title: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", section(title), flags=re.DOTALL)
    return str(found[0])


def names_of(settings: type) -> list[str]:
    return [field.name for field in fields(settings)]


def test_every_operation_is_listed_as_it_is() -> None:
    listed = {tuple(cells) for cells in rows("Operations") if len(cells) == 3}
    assert listed == {
        (f"`{op.id}`", f"{op.method.upper()} {op.template}", op.spec["summary"])
        for op in OPERATIONS
    }


def test_every_error_is_listed_with_its_status() -> None:
    listed = {code(cells[1])[0]: int(cells[0]) for cells in rows("Errors")}
    assert listed == STATUS


def test_every_filter_operator_is_listed() -> None:
    listed = [name for cells in rows("Filters") for name in code(cells[0])]
    assert sorted(listed) == sorted([*_OPERATORS, *_COMBINATORS])


def test_every_setting_is_listed_with_its_default() -> None:
    listed = {code(cells[0])[0]: cells[1] for cells in rows("Configuration")}
    for prefix, settings in (("server", ServerSettings), ("auth", AuthSettings)):
        for field in fields(settings):
            shown = listed.pop(f"{prefix}.{field.name}").strip("`")
            default = {(): "none", False: "false"}.get(field.default, field.default)
            assert shown == str(default)
    rest = {"embedding.provider", "embedding.config"}
    rest |= {"stores.<store>.provider", "stores.<store>.config"}
    variables = {"MEMIO_CONFIG", "MEMIO_HOST", "MEMIO_PORT", "MEMIO_API_KEY"}
    assert set(listed) == rest | variables


def test_every_provider_is_listed_with_its_stores_and_settings() -> None:
    listed = {code(cells[0])[0]: cells for cells in rows("Providers")}
    assert list(listed) == list(PROVIDERS)
    for name, provider in PROVIDERS.items():
        _, stores, settings, _ = listed[name]
        assert stores == ", ".join(provider.stores)
        every = {
            setting
            for target in provider.stores.values()
            for setting in names_of(import_object(target).SETTINGS)
        }
        assert set(code(settings)) == every


def test_the_originals_configuration_serves_as_it_stands(tmp_path: Path) -> None:
    with serving(Mem0Standin()) as mem0:
        environ = {"MEM0_API_KEY": Mem0Standin.KEY, "MEM0_HOST": mem0}
        config = snippet("yaml", "Providers")
        with (
            Server(tmp_path, config, environ) as server,
            Api(base_url=server.url) as api,
        ):
            fact = {"content": "likes coffee", "user_id": "alice"}
            stored = api.post("/v1/facts", json=fact)
            assert stored.status_code == 201
            assert api.get("/v1/facts?user_id=alice").json() == [stored.json()]
            text = {"content": "Returns are free for 30 days.", "doc_id": "returns"}
            assert api.post("/v1/documents", json=text).status_code == 201
            assert error_of(api.post("/v1/documents", json=text))[0] == 409
            found = api.post("/v1/documents/search", json={"query": "send it back"})
            assert [document["id"] for document in found.json()] == ["returns"]
            assert error_of(api.get("/v1/graph/entities/A")) == (501, "not_configured")
        assert Mem0Standin.KEY not in server.log
        assert "coffee" not in server.log


def test_what_each_provider_supports_is_what_the_kit_saw() -> None:
    listed = {code(cells[0])[0]: cells[1:] for cells in rows("What each can do")}
    assert listed == {
        name: [support(provider, name) for provider in PROVIDERS] for name in WITNESSES
    }
    meta = {"getHealth", "getReadiness", "getDocs", "redirectToDocs"}
    meta |= {"getOpenapiJson", "getOpenapiYaml"}
    assert WITNESSES.keys() == {operation.id for operation in OPERATIONS} - meta


def test_every_limit_of_a_provider_is_told() -> None:
    listed = {(code(p)[0], store, why) for p, store, why in rows("Limits")}
    assert listed == set(limits())


def test_every_embedder_is_listed_with_its_settings() -> None:
    listed = {code(cells[0])[0]: code(cells[1]) for cells in rows("Embedding")}
    assert listed.keys() == EMBEDDERS.keys()
    for name, settings in listed.items():
        assert settings == names_of(import_object(EMBEDDERS[name]).SETTINGS)


def test_every_difference_from_the_original_is_listed() -> None:
    listed = rows("Differences from memio 0.3.1")
    assert listed == [
        [f"`{d.requests[0]}`", d.theirs, d.ours, d.reason] for d in DIFFERENCES
    ]


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js 18 or later")
def test_the_javascript_runs_as_it_stands(server: Server, tmp_path: Path) -> None:
    script = tmp_path / "readme.mjs"
    script.write_text(snippet("js", "Start in a minute"))
    done = subprocess.run(
        ["node", str(script)],
        env={**os.environ, "MEMIO_URL": server.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"true 0\.\d+\n", done.stdout)


def test_the_curl_commands_answer_as_told(server: Server) -> None:
    (commands,) = re.findall(
        r"with curl:\n\n```sh\n(.*?)```", section("Start in a minute"), re.DOTALL
    )
    done = subprocess.run(
        ["sh", "-ec", commands.replace("localhost:8080", server.url[7:])],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"content":"prefers dark mode"' in done.stdout
    assert '"score":0.' in done.stdout


def test_the_python_runs_as_it_stands(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", snippet("python", "Running it")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "likes coffee" in done.stdout
