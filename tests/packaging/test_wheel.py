"""The wheel: what is in it, and that it serves where nothing else is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import yaml

import memio
from memio.registry import PROVIDERS
from tests.contract import ROOT, Api, error_of
from tests.serving import Server

SOURCES = (
    *("memio", "handlers"),
    *("openapi.yaml", "pyproject.toml", "README.md", "LICENSE"),
)
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("MEMIO_", "PYTHON"))
}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel that was built from a copy of the sources."""
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, copy)
    run(sys.executable, "-m", "build", "--wheel", copy, cwd=copy.parent)
    (built,) = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment that holds the wheel and what it needs."""
    directory = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", directory, cwd=directory)
    bin_directory = directory / "bin"
    pip = (sys.executable, "-m", "pip", "--python", bin_directory / "python")
    run(*pip, "install", "--quiet", wheel, cwd=directory)
    run(*pip, "check", cwd=directory)
    return bin_directory


def test_the_wheel_holds_memio_and_takes_no_other_name(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    info = f"memio-{memio.__version__}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"memio", info}
    licences = {
        "LICENSE",
        "memio/server/assets/LICENSE",
        "memio/server/assets/swagger-ui-bundle.js.LICENSE.txt",
    }
    wanted = {
        *(f"memio/handlers/{tag}.py" for tag in ("facts", "history", "documents")),
        *("memio/handlers/graph.py", "memio/handlers/meta.py"),
        *("memio/openapi.yaml", "memio/py.typed", "memio/testing/__init__.py"),
        *("memio/server/assets/docs.html", "memio/server/assets/NOTICE"),
        *("memio/server/assets/swagger-ui.css", f"{info}/entry_points.txt"),
        *(f"{info}/licenses/{name}" for name in licences),
    }
    assert wanted <= set(names)
    assert not [name for name in names if "__pycache__" in name or "tests" in name]


def test_every_source_file_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [*ROOT.glob("memio/**/*.py"), *ROOT.glob("memio/server/assets/*")]
    assert {str(file.relative_to(ROOT)) for file in files} <= names
    handlers = {f"memio/handlers/{file.name}" for file in ROOT.glob("handlers/*.py")}
    assert handlers <= names


def test_the_installed_server_serves_all_four_stores(
    installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = run(installed / "memio-server", "--version", cwd=tmp_path)
    assert version == f"memio {memio.__version__}\n"
    where = "import memio; print(memio.__file__)"
    (site_packages,) = installed.parent.glob("lib/python3*/site-packages")
    imported = run(installed / "python", "-c", where, cwd=tmp_path).strip()
    assert Path(imported) == site_packages / "memio" / "__init__.py"

    server = Server(tmp_path, command=(str(installed / "memio-server"),))
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        with server, Api(base_url=server.url) as api:
            seconds.append(time.perf_counter() - begin)
            memory = resident_kib(server)
            use_every_store(api)
            assert server.stop() == 0
    assert "Traceback" not in server.log
    assert list(tmp_path.glob("memio-data/memio.db*")) == [
        tmp_path / "memio-data" / "memio.db"
    ]
    with capsys.disabled():
        print(
            f"\nfrom start to the first 200: {seconds[0]:.2f} s, again "
            f"{seconds[1]:.2f} s; resident when idle {memory / 1024:.0f} MiB; "
            f"installed {sizes(site_packages)}"
        )


@pytest.mark.parametrize("name", [n for n, p in PROVIDERS.items() if p.extra])
def test_a_missing_sdk_is_named_with_its_cure(
    installed: Path, tmp_path: Path, name: str
) -> None:
    provider = PROVIDERS[name]
    config = {"stores": {store: {"provider": name} for store in provider.stores}}
    (tmp_path / "memio-server.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [installed / "memio-server", "check"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"pip install 'memio[{provider.extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def use_every_store(api: Api) -> None:
    fact = api.post("/v1/facts", json={"content": "likes green tea"})
    assert fact.status_code == 201
    found = api.post("/v1/facts/search", json={"query": "favourite drink"}).json()
    assert found[0]["content"] == "likes green tea"
    document = {"content": "Returns are free for 30 days.", "doc_id": "returns"}
    assert api.post("/v1/documents", json=document).status_code == 201
    messages = {"messages": [{"role": "user", "content": "hello"}]}
    path = "/v1/history/sessions/s/messages"
    assert api.post(path, json=messages).status_code == 204
    triples = {"triples": [{"subject": "A", "predicate": "knows", "object": "B"}]}
    assert api.post("/v1/graph/triples", json=triples).status_code == 204
    assert api.get("/v1/graph/entities/A").json()["triples"][0]["object"] == "B"
    assert "<html" in api.get("/docs").text
    assert api.get("/openapi.yaml").status_code == 200
    assert error_of(api.get("/v1/facts?limit=0")) == (422, "validation_error")
    for name in ("facts", "documents", "history/sessions", "graph"):
        assert api.delete(f"/v1/{name}").status_code == 204


def resident_kib(server: Server) -> int:
    assert server.process
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def sizes(site_packages: Path) -> str:
    """Say how much disk an environment takes, and what takes most of it."""

    def mib(path: Path) -> float:
        files = [path] if path.is_file() else path.rglob("*")
        return sum(f.stat().st_size for f in files if f.is_file()) / 2**20

    each = sorted((mib(path), path.name) for path in site_packages.iterdir())[::-1]
    most = ", ".join(f"{name} {size:.0f}" for size, name in each[:5])
    return f"{sum(size for size, _ in each):.0f} MiB, of which {most}"
