"""Embeddings from any endpoint that speaks OpenAI's ``POST /embeddings``."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

import httpx
import numpy as np

from memio.embedding.base import Vectors, check_least, unit_rows
from memio.exceptions import ProviderError, ProviderTimeoutError

_PROVIDER = "embedding:openai"
_KEY = re.compile(r"[!-~]*")
_PASSING = {408, 409, 429}
_REFUSED = {401, 403}
_SERVER_ERRORS = 500
_FIRST_PAUSE = 0.5
_DOUBLINGS = 4
_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class OpenAISettings:
    """Settings of the OpenAI-compatible embedder.

    Attributes:
        model: Name of the model, as the endpoint knows it.
        base_url: The endpoint's address, to whose path ``/embeddings`` is added.
        api_key: Sent as a bearer token; empty or None sends none.
        batch: Texts in one request.
        timeout: Seconds that one request may take, from connecting to the last byte.
        retries: How often a request is sent again after a failure that may pass.
        dimensions: Length of the vectors to ask for, where the model leaves a choice;
            None takes what it gives.
    """

    model: str
    base_url: str = "https://api.openai.com/v1"
    api_key: str | None = field(default=None, repr=False)
    batch: int = 64
    timeout: float = 30.0
    retries: int = 3
    dimensions: int | None = None

    def __post_init__(self) -> None:
        try:
            url = httpx.URL(self.base_url)
        except httpx.InvalidURL:
            url = httpx.URL()
        if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
            raise ValueError(
                "embedding.config.base_url must be an http:// or https:// address "
                "without a user name; a key belongs in embedding.config.api_key."
            )
        if not _KEY.fullmatch(self.api_key or ""):
            raise ValueError(
                "embedding.config.api_key holds a space, a line end or a character "
                "beyond ASCII, which no key has; check where it was copied from."
            )
        check_least(batch=(self.batch, 1), retries=(self.retries, 0))
        if self.dimensions is not None:
            check_least(dimensions=(self.dimensions, 1))
        if not self.timeout > 0:
            raise ValueError("embedding.config.timeout must be above 0 seconds.")


class OpenAIEmbedder:
    """Sends texts in batches, one after the other, and checks what comes back."""

    SETTINGS: ClassVar[type[OpenAISettings]] = OpenAISettings
    weight: float = 0.65

    def __init__(self, settings: OpenAISettings) -> None:
        self.dim = 0
        self.fingerprint = ""
        self._settings = settings
        url = httpx.URL(settings.base_url)
        self._host = url.netloc.decode("ascii")
        self._url = url.copy_with(path=url.path.rstrip("/") + "/embeddings")
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Ask for one vector, to learn the dimension; see ``Embedder.open``."""
        if self._client is None:
            key = self._settings.api_key
            self._client = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else None,
                timeout=self._settings.timeout,
            )
        if not self.dim:
            dim = self._settings.dimensions
            self.dim = dim or (await self._request(["dimension"])).shape[1]
            self.fingerprint = f"openai:{self._settings.model}:{self.dim}"

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Ask the endpoint; blank texts, which many refuse, are not sent.

        Raises:
            ProviderTimeoutError: It did not answer in time.
            ProviderError: It cannot be reached, refused, or answered something else.
        """
        vectors = np.zeros((len(texts), self.dim), np.float32)
        rows = [row for row, text in enumerate(texts) if text.strip()]
        for start in range(0, len(rows), self._settings.batch):
            batch = rows[start : start + self._settings.batch]
            vectors[batch] = await self._request([texts[row] for row in batch])
        return vectors

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _request(self, texts: list[str]) -> Vectors:
        body: dict[str, Any] = {"model": self._settings.model, "input": texts}
        if self._settings.dimensions:
            body["dimensions"] = self._settings.dimensions
        try:
            return self._read(await self._post(body), count=len(texts))
        except (TimeoutError, httpx.TimeoutException) as error:
            cause = TimeoutError(
                f"{self._host} did not answer within {self._settings.timeout:g} s"
            )
            raise ProviderTimeoutError(_PROVIDER, "embed", cause) from error
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            failure = RuntimeError(f"{self._host} failed: {reason}")
            raise ProviderError(_PROVIDER, "embed", failure) from error

    async def _post(self, body: dict[str, Any]) -> httpx.Response:
        """Send, and send again while that may help; return the last response."""
        assert self._client is not None, "open() comes before embed()"
        attempt = 0
        while True:
            # Jitter: many clients of one endpoint must not come back at one moment.
            pause = _FIRST_PAUSE * 2 ** min(attempt, _DOUBLINGS)
            pause *= random.uniform(0.5, 1)  # noqa: S311  # no secret is made of it
            last = attempt == self._settings.retries
            try:
                # httpx's own timeout starts anew with each piece of an answer.
                async with asyncio.timeout(self._settings.timeout):
                    response = await self._client.post(self._url, json=body)
            except httpx.TimeoutException:
                raise
            except httpx.TransportError:
                if last:
                    raise
            else:
                status = response.status_code
                if last or not (status in _PASSING or status >= _SERVER_ERRORS):
                    return response
                wanted = _retry_after(response)
                if wanted is not None:
                    if wanted > self._settings.timeout:
                        return response
                    pause = wanted
            attempt += 1
            await asyncio.sleep(pause)

    def _read(self, response: httpx.Response, *, count: int) -> Vectors:
        """Return the vectors, or raise ``ValueError`` with what is wrong with them."""
        if not response.is_success:
            raise ValueError(self._explain(response))
        vectors = _read_vectors(response, count=count)
        if self.dim and vectors.shape[1] != self.dim:
            raise ValueError(
                f"answered vectors of {vectors.shape[1]} numbers instead of "
                f"{self.dim}; check embedding.config.model and dimensions"
            )
        return vectors

    def _explain(self, response: httpx.Response) -> str:
        status = response.status_code
        if status in _REFUSED:
            # Without the body: some endpoints repeat the key in it.
            return f"answered {status}; check embedding.config.api_key"
        text = response.text
        if self._settings.api_key:
            text = text.replace(self._settings.api_key, "***")
        return f"answered {status}: {' '.join(text.split())[:_EXCERPT]}"


def _read_vectors(response: httpx.Response, *, count: int) -> Vectors:
    """Return the vectors in the order of the texts that they are for.

    Raises:
        ValueError: The answer is not ``count`` vectors of one length.
    """
    try:
        items = response.json()["data"]
        found = {item["index"]: item["embedding"] for item in items}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            "answered something else than a JSON object with the vectors in 'data'; "
            "check embedding.config.base_url"
        ) from error
    if len(items) != count or found.keys() != set(range(count)):
        raise ValueError(
            f"answered {len(items)} vectors to {count} texts, or numbered them wrongly"
        )
    try:
        rows = np.array([found[index] for index in range(count)])
    except ValueError:
        raise ValueError("answered vectors of different lengths") from None
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or not rows.size:  # noqa: PLR2004
        raise ValueError("answered vectors that are not lists of numbers")
    return unit_rows(rows)


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that the response asks to wait, as RFC 9110 10.2.3."""
    value = response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
