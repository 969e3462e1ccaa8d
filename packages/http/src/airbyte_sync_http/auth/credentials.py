"""What credentials become in a request, what is said when they are refused, and what of them is secret."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from airbyte_sync_http.auth.hiding import Secrets, basic_secrets, header_secrets, url_secrets
from airbyte_sync_http.settings import BasicAuth, BearerToken, ClientCredentials, NoAuth

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airbyte_sync_http.settings import Auth, ServerSettings
    from airbyte_sync_http.transports.base import HttpRequest


def with_credentials(request: HttpRequest, auth: NoAuth | BasicAuth | BearerToken) -> HttpRequest:
    """Return a request with credentials that do not change."""
    match auth:
        case BasicAuth(username=username, password=password):
            value = f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"
            return request.with_header("Authorization", value)
        case BearerToken(token=token):
            return with_token(request, token)
    return request


def with_token(request: HttpRequest, token: str) -> HttpRequest:
    """Return a request with an access token."""
    return request.with_header("Authorization", f"Bearer {token}")


def advice_on(auth: Auth) -> str:
    """Return what to do when credentials are refused."""
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
