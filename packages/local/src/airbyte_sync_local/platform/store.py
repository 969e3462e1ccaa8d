"""What the platform remembers: connections and jobs, in memory, and the look-ups it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync_local.platform.model import ServerJob, Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airbyte_sync_local.platform.model import JobTypeWord, ServerConnection


class Store:
    """
    Rows by id. It knows no rules, save that a connection's active job is unique. Ids of connections
    are found in any case, as UUIDs are.

    The caller sees to it that only one job of a connection is active at a time; the store finds it.
    """

    def __init__(self) -> None:
        self._connections: dict[str, ServerConnection] = {}
        self._jobs: dict[int, ServerJob] = {}
        self._active: dict[str, int] = {}
        self._last_id = 0

    def put_connection(self, connection: ServerConnection) -> None:
        """Add a connection, or replace the one with its id."""
        self._connections[connection.connection_id.lower()] = connection

    def connection(self, connection_id: str) -> ServerConnection | None:
        """Find a connection by id."""
        return self._connections.get(connection_id.lower())

    def connections(self) -> Sequence[ServerConnection]:
        """Return every connection, in the order they were added."""
        return tuple(self._connections.values())

    def workspaces(self) -> Sequence[Workspace]:
        """Return the default workspace and every other that a connection belongs to."""
        ids = dict.fromkeys(
            [Workspace().workspace_id, *(row.workspace_id for row in self._connections.values())]
        )
        return tuple(Workspace(workspace_id=workspace_id) for workspace_id in ids)

    def create_job(self, connection_id: str, job_type: JobTypeWord, *, at: datetime) -> ServerJob:
        """Add a pending job under the next free id."""
        self._last_id += 1
        job = ServerJob(
            job_id=self._last_id,
            connection_id=connection_id,
            job_type=job_type,
            created_at=at,
            updated_at=at,
        )
        self._jobs[job.job_id] = job
        self._active[connection_id] = job.job_id
        return job

    def put_job(self, job: ServerJob) -> None:
        """Replace the job with the same id."""
        self._jobs[job.job_id] = job
        if job.is_terminal and self._active.get(job.connection_id) == job.job_id:
            del self._active[job.connection_id]

    def delete_job(self, job_id: int) -> None:
        """Delete a job; its id is not used again."""
        job = self._jobs.pop(job_id)
        if self._active.get(job.connection_id) == job_id:
            del self._active[job.connection_id]

    def job(self, job_id: int) -> ServerJob | None:
        """Find a job by id."""
        return self._jobs.get(job_id)

    def jobs(self) -> Sequence[ServerJob]:
        """Return every job, oldest first."""
        return tuple(self._jobs.values())

    def active_job(self, connection_id: str) -> ServerJob | None:
        """Find the one job of the connection that has not ended."""
        job_id = self._active.get(connection_id)
        return None if job_id is None else self._jobs[job_id]
