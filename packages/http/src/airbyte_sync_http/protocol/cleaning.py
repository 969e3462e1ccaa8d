"""Foreign text made fit to pass on: for people, logs, databases and JSON.

A server, a proxy and a library may put anything into a text. A NUL cannot be stored in PostgreSQL, half
of a surrogate pair cannot be encoded, a line break forges a log line, and a megabyte helps no reader.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import category

from airbyte_sync.texts import LONGEST_NAME, LONGEST_TEXT, clean, is_clean
from airbyte_sync_http.auth.hiding import hide, hide_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = [
    "LARGEST_NUMBER",
    "LONGEST_NAME",
    "LONGEST_TEXT",
    "clean",
    "is_clean",
    "matches",
    "oddities",
    "shown",
    "told",
]

LARGEST_NUMBER = 2**63 - 1
"""What a database column, and Airbyte's own ``int64``, can hold."""

_BREAKS = re.compile(r"[\n-\r\x1c-\x1e\x85\u2028\u2029]")
_QUOTES = tuple("\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb")


def matches(pattern: re.Pattern[str], value: object) -> bool:
    """Tell whether a value is a text that a pattern describes as a whole."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def shown(value: object, longest: int = LONGEST_NAME) -> str:
    """
    Return the ``repr`` of a value that a person gave, for an error text: clean, and bounded.

    Some values have none: Python refuses to write an ``int`` of more than 4,300 digits.
    """
    try:
        text = hide(value)[:longest] if isinstance(value, str) else value
        return clean(hide(repr(text)), longest)
    except Exception:  # a foreign class may raise anything
        return f"a {type(value).__name__} that cannot be shown"


def oddities(texts: Mapping[str, object]) -> str:
    """
    Say what is unusual about credentials: how they look when they were copied badly. Never repeats them.

    Args:
        texts: What people call them, and what was given.

    Returns:
        A blank and a sentence for each text that is unusual, or nothing.
    """
    found = {what: list(_oddities(text)) for what, text in texts.items() if isinstance(text, str)}
    return "".join(f" The {what} {' and '.join(odd)}." for what, odd in found.items() if odd)


def _oddities(text: str) -> Iterator[str]:
    core = text.strip()
    tail, head = text[len(text.rstrip()) :], text[: len(text) - len(text.lstrip())]
    for edge, said in ((head, "begins with"), (tail, "ends with")):
        if edge:
            yield f"{said} {'a line break' if _BREAKS.search(edge) else 'a blank'}"
    if core[:1] in _QUOTES or core[-1:] in _QUOTES:
        yield "has a quotation mark around it" if len(core) > 1 else "is a quotation mark"
    if _BREAKS.search(core):
        yield "has a line break in it"
    elif any(letter.isspace() for letter in core):
        yield "has a blank in it"
    if any(category(letter) == "Cf" for letter in text):
        yield "has an invisible (zero-width) character"
    if any(category(letter) in {"Cc", "Cs"} and not letter.isspace() for letter in core):
        yield "has a control character"


def told(error: BaseException) -> str:
    """
    Return what an exception of another library says: its class, and its text clean, bounded and without
    credentials.

    Never its ``repr``, which may hold what the exception is about, such as a password that cannot be encoded.
    """
    try:
        text = clean(hide_unknown(str(error)))
    except Exception:  # a foreign class may raise anything
        text = ""
    return f"{type(error).__name__}: {text}".rstrip(": ")
