"""The button "Airbyte job" on a task's page."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat.airflow import BaseOperatorLink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airbyte_sync_airflow.report.job_summary import JobSummary


class AirbyteJobLink(BaseOperatorLink):
    """Leads to the job's log in Airbyte's web application."""

    name = "Airbyte job"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """
        Return the address, or an empty text while there is no job.

        Args:
            operator: The task.
            ti_key: Which of its instances.
        """
        from airbyte_sync_airflow.compat.task_instance import xcom_of
        from airbyte_sync_airflow.report.job_summary import XCOM_KEY

        known: str | None = getattr(operator, _URL, None)
        if known is not None:
            return known
        job = xcom_of(ti_key, XCOM_KEY)
        return str(job.get("url") or "") if isinstance(job, dict) else ""


_URL = "_airbyte_job_url"
"""What a task that runs in this process knows of its link. Airflow 3 asks for the link when the
process ends, and logs an error where that reads an XCom that is not there."""


def begin(task: Any) -> None:
    """Take note that a task begins in this process: it has no job yet, and Airflow has dropped its XComs."""
    setattr(task, _URL, "")


def publish(task: Any, context: Any, job: JobSummary) -> None:
    """
    Show the job and the link now, while the task still waits; what cannot be shown is no failure.

    Airflow 3 asks for links only when a task's process ends; it keeps them under a key of theirs.
    """
    from airbyte_sync_airflow.compat.task_instance import push_link
    from airbyte_sync_airflow.report.job_summary import XCOM_KEY

    if not task.do_xcom_push or context.get("ti") is None:
        return
    with _tolerating(task, f"XCom {XCOM_KEY}"):
        context["ti"].xcom_push(key=XCOM_KEY, value=job.to_json())
    if job.url is not None:
        setattr(task, _URL, job.url)
        with _tolerating(task, f"link {AirbyteJobLink.name!r}"):
            push_link(context["ti"], getattr(AirbyteJobLink(), "xcom_key", None), job.url)


@contextmanager
def _tolerating(task: Any, what: str) -> Iterator[None]:
    """Warn of what Airflow refuses to store, as where an XCom backend of one's own fails, and go on."""
    try:
        yield
    except Exception:
        task.log.warning("Airflow could not store the %s", what, exc_info=True)
