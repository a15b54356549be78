from starlette.responses import PlainTextResponse, StreamingResponse

from memio import exceptions


async def create_thing(body: dict, prefer: str | None = None) -> tuple:
    return {"body": body, "prefer": prefer}, 201, {"Location": "/v1/things/1"}


async def list_things(
    memio: object,
    *,
    limit: int,
    dry_run: bool,
    url: str,
    user_id: str | None = None,
    min_score: float | None = None,
    filters: dict | None = None,
) -> dict:
    assert memio is not None
    given = {"limit": limit, "dry_run": dry_run, "url": url, "user_id": user_id}
    return {**given, "min_score": min_score, "filters": filters}


async def search_things(body: object = "no body") -> object:
    return {"body": body}


async def get_thing(thing_id: str) -> dict:
    return {"thing_id": thing_id}


async def delete_thing(thing_id: str) -> None:
    if thing_id == "missing":
        raise exceptions.NotFoundError("thing", thing_id)


async def get_part(*, id: str, number: int, verbose: bool) -> list:  # noqa: A002
    return [id, number, verbose]


async def get_rest(rest: str) -> dict:
    return {"rest": rest}


async def get_answer(kind: str, url: str, q: str = "") -> object:
    async def broken():
        yield b"some"
        raise RuntimeError("secret of the stream")

    return {
        "none": None,
        "none-200": (None, 200),
        "value": {"a": 2**70},
        "status": ("x", 206),
        "headers": ([], 200, {"Link": f"<{url}>"}),
        "split": ([], 200, {"Link": "a\r\nSet-Cookie: b"}),
        "response": PlainTextResponse("plain", 203),
        "streamed": StreamingResponse(iter([b"a", b"b"])),
        "broken": StreamingResponse(broken()),
        "unwritable": object(),
        "long": q * 10,
    }[kind]


class _SpecialError(exceptions.ConflictError):
    pass


async def fail(kind: str) -> None:
    cause = OSError("secret cause in /srv/secret")
    error = {
        "not_found": exceptions.NotFoundError("thing", "7"),
        "long_id": exceptions.NotFoundError("thing", "7" * 81),
        "conflict": exceptions.ConflictError("It is taken; choose another id."),
        "special": _SpecialError("It is special."),
        "validation": exceptions.ValidationError("filters: $and must be an array"),
        "not_configured": exceptions.NotConfiguredError("graph"),
        "overloaded": exceptions.OverloadedError("Too busy; try again.", retry_after=7),
        "provider": exceptions.ProviderError("mem0", "search", cause),
        "unsupported": exceptions.NotSupportedError("zep", "add", "Use messages."),
        "unsupported_bare": exceptions.NotSupportedError("zep", "add"),
        "timeout": exceptions.ProviderTimeoutError("mem0", "add", cause),
        "unnamed": exceptions.MemioError("secret message"),
        "unexpected": KeyError("secret key"),
    }[kind]
    raise error from cause
