"""What constructors refuse: a value of another type than the one that is meant.

A wrong type would be met much later otherwise, in the middle of a wait. The text names the type to use and,
where it can be told, what to write in the place of the value.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from airbyte_sync.base_errors import InvalidInput
from airbyte_sync.texts import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

Choice = TypeVar("Choice", bound=Enum)

_ASYNC_DEF = 0x80
"""``inspect.CO_COROUTINE``, without loading ``inspect``."""


def require_type(
    name: str,
    value: object,
    kind: type[Any] | tuple[type[Any], ...],
    expected: str,
    *,
    is_secret: bool = False,
) -> None:
    """
    Refuse a value that is of none of some types. ``True`` and ``False`` are no numbers here.

    Args:
        name: The argument, for the text.
        value: What was given.
        kind: What may be given.
        expected: What to give, for the text.
        is_secret: Whether the text must not repeat the value.

    Raises:
        InvalidInput: It is something else.
    """
    if type(value) is kind:  # flows make many values, and nearly all are right
        return
    kinds = kind if isinstance(kind, tuple) else (kind,)
    is_hidden_flag = isinstance(value, bool) and bool not in kinds and object not in kinds
    if is_hidden_flag or not isinstance(value, kinds):
        what = f"of type {type(value).__name__}" if is_secret else shown(value)
        raise InvalidInput(f"{name} is {what}: give {expected}")


def require_text(name: str, value: object, *, is_secret: bool = False) -> None:
    """
    Refuse what is no ``str``.

    Raises:
        InvalidInput: It is something else.
    """
    require_type(name, value, str, "a str", is_secret=is_secret)


def require_count(name: str, value: object) -> None:
    """
    Refuse what is no ``int``.

    Raises:
        InvalidInput: It is something else.
    """
    require_type(name, value, int, "an int")


def require_number(name: str, value: object) -> None:
    """
    Refuse what is neither an ``int`` nor a ``float``.

    Raises:
        InvalidInput: It is something else.
    """
    require_type(name, value, (int, float), "a number")


def require_flags(**flags: object) -> None:
    """
    Refuse what is neither ``True`` nor ``False``.

    Raises:
        InvalidInput: One of them is something else.
    """
    for name, value in flags.items():
        require_type(name, value, bool, "True or False")


def require_duration(name: str, value: object) -> None:
    """
    Refuse what is no ``timedelta``.

    Raises:
        InvalidInput: It is something else; the text says how to write a number of seconds.
    """
    if type(value) is timedelta:
        return
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    example = f"timedelta(seconds={shown(value)})" if is_number else "timedelta(minutes=10)"
    require_type(name, value, timedelta, f"a datetime.timedelta, as in {example}")


def require_moment(name: str, value: object) -> None:
    """
    Refuse what is no ``datetime`` with a time zone.

    Raises:
        InvalidInput: It is something else.
    """
    expected = "an aware datetime.datetime, as in datetime.now(timezone.utc)"
    require_type(name, value, datetime, expected)
    if isinstance(value, datetime) and value.utcoffset() is None:
        raise InvalidInput(f"{name} is {shown(value)}, which has no time zone: give {expected}")


def require_blocking(name: str, port: object, method: str) -> None:
    """
    Refuse an async port where a blocking one is meant: its calls would return at once, and do nothing.

    Args:
        name: The argument, for the text.
        port: What was given.
        method: A method of it.

    Raises:
        InvalidInput: The method is written with ``async def``.
    """
    code = getattr(getattr(port, method, None), "__code__", None)
    if code is not None and code.co_flags & _ASYNC_DEF:
        raise InvalidInput(
            f"{name} is async, of type {type(port).__name__}: give a blocking one, or use arun() with an "
            "AsyncPortInterpreter"
        )


def require_choice(name: str, value: object, choices: type[Choice]) -> None:
    """
    Refuse what is no member of an enumeration.

    Raises:
        InvalidInput: It is something else; the text names the member that a word stands for, or all of them.
    """
    if isinstance(value, choices):
        return
    meant: Iterable[Choice] = [choice for choice in choices if choice.value == value] or choices
    members = " or ".join(f"{choices.__name__}.{choice.name}" for choice in meant)
    raise InvalidInput(f"{name} is {shown(value)}: give {members}")
