"""What the platform says when it will not do what was asked. How HTTP says it is up to the API."""

from __future__ import annotations


class Refusal(Exception):
    """The platform will not do what was asked."""


class UnknownJob(Refusal):
    """There is no such job."""


class UnknownResource(Refusal):
    """There is no such connection, workspace, source or destination."""

    def __init__(self, resource_type: str, resource_id: str) -> None:
        super().__init__(f"{resource_type} {resource_id} is unknown")
        self.resource_type = resource_type
        self.resource_id = resource_id


class UnreadableWorkspace(Refusal):
    """A member named a workspace that does not exist, or is not theirs."""


class UnsupportedJobType(Refusal):
    """The public API starts no jobs of this type."""


class ConnectionUnavailable(Refusal):
    """The connection is inactive, locked or deleted, or its job takes too long to appear."""

    def __init__(self) -> None:
        super().__init__("Could not fulfill request")


class JobAlreadyRunning(Refusal):
    """A job of the connection is running."""

    def __init__(self, connection_id: str) -> None:
        super().__init__(f"A sync is already running for: {connection_id}")


class NothingRunning(Refusal):
    """The connection has no job to cancel."""

    def __init__(self) -> None:
        super().__init__("Job is not currently running")
