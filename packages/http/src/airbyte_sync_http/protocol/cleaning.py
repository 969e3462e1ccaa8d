"""Foreign text made fit to pass on: for people, logs, databases and JSON.

A server, a proxy and a library may put anything into a text. A NUL cannot be stored in PostgreSQL, half
of a surrogate pair cannot be encoded, a line break forges a log line, and a megabyte helps no reader.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import category

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

from airbyte_sync_http.auth.hiding import hide, hide_unknown

LONGEST_TEXT = 2000
"""Characters of a message that are kept: an error of ours with the server's words in it is shorter."""
LONGEST_NAME = 300
"""Characters of a name that are kept. Airbyte itself stores names of at most 256."""

LARGEST_NUMBER = 2**63 - 1
"""What a database column, and Airbyte's own ``int64``, can hold."""

_BLANKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029]")
_BREAKS = re.compile(r"[\n-\r\x1c-\x1e\x85\u2028\u2029]")
_QUOTES = tuple("\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb")
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """
    Return a text without control characters and surrogates, of bounded length.

    A line break becomes a blank, any other control character and half of a surrogate pair become U+FFFD.
    A clean text of this length is returned as it is.

    Args:
        text: Any text.
        longest: How many characters to keep; ``...`` stands for the rest.
    """
    is_cut = len(text) > longest
    kept = _UNFIT.sub("\ufffd", _BLANKS.sub(" ", text[:longest] if is_cut else text))
    return f"{kept[: longest - 3]}..." if is_cut else kept


def is_clean(text: object) -> bool:
    """Tell whether a value is a text with neither control characters nor surrogates."""
    return isinstance(text, str) and not (_UNFIT.search(text) or _BLANKS.search(text))


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
