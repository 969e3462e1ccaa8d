"""
Faults: things that go wrong between a client and the server, as data.

A fault says which requests it matches and what happens to them. Two questions matter to a client,
and the names of the actions answer both: does the request take effect, and what comes back?

==================== ===================== =========================================
action               takes effect          what the client gets
==================== ===================== =========================================
``answer``           no                    the fault's answer
``answer_after``     yes                   the fault's answer, afterwards
``answer_meanwhile`` yes, later            the fault's answer, at once
``alter``            yes                   the true answer, changed or dripping
``drop``             no                    a closed connection
``drop_after``       yes                   a closed connection, afterwards
``drop_meanwhile``   yes, later            a closed connection, at once
``stall``            no                    nothing, until it gives up
``stall_after``      yes                   nothing, until it gives up
``delay``            yes                   the true answer, late
==================== ===================== =========================================

A fault applies inside the server, behind credentials and threads, or in front of it, as a gateway
does, which also answers for paths that the API does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, Literal, get_args

from airbyte_sync_local.api.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from airbyte_sync_local.api.answers import Answer
    from airbyte_sync_local.scenarios.changes import Drip

FaultAction = Literal[
    "answer",
    "answer_after",
    "answer_meanwhile",
    "alter",
    "drop",
    "drop_after",
    "drop_meanwhile",
    "stall",
    "stall_after",
    "delay",
]
FAULT_ACTIONS: Final[tuple[FaultAction, ...]] = get_args(FaultAction)


_TAKES_NO_EFFECT: Final = frozenset({"answer", "drop", "stall"})


class ImpossibleFault(ValueError):
    """A fault matches no operation that exists, or lacks what its action needs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """
    What goes wrong, with which requests, and how often.

    Raises:
        ImpossibleFault: No operation is named like that, or the action lacks what it needs, or is
            given what it has no use for.
    """

    on: str
    """An operation such as ``POST /jobs`` or ``GET /jobs/{jobId}``; ``*`` stands for any text."""
    do: FaultAction
    answer: Answer | None = None
    """For ``answer``, ``answer_after`` and ``answer_meanwhile``."""
    change: Callable[[Answer], Answer] | None = None
    """What becomes of the answer, the true one or the fault's: a `Change`, or any function."""
    drip: Drip | None = None
    """How the answer drips. It holds none of the server's threads meanwhile."""
    times: int | None = 1
    """How many requests it applies to; None for all."""
    skip: int = 0
    """How many matching requests pass unharmed before it first applies."""
    about: str | None = None
    """Match only requests with this id of a connection or a job in path, query or body."""
    wait: timedelta = timedelta(0)
    """Real time that passes first, while the request holds one of the server's threads."""
    job_appears_after: timedelta | None = None
    """For submissions: how long after them, by the server's clock, the job exists."""
    in_front: bool = False
    """Apply before credentials, threads and every other fault, and paths outside the API, too."""
    lasts: timedelta | None = None
    """By the server's clock, how long after it first applied the fault is over."""

    def __post_init__(self) -> None:
        if not any(self.matches(operation) for operation in OPERATIONS):
            names = ", ".join(OPERATIONS)
            raise ImpossibleFault(f"no operation is called {self.on!r}; there are {names}")
        if self.do not in FAULT_ACTIONS:
            raise ImpossibleFault(
                f"no fault does {self.do!r}; choose one of {', '.join(FAULT_ACTIONS)}"
            )
        if self.times is not None and not _is_above_zero(self.times):
            raise ImpossibleFault(
                f"times is {self.times!r}: give a number above zero, or None for all requests, which a "
                'scenario calls "always"'
            )
        if self.do.startswith("answer") != (self.answer is not None):
            raise ImpossibleFault(
                f"{self.do!r} with answer {self.answer!r}: give an answer "
                "to 'answer', 'answer_after' and 'answer_meanwhile', and to no other action"
            )
        changes = self.change is not None or self.drip is not None
        if self.do == "alter" and not changes:
            raise ImpossibleFault("'alter' alters nothing: give it a change or a drip")
        if changes and self.do.startswith(("drop", "stall")):
            raise ImpossibleFault(f"{self.do!r} gives no answer that could change or drip")
        if self.job_appears_after is not None and self.do in _TAKES_NO_EFFECT:
            raise ImpossibleFault(f"{self.do!r} starts no job: leave job_appears_after out")

    @property
    def takes_effect(self) -> bool:
        """Whether the request is carried out."""
        return self.do not in _TAKES_NO_EFFECT

    def matches(self, operation: str) -> bool:
        """Tell whether an operation is one of those that this fault matches."""
        return fnmatchcase(operation, self.on)


def _is_above_zero(value: object) -> bool:
    return isinstance(value, int) and value > 0


def gateway(answer: Answer, *, lasts: timedelta | None = None) -> Fault:
    """
    Make a gateway in front that answers everything in place of the server.

    Args:
        answer: What it says to every request.
        lasts: For how long from the first request on, by the server's clock; None for ever.
    """
    return Fault(on="*", do="answer", answer=answer, times=None, in_front=True, lasts=lasts)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    matched: int = 0
    first_applied_at: datetime | None = None

    def is_spent(self, now: datetime) -> bool:
        fault = self.fault
        has_applied_to_all = fault.times is not None and self.matched >= fault.skip + fault.times
        return has_applied_to_all or self._is_over(now)

    def _is_over(self, now: datetime) -> bool:
        lasts, since = self.fault.lasts, self.first_applied_at
        return lasts is not None and since is not None and now >= since + lasts


class FaultPlan:
    """The faults that wait. Of several that match a request, the one injected first applies."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []

    def inject(self, fault: Fault) -> None:
        """Add a fault."""
        self._armed.append(_Armed(fault))

    def clear(self) -> None:
        """Take back every fault."""
        self._armed.clear()

    def match(
        self, operation: str, *, ids: frozenset[str], now: datetime, in_front: bool = False
    ) -> Fault | None:
        """
        Find the fault for a request, and count it.

        Args:
            operation: The operation asked for; in front of the server, any method and path.
            ids: Everything in path, query and body that might be an id, in lower case.
            now: What time it is for the server.
            in_front: Whether the request stands in front of the server.
        """
        self._armed = [armed for armed in self._armed if not armed.is_spent(now)]
        for armed in self._armed:
            fault = armed.fault
            if fault.in_front is not in_front or not fault.matches(operation):
                continue
            if fault.about and fault.about.lower() not in ids:
                continue
            armed.matched += 1
            if armed.matched <= fault.skip:
                continue
            armed.first_applied_at = armed.first_applied_at or now
            return fault
        return None
