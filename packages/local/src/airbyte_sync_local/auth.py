"""
Who may come in: the four ways in which Airbyte servers in the field are protected.

Tokens are signed and carry their end, as Airbyte's are: the server keeps no list of them, issuing
one does not end another, and any server instance with the same key would accept them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from airbyte_sync_local.platform.model import Json

DEFAULT_LIFETIME: Final = timedelta(minutes=15)
"""Since Airbyte v1.6; v1.0 to v1.4 gave three minutes."""


class AuthRequirement(Protocol):
    """Decides about the Authorization header of every request that is not anonymous."""

    def admits(self, authorization: str | None, *, now: datetime) -> bool:
        """Tell whether a request with this header is let in."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class RequireNothing:
    """Require nothing; the default of v1.x self-managed servers. There is no token route."""

    def admits(self, authorization: str | None, *, now: datetime) -> bool:  # noqa: ARG002
        """Tell that the request is let in, whatever the header."""
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class RequireBasicAuth:
    """HTTP Basic, as servers before 1.0 and proxies have it. There is no token route."""

    username: str
    password: str = field(repr=False)

    def admits(self, authorization: str | None, *, now: datetime) -> bool:  # noqa: ARG002
        """Tell whether the header carries this name and password."""
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return _is_same(authorization, "Basic", pair)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequireBearerToken:
    """One token that never ends. There is no token route."""

    token: str = field(repr=False)

    def admits(self, authorization: str | None, *, now: datetime) -> bool:  # noqa: ARG002
        """Tell whether the header carries this token."""
        return _is_same(authorization, "Bearer", self.token)


@dataclass(frozen=True, kw_only=True, slots=True)
class RequireClientCredentials:
    """An application's id and secret buy tokens that end: Cloud, Enterprise and chart v2."""

    client_id: str
    client_secret: str = field(repr=False)
    lifetime: timedelta = DEFAULT_LIFETIME
    told_lifetime: timedelta | None = None
    """What ``expires_in`` says, where it is not the truth; Keycloak may cap what was configured."""
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False, compare=False)

    def accepts(self, client_id: str, client_secret: str) -> bool:
        """Tell whether these are the application's credentials."""
        given = f"{client_id}\n{client_secret}".encode()
        return hmac.compare_digest(given, f"{self.client_id}\n{self.client_secret}".encode())

    def issue(self, *, now: datetime) -> Json:
        """Sign a new token and write the token route's answer."""
        claims = {"sub": self.client_id, "exp": int((now + self.lifetime).timestamp())}
        signed = f"{_encode({'alg': 'HS256', 'typ': 'JWT'})}.{_encode(claims)}"
        told = self.told_lifetime or self.lifetime
        return {
            "access_token": f"{signed}.{self._signature(signed)}",
            "token_type": "Bearer",
            "expires_in": int(told.total_seconds()),
        }

    def admits(self, authorization: str | None, *, now: datetime) -> bool:
        """Tell whether the header carries a token of ours that has not ended."""
        scheme, _, token = (authorization or "").partition(" ")
        signed, _, signature = token.rpartition(".")
        expected = self._signature(signed)
        is_ours = hmac.compare_digest(signature.encode(), expected.encode())
        if scheme.lower() != "bearer" or not is_ours:
            return False
        claims = json.loads(base64.urlsafe_b64decode(_padded(signed.partition(".")[2])))
        return now.timestamp() < float(claims["exp"])

    def _signature(self, signed: str) -> str:
        digest = hmac.new(self._key, signed.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _is_same(authorization: str | None, scheme: str, expected: str) -> bool:
    given_scheme, _, given = (authorization or "").partition(" ")
    is_scheme = given_scheme.lower() == scheme.lower()
    return is_scheme and hmac.compare_digest(given.encode(), expected.encode())


def _encode(part: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _padded(part: str) -> str:
    return part + "=" * (-len(part) % 4)
