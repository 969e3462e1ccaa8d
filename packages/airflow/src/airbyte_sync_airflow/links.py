"""The button "Airbyte job" on a task's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat import BaseOperatorLink

if TYPE_CHECKING:
    from airbyte_sync_airflow.summary import JobSummary


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
        from airbyte_sync_airflow.summary import XCOM_KEY
        from airbyte_sync_airflow.task_instances import xcom_of

        del operator
        job = xcom_of(ti_key, XCOM_KEY)
        return str(job.get("url") or "") if isinstance(job, dict) else ""


def publish(task: Any, context: Any, job: JobSummary) -> None:
    """
    Show the job and the link now, while the task still waits; what cannot be shown is no failure.

    Airflow 3 asks for links only when a task's process ends; it keeps them under a key of theirs.
    """
    from airbyte_sync_airflow.summary import XCOM_KEY

    if not task.do_xcom_push:
        return
    try:
        context["ti"].xcom_push(key=XCOM_KEY, value=job.to_json())
        link_key = getattr(AirbyteJobLink(), "xcom_key", None)
        if link_key is not None and job.url is not None:
            context["ti"].xcom_push(key=link_key, value=job.url)
    except Exception:
        task.log.warning("Airflow did not take the XCom %s", XCOM_KEY, exc_info=True)
