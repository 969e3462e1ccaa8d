"""Everything needed to talk to one Airbyte server: where it is, who we are, how long to wait.

No ``repr`` of these values shows a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeAlias

from airbyte_sync.checks import require_duration, require_text, require_type
from airbyte_sync.errors import InvalidInput
from airbyte_sync_http import addresses
from airbyte_sync_http.protocol.cleaning import is_clean, matches, oddities
from airbyte_sync_http.transports.base import TransportOptions
from airbyte_sync_http.version import __version__

_HASTY_CONNECT_TIMEOUT = timedelta(seconds=2)
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_NOT_OURS = frozenset(
    {
        *("connection", "content-length", "expect", "keep-alive", "proxy-authenticate"),
        *(
            "proxy-authorization",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
        ),
    }
)
"""Headers that frame a request, or that hold for one hop only (RFC 9110, section 7.6.1)."""
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class NoAuth:
    """No credentials: the default of self-managed servers before chart 2."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BasicAuth:
    """
    A user name and a password, as proxies in front of Airbyte and servers before 1.0 want them.

    Raises:
        InvalidInput: One of them is no text that can be sent.
    """

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        require_text("username", self.username)
        require_text("password", self.password, is_secret=True)
        if not (is_clean(self.username) and is_clean(self.password)):
            raise InvalidInput(
                "the user name or the password has a character that cannot be sent: type both again."
                f"{self.oddities}"
            )

    @property
    def oddities(self) -> str:
        """What is unusual about them, for error texts: a blank and sentences, or nothing."""
        return oddities({"user name": self.username, "password": self.password})


@dataclass(frozen=True, kw_only=True, slots=True)
class BearerToken:
    """
    A token that was got elsewhere. It cannot be renewed.

    Raises:
        InvalidInput: It is empty, or has characters that no token has.
    """

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        require_text("token", self.token, is_secret=True)
        if not is_token(self.token):
            raise InvalidInput(
                "the bearer token is empty, or has a blank, a line break or another odd character: copy "
                f"it again, without the word Bearer.{self.oddities}"
            )

    @property
    def oddities(self) -> str:
        """What is unusual about it, for error texts: a blank and sentences, or nothing."""
        return oddities({"bearer token": self.token})


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientCredentials:
    """
    An application's id and secret, for which a server issues tokens that end: Cloud, Enterprise and chart 2.

    Raises:
        InvalidInput: One of the two is empty, or no text that can be sent.
    """

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str = ""
    """Where to fetch tokens, see :func:`~airbyte_sync_http.addresses.token_url`."""

    def __post_init__(self) -> None:
        require_text("client_id", self.client_id)
        require_text("client_secret", self.client_secret, is_secret=True)
        require_text("token_url", self.token_url)
        if not self.client_id or not self.client_secret:
            raise InvalidInput(
                "client id and client secret belong together, and one is empty: copy both from the "
                "application in Airbyte, or use no credentials at all"
            )
        if not (is_clean(self.client_id) and is_clean(self.client_secret)):
            raise InvalidInput(
                "client id or client secret has a character that cannot be sent: copy both again from the "
                f"application in Airbyte.{self.oddities}"
            )

    @property
    def oddities(self) -> str:
        """What is unusual about them, for error texts: a blank and sentences, or nothing."""
        return oddities({"client id": self.client_id, "client secret": self.client_secret})


Auth: TypeAlias = NoAuth | BasicAuth | BearerToken | ClientCredentials


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """
    One Airbyte server, and how to talk to it.

    Raises:
        InvalidInput: A setting cannot be right; the text says what to write.
    """

    base_url: str
    """The root of the public API. Give any spelling; it is normalised."""
    auth: Auth = field(default_factory=NoAuth)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request: what an ingress or an identity-aware proxy wants. ``Authorization`` only
    where there are no other credentials."""
    connect_timeout: timedelta = timedelta(seconds=10)
    """How long to try to connect."""
    read_timeout: timedelta = timedelta(seconds=30)
    """How long to wait for the whole answer, however slowly it comes."""
    submit_timeout: timedelta = timedelta(seconds=90)
    """The read timeout of a submission. Airbyte may take 60 s to answer one (``TemporalClient.kt``)."""
    explain_timeout: timedelta = timedelta(seconds=3)
    """The read timeout when the Config API is asked why a job failed: a reason is not worth a long wait."""
    transport: TransportOptions = field(default_factory=TransportOptions)
    user_agent: str = f"airbyte-sync/{__version__}"
    """Cloud refuses requests without one with 403 (reference.airbyte.com/reference/errors)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", addresses.normalise_base_url(self.base_url))
        kinds = (NoAuth, BasicAuth, BearerToken, ClientCredentials)
        names = "a NoAuth, BasicAuth, BearerToken or ClientCredentials"
        require_type("auth", self.auth, kinds, names, is_secret=True)
        require_type("headers", self.headers, Mapping, "a dict of str to str", is_secret=True)
        require_type("transport", self.transport, TransportOptions, "TransportOptions")
        for name, value in {**self.headers, "User-Agent": self.user_agent}.items():
            if not matches(_HEADER_NAME, name):  # it may be a value that slipped
                raise InvalidInput(
                    "one of the extra headers cannot be sent: a name is one word, as in X-Api-Key"
                )
            if name.lower() in _NOT_OURS:
                raise InvalidInput(
                    f"the extra header {name!r} belongs to the connection or to the framing of a request: "
                    "leave it out"
                )
            if not matches(_HEADER_VALUE, value):
                raise InvalidInput(
                    f"the extra header {name!r} cannot be sent: a value has neither line breaks nor "
                    "characters beyond ASCII"
                )
        if not isinstance(self.auth, NoAuth) and any(
            name.lower() == "authorization" for name in self.headers
        ):
            raise InvalidInput(
                "there are credentials and an extra header Authorization, and a request can carry one of "
                "them only: remove the header, or use no credentials (auth = none), and the header is sent "
                "as it is"
            )
        for option in (
            "connect_timeout",
            "read_timeout",
            "submit_timeout",
            "explain_timeout",
        ):
            require_duration(option, getattr(self, option))
            if getattr(self, option) <= timedelta(0):
                raise InvalidInput(f"{option} is not above zero: give a number of seconds")
        if isinstance(self.auth, ClientCredentials):
            self.token_url(self.auth)

    def with_short_timeouts(self) -> ServerSettings:
        """Return the same server for what may not take long: timeouts of a few seconds at most."""
        return replace(
            self,
            connect_timeout=min(self.connect_timeout, _HASTY_CONNECT_TIMEOUT),
            read_timeout=min(self.read_timeout, self.explain_timeout),
        )

    def token_url(self, credentials: ClientCredentials) -> str:
        """Return where to fetch tokens for ``credentials``."""
        return addresses.token_url(self.base_url, credentials.token_url)


def is_token(text: object) -> bool:
    """Tell whether a value can be sent as a bearer token: printable ASCII, in one word."""
    return matches(_TOKEN, text)
