"""What happens to syncs, as lines of Python's own logging."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias, overload

from airbyte_sync.checks import require_type
from airbyte_sync.event_texts import ProgressThrottle, describe

if TYPE_CHECKING:
    from airbyte_sync.events import Event
    from airbyte_sync.requests import SyncRequest

_EVERY = timedelta(minutes=1)

Logger: TypeAlias = "logging.Logger | logging.LoggerAdapter[logging.Logger]"


class LogEvents:
    """
    Writes events to a logger: give it as ``on_event``, of one sync or of many.

    A line is what :func:`airbyte_sync.describe` says, at the level ``INFO`` or ``WARNING``. Polls that
    show nothing new are summed up.
    """

    def __init__(self, logger: Logger | None = None, *, every: timedelta = _EVERY) -> None:
        """
        Args:
            logger: Where to write. Default: the logger ``airbyte_sync``.
            every: How often to say of a job that it is still running. Default: every minute.

        Raises:
            InvalidInput: An argument is of a wrong type, or ``every`` is below zero.
        """
        logger = logging.getLogger("airbyte_sync") if logger is None else logger
        kinds = (logging.Logger, logging.LoggerAdapter)
        require_type("logger", logger, kinds, 'a logger, as in logging.getLogger("syncs")')
        self._logger = logger
        self._is_worth_a_line = ProgressThrottle(every)

    @overload
    def __call__(self, event: Event, /) -> None: ...

    @overload
    def __call__(self, request: SyncRequest, event: Event, /) -> None: ...

    def __call__(self, first: SyncRequest | Event, second: Event | None = None, /) -> None:
        """Write what is worth a line: an event, or a request and its event, as ``run_many`` tells them."""
        event: Event = first if second is None else second  # type: ignore[assignment]
        if self._is_worth_a_line(event):
            told = describe(event)
            self._logger.log(logging.WARNING if told.is_warning else logging.INFO, told.text)
