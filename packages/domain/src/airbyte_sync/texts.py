"""Foreign values in texts that people read: printable, and never long."""

from __future__ import annotations

import re

LONGEST_TEXT = 2000
"""Characters of a message that are kept: an error of ours with the server's words in it is shorter."""
LONGEST_NAME = 300
"""Characters of a name that are kept. Airbyte itself stores names of at most 256."""

LONGEST_SHOWN = 200
"""Characters of a foreign value that an error text repeats."""


def shown(value: object) -> str:
    """
    Return a foreign value for an error text.

    Args:
        value: Anything, from a template, a store or a server.

    Returns:
        Its literal in ASCII, cut to :data:`LONGEST_SHOWN` characters, or the name of its type where it
        has none.
    """
    if isinstance(value, (str, bytes)):
        value = value[: LONGEST_SHOWN + 1]
    try:
        text = ascii(value)
    except Exception:  # a whole number of more than 4,300 digits, or a type with a broken repr
        return f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


_BLANKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029]")
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
