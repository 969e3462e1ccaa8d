"""The hook: Airbyte's API for tasks of one's own, and the connection type of the Airflow UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat import BaseHook

if TYPE_CHECKING:
    from airbyte_sync import Job, JobType
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
        return {
            "hidden_fields": ["port"],
            "relabeling": {
                "host": "Server URL",
                "login": "Client ID",
                "password": "Client secret",
                "schema": "Token URL",
            },
            "placeholders": {
                "host": "https://api.airbyte.com",
                "schema": "v1/applications/token",
                "extra": '{"proxies": {"https": "http://proxy:8080"}}',
            },
        }

    def get_conn(self) -> AirbyteGateway:
        """Open a gateway; close it, or use it in a ``with`` block."""
        from airbyte_sync_airflow.connection import read_server
        from airbyte_sync_http import open_gateway

        server = read_server(self.airbyte_conn_id, self.api_version)
        return open_gateway(server.settings, server.transport)

    def get_job_details(self, job_id: int) -> Job:
        """Return one look at a job."""
        with self.get_conn() as gateway:
            return gateway.fetch_job(job_id)

    def get_job_status(self, job_id: int) -> str:
        """Return the server's word for a job's status."""
        return self.get_job_details(job_id).status.word

    def submit_sync_connection(self, connection_id: str) -> Job:
        """Start a sync, once; the operator also takes care of what can go wrong."""
        from airbyte_sync import JobType

        return self._submit(connection_id, JobType.SYNC)

    def submit_reset_connection(self, connection_id: str) -> Job:
        """Start a reset, once. It cancels a running sync of the connection."""
        from airbyte_sync import JobType

        return self._submit(connection_id, JobType.RESET)

    def cancel_job(self, job_id: int) -> Job:
        """Cancel a job until the server says that it has ended, and return it."""
        from airbyte_sync import SyncPolicy, cancel, run
        from airbyte_sync_airflow.outcome import airflow_exceptions
        from airbyte_sync_airflow.rendering import TaskLog
        from airbyte_sync_airflow.sessions import blocking_session

        with (
            airflow_exceptions(),
            blocking_session(self.airbyte_conn_id, self.api_version, TaskLog(self.log)) as session,
        ):
            return run(cancel(job_id, SyncPolicy()), session)

    def wait_for_job(self, job_id: int, wait_seconds: float = 3, timeout: float = 3600) -> None:
        """
        Wait until a job has succeeded; the job is not cancelled when the time-out passes.

        Args:
            job_id: The job.
            wait_seconds: Seconds between two looks.
            timeout: The longest wait, in seconds.

        Raises:
            AirflowException: It did not succeed in time.
        """
        from airbyte_sync import run, watch
        from airbyte_sync_airflow.options import watch_policy
        from airbyte_sync_airflow.outcome import airflow_exceptions
        from airbyte_sync_airflow.rendering import TaskLog
        from airbyte_sync_airflow.sessions import blocking_session

        with (
            airflow_exceptions(),
            blocking_session(self.airbyte_conn_id, self.api_version, TaskLog(self.log)) as session,
        ):
            policy = watch_policy(poke_interval=wait_seconds, timeout=timeout, deferred=False)
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

    def _submit(self, connection_id: str, job_type: JobType) -> Job:
        with self.get_conn() as gateway:
            return gateway.submit(connection_id, job_type)
