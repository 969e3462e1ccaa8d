"""The XCom ``airbyte_job``: what is worth knowing of a job, the same small dict in every mode."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from airbyte_sync import Connection, Job
    from airbyte_sync.errors import AirbyteSyncError

XCOM_KEY = "airbyte_job"


@dataclass(frozen=True, kw_only=True, slots=True)
class JobSummary:
    """A job as the XCom shows it: JSON types only, and no secret."""

    job_id: int
    job_type: str | None = None
    status: str | None = None
    """Airbyte's own word, as it was at the last look."""
    connection_id: str | None = None
    connection_name: str | None = None
    rows: int | None = None
    """Committed records, once Airbyte says."""
    bytes: int | None = None
    started_at: str | None = None
    """When Airbyte created the job: ISO 8601, UTC."""
    duration_seconds: float | None = None
    """From its creation to its end."""
    url: str | None = None
    """Its log in Airbyte's web application."""
    attached: bool = False
    """Whether somebody else started it; then no task of ours cancels it."""
    failure_reason: str | None = None

    def seen(self, job: Job) -> JobSummary:
        """Take over what a look at the job showed."""
        duration = job.duration if job.status.is_final else None
        return replace(
            self,
            job_type=job.job_type,
            status=job.status.word,
            connection_id=job.connection_id,
            rows=self.rows if job.rows is None else job.rows,
            bytes=self.bytes if job.bytes is None else job.bytes,
            started_at=job.created_at.isoformat(),
            duration_seconds=None if duration is None else duration.total_seconds(),
        )

    def described(self, connection: Connection, ui_url: str) -> JobSummary:
        """Take over what is known of the connection, and where the job can be looked at."""
        return replace(
            self,
            connection_name=connection.name,
            url=job_url(ui_url, connection.workspace_id, connection.connection_id, self.job_id),
        )

    def failed(self, error: AirbyteSyncError) -> JobSummary:
        """Take over how it ended, from the error that tells it."""
        job: Job | None = getattr(error, "job", None)
        reason = getattr(error, "reason", None)
        text = str(error) if reason is None else reason.message
        return replace(self if job is None else self.seen(job), failure_reason=text)

    def to_json(self) -> dict[str, Any]:
        """Return the dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> JobSummary:
        """
        Return the summary that :meth:`to_json` wrote.

        Raises:
            TypeError: It is not such a dict.
        """
        if not isinstance(data, dict) or type(data.get("job_id")) is not int:
            raise TypeError(f"{data!r} is not a summary of a job")
        known = {field.name for field in fields(cls)}  # another release may have written more
        return cls(**{name: value for name, value in data.items() if name in known})


def job_url(ui_url: str, workspace_id: str, connection_id: str, job_id: int) -> str:
    """
    Return the page that shows a job's log, the same on Cloud and self-managed.

    Source: ``ConnectionTimelinePage.tsx`` and ``routePaths.tsx`` of airbyte-platform; ``jobId`` does
    nothing without ``openLogs``.
    """
    workspace, connection = quote(workspace_id, safe=""), quote(connection_id, safe="")
    page = f"{ui_url}/workspaces/{workspace}/connections/{connection}/timeline"
    return f"{page}?jobId={job_id}&openLogs=true"
