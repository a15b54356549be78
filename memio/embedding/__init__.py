"""Turning texts into vectors: the embedders, by the names a configuration uses."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from memio.embedding.base import Embedder

__all__ = ["EMBEDDERS", "Embedder", "make_embedder"]

EMBEDDERS = {
    "hash": "memio.embedding.hash:HashEmbedder",
    "onnx": "memio.embedding.onnx:OnnxEmbedder",
    "openai": "memio.embedding.openai:OpenAIEmbedder",
    "static": "memio.embedding.static:StaticEmbedder",
}
"""Name -> class, imported when it is chosen."""


def make_embedder(provider: str, config: Mapping[str, Any]) -> Embedder:
    """Return the embedder called ``provider``, set up but not yet open.

    Raises:
        ValueError: The name is unknown, or a setting is unknown, missing or wrong.
        ImportError: A package that it needs is not installed.
    """
    if provider not in EMBEDDERS:
        raise ValueError(
            f"embedding.provider: there is no '{provider}'. "
            + _propose(provider, EMBEDDERS)
        )
    module, _, name = EMBEDDERS[provider].partition(":")
    try:
        embedder_class = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The embedder '{provider}' needs the package '{error.name}': "
            f"pip install 'memio[{provider}]'"
        ) from error
    settings = _make_settings(embedder_class.SETTINGS, config)
    embedder: Embedder = embedder_class(settings)
    return embedder


def _make_settings(settings_class: Any, config: Mapping[str, Any]) -> Any:
    types = typing.get_type_hints(settings_class)
    for name, value in config.items():
        if name not in types:
            raise ValueError(
                f"embedding.config: there is no '{name}'. " + _propose(str(name), types)
            )
        wanted = types[name] if types[name] is not float else float | int
        # bool is a kind of int, but no setting is one.
        if isinstance(value, bool) or not isinstance(value, wanted):
            kind = getattr(types[name], "__name__", types[name])
            raise ValueError(  # noqa: TRY004  # every wrong setting is a ValueError
                f"embedding.config.{name} must be of the type {kind}, "
                f"not {type(value).__name__}."
            )
    for field in dataclasses.fields(settings_class):
        if field.default is dataclasses.MISSING and field.name not in config:
            raise ValueError(f"embedding.config.{field.name} is missing; give it.")
    return settings_class(**config)


def _propose(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, known, 1)
    question = f"Did you mean '{near[0]}'? " if near else ""
    return f"{question}Known are: {', '.join(sorted(known))}."
