"""What ``deploy/`` says is so: each file is valid, and agrees with what is served."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client as kubernetes

from tests.contract import SPEC
from tests.deploy.proxies import DEPLOY, Nginx, missing
from tests.serving import SERVER

ENVIRON = {"DATABASE_URL": "postgresql://memio@127.0.0.1/memio", "MEMIO_API_KEY": "key"}
PORT = "8080"
SERVERS = [f"memio-{number}" for number in (1, 2, 3)]


def run(*command: str, directory: Path = DEPLOY, **environ: str) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def checked(config: str, directory: Path) -> str:
    """Return what memio-server makes of a configuration."""
    file = directory / "memio-server.yaml"
    file.write_text(config)
    return run(str(SERVER), "check", MEMIO_CONFIG=str(file), **ENVIRON)


def objects() -> dict[str, Any]:
    """Return what the manifest makes, by kind."""
    text = (DEPLOY / "kubernetes.yaml").read_text()
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def compose() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_the_configuration_puts_all_stores_on_postgresql(tmp_path: Path) -> None:
    said = checked((DEPLOY / "memio-server.yaml").read_text(), tmp_path)
    assert len(re.findall(r"(facts|history|documents|graph) +postgres", said)) == 4


def test_the_manifest_has_the_same_configuration() -> None:
    config = objects()["ConfigMap"]["data"]["memio-server.yaml"]
    assert yaml.safe_load(config) == yaml.safe_load(
        (DEPLOY / "memio-server.yaml").read_text()
    )


@pytest.mark.skipif(missing("nginx") != "", reason=missing("nginx"))
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    command, _ = Nginx(tmp_path, [1, 2]).command()
    assert "test is successful" in run(*command, "-t")


@pytest.mark.skipif(missing("caddy") != "", reason=missing("caddy"))
def test_caddy_takes_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text((DEPLOY / "Caddyfile").read_text())
    file = ("--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile"))
    said = run("caddy", "validate", *file, HOME=str(tmp_path))
    assert "Valid configuration" in said


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (DEPLOY / "memio@.service").read_text()
    assert "/opt/memio/bin/memio-server --port %i" in text
    unit = tmp_path / "memio@8081.service"
    unit.write_text(text.replace("/opt/memio/bin/memio-server", str(SERVER)))
    assert run("systemd-analyze", "verify", str(unit)) == ""


def test_kubernetes_knows_every_field_of_the_manifest() -> None:
    kinds = {
        "ConfigMap": kubernetes.V1ConfigMap,
        "Deployment": kubernetes.V1Deployment,
        "Service": kubernetes.V1Service,
        "PodDisruptionBudget": kubernetes.V1PodDisruptionBudget,
    }
    found = objects()
    assert found.keys() == kinds.keys()
    for kind, made in found.items():
        assert unknown_fields(made, kinds[kind].__name__, kind) == []


def unknown_fields(value: Any, kind: str, place: str) -> list[str]:
    """Return the places in an object that are not as the API's types have them."""
    if match := re.fullmatch(r"[Ll]ist\[(.*)\]", kind):
        assert isinstance(value, list), place
        return [u for v in value for u in unknown_fields(v, match[1], place)]
    if match := re.fullmatch(r"[Dd]ict[\[(]str, (.*)[\])]", kind):
        assert isinstance(value, dict), place
        return [u for v in value.values() for u in unknown_fields(v, match[1], place)]
    model = getattr(kubernetes, kind, None)
    if model is None:
        types = {"str": str, "int": int, "bool": bool, "object": (str, int)}
        return [] if isinstance(value, types[kind]) else [f"{place}: {value!r}"]
    assert isinstance(value, dict), place
    names = {name: key for key, name in model.attribute_map.items()}
    found = [f"{place}.{name}" for name in value.keys() - names.keys()]
    for name in value.keys() & names.keys():
        inner = model.openapi_types[names[name]]
        found += unknown_fields(value[name], inner, f"{place}.{name}")
    return found


def test_the_manifest_says_what_the_image_needs() -> None:
    found = objects()
    pod = found["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    environ = {each["name"]: each for each in container["env"]}
    assert {*ENVIRON, "MEMIO_CONFIG", "MEMIO_HOST"} == environ.keys()
    assert environ["MEMIO_HOST"]["value"] == "0.0.0.0"
    (port,) = container["ports"]
    assert str(port["containerPort"]) == PORT
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port["name"]
        assert "get" in SPEC["paths"][asked["path"]]
    labels = pod["metadata"]["labels"]
    assert found["Service"]["spec"]["selector"] == labels
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert mounts.keys() == {
        str(Path(environ["MEMIO_CONFIG"]["value"]).parent),
        "/var/lib/memio",
    }
    assert set(mounts.values()) == {v["name"] for v in pod["spec"]["volumes"]}
    user = pod["spec"]["securityContext"]["runAsUser"]
    assert f"USER {user}\n" in (DEPLOY / "Dockerfile").read_text()


def test_compose_runs_what_nginx_asks_for() -> None:
    services = compose()["services"]
    nginx, postgres = services.pop("nginx"), services.pop("postgres")
    assert list(services) == SERVERS == list(nginx["depends_on"])
    text = (DEPLOY / "nginx.conf").read_text()
    assert re.findall(r"server (memio-\d:\d+) ", text) == [f"{s}:8080" for s in SERVERS]
    assert f"listen {PORT};" in text
    assert nginx["ports"] == [f"{PORT}:{PORT}"]
    for service in services.values():
        assert service["environment"].keys() == ENVIRON.keys()
        url = service["environment"]["DATABASE_URL"]
        owner = postgres["environment"]
        assert url.startswith(f"postgresql://{owner['POSTGRES_USER']}:")
        assert url.endswith(f"@postgres:5432/{owner['POSTGRES_DB']}")
        built = DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]
        assert built.resolve() == DEPLOY / "Dockerfile"
    for volume in nginx["volumes"]:
        assert (DEPLOY / volume.partition(":")[0]).is_file()


def test_the_image_holds_what_the_package_is_made_of() -> None:
    """What the build copies is what pyproject.toml names, and no more."""
    text = (DEPLOY / "Dockerfile").read_text()
    let_by = set(
        re.findall(
            r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE
        )
    )
    assert let_by == {
        *("memio", "handlers", "openapi.yaml", "pyproject.toml", "README.md"),
        *("LICENSE", "deploy/memio-server.yaml"),
    }
    for name in let_by:
        assert (DEPLOY.parent / name).exists()
    assert f"EXPOSE {PORT}" in text
    assert "MEMIO_CONFIG=/etc/memio/memio-server.yaml" in text
    assert "COPY deploy/memio-server.yaml /etc/memio/memio-server.yaml" in text
