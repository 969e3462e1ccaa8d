"""Who we are, request by request: the life of an access token as a flow.

A request is sent with the token at hand. When the server answers 401, the token is replaced and the
request is made once more, which is safe even for a submission, because 401 means that it was not carried
out. A second 401 is final. Credentials that cannot be renewed get no second try.

The flow yields two commands: :class:`Send` and :class:`FetchToken`. The interpreters below carry them
out in both colours. Buying a token is a flow itself, on the same drivers. However many callers find the
token stale at once, one of them buys the next one and all others wait for it, and share its failure too.

When no token can be bought, the request itself was surely not sent, and the error says so: an outage of
the token route must not look like a submission in doubt.

Source: docs.airbyte.com/developers/api-documentation; ``ApplicationsController.kt`` of airbyte-platform.
"""

from __future__ import annotations

from base64 import b64encode
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from http import HTTPStatus
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from airbyte_sync.commands import Command, Flow, Now
from airbyte_sync.drivers import arun, run
from airbyte_sync.errors import (
    CallFailed,
    RefusedOnTheWay,
    RequestNotSent,
    ServerTrouble,
    Throttled,
    Unauthorized,
    UnexpectedReply,
)
from airbyte_sync_http.auth.hiding import Secrets, basic_secrets, header_secrets, url_secrets
from airbyte_sync_http.protocol import messages
from airbyte_sync_http.protocol.errors_from_responses import (
    is_about_the_path,
    is_airbytes,
    refused_on_the_way,
    what_happened,
)
from airbyte_sync_http.protocol.json_node import InvalidField, JsonNode
from airbyte_sync_http.settings import (
    Auth,
    BasicAuth,
    BearerToken,
    ClientCredentials,
    NoAuth,
    ServerSettings,
)
from airbyte_sync_http.transports.base import AsyncTransport, HttpRequest, HttpResponse, Transport

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from airbyte_sync.ports import AsyncClock, Clock

Result = TypeVar("Result")

LARGEST_MARGIN = timedelta(seconds=30)
"""A token is replaced this long before its end, or a fifth of its life before, if that is shorter."""


@dataclass(frozen=True, slots=True)
class Send(Command[HttpResponse]):
    """Send a request: :meth:`~airbyte_sync_http.transports.base.Transport.send`."""

    request: HttpRequest


@dataclass(frozen=True, slots=True)
class FetchToken(Command[str]):
    """Get an access token other than the one that was refused."""

    credentials: ClientCredentials
    refused: str | None = field(default=None, repr=False)


# --------------------------------------------------------------------------------------------------
# The flows


def perform(call: messages.Call[Result], auth: Auth) -> Flow[Result]:
    """
    Make a call to Airbyte as somebody.

    Args:
        call: What to ask, and how to read the answer.
        auth: Who asks.

    Returns:
        The answer, read.

    Raises:
        Unauthorized: The credentials are refused.
        CallFailed: Any other subclass.
    """
    if not isinstance(auth, ClientCredentials):
        response = yield from _send_as(_constant(auth), call.request)
    else:
        token = yield from FetchToken(auth)
        response = yield from _send_as(f"Bearer {token}", call.request)
        if _is_unauthorized(response, auth):
            token = yield from FetchToken(auth, refused=token)
            response = yield from _send_as(f"Bearer {token}", call.request)
    if _is_unauthorized(response, auth):
        raise Unauthorized(
            f"{what_happened(call.request, response)}. {_advice(auth)}", status=response.status
        )
    return call.read(response)


def _is_unauthorized(response: HttpResponse, auth: Auth) -> bool:
    """Whether our credentials were refused, and not a proxy's that were never given."""
    if response.status != HTTPStatus.UNAUTHORIZED:
        return False
    return isinstance(auth, BasicAuth) or is_airbytes(response)


def buy_token(
    settings: ServerSettings, credentials: ClientCredentials
) -> Flow[messages.AccessToken]:
    """
    Buy an access token.

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
        return _read_token(call, response)
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
        elif not (is_strange or isinstance(error, ServerTrouble)):
            advice = "Check the token URL, and the server's address."
        raise (RefusedOnTheWay if is_strange else RequestNotSent)(
            f"no access token, so the request that needs it was not sent: {what}. {advice}",
            retry_after=error.retry_after,
        ) from error


def _read_token(
    call: messages.Call[messages.AccessToken], response: HttpResponse
) -> messages.AccessToken:
    if response.status not in _TOKEN_REFUSED:
        return call.read(response)
    if not (is_airbytes(response) or is_about_the_path(response) or _is_oauth_error(response)):
        raise refused_on_the_way(call.request, response)
    raise Unauthorized(
        f"no access token: {what_happened(call.request, response)}. {_TOKEN_REFUSED[response.status]}",
        status=response.status,
    )


def _is_oauth_error(response: HttpResponse) -> bool:
    """Whether a refusal is in the words of an identity provider (RFC 6749, section 5.2)."""
    try:
        return bool(JsonNode.of(response.body)["error"].text())
    except InvalidField:
        return False


_WRONG_CREDENTIALS = (
    "The client id or the client secret is wrong: copy both again from the application in Airbyte."
)
_TOKEN_REFUSED: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: _WRONG_CREDENTIALS,
    HTTPStatus.UNAUTHORIZED: _WRONG_CREDENTIALS,
    HTTPStatus.FORBIDDEN: f"{_WRONG_CREDENTIALS} Or the user who made it has no rights any more.",
    HTTPStatus.NOT_FOUND: "This server has no token route there: either its authentication is off, and "
    "no credentials are needed, or the token URL is wrong (v1/applications/token is the usual one), or "
    "the server's address is.",
}


def _send_as(authorization: str | None, request: HttpRequest) -> Flow[HttpResponse]:
    if authorization is None:
        return (yield from Send(request))
    return (yield from Send(request.with_header("Authorization", authorization)))


def _constant(auth: NoAuth | BasicAuth | BearerToken) -> str | None:
    """Return the Authorization header of credentials that do not change."""
    match auth:
        case BasicAuth(username=username, password=password):
            return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"
        case BearerToken(token=token):
            return f"Bearer {token}"
    return None


def _advice(auth: Auth) -> str:
    match auth:
        case NoAuth():
            return "This server wants credentials: give a client id and secret."
        case BasicAuth():
            return (
                "The user name or the password is wrong, or this server wants a client id and secret."
                f"{auth.oddities}"
            )
        case BearerToken():
            return (
                "The token is wrong or has ended: get a new one, or give a client id and secret."
                f"{auth.oddities}"
            )
    return (
        "A fresh token was refused, too: it is from another server than the one asked. Check that the "
        "token URL and the server's address belong together, and that nothing in between removes the "
        "Authorization header."
    )


def secrets_of(settings: ServerSettings) -> Secrets:
    """
    Return what of a server's settings must not be read anywhere else.

    Proxies may also be named in the environment, which is read again for every call.
    """
    texts: list[str] = []
    match settings.auth:
        case ClientCredentials(client_id=client_id, client_secret=secret):
            texts += basic_secrets(client_id, secret)
        case BasicAuth(username=username, password=password):
            texts += basic_secrets(username, password)
        case BearerToken(token=token):
            texts.append(token)
    for name, value in settings.headers.items():
        texts += header_secrets(name, value)
    options = settings.transport
    for proxy in options.proxies.values():
        texts += url_secrets(proxy)
    return Secrets(texts, _proxies_of_the_environment if options.trust_env else tuple)


def _proxies_of_the_environment() -> Iterator[str]:
    from urllib.request import getproxies  # noqa: PLC0415 - it loads ssl

    for name, url in getproxies().items():
        if name != "no" and "@" in url:
            yield from url_secrets(url)


# --------------------------------------------------------------------------------------------------
# The token at hand


class TokenCache:
    """
    Keeps access tokens, in memory only.

    May be shared by any number of gateways, threads and event loops. A token belongs to a token URL, a
    client id and a client secret; the secret is kept as a digest.
    """

    def __init__(self) -> None:
        self._holders: dict[tuple[str, str, str], TokenHolder] = {}

    def holder(self, settings: ServerSettings, credentials: ClientCredentials) -> TokenHolder:
        """Return the one holder of an application's token."""
        digest = sha256(credentials.client_secret.encode()).hexdigest()
        key = (settings.token_url(credentials), credentials.client_id, digest)
        return self._holders.setdefault(key, TokenHolder())


class TokenHolder:
    """One application's token, and whose turn it is to buy the next one."""

    def __init__(self) -> None:
        # Reentrant: a signal may interrupt a purchase, and its handler need a token of its own.
        self.turn: AbstractContextManager[bool] = RLock()
        self.purchases: int = 0
        """How many came to an end, good or bad."""
        self._held: tuple[str, datetime] | None = None
        self._failure: CallFailed | None = None
        self._async_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )

    def async_turn(self) -> asyncio.Lock:
        """Return the lock of the running event loop; a lock of asyncio serves one loop only."""
        import asyncio  # noqa: PLC0415 - blocking programs never need it

        return self._async_turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    def token(self, settings: ServerSettings, command: FetchToken, purchases: int) -> Flow[str]:
        """
        Return a token that the server should take. Only for who has the turn.

        Args:
            settings: The server.
            command: Whose token, and which one was refused.
            purchases: How many there had been when the caller began to wait for the turn. If one
                failed meanwhile, so has this one: a hundred waiters must not try one by one.

        Returns:
            The token at hand, or a new one.

        Raises:
            As :func:`buy_token`.
        """
        now = yield from Now()
        if self._held is not None and self._held[0] != command.refused and now < self._held[1]:
            return self._held[0]
        if self._failure is not None and self.purchases != purchases:
            raise copy(self._failure) from self._failure
        try:
            bought = yield from buy_token(settings, command.credentials)
        except CallFailed as error:
            self._failure = error
            self.purchases += 1
            raise
        margin = min(LARGEST_MARGIN, bought.lifetime / 5)
        self._held = (bought.value, now + bought.lifetime - margin)
        self._failure = None
        self.purchases += 1
        return bought.value


# --------------------------------------------------------------------------------------------------
# The interpreters


class TransportInterpreter:
    """
    Carries out the commands of this module on a blocking transport.

    Args:
        transport: Sends the requests.
        settings: The server.
        tokens: Where access tokens are kept.
        clock: Tells when a token ends.
        on_token: Is told the token of each call that needs one, before anything is sent with it.
    """

    def __init__(
        self,
        transport: Transport,
        settings: ServerSettings,
        tokens: TokenCache,
        clock: Clock,
        on_token: Callable[[str], object],
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._tokens = tokens
        self._clock = clock
        self._on_token = on_token

    def answer(self, command: Command[Any]) -> Any:
        """Carry out one command; see :class:`~airbyte_sync.drivers.Interpreter`."""
        match command:
            case Send(request=request):
                return self._transport.send(request)
            case FetchToken(credentials=credentials):
                holder = self._tokens.holder(self._settings, credentials)
                purchases = holder.purchases
                with holder.turn:
                    token = run(holder.token(self._settings, command, purchases), self)
                self._on_token(token)
                return token
            case Now():
                return self._clock.now()
        raise TypeError(f"{command!r} is not a command of airbyte_sync_http")


class AsyncTransportInterpreter:
    """Carries out the commands of this module on an async transport; see :class:`TransportInterpreter`."""

    def __init__(
        self,
        transport: AsyncTransport,
        settings: ServerSettings,
        tokens: TokenCache,
        clock: AsyncClock,
        on_token: Callable[[str], object],
    ) -> None:
        self._transport = transport
        self._settings = settings
        self._tokens = tokens
        self._clock = clock
        self._on_token = on_token

    async def answer(self, command: Command[Any]) -> Any:
        """Carry out one command; see :class:`~airbyte_sync.drivers.AsyncInterpreter`."""
        match command:
            case Send(request=request):
                return await self._transport.send(request)
            case FetchToken(credentials=credentials):
                holder = self._tokens.holder(self._settings, credentials)
                purchases = holder.purchases
                async with holder.async_turn():
                    token = await arun(holder.token(self._settings, command, purchases), self)
                self._on_token(token)
                return token
            case Now():
                return self._clock.now()
        raise TypeError(f"{command!r} is not a command of airbyte_sync_http")
