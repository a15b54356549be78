"""What must stop the server from starting, does; in words that name the cure."""

import copy
import re
import subprocess
import sys
import textwrap

import httpx
import pytest
import yaml
from edge_testing import StubFacts, assert_error, connect, serve

from memio.client import Memio
from memio.server import Spec, create_app
from memio.server.spec import argument_name


async def start(app):
    """Run the lifespan through start-up; returns the server's messages."""
    sent = []

    async def receive():
        return {"type": "lifespan.startup" if not sent else "lifespan.shutdown"}

    async def send(message):
        sent.append(message)

    try:
        await app({"type": "lifespan", "state": {}}, receive, send)
    except Exception as error:  # noqa: BLE001
        sent.append(error)
    return sent


@pytest.fixture
def changed(spec):
    """Return the document, to be changed, and what makes a spec of it."""
    document = copy.deepcopy(spec.document)
    return document, lambda: Spec.parse(yaml.safe_dump(document).encode())


@pytest.fixture
async def refusal(make_app, changed):
    async def refuse(**options):
        _, make_spec = changed
        message, error = await start(make_app(spec=make_spec(), **options))
        assert message["type"] == "lifespan.startup.failed"
        assert message["message"] == str(error)
        return str(error)

    return refuse


async def test_the_stores_are_opened_and_closed_with_the_server(make_app):
    facts = StubFacts()
    sent = await start(make_app(facts=facts))
    assert [m["type"] for m in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert facts.events == ["open", "close"]


async def test_every_operation_of_the_contract_has_a_handler_that_fits():
    started, _ = await start(create_app(memio=Memio(facts=StubFacts())))
    assert started == {"type": "lifespan.startup.complete"}


async def test_a_store_that_cannot_be_opened_fails_the_start(make_app):
    message, error = await start(make_app(facts=StubFacts(broken=True)))
    assert message["type"] == "lifespan.startup.failed"
    assert str(error) == "the disk is full"


async def test_a_missing_handler(changed, refusal):
    changed[0]["paths"]["/health"]["get"]["operationId"] = "getWealth"
    assert await refusal() == (
        "The operation getWealth (tag meta) has no handler: "
        "add 'async def get_wealth' to edge_handlers.meta."
    )


async def test_a_missing_module(changed, refusal):
    changed[0]["paths"]["/health"]["get"]["tags"] = ["other"]
    assert "'async def get_health' to edge_handlers.other." in await refusal()


async def test_a_module_that_fails_to_import_says_why(changed, tmp_path, monkeypatch):
    (tmp_path / "broken_handlers").mkdir()
    (tmp_path / "broken_handlers" / "things.py").write_text("import no_such_thing")
    monkeypatch.syspath_prepend(tmp_path)
    app = create_app(
        spec=changed[1](), memio=Memio(facts=StubFacts()), handlers="broken_handlers"
    )
    *_, error = await start(app)
    assert str(error) == "No module named 'no_such_thing'"


@pytest.mark.parametrize("tags", [[], ["things", "meta"]])
async def test_an_operation_without_exactly_one_tag(changed, refusal, tags):
    changed[0]["paths"]["/v1/things"]["get"]["tags"] = tags
    assert "GET /v1/things needs an operationId and exactly one tag" in await refusal()


async def test_an_operation_id_given_twice(changed, refusal):
    changed[0]["paths"]["/other"] = {"get": changed[0]["paths"]["/health"]["get"]}
    assert await refusal() == "the operationId getHealth is given twice"


async def test_a_handler_that_lacks_a_parameter(changed, refusal):
    parameter = {"name": "X-More", "in": "header", "schema": {"type": "string"}}
    changed[0]["paths"]["/health"]["get"]["parameters"] = [parameter]
    assert await refusal() == (
        "edge_handlers.meta.get_health does not fit getHealth: "
        "it lacks the parameter x_more"
    )


async def test_a_handler_that_needs_what_is_optional(changed, refusal):
    del changed[0]["components"]["parameters"]["Limit"]["schema"]["default"]
    assert await refusal() == (
        "edge_handlers.things.list_things does not fit listThings: "
        "it needs a default for limit"
    )


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        (
            {"name": "user_id", "in": "cookie", "schema": {"type": "string"}},
            "in cookie cannot",
        ),
        (
            {
                "name": "user_id",
                "in": "query",
                "schema": {"type": "array", "items": {}},
            },
            "of type array",
        ),
        ({"name": "user_id", "in": "query", "schema": {}}, "of type None"),
    ],
)
async def test_a_parameter_that_cannot_be_read(changed, refusal, parameter, words):
    changed[0]["paths"]["/v1/things"]["get"]["parameters"].append(parameter)
    assert words in await refusal()


async def test_a_body_that_is_not_json(changed, refusal):
    body = changed[0]["paths"]["/v1/things"]["post"]["requestBody"]
    body["content"]["text/plain"] = {}
    assert "must be application/json and nothing else" in await refusal()


async def test_a_security_scheme_that_is_not_bearer(changed, refusal):
    scheme = {"type": "apiKey", "in": "header", "name": "X-Key"}
    changed[0]["components"]["securitySchemes"]["bearerAuth"] = scheme
    assert "security scheme bearerAuth" in await refusal(api_keys=("a",))


async def test_a_parameter_that_is_a_part_of_a_segment(changed, refusal):
    paths = changed[0]["paths"]
    paths["/v1/things.{kind}"] = paths.pop("/v1/answers/{kind}")
    assert "a parameter must be a whole path segment" in await refusal()


@pytest.mark.parametrize(
    "reference", ["#/components/parameters/Limt", "other.yaml#/Limit", "#/openapi/x"]
)
def test_a_reference_that_leads_nowhere(changed, reference):
    document, make_spec = changed
    document["paths"]["/v1/things"]["get"]["parameters"] = [{"$ref": reference}]
    with pytest.raises(ValueError, match=f"^{reference} leads nowhere"):
        make_spec()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"openapi: 3.1.0", "must be 3.0.x, not 3.1.0"),
        (b"swagger: '2.0'", "must be 3.0.x, not None"),
        (b"[]", "must be 3.0.x, not none"),
        (b"{", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"openapi: 3.0.3\nresponses: {200: {}}", "cannot be read"),
    ],
)
def test_what_is_not_an_openapi_document(source, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Spec.parse(source)


async def test_paths_lie_below_the_path_of_the_first_server(changed, make_app):
    changed[0]["servers"] = [{"url": "https://example.com/base/"}]
    async with connect(make_app(spec=changed[1]())) as client:
        assert (await client.get("/base/v1/things/7")).status_code == 200
        assert_error(await client.get("/v1/things/7"), 404, "not_found")


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("createFact", "create_fact"),
        ("If-None-Match", "if_none_match"),
        ("user_id", "user_id"),
        ("Prefer", "prefer"),
        ("getOpenapiJson", "get_openapi_json"),
    ],
)
def test_names_become_snake_case(name, argument):
    assert argument_name(name) == argument


@pytest.mark.parametrize("lifespan", ["on", "auto"])
def test_uvicorn_does_not_serve_what_did_not_start(tmp_path, lifespan):
    (tmp_path / "broken_app.py").write_text(
        textwrap.dedent("""
        from edge_testing import SPEC, StubFacts
        from memio.client import Memio
        from memio.server import Spec, create_app
        spec = Spec.load(SPEC)
        app = create_app(spec=spec, memio=Memio(facts=StubFacts()), handlers="nowhere")
        """)
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "uvicorn", "broken_app:app", "--port", "0"),
            *("--lifespan", lifespan, "--app-dir", str(tmp_path)),
        ],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert "add 'async def create_thing' to nowhere.things." in done.stderr


def test_several_servers_may_serve_one_app(open_app):
    with serve(open_app) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    with serve(open_app) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
