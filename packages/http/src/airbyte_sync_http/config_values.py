"""What people write for a setting, and what it means: plain words and numbers of any source.

A value may come from a form, an environment, a file or a program, as a text or in a type of its own.
:mod:`airbyte_sync.config` reads flags and seconds, as those of a policy. No error repeats one that may hold a
secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airbyte_sync import config
from airbyte_sync.errors import InvalidInput
from airbyte_sync_http.protocol.cleaning import shown

if TYPE_CHECKING:
    from datetime import timedelta

_WORDS = ("true", "false")
_ONE_PROXY_FOR_EACH = '{"http": "http://proxy:8080", "https": "http://proxy:8080"}'


def read_text(what: str, value: object) -> str:
    """
    Return a text without the blanks around it.

    Args:
        what: How the error begins.
        value: What was given.

    Raises:
        InvalidInput: It is something else.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{what} is {shown(value)}: write a text")
    return value.strip()


def read_secret(what: str, value: object) -> str:
    """
    Return a secret as it is.

    Args:
        what: How the error begins.
        value: What was given.

    Raises:
        InvalidInput: It is no text.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{what} is of type {type(value).__name__}: write a text, in quotes")
    return value


def read_flag(what: str, value: object) -> bool:
    """
    Return what a boolean, or a text of one, means.

    Args:
        what: How the error begins.
        value: What was given.

    Raises:
        InvalidInput: It means neither.
    """
    try:
        return config.read_flag(value)
    except ValueError as error:
        raise InvalidInput(f"{what} is {shown(value)}: {config.TRUE_OR_FALSE}") from error


def read_seconds(what: str, value: object) -> timedelta:
    """
    Return a timeout of requests that was given as a number of seconds or as a text of one.

    Args:
        what: How the error begins.
        value: What was given.

    Raises:
        InvalidInput: It cannot be one.
    """
    try:
        return config.read_seconds(value)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{what} is {shown(value)}: {config.ABOVE_ZERO}") from error


def read_proxies(what: str, value: object) -> dict[str, str]:
    """
    Return the proxy for each scheme from an object by scheme, with ``all`` for both, or one URL for both.

    Args:
        what: How the error begins.
        value: What was given; an object may also be JSON in a text.

    Raises:
        InvalidInput: It is neither.
    """
    found = _document(what, value, like=_ONE_PROXY_FOR_EACH)
    if isinstance(found, str):
        found = {"all": found}
    if not _holds_texts(found):
        raise InvalidInput(
            f"{what} is not a JSON object of texts: write {_ONE_PROXY_FOR_EACH}, or one URL for both"
        )
    by_scheme = {scheme.lower().removesuffix("://"): url.strip() for scheme, url in found.items()}
    if not by_scheme.keys() <= {"http", "https", "all"}:
        raise InvalidInput(
            f"{what} names something else than http and https: write {_ONE_PROXY_FOR_EACH}"
        )
    usual = by_scheme.pop("all", None)
    return by_scheme if usual is None else {"http": usual, "https": usual, **by_scheme}


def read_headers(what: str, value: object) -> dict[str, str]:
    """
    Return headers from an object of names and values, or from lines such as ``Name: value``.

    Args:
        what: How the error begins.
        value: What was given; an object may also be JSON in a text.

    Raises:
        InvalidInput: It is neither.
    """
    found = _document(what, value, like='{"Name": "value"}')
    if isinstance(found, str):
        lines = [line.partition(":") for line in found.splitlines() if line.strip()]
        if not all(name.strip() and colon for name, colon, _ in lines):
            raise InvalidInput(
                f"{what} cannot be read: write one header as Name: value, and several as JSON: "
                '{"Name": "value", "Other-Name": "value"}'
            )
        found = {name.strip(): text.strip() for name, _, text in lines}
    if not _holds_texts(found):
        raise InvalidInput(f'{what} is not a JSON object of texts: write {{"Name": "value"}}')
    headers: dict[str, str] = dict(found)
    return headers


def read_verify(what: str, value: object) -> bool | str:
    """
    Return whether to check certificates, or the path of the CA bundle to check them with.

    Args:
        what: How the error begins.
        value: What was given.

    Raises:
        InvalidInput: It is neither a boolean nor a text.
    """
    match value:
        case bool(checks):
            return checks
        case str(text) if text.strip().lower() in _WORDS:
            return config.read_flag(text)
        case str(path):
            return path.strip()
    raise InvalidInput(f"{what} is neither true nor false nor the path of a CA bundle")


def read_client_cert(what: str, value: object) -> str | tuple[str, str]:
    """
    Return one path or two, from a text, a text with a comma or a list.

    Args:
        what: How the error begins.
        value: What was given; a list may also be JSON in a text.

    Raises:
        InvalidInput: It is something else.
    """
    value = _document(what, value, like='["certificate.pem", "key.pem"]')
    if isinstance(value, str) and "," in value:
        value = [path.strip() for path in value.split(",")]
    match value:
        case str(path):
            return path
        case [str(certificate), str(key)]:
            return certificate, key
    raise InvalidInput(f"{what} is neither a path nor two: write certificate.pem,key.pem")


def _document(what: str, value: object, *, like: str) -> Any:
    """Return a JSON value that may have been typed as a text; other texts are returned as they are."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.startswith(("{", "[", '"')):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # The reader's own error would quote the text.
        raise InvalidInput(
            f"{what} is not JSON, though it begins so: check its quotes and brackets, and write it like "
            f"{like}"
        ) from None


def _holds_texts(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and isinstance(text, str) for name, text in value.items()
    )
