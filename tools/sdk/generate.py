"""Generates the client libraries of openapi.yaml: ``python -m tools.sdk.generate``."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tools.sdk import contract
from tools.sdk.toolbox import (
    BUILD,
    HERE,
    ROOT,
    ToolError,
    node_tools,
    python_tools,
    run,
)

OUTPUT = ROOT / "sdk"
_NOT_OURS = ".travis.yml,.github/**,git_push.sh,build.sbt"
_GO_MODULE = "module memio\n\ngo 1.18\n"


def generate(language: str, output: Path = OUTPUT) -> Path:
    """Generate one client library and return its folder, which is emptied before.

    Args:
        language: A key of ``LANGUAGES``.
        output: The folder of the folders of all languages.

    Raises:
        ToolError: A generator is not to be had, failed, or warned of anything.
    """
    target = output / language
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    said = LANGUAGES[language](target)
    if re.search("warn", said, re.IGNORECASE):
        raise ToolError(f"the generator for {language} warns:\n{said}")
    return target


def _python(target: Path) -> str:
    return run(
        python_tools() / "openapi-python-client",
        *("generate", "--meta", "uv", "--overwrite", "--fail-on-warning"),
        *("--path", _written(contract.for_clients)),
        *("--config", HERE / "python.yaml", "--output-path", target),
    )


def _typescript(target: Path) -> str:
    return run(
        node_tools() / "openapi-ts",
        *("--input", _written(contract.for_clients), "--output", target),
        *("--client", "@hey-api/client-fetch", "--no-log-file"),
    )


def _typescript_fetch(target: Path) -> str:
    return run(
        node_tools() / "openapi-typescript",
        *(_written(contract.for_clients), "--output", target / "memio.d.ts"),
        "--default-non-nullable=false",
    )


def _go(target: Path) -> str:
    said = _openapi_generator("go", target)
    (target / "go.mod").write_text(_GO_MODULE)
    return said


def _java(target: Path) -> str:
    return _openapi_generator("java", target)


def _rust(target: Path) -> str:
    return _openapi_generator("rust", target)


def _openapi_generator(language: str, target: Path) -> str:
    return run(
        python_tools() / "openapi-generator-cli",
        *("generate", "--config", HERE / f"{language}.yaml", "--output", target),
        *("--input-spec", _written(contract.for_compiled_clients)),
        *("--global-property", "apiTests=false,modelTests=false"),
        *("--openapi-generator-ignore-list", _NOT_OURS),
        JAVA_OPTS="-Dlog.level=warn",
    )


def _written(variant: Callable[[dict[str, Any]], dict[str, Any]]) -> Path:
    document = yaml.safe_load((ROOT / "openapi.yaml").read_text())
    file = BUILD / f"{variant.__name__}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(variant(document), sort_keys=False))
    return file


LANGUAGES: dict[str, Callable[[Path], str]] = {
    "python": _python,
    "typescript": _typescript,
    "typescript-fetch": _typescript_fetch,
    "go": _go,
    "java": _java,
    "rust": _rust,
}
"""Names of folders, and what fills each."""


def main() -> None:
    """Generate the client libraries that are named, or all."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("language", nargs="*", help=", ".join(LANGUAGES))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    for language in options.language or LANGUAGES:
        if language not in LANGUAGES:
            parser.error(f"{language}: choose from {', '.join(LANGUAGES)}")
        try:
            print(generate(language, options.output))
        except ToolError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
