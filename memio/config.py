"""The server's settings: file, environment and command line, checked all at once.

A flag wins over an environment variable, that over the file, that over the default.
Every problem is reported, not only the first, so that one correction is enough.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from memio.client import Memio, StoreName
from memio.embedding import EMBEDDERS, make_embedder
from memio.exceptions import SetupError
from memio.registry import (
    Choice,
    build_memio,
    import_object,
    load_adapter,
    provider_names,
)
from memio.typed import UNKNOWN, SettingsReader, kind_of

DEFAULT_FILE = "memio-server.yaml"
DATA_DIR = Path("memio-data")
STORE_NAMES: tuple[StoreName, ...] = get_args(StoreName)

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECTIONS = ("server", "auth", "embedding", "stores")
_ENVIRONMENT = {
    "MEMIO_HOST": "server.host",
    "MEMIO_PORT": "server.port",
    "MEMIO_API_KEY": "auth.api_key",
}
_FLAGS = {
    "--host": "server.host",
    "--port": "server.port",
    "--workers": "server.workers",
}


class ConfigError(SetupError):
    """The server cannot start like this.

    Attributes:
        problems: Everything that is wrong, a sentence each: the place and the fix.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server listens, works and logs.

    Attributes:
        port: 0 lets the system choose.
        body_limit: The largest request body, in bytes.
        shutdown_timeout: Seconds that requests under way are given when it stops.
    """

    host: str = "127.0.0.1"
    port: int = field(default=8080, metadata={"least": 0, "most": 65535})
    workers: int = field(default=1, metadata={"least": 1})
    body_limit: int = field(default=1_048_576, metadata={"least": 1})
    log_format: Literal["json", "text"] = "text"
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    shutdown_timeout: int = field(default=10, metadata={"least": 0})

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Who may use the server.

    Attributes:
        api_key: Every key that opens it; with none, anybody may use it.
        allow_anonymous: Serve other machines even though there is no key.
    """

    api_key: tuple[str, ...] = field(default=(), repr=False)
    allow_anonymous: bool = False

    def __str__(self) -> str:
        if not self.api_key:
            return "no API key: whoever reaches the address may read and write"
        return (
            "1 API key" if len(self.api_key) == 1 else f"{len(self.api_key)} API keys"
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the operator decides.

    Attributes:
        origin: Where this comes from, to be told at start-up.
        data_dir: Where the embedded provider keeps its files.
    """

    server: ServerSettings
    auth: AuthSettings
    embedding: Choice
    stores: dict[StoreName, Choice]
    origin: str
    data_dir: Path = DATA_DIR

    def build_memio(self) -> Memio:
        """Build the stores that were chosen; see ``memio.registry.build_memio``."""
        return build_memio(
            self.stores,
            embedding=self.embedding,
            data_dir=self.data_dir,
            workers=self.server.workers,
        )


def load_settings(
    flags: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read and check the settings.

    Args:
        flags: What the command line gave for "--config", "--host", "--port" and
            "--workers"; None where it gave nothing.
        environ: The environment; by default that of the process. A variable that is
            set to the empty string counts as not set, except within the file.

    Raises:
        ConfigError: With everything that is wrong.
    """
    flags = flags or {}
    environ = os.environ if environ is None else environ
    problems: list[str] = []
    path, raw = _read_file(flags.get("--config"), environ, problems)
    file_was_read = not problems

    names: dict[str, str] = {}
    overrides: dict[str, str] = {}
    for source, places in ((environ, _ENVIRONMENT), (flags, _FLAGS)):
        for name, place in places.items():
            if value := source.get(name):
                names[place], overrides[place] = name, value
    raw = _fill(raw, overrides, environ, problems)
    reader = SettingsReader(problems, names)
    reader.check_keys(raw, _SECTIONS, "")
    server = reader.read(ServerSettings, raw.get("server"), "server")
    auth = reader.read(AuthSettings, raw.get("auth"), "auth", secret=True)
    embedding = _read_embedding(reader, raw.get("embedding"))
    stores: dict[StoreName, Choice] = {}
    origin = f"configuration from {path}" if path else "no configuration file"
    if file_was_read:
        stores = _read_stores(reader, raw.get("stores"))
        if server and auth:
            _check_access(server, auth, raw, reader)
    if not (stores or problems):
        origin += f": all four stores are embedded, with their data in ./{DATA_DIR}"
        embedded = {name: {"provider": "local"} for name in STORE_NAMES}
        stores = _read_stores(reader, embedded)
    if not (server and auth and embedding) or problems:
        raise ConfigError(*problems)
    return Settings(server, auth, embedding, stores, origin)


def _read_file(
    flag: str | None, environ: Mapping[str, str], problems: list[str]
) -> tuple[Path | None, dict[str, Any]]:
    named = flag or environ.get("MEMIO_CONFIG")
    source = "--config" if flag else "MEMIO_CONFIG"
    path = Path(named or DEFAULT_FILE)
    if named is None and not path.exists():
        return None, {}
    try:
        raw = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        problems.append(
            f"{source} names '{path}', which does not exist; name the file to read."
        )
    except OSError as error:
        problems.append(f"'{path}' cannot be read: {error.strerror}.")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problems.append(f"'{path}'{at} is not valid YAML: {error.problem}.")
    except (yaml.YAMLError, ValueError) as error:
        problems.append(f"'{path}' is not valid YAML: {' '.join(str(error).split())}.")
    else:
        if raw is None:
            return path, {}
        if isinstance(raw, dict):
            return path, raw
        problems.append(
            f"'{path}' must hold a mapping with the keys {', '.join(_SECTIONS)}, "
            f"not {kind_of(raw)}."
        )
    return path, {}


def _fill(
    raw: dict[str, Any],
    overrides: Mapping[str, str],
    environ: Mapping[str, str],
    problems: list[str],
) -> dict[str, Any]:
    """Put overrides in their places, and variables into every other string.

    A string that lacks a variable becomes UNKNOWN.
    """

    def fill(value: Any, place: str) -> Any:
        if place in overrides:
            return overrides[place]
        if isinstance(value, dict):
            return {
                key: fill(item, f"{place}.{key}" if place else str(key))
                for key, item in value.items()
            }
        if isinstance(value, list):
            items = [fill(item, f"{place}[{i}]") for i, item in enumerate(value)]
            return UNKNOWN if UNKNOWN in items else items
        if not isinstance(value, str):
            return value
        names = dict.fromkeys(_VARIABLE.findall(value))
        missing = [name for name in names if name not in environ]
        problems.extend(
            f"{place}: the environment variable {name} is not set; "
            f"set it or take ${{{name}}} out."
            for name in missing
        )
        if missing:
            return UNKNOWN
        return _VARIABLE.sub(lambda match: environ[match[1]], value)

    for place in overrides:
        section, _, key = place.partition(".")
        entries = raw.get(section) or {}
        if isinstance(entries, dict):
            raw = {**raw, section: {**entries, key: None}}
    return {key: fill(value, str(key)) for key, value in raw.items()}


def _read_choice(
    reader: SettingsReader, raw: Any, place: str, known: list[str]
) -> tuple[str, Any] | None:
    """Return the provider's name and its raw settings, or None after a problem."""
    if not isinstance(raw, dict):
        reader.problems.append(
            f"{place} must be a mapping with the key 'provider', not {kind_of(raw)}."
        )
        return None
    reader.check_keys(raw, ("provider", "config"), place)
    provider = raw.get("provider")
    if provider is UNKNOWN:
        return None
    if not isinstance(provider, str):
        reader.problems.append(
            f"{place}.provider is missing; choose one of: {', '.join(known)}."
        )
        return None
    return provider, raw.get("config")


def _read_stores(reader: SettingsReader, raw: Any) -> dict[StoreName, Choice]:
    stores: dict[StoreName, Choice] = {}
    if raw is None or raw is UNKNOWN:
        return stores
    if not isinstance(raw, dict):
        reader.problems.append(f"stores must be a mapping, not {kind_of(raw)}.")
        return stores
    reader.check_keys(raw, STORE_NAMES, "stores")
    for name in STORE_NAMES:
        place = f"stores.{name}"
        # An empty entry is a store that is not served, as it was in the original.
        if raw.get(name) is None or raw[name] is UNKNOWN:
            continue
        chosen = _read_choice(reader, raw[name], place, provider_names())
        if chosen is None:
            continue
        try:
            adapter = load_adapter(chosen[0], name)
        except SetupError as error:
            reader.problems.append(f"{place}.provider: {error}")
            continue
        config = reader.read(
            adapter.SETTINGS, chosen[1], f"{place}.config", secret=True
        )
        stores[name] = Choice(chosen[0], config)
    return stores


def _read_embedding(reader: SettingsReader, raw: Any) -> Choice | None:
    chosen = _read_choice(
        reader,
        {"provider": "static"} if raw is None else raw,
        "embedding",
        sorted(EMBEDDERS),
    )
    if chosen is None:
        return None
    provider, config = chosen
    if provider not in EMBEDDERS:
        reader.problems.append(
            f"embedding.provider: '{provider}' is not an embedder; "
            f"choose one of: {', '.join(sorted(EMBEDDERS))}."
        )
        return None
    try:
        settings: Any = reader.read(
            import_object(EMBEDDERS[provider]).SETTINGS,
            config,
            "embedding.config",
            secret=True,
        )
        if settings is None:
            return None
        choice = Choice(provider, asdict(settings))
        # Tells whether what it needs is there: its packages and its files.
        make_embedder(provider, choice.config)
    except (ImportError, ValueError) as error:
        told = str(error)
        reader.problems.append(
            told if told.startswith("embedding.") else f"embedding.provider: {told}"
        )
        return None
    return choice


def _check_access(
    server: ServerSettings,
    auth: AuthSettings,
    raw: dict[str, Any],
    reader: SettingsReader,
) -> None:
    place = reader.names.get("server.host", "server.host")
    if not server.host:
        reader.problems.append(f"{place} must not be empty; take it out for 127.0.0.1.")
        return
    # A key that is there but wrong has been noted, and is no reason for this.
    has_key = (raw.get("auth") or {}).get("api_key") is not None
    if not (has_key or auth.allow_anonymous or _is_loopback(server.host)):
        reader.problems.append(
            f"{place}: {server.host} is open to other machines although there is no "
            "API key; set MEMIO_API_KEY, or auth.allow_anonymous: true if anybody may "
            "read and write."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
