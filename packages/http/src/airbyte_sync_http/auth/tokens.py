"""Access tokens: fetched when they are needed, kept while they are good, replaced once when refused.

A request is sent with the token at hand. When the server answers 401, the token is replaced and the
request is made once more, which is safe even for a submission, because 401 means that it was not carried
out. A second 401 is final. Credentials that cannot be renewed get no second try.

However many callers find the token stale at once, one of them fetches the next one and all others wait for
it, and share its failure too. When no token can be fetched, the request itself was surely not sent, and the
error says so: an outage of the token route must not look like a submission in doubt.

As in httpx's authentication, a call is a flow of requests and responses, and getting a token is just another
request of the same flow. The policy's drivers drive it (:mod:`airbyte_sync.drivers`). Its commands are
:class:`Send`, and for waiting for its turn :class:`Acquire` and :class:`Release`: an interpreter holds the
lock of its own style in between.

Source: docs.airbyte.com/developers/api-documentation; ``ApplicationsController.kt`` of airbyte-platform.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from threading import RLock
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from airbyte_sync.commands import Command, Flow
from airbyte_sync.errors import (
    CallFailed,
    RefusedOnTheWay,
    RequestNotSent,
    ServerTrouble,
    Throttled,
    Unauthorized,
    UnexpectedReply,
)
from airbyte_sync_http.auth.credentials import advice_on, with_credentials, with_token
from airbyte_sync_http.protocol import messages
from airbyte_sync_http.protocol.errors_from_responses import refuses_credentials, unauthorized
from airbyte_sync_http.settings import BasicAuth, ClientCredentials
from airbyte_sync_http.transports.base import HttpResponse

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from airbyte_sync_http.settings import ServerSettings
    from airbyte_sync_http.transports.base import HttpRequest

Result = TypeVar("Result")

LARGEST_MARGIN = timedelta(seconds=30)
"""A token is replaced this long before its end, or a fifth of its life before, if that is shorter."""


class TwoLocks:
    """A lock for threads, and one for the tasks of each event loop."""

    def __init__(self) -> None:
        # Reentrant: a signal may interrupt a request, and its handler make a call of its own.
        self.blocking: AbstractContextManager[bool] = RLock()
        self._of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    def of_running_loop(self) -> asyncio.Lock:
        """Return the lock of the running event loop; a lock of asyncio serves one loop only."""
        import asyncio  # noqa: PLC0415 - blocking programs never need it

        return self._of_loops.setdefault(asyncio.get_running_loop(), asyncio.Lock())


@dataclass(frozen=True, slots=True)
class Send(Command[HttpResponse]):
    """Send a request, once: :meth:`~airbyte_sync_http.transports.base.Transport.send`."""

    request: HttpRequest


@dataclass(frozen=True, slots=True)
class Acquire(Command[None]):
    """Wait for a lock, and hold it until :class:`Release`, or until the flow ends."""

    lock: TwoLocks


@dataclass(frozen=True, slots=True)
class Release(Command[None]):
    """Release the lock that is held."""


class TokenCache:
    """
    Keeps access tokens, in memory only.

    May be shared by any number of gateways, threads and event loops. A token belongs to a token URL, a
    client id and a client secret; the secret is kept as a digest.
    """

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str, str], CachedToken] = {}

    def entry(self, settings: ServerSettings, credentials: ClientCredentials) -> CachedToken:
        """Return where an application's token is kept."""
        digest = sha256(credentials.client_secret.encode()).hexdigest()
        key = (settings.token_url(credentials), credentials.client_id, digest)
        return self._tokens.setdefault(key, CachedToken())


class CachedToken:
    """One application's token, fetched by one caller at a time."""

    def __init__(self) -> None:
        self._lock = TwoLocks()
        self._held: tuple[str, datetime] | None = None
        self._failure: CallFailed | None = None
        self._fetches = 0
        """How many came to an end, good or bad."""

    def get(
        self,
        settings: ServerSettings,
        credentials: ClientCredentials,
        now: Callable[[], datetime],
        refused: str | None = None,
    ) -> Flow[str]:
        """
        Return a token that the server should take.

        Args:
            settings: The server.
            credentials: The application's.
            now: Tells the time.
            refused: The token that the server has just refused.

        Returns:
            The token at hand, or a new one.

        Raises:
            As :func:`fetch_token`. Where a fetch has failed while this one waited for its turn, this one
            fails with it: a hundred waiters must not try one by one.
        """
        fetches = self._fetches
        yield from Acquire(self._lock)
        try:
            token = yield from self._get_or_fetch(settings, credentials, now(), refused, fetches)
        except CallFailed:
            yield from Release()
            raise
        yield from Release()
        return token

    def _get_or_fetch(
        self,
        settings: ServerSettings,
        credentials: ClientCredentials,
        now: datetime,
        refused: str | None,
        fetches: int,
    ) -> Flow[str]:
        if self._held is not None and self._held[0] != refused and now < self._held[1]:
            return self._held[0]
        if self._failure is not None and self._fetches != fetches:
            raise copy(self._failure) from self._failure
        try:
            token = yield from fetch_token(settings, credentials)
        except CallFailed as error:
            self._failure = error
            self._fetches += 1
            raise
        margin = min(LARGEST_MARGIN, token.lifetime / 5)
        self._held = (token.value, now + token.lifetime - margin)
        self._failure = None
        self._fetches += 1
        return token.value


class Authenticator:
    """Makes flows of the calls to one server: each with its token, where the server wants one."""

    def __init__(
        self,
        settings: ServerSettings,
        tokens: TokenCache,
        now: Callable[[], datetime],
        on_token: Callable[[str], object],
    ) -> None:
        """
        Args:
            settings: The server, and who asks.
            tokens: Where access tokens are kept.
            now: Tells when a token ends.
            on_token: Is told the token of each call that needs one, before anything is sent with it.
        """
        self.settings: ServerSettings = settings
        self._tokens = tokens
        self._now = now
        self._on_token = on_token

    def with_short_timeouts(self) -> Authenticator:
        """Return the same for calls that may not take long, their tokens among them."""
        settings = self.settings.with_short_timeouts()
        return Authenticator(settings, self._tokens, self._now, self._on_token)

    def flow(self, call: messages.Call[Result]) -> Flow[Result]:
        """
        Make a call.

        Args:
            call: What to ask, and how to read the answer.

        Returns:
            The answer, read.

        Raises:
            Unauthorized: The credentials are refused.
            CallFailed: Any other subclass.
        """
        auth = self.settings.auth
        is_basic = isinstance(auth, BasicAuth)
        if not isinstance(auth, ClientCredentials):
            response = yield from Send(with_credentials(call.request, auth))
        else:
            token = yield from self._token(auth)
            response = yield from Send(with_token(call.request, token))
            if refuses_credentials(response, is_basic=is_basic):
                token = yield from self._token(auth, refused=token)
                response = yield from Send(with_token(call.request, token))
        if refuses_credentials(response, is_basic=is_basic):
            raise unauthorized(call.request, response, advice_on(auth))
        return call.read(response)

    def _token(self, credentials: ClientCredentials, refused: str | None = None) -> Flow[str]:
        cached = self._tokens.entry(self.settings, credentials)
        token = yield from cached.get(self.settings, credentials, self._now, refused)
        self._on_token(token)
        return token


def fetch_token(
    settings: ServerSettings, credentials: ClientCredentials
) -> Flow[messages.AccessToken]:
    """
    Fetch an access token.

    Args:
        settings: The server.
        credentials: The application's.

    Returns:
        The token.

    Raises:
        Unauthorized: The token route refuses the credentials, or there is no such route.
        Throttled: Too many tokens were asked for.
        RefusedOnTheWay: What answered was no token route. What the token is for was not sent.
        RequestNotSent: It went wrong in any other way. What the token is for was not sent.
    """
    call = messages.fetch_token(settings, credentials)
    usual = settings.token_url(replace(credentials, token_url=""))
    try:
        response = yield from Send(call.request)
        return call.read(response)
    except Unauthorized as error:
        if not credentials.oddities:
            raise
        raise Unauthorized(f"{error}{credentials.oddities}", status=error.status) from error
    except Throttled:
        raise
    except CallFailed as error:
        what, _, advice = str(error).partition(". ")
        is_strange = isinstance(error, UnexpectedReply)
        if call.request.url != usual and not isinstance(error, ServerTrouble):
            advice = f"Check the token URL: the usual one is {usual}."
        elif not (is_strange or isinstance(error, (ServerTrouble, RequestNotSent))):
            advice = "Check the token URL, and the server's address."
        raise (RefusedOnTheWay if is_strange else RequestNotSent)(
            f"no access token, so the request that needs it was not sent: {what}. {advice}",
            retry_after=error.retry_after,
        ) from error
