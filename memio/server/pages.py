"""The operations that show the contract itself: as JSON, as YAML, as a page."""

from __future__ import annotations

from functools import cache

from starlette.responses import RedirectResponse, Response

from memio.server.docs import StoredResponse, stored_file
from memio.server.settings import EdgeSettings
from memio.server.spec import Spec


async def get_openapi_json(spec: Spec, settings: EdgeSettings) -> Response:
    """Return the document as JSON; where no key is configured it asks for none."""
    return _json(spec, secured=bool(settings.api_keys))


async def get_openapi_yaml(spec: Spec) -> Response:
    """Return the document byte for byte."""
    return _yaml(spec)


async def get_docs() -> Response:
    """Return the page on which the operations can be read and tried."""
    return stored_file("docs.html", "text/html")


async def redirect_to_docs() -> Response:
    """Lead to the page, relative to where the server is mounted."""
    return RedirectResponse("docs")


@cache
def _json(spec: Spec, *, secured: bool) -> StoredResponse:
    return StoredResponse(spec.json(secured=secured), "application/json")


@cache
def _yaml(spec: Spec) -> StoredResponse:
    return StoredResponse(spec.source, "application/yaml")
