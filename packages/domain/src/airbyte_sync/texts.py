"""Foreign values in texts that people read: printable, and never long."""

from __future__ import annotations

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
