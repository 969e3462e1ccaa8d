"""Every error of this project, under one root.

::

    AirbyteSyncError
    ├── InvalidInput                 an argument cannot be right; nothing was sent
    │   └── InvalidCheckpoint        a stored checkpoint cannot be read
    ├── AlreadyClosed                a gateway, feed or transport was used after it was closed
    ├── CallFailed                   one call to Airbyte gave no usable answer
    │   ├── RequestNotSent           it never left: safe to repeat
    │   ├── ResponseNotReceived      it may have been carried out: in doubt
    │   ├── ServerTrouble            the server or a proxy answered 408 or 5xx: in doubt
    │   │   └── UnreadableId         to an id that is no UUID: most likely it is wrong
    │   ├── Throttled                429: refused for now, safe to repeat later
    │   ├── UnexpectedReply          an answer came that is not Airbyte's: in doubt
    │   │   └── RefusedOnTheWay      3xx or 4xx, but not in Airbyte's words: not carried out
    │   └── Refused                  Airbyte understood and said no
    │       ├── BadRequest           400
    │       ├── Unauthorized         401 with a fresh token, or the token route refused us
    │       ├── Forbidden            403
    │       ├── NotFound             404, or 409 for a job id that is unknown
    │       ├── Unprocessable        422
    │       ├── SyncAlreadyRunning   409: another job of the connection is active
    │       ├── JobNotRunning        409: nothing to cancel
    │       └── StateConflict        409 for any other reason
    ├── ConnectionUnavailable        inactive, locked or deleted: no retry can fix it
    ├── ConnectionNotFound           no connection has this name
    ├── ConnectionAmbiguous          several connections have this name
    └── SyncNotDone                  the sync did not succeed
        ├── SyncFailed               Airbyte says it failed
        ├── SyncCancelled            Airbyte says it was cancelled
        ├── SyncTimedOut             it did not end within timeout
        │   └── DeadlinePassed       the caller's own deadline passed
        ├── QueueTimedOut            it did not begin within queue_timeout
        ├── SyncSkipped              another sync runs, and the caller asked to skip then
        ├── SubmitInDoubt            it is unknown whether it was started
        ├── JobGone                  Airbyte had the job, and has it no more
        ├── ServerUnreachable        the job could not be seen for too long
        │   └── WrongAddress         what answers there has never answered as Airbyte does
        └── CancelUnconfirmed        cancelled, but the server never said that it ended

Names state facts. What a program needs is in attributes; the text tells a person what to do next.
No message holds a credential.

Each error answers two questions (``docs/decisions/0024``): whether surely nothing is left behind,
:attr:`~AirbyteSyncError.retry_safe`, and whether another try may end otherwise,
:attr:`~AirbyteSyncError.retry_may_help`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync.base_errors import AirbyteSyncError as AirbyteSyncError  # noqa: PLC0414 - exported
from airbyte_sync.base_errors import InvalidInput as InvalidInput  # noqa: PLC0414 - exported

if TYPE_CHECKING:
    from datetime import timedelta

    from airbyte_sync.jobs import Connection, FailureReason, Job


class InvalidCheckpoint(InvalidInput):
    """
    A stored checkpoint is damaged, or of a version that this release does not read.

    Its sync may be running. A try that does not begin with this checkpoint may find it.
    """

    retry_safe = False
    retry_may_help = True


class AlreadyClosed(AirbyteSyncError):
    """
    A gateway, a feed or a transport was used after it was closed. Nothing was sent.

    It is no :class:`CallFailed`: no policy waits for something that is closed to open again. Close what
    syncs share only when the last of them has ended. A sync that was waited for meanwhile is running.
    """


class CallFailed(AirbyteSyncError):
    """
    One call to Airbyte gave no usable answer. ``retry_safe`` says whether it was surely not carried out.

    Attributes:
        status: The HTTP status, where an answer came.
        retry_after: How long the server asked us to stay away, where it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: timedelta | None = None,
        retry_safe: bool | None = None,
    ) -> None:
        super().__init__(message, retry_safe=retry_safe)
        self.status = status
        self.retry_after = retry_after


class RequestNotSent(CallFailed):
    """The request never left this machine, so it was surely not carried out."""

    retry_safe = True


class ResponseNotReceived(CallFailed):
    """The request may have arrived, but no whole answer came back."""


class ServerTrouble(CallFailed):
    """The server, or something in front of it, answered 408 or 5xx."""


class UnreadableId(ServerTrouble):
    """
    The server failed at a connection's id that is no UUID, as Airbyte does with one that it cannot read.

    It may be in trouble for another reason, so that a wait goes on.
    """


class Throttled(CallFailed):
    """The server answered 429. Airbyte's own limiter sends no ``Retry-After``, on purpose."""

    retry_safe = True


class UnexpectedReply(CallFailed):
    """
    An answer came that is not Airbyte's, or is not about what was asked.

    Another program gave it, or a login page; or it is half a document, or tells of another job.
    """


class RefusedOnTheWay(UnexpectedReply):
    """
    Something that is not Airbyte refused the request: a gateway, a firewall, a login page.

    A redirect and a 4xx that is not in Airbyte's words prove that Airbyte did not carry it out.
    """

    retry_safe = True


class Refused(CallFailed):
    """The server understood the request and said no: it did not carry it out."""

    retry_safe = True
    retry_may_help = False


class BadRequest(Refused):
    """400: a part of the request is wrong."""


class Unauthorized(Refused):
    """The credentials were refused, also after a fresh token."""


class Forbidden(Refused):
    """403: the credentials are good, but not for this. Unknown ids look the same on Cloud."""


class NotFound(Refused):
    """Airbyte does not know this id."""


class Unprocessable(Refused):
    """422: Airbyte knows the request but does not offer it over its public API."""


class SyncAlreadyRunning(Refused):
    """409: the connection has an active job. The server does not tell which one. It ends some day."""

    retry_may_help = True


class JobNotRunning(Refused):
    """409: the connection of this job is idle, so there is nothing to cancel."""


class StateConflict(Refused):
    """
    409 for a reason the server keeps to itself: see the connection's status.

    So it proves nothing about a submission either: the policy looks for its job before it submits again.
    """

    retry_safe = False
    retry_may_help = True


class ConnectionUnavailable(AirbyteSyncError):
    """
    The connection cannot run jobs now.

    Attributes:
        connection: What the server says about it.
    """

    retry_safe = True
    retry_may_help = False

    def __init__(
        self, message: str, *, connection: Connection, retry_safe: bool | None = None
    ) -> None:
        super().__init__(message, retry_safe=retry_safe)
        self.connection = connection


class ConnectionNotFound(AirbyteSyncError):
    """No connection that we may see has this name."""

    retry_safe = True
    retry_may_help = False


class ConnectionAmbiguous(AirbyteSyncError):
    """
    Several connections have this name.

    Attributes:
        connections: All of them.
    """

    retry_safe = True
    retry_may_help = False

    def __init__(
        self, message: str, *, connections: tuple[Connection, ...], retry_safe: bool | None = None
    ) -> None:
        super().__init__(message, retry_safe=retry_safe)
        self.connections = connections


class SyncNotDone(AirbyteSyncError):
    """
    The sync did not succeed.

    Attributes:
        job: The job at the last poll, where there was one.
    """

    def __init__(
        self, message: str, *, job: Job | None = None, retry_safe: bool | None = None
    ) -> None:
        super().__init__(message, retry_safe=retry_safe)
        self.job = job


class SyncFailed(SyncNotDone):
    """
    Airbyte made all its attempts, and the job failed.

    Attributes:
        reason: Why, where Airbyte says.
    """

    retry_safe = True

    def __init__(
        self,
        message: str,
        *,
        job: Job | None = None,
        reason: FailureReason | None = None,
        retry_safe: bool | None = None,
    ) -> None:
        super().__init__(message, job=job, retry_safe=retry_safe)
        self.reason = reason


class SyncCancelled(SyncNotDone):
    """The job was cancelled: by a person, by the scheduler, or by Airbyte itself."""

    retry_safe = True


class SyncTimedOut(SyncNotDone):
    """
    The sync did not end within ``timeout``, which counts from when the request has its job.

    ``retry_safe`` where it never had one, or Airbyte says that its job has ended; not where the job was left
    running, or its cancellation is not confirmed.
    """


class DeadlinePassed(SyncTimedOut):
    """The caller's own deadline, ``deadline``, passed before the policy's timeout did."""


class QueueTimedOut(SyncNotDone):
    """
    The sync did not begin within ``queue_timeout``: Airbyte or its connection was too busy.

    ``retry_safe`` as of :class:`SyncTimedOut`.
    """


class SyncSkipped(SyncNotDone):
    """Another sync of the connection runs, and the caller asked to skip in that case."""

    retry_safe = True


class SubmitInDoubt(SyncNotDone):
    """It is unknown whether the sync was started."""


class JobGone(SyncNotDone):
    """
    Airbyte had the job of this request, and has it no more: it was deleted.

    Airbyte said so at several polls, and the connection's job list does not have it either. The same
    request made again starts a new job.
    """

    retry_safe = True


class ServerUnreachable(SyncNotDone):
    """
    The job could not be seen for longer than the policy allows. It may well be running.

    ``retry_safe`` where Airbyte has accepted no submission in that time, or the job is another client's.
    """


class WrongAddress(ServerUnreachable):
    """What answers at the server's address has never answered as Airbyte does."""


class CancelUnconfirmed(SyncNotDone):
    """The cancellation was sent, but the server did not say in time that the job ended."""
