"""
Faults: things that go wrong between a client and the server, as data.

A fault says which requests it strikes and what happens to them. Two questions matter to a client,
and the names of the actions answer both: does the request take effect, and what comes back?

================== ===================== =========================================
action             takes effect          what the client gets
================== ===================== =========================================
``answer``         no                    the fault's answer
``answer_after``   yes                   the fault's answer
``drop``           no                    a closed connection
``drop_after``     yes                   a closed connection, afterwards
``drop_meanwhile`` yes, later            a closed connection, at once
``stall``          no                    nothing, until it gives up
``stall_after``    yes                   nothing, until it gives up
``delay``          yes                   the true answer, late
================== ===================== =========================================
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal, get_args

from airbyte_sync_local.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airbyte_sync_local.answers import Answer

FaultAction = Literal[
    "answer",
    "answer_after",
    "drop",
    "drop_after",
    "drop_meanwhile",
    "stall",
    "stall_after",
    "delay",
]
FAULT_ACTIONS: Final[tuple[FaultAction, ...]] = get_args(FaultAction)


class ImpossibleFault(ValueError):
    """A fault strikes no operation that exists, or lacks what its action needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """
    What goes wrong, with which requests, and how often.

    Raises:
        ImpossibleFault: No operation is named like that, or the answer to give is missing.
    """

    on: str
    """An operation such as ``POST /jobs`` or ``GET /jobs/{jobId}``; ``*`` stands for any text."""
    do: FaultAction
    answer: Answer | None = None
    """For ``answer`` and ``answer_after``."""
    times: int | None = 1
    """How many requests are struck; None for all."""
    skip: int = 0
    """How many matching requests pass unharmed before the first is struck."""
    about: str | None = None
    """Strike only requests with this id of a connection or a job in path, query or body."""
    wait: timedelta = timedelta(0)
    """Real time that passes first, while the request holds one of the server's threads."""

    def __post_init__(self) -> None:
        if not any(self.strikes(operation) for operation in OPERATIONS):
            names = ", ".join(OPERATIONS)
            raise ImpossibleFault(f"no operation is called {self.on!r}; there are {names}")
        if self.do not in FAULT_ACTIONS:
            raise ImpossibleFault(
                f"no fault does {self.do!r}; choose one of {', '.join(FAULT_ACTIONS)}"
            )
        if self.do.startswith("answer") != (self.answer is not None):
            raise ImpossibleFault(
                f"{self.do!r} with answer {self.answer!r}: give an answer "
                "to 'answer' and 'answer_after', and to no other action"
            )

    def strikes(self, operation: str) -> bool:
        """Tell whether an operation is one of those that this fault strikes."""
        return fnmatchcase(operation, self.on)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    matched: int = 0

    @property
    def is_spent(self) -> bool:
        fault = self.fault
        return fault.times is not None and self.matched >= fault.skip + fault.times


class FaultPlan:
    """The faults yet to strike. Of several that match a request, the first injected one does."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def inject(self, fault: Fault) -> None:
        """Add a fault."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Take back every fault."""
        self._armed.clear()

    def pending(self) -> Sequence[Fault]:
        """Return the faults that may still strike."""
        return tuple(armed.fault for armed in self._armed)

    def strike(self, operation: str, *, ids: frozenset[str]) -> Fault | None:
        """
        Find the fault for a request, and count it.

        Args:
            operation: The operation asked for.
            ids: Everything in path, query and body that might be an id.
        """
        for armed in self._armed:
            fault = armed.fault
            if not fault.strikes(operation) or (fault.about and fault.about not in ids):
                continue
            armed.matched += 1
            if armed.matched <= fault.skip:
                continue
            self._armed = [other for other in self._armed if not other.is_spent]
            return fault
        return None
