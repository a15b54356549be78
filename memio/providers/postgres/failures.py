"""What goes wrong between memio and PostgreSQL, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from asyncpg import exceptions as pg

from memio.exceptions import ConflictError, OverloadedError, SetupError, ValidationError

_LOST = (
    ConnectionError,
    pg.AdminShutdownError,
    pg.CannotConnectNowError,
    pg.CrashShutdownError,
    pg.InterfaceError,
    pg.InternalClientError,  # a statement on a connection that is just breaking
    pg.PostgresConnectionError,
)
_UNDONE = (pg.DeadlockDetectedError, pg.SerializationError)


class UnreachedError(ConnectionError):
    """There was no connection to be had, so that nothing was begun."""


def may_pass(error: Exception) -> bool:
    """Tell whether a read may succeed if it is repeated."""
    return isinstance(error, _LOST) or has_no_effect(error)


def has_no_effect(error: Exception) -> bool:
    """Tell whether a write may be repeated, as nothing of it can have been stored."""
    return isinstance(error, (*_UNDONE, UnreachedError))


def is_late(error: Exception) -> bool:
    """Tell whether PostgreSQL gave a statement up for the time that it took."""
    return isinstance(error, pg.QueryCanceledError)


@contextmanager
def connecting() -> Iterator[None]:
    """Tell failures to connect from failures of what is done with a connection."""
    try:
        yield
    except pg.TooManyConnectionsError as error:
        raise OverloadedError(
            "PostgreSQL has no connection left; try again."
        ) from error
    except (OSError, pg.PostgresError, pg.InterfaceError) as error:
        raise UnreachedError(str(error)) from error


@contextmanager
def working() -> Iterator[None]:
    """Turn what a statement raises for a wrong argument into memio's error."""
    try:
        yield
    except pg.UniqueViolationError as error:
        raise ConflictError("there is one with this id already") from error
    except pg.DataError as error:
        unsendable = isinstance(error.__cause__, UnicodeEncodeError)
        if unsendable or isinstance(error, pg.CharacterNotInRepertoireError):
            raise ValidationError(
                "PostgreSQL cannot store the character U+0000 or half a surrogate "
                "pair; take it out."
            ) from error
        raise
    except pg.ReadOnlySQLTransactionError as error:
        # PostgreSQL says so of a standby, and of a primary that became one.
        error.add_note("The dsn names a server that only reads; name the primary.")
        raise


@contextmanager
def opening(dsn: str) -> Iterator[None]:
    """Turn what opening raises into a sentence that says what to do.

    Raises:
        SetupError: It never holds the password.
    """
    try:
        yield
    except (OSError, ValueError, pg.PostgresError, pg.InterfaceError) as error:
        raise SetupError(_advice(dsn, error)) from error


_RIGHTS = """\
run `memio-server migrate-schema` as the schema's owner, and grant this user USAGE on \
the schema and SELECT, INSERT, UPDATE, DELETE on its tables"""

_ADVICE = (
    (
        pg.InvalidAuthorizationSpecificationError,  # a wrong password is one
        "{where} refuses the user '{user}'; check the user and the password in dsn.",
    ),
    (
        pg.InvalidCatalogNameError,
        "{where} has no database '{database}'; create it, or name another in dsn.",
    ),
    (
        pg.TooManyConnectionsError,
        "{where} has no connection left; lower pool_size or raise max_connections.",
    ),
    (
        pg.InsufficientPrivilegeError,
        "{where} does not let the user '{user}' do this ({error}): {rights}.",
    ),
    (
        pg.ReadOnlySQLTransactionError,
        "{where} only reads, and the schema is not up to date; name the primary.",
    ),
    (
        (OSError, pg.CannotConnectNowError, pg.PostgresConnectionError),
        "{where} cannot be reached ({error}); is it running, and is dsn right?",
    ),
    (
        (ValueError, pg.InterfaceError),
        "dsn is not usable ({error}); write postgresql://user:password@host/database.",
    ),
    (Exception, "{where} cannot be opened: {error}."),
)


def _advice(dsn: str, error: Exception) -> str:
    url = urlsplit(dsn)
    return next(
        advice.format(
            where=f"PostgreSQL at {_address(dsn)}",
            user=url.username or "",
            database=url.path[1:],
            rights=_RIGHTS,
            error=str(error).replace(url.password or "\0", "***") or "no answer",
        )
        for kinds, advice in _ADVICE
        if isinstance(error, kinds)
    )


def _address(dsn: str) -> str:
    url = urlsplit(dsn)
    asked = parse_qs(url.query)
    host = url.netloc.rpartition("@")[2] or "".join(asked.get("host", [])[:1])
    return host or "its default address"
