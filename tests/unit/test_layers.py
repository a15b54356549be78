"""Imports point one way, so that each part can be read without those above it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

KERNEL = {
    "calls",
    "exceptions",
    "filters",
    "idmap",
    "ids",
    "jsontext",
    "metadata",
    "models",
    "protocols",
}
# What a part may import, itself aside. A provider never imports another one.
MAY_IMPORT = {
    **dict.fromkeys(KERNEL, KERNEL),
    "retrieval": set(),
    "embedding": KERNEL,
    "client": KERNEL,
    "hosted": KERNEL | {"retrieval"},
    "vectorstore": KERNEL | {"embedding", "retrieval"},
    "providers": KERNEL | {"embedding", "hosted", "retrieval", "vectorstore"},
    "registry": KERNEL | {"client", "embedding"},
    "typed": {"registry"},
    "config": KERNEL | {"client", "embedding", "registry", "typed"},
    "server": KERNEL | {"client", "registry", "config", "cli", "memio"},
    "cli": KERNEL | {"client", "registry", "config", "server", "memio"},
    "testing": KERNEL,
    "handlers": {"client", "exceptions", "models", "memio"},
    "memio": KERNEL | {"client"},
}


def modules() -> list[Path]:
    packages = (ROOT / "memio", ROOT / "handlers")
    return sorted(path for package in packages for path in package.rglob("*.py"))


def parts(path: Path) -> list[str]:
    return list(path.relative_to(ROOT).with_suffix("").parts)


def part_of(name: list[str]) -> str:
    """Return which part of the house a module belongs to."""
    if name[0] == "handlers":
        return "handlers"
    inside = [piece for piece in name[1:2] if piece != "__init__"]
    return inside[0] if inside else "memio"


def imported(path: Path) -> Iterator[list[str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = (node.module or "").split(".")
            # `from memio import jsontext` names a part, `from memio import X` does not.
            for alias in node.names:
                whole = [*module, alias.name]
                is_part = module == ["memio"] and alias.name in MAY_IMPORT
                yield whole if is_part else module


@pytest.mark.parametrize("path", modules(), ids=lambda p: "/".join(parts(p)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    mine = part_of(parts(path))
    for name in imported(path):
        if name[0] not in {"memio", "handlers"}:
            continue
        theirs = part_of(name)
        assert theirs == mine or theirs in MAY_IMPORT[mine], (
            f"{mine} imports {'.'.join(name)}"
        )
        if mine == theirs == "providers":
            own, other = parts(path)[2], name[2:3]
            assert other in ([own], []), f"provider {own} imports {'.'.join(name)}"


def test_only_the_server_knows_connexion_and_starlette() -> None:
    for path in modules():
        if part_of(parts(path)) != "server":
            outside = {name[0] for name in imported(path)}
            assert not outside & {"connexion", "starlette", "uvicorn"}, path


def test_no_file_is_longer_than_can_be_read_in_one_sitting() -> None:
    for path in modules():
        assert len(path.read_text().splitlines()) <= 400, path
