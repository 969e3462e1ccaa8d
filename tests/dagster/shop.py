"""What the tests' Airbyte has: its secret, and what becomes of its syncs."""

from airbyte_sync_local import job_scripts, statuses

SECRET = "a-client-secret-that-must-not-be-seen"
QUICK = job_scripts.JobScript(
    steps=(
        job_scripts.Step(status=statuses.RUNNING),
        job_scripts.Step(status=statuses.SUCCEEDED, rows=10, bytes=640),
    )
)


def submissions(airbyte):
    """Return the requests for a new job."""
    return [
        each for each in airbyte.requests if each.method == "POST" and each.path.endswith("/jobs")
    ]
