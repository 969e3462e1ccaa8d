"""The policy: how one request becomes one sync, seen through to its end.

A flow is a generator. It yields commands (:mod:`airbyte_sync.commands`), is sent their answers, and
returns its result or raises a domain error. It does no I/O, knows no clock and does not log, so that
one text of the policy serves a blocking worker, an event loop and a scheduler that polls once a minute.

A request moves through phases (:mod:`airbyte_sync.phases`), and the whole of its state is its
:class:`~airbyte_sync.checkpoint.Checkpoint`. Each phase is a module here, with its name;
how one follows another is the table of :mod:`airbyte_sync.flows.transitions`.

A checkpoint is only ever handed out with a pause, and never in the phase Submitting: a process that resumes
looks for a job on the server before it submits one. That is what keeps a process that died at the wrong
moment from doubling a sync. A job that would cancel the running sync (a reset) starts with a look too.

House rules: never yield in ``finally``; time is an answer, never a call; poll, then judge: a deadline is
judged only after one more poll, so that a late wake-up never kills a finished sync.
"""

from airbyte_sync.flows.connections import describe_connection, find_connection
from airbyte_sync.flows.start import (
    abandon,
    cancel,
    end_now,
    obtain,
    resume,
    submit,
    sync,
    watch,
    watching,
)

__all__ = [
    "abandon",
    "cancel",
    "describe_connection",
    "end_now",
    "find_connection",
    "obtain",
    "resume",
    "submit",
    "sync",
    "watch",
    "watching",
]
