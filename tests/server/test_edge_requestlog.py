"""Request ids and the log."""

import asyncio
import io
import json
import logging
import re

import pytest

from memio.server import configure_logging
from memio.server.logs import REQUEST_ID


@pytest.fixture
def logged(capsys):
    """Configure logging; returns what reads the lines."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("memio", "uvicorn")}

    def configure(*arguments):
        configure_logging(*arguments)

        def read():
            root.handlers[0].flush()
            return capsys.readouterr().err.splitlines()

        return read

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize("given", ["a", "A-b_c.9", "x" * 128])
async def test_a_request_id_is_taken_over(client, given):
    for path in (
        "/v1/things/7",
        "/nothing",
        "/v1/things?x=1",
        "/v1/failures/unexpected",
    ):
        answer = await client.get(path, headers={"X-Request-ID": given})
        assert answer.headers.get_list("x-request-id") == [given]


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "a\tb", "\u00e9", "a=1"])
async def test_else_one_is_made(client, given):
    headers = {} if given is None else {"X-Request-ID": given.encode()}
    ids = [
        (await client.get("/v1/things/7", headers=headers)).headers["x-request-id"]
        for _ in range(2)
    ]
    assert len(set(ids)) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", made) for made in ids)


async def test_a_line_tells_of_each_request_and_of_no_content(client, logged):
    read = logged("text", "info")
    headers = {"X-Request-ID": "r1", "Authorization": "Bearer secret"}
    await client.get("/v1/things/secret", headers=headers)
    await client.get("/v1/things?user_id=secret", headers=headers)
    await client.get("/secret?secret=secret", headers=headers)
    await client.put("/v1/things/secret", json={"content": "secret"}, headers=headers)
    lines = read()
    assert not any("secret" in line for line in lines)
    shape = re.compile(
        r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info logger=memio\.access "
        r"request_id=r1 (method=.*) ms=\d+\.\d+ bytes=(\d+)"
    )
    told = [shape.fullmatch(line).groups() for line in lines]
    assert [what for what, _ in told] == [
        "method=GET route=/v1/things/{thing_id} status=200",
        "method=GET route=/v1/things status=200",
        "method=GET route=- status=404",
        "method=PUT route=/v1/things/{thing_id} status=405",
    ]
    assert told[0][1] == str(len('{"thing_id":"secret"}'))


async def test_lines_may_be_json(client, logged):
    read = logged("json", "info")
    await client.get("/v1/failures/unexpected", headers={"X-Request-ID": "r1"})
    failure, access = map(json.loads, read())
    assert failure["message"] == "request failed"
    assert failure["level"] == "error"
    assert access["route"] == "/v1/failures/{kind}"
    assert access["status"] == 500
    assert type(access["ms"]) is float
    assert failure["request_id"] == access["request_id"] == "r1"


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_lines_and_records_keep_their_order(client, logged, log_format):
    read = logged(log_format)
    for number in range(30):
        await client.get("/v1/things/7", headers={"X-Request-ID": f"r{number}"})
        logging.getLogger("memio.test").info("after r%d", number)
    lines = read()
    assert len(lines) == 60
    for number in range(30):
        line, record = lines[2 * number : 2 * number + 2]
        assert re.search(rf"\br{number}\b", line)
        assert f"after r{number}" in record


async def test_lines_are_written_without_a_record_to_push_them(client, logged, capsys):
    logged("text")
    await asyncio.gather(*(client.get("/v1/things/7") for _ in range(30)))
    await asyncio.sleep(0)
    assert capsys.readouterr().err.count("status=200") == 30


async def test_a_log_that_cannot_be_written_fails_no_request(
    client, logged, monkeypatch
):
    logged("text")
    (handler,) = logging.getLogger().handlers
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(handler, "stream", closed)
    assert (await client.get("/v1/things/7")).status_code == 200
    await asyncio.sleep(0)


@pytest.mark.parametrize("method", ["A B", 'A"B', "A=\u00c9"])
@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_method_makes_a_second_field(client, logged, log_format, method):
    read = logged(log_format)
    await client.request(method, "/v1/things/7")
    (line,) = read()
    if log_format == "json":
        assert json.loads(line)["method"] == method
    else:
        assert f" method={json.dumps(method)} route=" in line


async def test_the_level_may_silence_requests(client, logged):
    read = logged("text", "warning")
    await client.get("/v1/things/7")
    assert read() == []


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_one_record_is_one_line_whatever_it_says(logged, log_format):
    read = logged(log_format, "info")
    log = logging.getLogger("memio.test")
    log.info("a\nb=%s", '"c"', extra={"fields": {"key": "d\r\ne", "n": 1}})
    (line,) = read()
    if log_format == "json":
        assert json.loads(line)["message"] == 'a\nb="c"'
    else:
        assert line.endswith(r' message="a\nb=\"c\"" key="d\r\ne" n=1')


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_traceback_is_kept(logged, log_format):
    read = logged(log_format, "info")
    try:
        raise RuntimeError("at start-up")  # noqa: TRY301
    except RuntimeError:
        logging.getLogger("uvicorn.error").exception("failed")
    assert "RuntimeError: at start-up" in "\n".join(read())


def test_other_packages_speak_from_warning_on(logged):
    read = logged("text", "debug")
    logging.getLogger("httpx").info("GET https://example.com/?secret")
    logging.getLogger("memio.x").debug("seen")
    logging.getLogger("uvicorn.error").debug("seen")
    assert len(read()) == 2


def test_an_unknown_level_is_refused():
    with pytest.raises(KeyError):
        configure_logging("text", "loud")


def test_outside_of_requests_there_is_no_id(logged):
    read = logged("text", "info")
    logging.getLogger("memio").info("x")
    assert "request_id" not in read()[0]
    assert REQUEST_ID.get() is None
