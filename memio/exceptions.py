"""Every failure that memio names, from a missing fact to a provider that hangs.

    MemioError
      NotFoundError            the thing asked for does not exist
      ConflictError            the write contradicts what is stored
      ValidationError          the request is not one that memio can carry out
      NotConfiguredError       the server runs without this store
      OverloadedError          too busy now; the same request may succeed later
      SetupError               a store cannot be opened as it is configured
      ProviderError            the provider behind a store failed
        NotSupportedError      the provider cannot do this at all
        ProviderTimeoutError   the provider did not answer in time

What each becomes over HTTP is one table, in ``memio.server.errors``.
"""

from __future__ import annotations


class MemioError(Exception):
    """Base of every error that memio raises on purpose."""


class NotFoundError(MemioError):
    """The resource asked for does not exist.

    Attributes:
        resource: Kind of resource: "fact", "session", "document", "entity", "triple".
        resource_id: The id that was not found.
    """

    def __init__(self, resource: str, resource_id: str) -> None:
        self.resource = resource
        self.resource_id = resource_id
        super().__init__(f"{resource} '{resource_id}' not found")


class ConflictError(MemioError):
    """The write contradicts what is stored, such as a document id already taken."""


class ValidationError(MemioError):
    """The request is malformed in a way that only its meaning shows."""


class NotConfiguredError(MemioError):
    """The store is not part of this server's configuration.

    Attributes:
        store: Name of the store: "facts", "history", "documents" or "graph".
    """

    def __init__(self, store: str) -> None:
        self.store = store
        super().__init__(
            f"The {store} store is not configured on this server; "
            f"add stores.{store} to its configuration file."
        )


class OverloadedError(MemioError):
    """The work was not begun because too much is waiting; nothing was stored.

    Attributes:
        retry_after: Seconds after which trying again is reasonable.
    """

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class SetupError(MemioError):
    """A store cannot be opened as it is configured; the message names the cure."""


class ProviderError(MemioError):
    """The provider behind a store failed; ``cause`` is what its SDK or engine raised.

    Attributes:
        provider: Name of the provider, such as "local" or "mem0".
        operation: The store method that failed, such as "add" or "search".
        cause: The original exception.
    """

    def __init__(self, provider: str, operation: str, cause: Exception) -> None:
        self.provider = provider
        self.operation = operation
        self.cause = cause
        super().__init__(f"[{provider}] {operation} failed: {cause}")


class NotSupportedError(ProviderError):
    """The provider has no way to do this.

    Attributes:
        hint: What to do instead, in one sentence; may be empty.
    """

    def __init__(self, provider: str, operation: str, hint: str = "") -> None:
        self.hint = hint
        message = f"[{provider}] {operation} is not supported"
        if hint:
            message += f": {hint}"
        super().__init__(provider, operation, NotImplementedError(message))
        self.args = (message,)


class ProviderTimeoutError(ProviderError):
    """The provider did not answer within its deadline; a write may have happened."""
