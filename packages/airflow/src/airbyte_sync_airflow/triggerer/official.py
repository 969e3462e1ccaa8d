"""The official provider's trigger, as far as tasks that it has deferred need it to finish.

Airflow keeps a deferred task's trigger as a class path and arguments. With the drop-in installed the path of
the official ``AirbyteSyncTrigger`` (apache-airflow-providers-airbyte 5 and 6) leads here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync_airflow import triggers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow.triggers.base import TriggerEvent


class AirbyteSyncTrigger(triggers.AirbyteSyncTrigger):
    """
    Follow a job that the official provider's operator or sensor was waiting for.

    Args:
        job_id: The job.
        conn_id: The Airflow connection that leads to the Airbyte server.
        end_time: Seconds since the epoch, when the wait is over and the job is left alone.
        poll_interval: The longest time between two polls, in seconds.
        execution_deadline: Seconds since the epoch, when the operator's ``execution_timeout`` is over
            and the job is cancelled; the sensor gives none.
    """

    def __init__(
        self,
        job_id: int,
        conn_id: str,
        end_time: float,
        poll_interval: float,
        execution_deadline: float | None = None,
    ) -> None:
        super().__init__(airbyte_conn_id=conn_id, checkpoint={}, policy={})
        self._given = (job_id, end_time, poll_interval, execution_deadline)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Follow the job to its end and send the event that our operator and sensor understand."""
        await triggers.import_in_a_thread("airbyte_sync_airflow.triggerer.run")
        from airbyte_sync_airflow.triggerer.run import official_wait

        self.checkpoint, self.policy = official_wait(*self._given)
        async for event in super().run():
            yield event
