"""Settings: file, environment and flags; every problem told at once, with its cure."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from memio import registry
from memio.config import AuthSettings, ConfigError, load_settings
from memio.registry import Provider
from memio.typed import SettingsReader


@dataclass(frozen=True, slots=True)
class LocalSettings:
    path: str = ""


@dataclass(frozen=True, slots=True)
class ChromaSettings:
    collection_name: str
    port: int = field(default=8000, metadata={"least": 1, "most": 65535})
    api_key: str | None = None
    ratio: float = 0.5
    tls: bool = False
    space: Literal["cosine", "l2"] = "cosine"
    hosts: tuple[str, ...] = ()
    options: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.collection_name == "bad":
            raise ValueError("collection_name must be good.")


class Local:
    SETTINGS = LocalSettings


class Chroma:
    SETTINGS = ChromaSettings


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """An empty directory, and providers of the test's own."""
    module = ModuleType("fakes")
    module.Local, module.Chroma = Local, Chroma
    monkeypatch.setitem(sys.modules, "fakes", module)
    stores = ("facts", "history", "documents", "graph")
    providers = {
        "chroma": Provider({"documents": "fakes:Chroma"}, extra="chroma"),
        "local": Provider(dict.fromkeys(stores, "fakes:Local")),
        "mem0": Provider({"facts": "no_such_module:Facts"}, extra="mem0"),
    }
    monkeypatch.setattr(registry, "PROVIDERS", providers)
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "memio-server.yaml") -> None:
    Path(name).write_text(dedent(text), encoding="utf-8")


def load(text: str | None = None, *, flags=None, **environ: str):
    if text is not None:
        write(text)
    return load_settings(flags, environ)


def problems(text: str | None = None, *, flags=None, **environ: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, flags=flags, **environ)
    return list(caught.value.problems)


def chroma(config: str, **environ: str):
    text = f"stores: {{documents: {{provider: chroma, config: {config}}}}}"
    return load(text, **environ).stores["documents"].config


def test_without_a_file_all_stores_are_embedded():
    settings = load()
    assert list(settings.stores) == ["facts", "history", "documents", "graph"]
    assert {choice.provider for choice in settings.stores.values()} == {"local"}
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert settings.data_dir == Path("memio-data")
    assert settings.origin == (
        "no configuration file: all four stores are embedded, "
        "with their data in ./memio-data"
    )


@pytest.mark.parametrize("text", ["", "server: {port: 9}", "stores:", "stores: {}"])
def test_a_file_without_stores_gets_all_of_them_and_says_so(text):
    settings = load(text)
    assert len(settings.stores) == 4
    assert settings.origin.startswith(
        "configuration from memio-server.yaml: all four stores are embedded"
    )


def test_the_originals_file_works_as_it_is():
    settings = load(
        """
        server:
          host: "127.0.0.1"
          port: 8081
        auth:
          api_key: "${SECRET}"
        stores:
          facts:
            provider: local
          history:
          documents:
            provider: chroma
            config:
              collection_name: "my-${NAME}"
        """,
        SECRET="s3cret",
        NAME="docs",
    )
    assert settings.server.port == 8081
    assert settings.auth.api_key == ("s3cret",)
    assert list(settings.stores) == ["facts", "documents"]
    assert settings.stores["documents"].config.collection_name == "my-docs"
    assert settings.origin == "configuration from memio-server.yaml"


def test_flag_beats_environment_beats_file_beats_default():
    write("server: {host: localhost, port: 1}")
    assert load().server.port == 1
    assert load(MEMIO_PORT="2").server.port == 2
    assert load(MEMIO_PORT="2", flags={"--port": "3"}).server.port == 3
    assert load(MEMIO_PORT="2").server.host == "localhost"
    assert load(MEMIO_HOST="::1").server.host == "::1"
    assert load(flags={"--workers": "4"}).server.workers == 4
    assert load(MEMIO_API_KEY="a").auth.api_key == ("a",)


def test_empty_variables_count_as_unset():
    empty = dict.fromkeys(
        ("MEMIO_HOST", "MEMIO_PORT", "MEMIO_API_KEY", "MEMIO_CONFIG"), ""
    )
    assert load("server: {port: 5}", **empty).server.port == 5


def test_the_file_is_chosen_by_flag_then_variable():
    write("server: {port: 1}")
    write("server: {port: 2}", "two.yaml")
    write("server: {port: 3}", "three.yaml")
    assert load(MEMIO_CONFIG="two.yaml").server.port == 2
    flags = {"--config": "three.yaml"}
    assert load(MEMIO_CONFIG="two.yaml", flags=flags).server.port == 3


def test_variables_are_put_into_strings_everywhere_but_not_keys():
    config = chroma(
        '{collection_name: "${A}-${A}${B}", hosts: ["${A}"], '
        'options: {deep: [{"${A}": "${A}"}], text: "$A ${} ${a b}", n: 1}}',
        A="x",
        B="",
    )
    assert config.collection_name == "x-x"
    assert config.hosts == ("x",)
    assert config.options == {
        "deep": [{"${A}": "x"}],
        "text": "$A ${} ${a b}",
        "n": 1,
    }


def test_what_a_variable_holds_is_not_looked_into_again():
    assert chroma('{collection_name: "${A}"}', A="${B}").collection_name == "${B}"
    assert load("", MEMIO_API_KEY="${B}").auth.api_key == ("${B}",)


def test_a_place_that_is_overridden_need_not_resolve():
    text = 'server: {port: "${P}"}\nauth: {api_key: "${K}"}'
    settings = load(text, MEMIO_PORT="9", MEMIO_API_KEY="k")
    assert (settings.server.port, settings.auth.api_key) == (9, ("k",))


@pytest.mark.parametrize(
    ("given_key", "keys"),
    [
        ("one", ("one",)),
        ("one, two,", ("one", "two")),
        ("[one, two]", ("one", "two")),
    ],
)
def test_several_api_keys(given_key, keys):
    given_key = given_key if given_key[0] == "[" else f'"{given_key}"'
    assert load(f"auth: {{api_key: {given_key}}}").auth.api_key == keys


def test_values_take_the_type_that_the_setting_has():
    config = chroma(
        '{collection_name: c, port: "${P}", ratio: "0.25", tls: "TRUE", space: L2, '
        "api_key: k, hosts: a}",
        P="8080",
    )
    assert config == ChromaSettings("c", 8080, "k", 0.25, True, "l2", ("a",))  # noqa: FBT003
    assert chroma("{collection_name: c, ratio: 1, port: , api_key: }") == (
        ChromaSettings("c", ratio=1)
    )


def test_every_problem_is_told_at_once():
    told = problems(
        """
        sever: {}
        server: {prot: 1, port: abc, workers: 0}
        auth: {api_key: "${NO_KEY}"}
        embedding: {provider: sttic}
        stores:
          facts: {provider: mem0}
          histroy: {provider: local}
          history: {provider: nope}
          graph: {provider: chroma}
          documents: {provider: chroma, config: {colection_name: x}}
        """
    )
    assert told == [
        (
            "auth.api_key: the environment variable NO_KEY is not set; "
            "set it or take ${NO_KEY} out."
        ),
        "sever is not a setting; did you mean 'server'?",
        "server.prot is not a setting; did you mean 'port'?",
        "server.port must be a whole number from 0 to 65535, not 'abc'.",
        "server.workers must be a whole number from 1, not 0.",
        (
            "embedding.provider: 'sttic' is not an embedder; "
            "choose one of: hash, onnx, openai, static."
        ),
        "stores.histroy is not a setting; did you mean 'history'?",
        (
            "stores.facts.provider: 'mem0' needs packages that are not installed (No "
            "module named 'no_such_module'); run: pip install 'memio[mem0]'"
        ),
        (
            "stores.history.provider: 'nope' is not a provider; "
            "choose one of: chroma, local, mem0."
        ),
        (
            "stores.documents.config.colection_name is not a setting; "
            "did you mean 'collection_name'?"
        ),
        "stores.documents.config.collection_name is missing; it has no default.",
        "stores.graph.provider: 'chroma' does not serve graph; these do: local.",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a]", "'memio-server.yaml' must hold a mapping with the keys server, auth"),
        ("server: [", "'memio-server.yaml', line 1, column 10 is not valid YAML"),
        ("a: b: c", "'memio-server.yaml', line 1, column 5 is not valid YAML"),
        ("a: \0", "'memio-server.yaml' is not valid YAML: unacceptable character"),
        ("server: 8080", "server must be a mapping, not a number."),
        ("stores: local", "stores must be a mapping, not text."),
        ("stores: {facts: local}", "stores.facts must be a mapping with the key"),
        ("stores: {facts: {}}", "stores.facts.provider is missing; choose one of:"),
        (
            "stores: {facts: {provider: local, config: [1]}}",
            "stores.facts.config must be a mapping, not a list.",
        ),
        (
            "stores: {facts: {provider: local, config: {x: 1}}}",
            "stores.facts.config.x is not a setting; known: path.",
        ),
        (
            "stores: {documents: {provider: chroma, config: {collection_name: bad}}}",
            "stores.documents.config: collection_name must be good.",
        ),
        ("server: {host: ''}", "server.host must not be empty"),
        ("server: {host: 1}", "server.host must be text in quotes, not 1."),
        ("server: {port: 65536}", "server.port must be a whole number from 0 to"),
        ("server: {port: 1.5}", "server.port must be a whole number from 0 to"),
        ("server: {port: true}", "server.port must be a whole number from 0 to"),
        ("server: {log_format: xml}", "server.log_format must be one of json, text"),
        ("auth: {api_key: ''}", "auth.api_key must be text in quotes, or a list of"),
        ("auth: {api_key: []}", "auth.api_key must be text in quotes, or a list of"),
        ("auth: {api_key: 12345}", "such texts, not a number."),
        ("auth: {allow_anonymous: maybe}", "auth.allow_anonymous must be true or"),
        ("embedding: static", "embedding must be a mapping with the key 'provider'"),
        ("embedding: {provider: hash, config: {dmi: 1}}", "did you mean 'dim'?"),
        ("embedding: {provider: hash, config: {dim: 0}}", "embedding.config.dim must"),
        ("embedding: {provider: openai}", "embedding.config.model is missing"),
    ],
)
def test_a_wrong_file_is_one_problem(text, told):
    only = problems(text)
    assert len(only) == 1
    assert told in only[0]


def test_a_variable_or_flag_with_a_wrong_value_is_named():
    assert problems(MEMIO_PORT="abc") == [
        "MEMIO_PORT must be a whole number from 0 to 65535, not 'abc'."
    ]
    assert problems(MEMIO_PORT="abc", flags={"--port": "-1"}) == [
        "--port must be a whole number from 0 to 65535, not '-1'."
    ]


@pytest.mark.parametrize("name", ["MEMIO_CONFIG", "--config"])
def test_a_named_file_must_exist(name):
    given_name = {name: "gone.yaml"}
    told = (
        problems(flags=given_name) if name[0] == "-" else problems(None, **given_name)
    )
    assert told == [
        f"{name} names 'gone.yaml', which does not exist; name the file to read."
    ]


def test_a_directory_is_not_a_file():
    assert problems(MEMIO_CONFIG=".") == ["'.' cannot be read: Is a directory."]


def test_an_unreadable_file_is_the_only_thing_told_about_its_content():
    # The key may well stand in the file that could not be read.
    told = problems("auth: [", MEMIO_HOST="0.0.0.0", MEMIO_PORT="x")
    assert len(told) == 2
    assert "is not valid YAML" in told[0]
    assert told[1].startswith("MEMIO_PORT must be")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_other_machines_are_served_only_with_a_key_or_on_purpose(host):
    assert problems(MEMIO_HOST=host) == [
        (
            f"MEMIO_HOST: {host} is open to other machines although there is no API "
            "key; set MEMIO_API_KEY, or auth.allow_anonymous: true if anybody may "
            "read and write."
        )
    ]
    assert load(MEMIO_HOST=host, MEMIO_API_KEY="k").server.host == host
    allowed = "auth: {allow_anonymous: true}"
    assert load(allowed, MEMIO_HOST=host).auth.allow_anonymous


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_is_served_without_a_key(host):
    assert load(MEMIO_HOST=host).auth == AuthSettings()


def test_secrets_are_never_shown():
    settings = load(
        """
        auth: {api_key: s3cret}
        stores: {documents: {provider: chroma, config: {
          collection_name: c, api_key: s3cret}}}
        embedding: {provider: openai, config: {model: m, api_key: s3cret}}
        """
    )
    assert "s3cret" not in repr(settings)
    told = problems(
        """
        stores: {documents: {provider: chroma, config: {
          collection_name: c, port: s3cret, tls: s3cret}}}
        embedding: {provider: openai, config: {model: m, batch: s3cret}}
        """
    )
    assert len(told) == 3
    assert "s3cret" not in "".join(told)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["server", "auth", "stores", "facts", "provider", "config"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(raw=json)
def test_any_file_gives_settings_or_problems(raw):
    told: tuple[str, ...] = ("settings",)
    try:
        load(yaml.safe_dump(raw, allow_unicode=True))
    except ConfigError as error:
        told = error.problems
    assert told
    assert all(problem.strip() for problem in told)


@given(raw=st.dictionaries(st.sampled_from(ChromaSettings.__slots__), json))
def test_reading_keeps_types_or_tells_why_not(raw):
    told: list[str] = []
    config = SettingsReader(told, {}).read(ChromaSettings, raw, "here")
    if config is None:
        assert told
    else:
        assert type(config.port) is int
        assert 1 <= config.port <= 65535
        assert type(config.tls) is bool
        assert isinstance(config.ratio, float | int)
        assert config.space in ("cosine", "l2")
        assert all(isinstance(host, str) for host in config.hosts)
