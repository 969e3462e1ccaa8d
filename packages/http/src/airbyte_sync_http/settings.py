"""Everything needed to talk to one Airbyte server: where it is, who we are, how long to wait.

No ``repr`` of these values shows a secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from airbyte_sync.checks import require_duration, require_text, require_type
from airbyte_sync.errors import InvalidInput
from airbyte_sync_http import addresses
from airbyte_sync_http.protocol.cleaning import is_clean, matches, oddities
from airbyte_sync_http.transports.base import TransportOptions
from airbyte_sync_http.version import __version__

if TYPE_CHECKING:
    from os import PathLike

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
    """The read timeout of what is not worth a long wait: why a job failed, what a connection is called."""
    transport: TransportOptions = field(default_factory=TransportOptions)
    user_agent: str = f"airbyte-sync/{__version__}"
    """Cloud refuses requests without one with 403 (reference.airbyte.com/reference/errors)."""
    ui_url: str = ""
    """Where people open Airbyte, for links. Give any spelling; where none is given, it is found from
    ``base_url``. See :func:`~airbyte_sync_http.addresses.job_url`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", addresses.normalise_base_url(self.base_url))
        require_text("ui_url", self.ui_url)
        web = addresses.normalise_ui_url(self.ui_url) if self.ui_url.strip() else ""
        object.__setattr__(self, "ui_url", web or addresses.ui_url(self.base_url))
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

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, prefix: str = "AIRBYTE_SYNC_"
    ) -> ServerSettings:
        """
        Return what the environment says: ``AIRBYTE_SYNC_URL``, ``AIRBYTE_SYNC_CLIENT_ID`` and so on.

        :mod:`airbyte_sync_http.config` has the list. A secret may be in a file that, for example,
        ``AIRBYTE_SYNC_CLIENT_SECRET_FILE`` names. Empty variables are not set.

        Args:
            environ: The variables; ``None``: those of this process.
            prefix: What their names begin with.

        Raises:
            InvalidInput: There is no address, or a setting cannot be right; the text names the variable.
        """
        from airbyte_sync_http.config import SettingsSource, settings_from  # noqa: PLC0415 - a circle

        return settings_from(SettingsSource.environment(environ, prefix))

    @classmethod
    def from_toml(cls, path: str | PathLike[str], table: str = "server") -> ServerSettings:
        """
        Return what a table of a TOML file says, with the keys of :mod:`airbyte_sync_http.config`.

        Args:
            path: The file. Paths in it are relative to its folder.
            table: The name of the table, with dots where it is in another one.

        Raises:
            InvalidInput: The file cannot be read, there is no address, the table has a key that no setting
                has, or a setting cannot be right; the text names the key.
        """
        from airbyte_sync_http.config import SettingsSource, settings_from  # noqa: PLC0415 - a circle

        return settings_from(SettingsSource.toml(path, table))

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> ServerSettings:
        """
        Return what a mapping says in plain words and seconds, as a scheduler's own configuration has it.

        Args:
            config: The same keys as in TOML; what is ``None`` or empty is not set.

        Raises:
            InvalidInput: As :meth:`from_toml`.
        """
        from airbyte_sync_http.config import SettingsSource, settings_from  # noqa: PLC0415 - a circle

        return settings_from(SettingsSource(values=config))

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
