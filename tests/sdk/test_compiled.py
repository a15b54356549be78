"""The Go and Java clients: generated, compiled and driven; Rust: generated."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sdk.conftest import KEY, STORIES
from tests.serving import Server
from tools.sdk.toolbox import BUILD, run

GO_MODULE = (
    "module story\n\ngo 1.18\n\nrequire memio v0.0.0\n\nreplace memio => {client}\n"
)
ANNOTATION = "package jakarta.annotation; public @interface {name} {{ {members} }}\n"


@pytest.mark.skipif(
    not shutil.which("go"), reason="needs Go: apt-get install golang-go"
)
def test_the_go_client_tells_a_story(
    generated: Callable[[str], Path], tmp_path: Path, served: Server
) -> None:
    module = GO_MODULE.format(client=generated("go"))
    (tmp_path / "go.mod").write_text(module)
    shutil.copy(STORIES / "story.go", tmp_path)
    cache = {"GOCACHE": str(BUILD / "go"), "GOFLAGS": "-mod=mod", "GOPROXY": "off"}
    run("go", "build", "-o", "story", ".", cwd=tmp_path, **cache)
    assert run(tmp_path / "story", served.url, KEY) == "told\n"


@pytest.mark.long
@pytest.mark.skipif(
    not shutil.which("javac"), reason="needs Java: apt-get install default-jdk-headless"
)
def test_the_java_client_tells_a_story(
    generated: Callable[[str], Path], python_bin: Path, tmp_path: Path, served: Server
) -> None:
    sources = generated("java") / "src" / "main" / "java"
    shutil.copy(STORIES / "Story.java", sources)
    # Jackson comes from the generator's own archive, the annotations from nowhere else.
    (archive,) = python_bin.parent.glob("lib/*/site-packages/*/openapi-generator.jar")
    annotations = sources / "jakarta" / "annotation"
    annotations.mkdir(parents=True)
    members = {"Generated": "String value(); String comments();"}
    for name in ("Generated", "Nonnull", "Nullable"):
        source = ANNOTATION.format(name=name, members=members.get(name, ""))
        (annotations / f"{name}.java").write_text(source)
    files = sorted(sources.rglob("*.java"))
    run("javac", "-d", tmp_path / "classes", "-cp", archive, *files)
    path = f"{tmp_path / 'classes'}:{archive}"
    assert run("java", "-cp", path, "Story", served.url, KEY) == "told\n"


@pytest.mark.long
def test_the_rust_client_has_plain_options(generated: Callable[[str], Path]) -> None:
    source = generated("rust") / "src"
    fact = (source / "models" / "fact_create.rs").read_text()
    assert "pub user_id: Option<String>," in fact
    api = (source / "apis" / "facts_api.rs").read_text()
    assert "pub async fn create_fact(" in api
