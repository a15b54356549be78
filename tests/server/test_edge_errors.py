"""Failures become answers in one shape, and a log that keeps secrets."""

import logging

import pytest
import yaml
from edge_testing import assert_error

from memio import exceptions
from memio.server.errors import ERRORS, STATUS, render
from memio.server.spec import PLACES


@pytest.mark.parametrize(
    ("kind", "status", "error", "detail"),
    [
        ("not_found", 404, "not_found", "thing '7' not found"),
        ("long_id", 404, "not_found", "thing not found"),
        ("conflict", 409, "conflict", "It is taken; choose another id."),
        ("special", 409, "conflict", "It is special."),
        ("validation", 422, "validation_error", "filters: $and must be an array"),
        (
            "not_configured",
            501,
            "not_configured",
            str(exceptions.NotConfiguredError("graph")),
        ),
        ("overloaded", 503, "overloaded", "Too busy; try again."),
    ],
)
async def test_memio_errors_are_answered(client, kind, status, error, detail):
    answer = await client.get(f"/v1/failures/{kind}")
    body = assert_error(answer, status, error)
    assert body == {
        "error": error,
        "detail": detail,
        "provider": None,
        "operation": None,
    }
    assert answer.headers.get("retry-after") == ("7" if status == 503 else None)


@pytest.mark.parametrize(
    ("kind", "status", "error", "named"),
    [
        ("provider", 502, "provider_error", ("mem0", "search")),
        ("timeout", 504, "provider_timeout", ("mem0", "add")),
        ("unsupported", 501, "not_supported", ("zep", "add")),
        ("unsupported_bare", 501, "not_supported", ("zep", "add")),
    ],
)
async def test_provider_errors_name_provider_and_operation_but_no_cause(
    client, kind, status, error, named
):
    body = assert_error(await client.get(f"/v1/failures/{kind}"), status, error)
    assert (body["provider"], body["operation"]) == named
    assert named[0] in body["detail"]
    assert "secret" not in body["detail"]
    assert ("Use messages." in body["detail"]) == (kind == "unsupported")


@pytest.mark.parametrize("kind", ["unexpected", "unnamed"])
async def test_the_unexpected_is_500_without_details(client, caplog, kind):
    answer = await client.get(f"/v1/failures/{kind}", headers={"X-Request-ID": "r1"})
    body = assert_error(answer, 500, "internal_error")
    assert "secret" not in body["detail"]
    assert "X-Request-ID" in body["detail"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    raised = record.fields["raised"]
    name = "builtins.KeyError" if kind == "unexpected" else "MemioError"
    assert name in raised
    assert "edge_handlers/things.py:" in raised
    assert "from builtins.OSError at" in raised
    assert "secret" not in f"{record.getMessage()} {record.fields} {record.exc_info}"


async def test_a_provider_error_is_logged_without_its_message(client, caplog):
    await client.get("/v1/failures/provider")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    fields = record.fields
    assert fields["error"] == "provider_error"
    assert (fields["provider"], fields["operation"]) == ("mem0", "search")
    assert "from builtins.OSError" in fields["raised"]
    assert "secret" not in str(fields)


@pytest.mark.parametrize("path", ["/v1/failures/not_found", "/v1/x", "/v1/things?x=1"])
async def test_what_clients_do_wrong_is_not_an_error_of_the_server(
    client, caplog, path
):
    await client.get(path)
    assert not caplog.records


async def test_an_answer_that_breaks_off_is_left_incomplete_and_logged(client, caplog):
    with pytest.raises(AssertionError):  # so httpx tells that the app did not finish
        await client.get("/v1/answers/broken")
    (record,) = caplog.records
    assert "RuntimeError" in record.fields["raised"]
    assert "secret" not in str(record.fields)


def _subclasses(kind):
    return {kind}.union(*map(_subclasses, kind.__subclasses__()))


def test_the_table_has_every_error_that_a_request_can_meet():
    own = {
        k
        for k in _subclasses(exceptions.MemioError)
        if k.__module__ == exceptions.__name__
    }
    # The base says nothing, and set-up happens before there are requests.
    assert own - {exceptions.MemioError, exceptions.SetupError} == ERRORS.keys()
    assert set(ERRORS.values()) <= STATUS.keys()


def test_the_table_is_the_one_of_the_contract():
    path = next(place for place in PLACES if place.is_file())
    schemas = yaml.safe_load(path.read_bytes())["components"]["schemas"]
    named = schemas["ErrorCode"]["enum"]
    assert sorted(named) == sorted(STATUS)


def test_a_subclass_is_answered_as_its_nearest_base():
    class Slow(exceptions.ProviderTimeoutError):
        pass

    status, _, _ = render(Slow("p", "o", TimeoutError()))
    assert status == 504
