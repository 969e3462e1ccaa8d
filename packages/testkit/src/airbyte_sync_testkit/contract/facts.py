"""
What a suite says when it fails: the fact that is broken, and what that does to users.

The docstring of a test in a suite states the fact. Its last paragraph begins with ``Otherwise:`` and says
what happens to users where the fact does not hold. The pytest plugin shows both below the traceback.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_HARM = "Otherwise: "
_SUITES = __name__.rpartition(".")[0]


def broken_fact(test: Callable[..., object]) -> str | None:
    """
    Say what the failure of a test means.

    Args:
        test: The test function.

    Returns:
        Two lines or more, or ``None`` where the test is in none of the suites of this package.
    """
    if not test.__module__.startswith(f"{_SUITES}."):
        return None
    fact, _, harm = (inspect.getdoc(test) or "").partition(f"\n\n{_HARM}")
    return f"The fact that is broken: {_in_one_line(fact)}\nWhat users get: {_in_one_line(harm)}"


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
