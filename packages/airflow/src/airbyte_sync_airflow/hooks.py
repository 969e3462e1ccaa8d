"""The hook: Airbyte's API for tasks of one's own, and the connection type of the Airflow UI."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat import BaseHook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airbyte_sync import Interpreter, Job
    from airbyte_sync_http import AirbyteGateway


class AirbyteHook(BaseHook):
    """
    Talk to the Airbyte server that an Airflow connection leads to.

    Args:
        airbyte_conn_id: The Airflow connection.
        api_version: The version in the API's address.
    """

    conn_name_attr = "airbyte_conn_id"
    default_conn_name = "airbyte_default"
    conn_type = "airbyte"
    hook_name = "Airbyte"

    def __init__(self, airbyte_conn_id: str = "airbyte_default", api_version: str = "v1") -> None:
        super().__init__()
        self.airbyte_conn_id = airbyte_conn_id
        self.api_version = api_version

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the connection form of Airflow before 3.2 names the fields."""
        from airbyte_sync_airflow.provider_info import get_provider_info

        (form,) = get_provider_info()["connection-types"]
        return {key.replace("-", "_"): value for key, value in form["ui-field-behaviour"].items()}

    def get_conn(self) -> AirbyteGateway:
        """Open a gateway; close it, or use it in a ``with`` block."""
        from airbyte_sync_airflow.connection import read_server
        from airbyte_sync_http import open_gateway

        server = read_server(self.airbyte_conn_id, self.api_version)
        return open_gateway(server.settings, server.transport)

    def get_job_details(self, job_id: int) -> Job:
        """
        Look at a job once.

        Raises:
            AirflowException: Airbyte does not show it to us.
        """
        with self._gateway() as gateway:
            return gateway.fetch_job(job_id)

    def get_job_status(self, job_id: int) -> str:
        """Return the server's word for a job's status; see :meth:`get_job_details`."""
        return self.get_job_details(job_id).status.word

    def submit_sync_connection(self, connection_id: str) -> Job:
        """
        Start a sync, once; the operator also takes care of what can go wrong.

        Raises:
            AirflowException: It was not started, or nobody knows.
        """
        from airbyte_sync import JobType

        with self._gateway() as gateway:
            return gateway.submit(connection_id, JobType.SYNC)

    def submit_reset_connection(self, connection_id: str) -> Job:
        """Start a reset, once; it cancels a running sync of the connection."""
        from airbyte_sync import JobType

        with self._gateway() as gateway:
            return gateway.submit(connection_id, JobType.RESET)

    def cancel_job(self, job_id: int) -> Job:
        """
        Cancel a job until the server says that it has ended, and return it.

        Raises:
            AirflowException: The server refuses, or did not say so in time.
        """
        from airbyte_sync import SyncPolicy, cancel, run

        with self._session() as session:
            return run(cancel(job_id, SyncPolicy()), session)

    def wait_for_job(
        self, job_id: int, wait_seconds: float = 3, timeout: float | None = 3600
    ) -> None:
        """
        Wait until a job has succeeded; the job is not cancelled when the time-out passes.

        Args:
            job_id: The job.
            wait_seconds: Seconds between two looks.
            timeout: The longest wait, in seconds; ``None`` for as long as it takes.

        Raises:
            AirflowException: It did not succeed in time.
        """
        from airbyte_sync import run, watch
        from airbyte_sync_airflow.options import watch_policy

        with self._session() as session:
            policy = watch_policy(
                interval=wait_seconds,
                interval_name="wait_seconds",
                timeout=timeout,
                deferred=False,
            )
            run(watch(job_id, policy), session)

    def test_connection(self) -> tuple[bool, str]:
        """Make one call that needs the credentials, and say what came of it."""
        from airbyte_sync import AirbyteSyncError

        try:
            with self.get_conn() as gateway:
                gateway.check()
        except AirbyteSyncError as error:
            return False, str(error)
        return True, "Airbyte answered, and it accepts these credentials"

    @contextmanager
    def _gateway(self) -> Iterator[AirbyteGateway]:
        from airbyte_sync_airflow.outcome import airflow_exceptions

        with airflow_exceptions(), self.get_conn() as gateway:
            yield gateway

    @contextmanager
    def _session(self) -> Iterator[Interpreter]:
        from airbyte_sync_airflow.outcome import airflow_exceptions
        from airbyte_sync_airflow.rendering import TaskLog
        from airbyte_sync_airflow.sessions import blocking_session

        log = TaskLog(self.log)
        with (
            airflow_exceptions(),
            blocking_session(self.airbyte_conn_id, self.api_version, log) as session,
        ):
            yield session
