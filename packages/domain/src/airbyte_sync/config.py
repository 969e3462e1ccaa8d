"""Settings as people write them, read strictly: plain words, and numbers of seconds.

TOML and JSON bring types, the environment and the command line bring texts, and forms leave empty ones
behind. All of them are read here, so that ``60``, ``"60"`` and ``" 60 "`` mean the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any, TypeVar

from airbyte_sync.base_errors import InvalidInput
from airbyte_sync.checks import require_type
from airbyte_sync.texts import clean, shown

LONGEST = timedelta(days=3650)
"""The longest time that anything waits: a calendar has an end."""

LONGEST_KEY = 60
"""Characters of an unknown key that an error text repeats: it may be a secret in the wrong place."""

ABOVE_ZERO = "give a number of seconds above zero, and at most ten years"
FROM_ZERO_ON = "give a number of seconds from zero on, and at most ten years"
TRUE_OR_FALSE = "write true or false"

_FLAGS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
"""The words that Airflow takes in airflow.cfg, too."""

Choice = TypeVar("Choice", bound=Enum)


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """How one key is read."""

    read: Callable[[object], Any]
    """Returns what a value means, or raises ``ValueError``."""
    expected: str
    """What to write, for the error text."""


def read_config(
    config: Mapping[str, object],
    settings: Mapping[str, Setting],
    called: Callable[[str], str] = str,
) -> dict[str, Any]:
    """
    Read what is set in a mapping of plain values.

    Args:
        config: As a file, the environment or a command line gives it.
        settings: The keys that there are, and how each is read.
        called: What a person calls a key where it was written, for error texts: ``--queue-timeout``.

    Returns:
        By key, only what is set.

    Raises:
        InvalidInput: A key is not known, or a value means nothing; the text names both and says what to
            write.
    """
    require_type("config", config, Mapping, "a mapping of names to values")
    require_known(config, settings, called)
    found = {}
    for key, value in config.items():
        if is_set(value):
            setting = settings[key]
            try:
                found[key] = setting.read(value)
            except (ValueError, OverflowError) as error:
                raise InvalidInput(
                    f"{called(key)} is {shown(value)}: {setting.expected}"
                ) from error
    return found


def require_known(
    keys: Iterable[object], known: Collection[str], called: Callable[[str], str] = str
) -> None:
    """
    Refuse a key that there is not.

    Args:
        keys: What was written.
        known: The keys that there are.
        called: What a person calls a key where it was written, for error texts.

    Raises:
        InvalidInput: One of them is not known; the text tells the nearest one, and all that there are.
    """
    for key in keys:
        if key in known:
            continue
        from difflib import get_close_matches  # noqa: PLC0415 - only an error needs it

        name = clean(called(key), LONGEST_KEY) if isinstance(key, str) else shown(key)
        similar = get_close_matches(str(key), known, n=1)
        meant = f" (did you mean {called(similar[0])}?)" if similar else ""
        raise InvalidInput(f"{name} is not known{meant}: there are {', '.join(map(called, known))}")


def is_set(value: object) -> bool:
    """Tell whether a field was filled: forms and environments leave empty texts and nulls behind."""
    return not (
        value is None or value in ({}, []) or (isinstance(value, str) and not value.strip())
    )


def read_seconds(value: object, *, may_be_zero: bool = False) -> timedelta:
    """
    Return the duration that a number of seconds, or a text of one, means.

    Args:
        value: What was written. A ``timedelta`` means itself.
        may_be_zero: Whether no time is a time here.

    Raises:
        ValueError: It means none, or none that can be waited for.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    is_number = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    seconds = float(value) if is_number else math.nan  # type: ignore[arg-type]
    if not 0 <= seconds <= LONGEST.total_seconds():
        raise ValueError(f"{seconds:g} s")
    duration = timedelta(seconds=seconds)
    if not duration and not may_be_zero:
        raise ValueError("no time")
    return duration


def read_seconds_or_none(value: object) -> timedelta | None:
    """
    Return the duration that a value means, or ``None`` for the word ``none``.

    Raises:
        ValueError: It means neither.
    """
    if isinstance(value, str) and value.strip().lower() == "none":
        return None
    return read_seconds(value)


def read_flag(value: object) -> bool:
    """
    Return what a boolean, or a text of one, means.

    Raises:
        ValueError: It means neither.
    """
    try:
        return _FLAGS[str(value).strip().lower()]
    except (KeyError, ValueError, RecursionError) as error:
        raise ValueError("neither true nor false") from error


def read_word(value: object, words: tuple[str, ...]) -> str:
    """
    Return the one of some words that a text means.

    Raises:
        ValueError: It means none of them.
    """
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in words:
        raise ValueError(f"{shown(value)} is not one of {words}")
    return word


def one_of(words: tuple[str, ...]) -> str:
    """Return what to write where one of some words is expected."""
    return f"use one of {', '.join(map(repr, words))}"


def seconds() -> Setting:
    """Return the setting of a duration above zero."""
    return Setting(read=read_seconds, expected=ABOVE_ZERO)


def flag() -> Setting:
    """Return the setting of a boolean."""
    return Setting(read=read_flag, expected=TRUE_OR_FALSE)


def choice(members: type[Choice]) -> Setting:
    """Return the setting of a member of an enumeration, which is written as its value."""
    words = tuple(member.value for member in members)

    def read(value: object) -> Choice:
        return value if isinstance(value, members) else members(read_word(value, words))

    return Setting(read=read, expected=one_of(words))
