"""What a trigger does while it waits: a flow, driven on the event loop, and its end as an event."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import count
from socket import gethostname
from typing import TYPE_CHECKING, Any

from airbyte_sync import (
    AirbyteSyncError,
    Checkpoint,
    InvalidInput,
    Origin,
    PollSchedule,
    ServerUnreachable,
    SyncPolicy,
    arun,
    obtain,
    resume,
)
from airbyte_sync_airflow.composition import shared_parts
from airbyte_sync_airflow.config.connection import ConnectionNotThere
from airbyte_sync_airflow.report.job_summary import JobSummary, summary_in
from airbyte_sync_airflow.report.task_log import Follower
from airbyte_sync_airflow.standstill import AsyncCaution
from airbyte_sync_airflow.triggerer.cancel import shared_kills
from airbyte_sync_airflow.triggerer.charge import await_charge_of_trigger
from airbyte_sync_airflow.triggerer.event import failure, obtained, success
from airbyte_sync_airflow.triggerer.shared import shared_servers
from airbyte_sync_http.protocol.cleaning import told

if TYPE_CHECKING:
    from airbyte_sync import AsyncInterpreter
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.triggerer.request import TriggerProgress, TriggerRequest


async def wait(request: TriggerRequest, progress: TriggerProgress) -> dict[str, Any]:
    """
    Drive a trigger's flow until it has a job, or from its job to the end.

    Args:
        request: Says where the flow stands.
        progress: Is kept up to date on the way.

    Returns:
        The trigger's event.
    """
    follower = Follower(request.log)
    try:
        follower.job = summary_in(request.job)
        progress.checkpoint = Checkpoint.from_json(request.checkpoint)
        policy = _shared(SyncPolicy.from_json(request.policy))
        kills = shared_kills()
        if request.key is not None:
            kills.warm_up(request.key)
        caution = AsyncCaution(kills.watch, await_charge_of_trigger, request)
        server = await _read_server(request, policy)
        while True:
            progress.server = server
            try:
                async with shared_servers().use(server) as parts:
                    secrets = parts.async_gateway().secrets
                    session = caution.over(parts.async_interpreter(follower, progress))
                    with secrets.in_force():
                        return await _drive(request, progress.checkpoint, policy, session, follower)
            except ServerUnreachable:
                before, server = server, await _read_server(request, policy)
                if server == before:
                    raise
                request.log.warning("The Airflow connection has changed: trying it as it is now")
    except InvalidInput as error:
        left_alone = _job_left_alone(request.checkpoint)
        return failure(type(error)(f"{left_alone}{error}"), follower.job)
    except ConnectionNotThere:
        return failure(_unknown_here(request, follower.job), follower.job)
    except AirbyteSyncError as error:
        job = follower.job
        return failure(error, None if job is None else job.failed(error))
    except Exception as error:  # a trigger that dies takes its task with it, and the sync
        request.log.exception("The wait in the triggerer has met something unforeseen")
        left_alone = _job_left_alone(request.checkpoint)
        return failure(AirbyteSyncError(f"{left_alone}{told(error)}"), follower.job)


async def _read_server(request: TriggerRequest, policy: SyncPolicy) -> AirbyteServer:
    """Find the way to Airbyte: one that Airflow cannot tell is as a server that cannot be reached."""
    clock, servers = shared_parts().async_clock(), shared_servers()
    give_up_at = clock.now() + policy.unreachable_timeout
    for failures in count():
        try:
            return await servers.read(request.conn_id, request.api_version)
        except InvalidInput:
            raise
        except Exception as error:
            pause = policy.backoff(error, failures=failures, seed=request.conn_id)
            if clock.now() + pause > give_up_at:
                raise
            request.log.warning(
                "Could not read the Airflow connection %r, reading it again in %.0f s: %s",
                request.conn_id,
                pause.total_seconds(),
                told(error),
            )
            await clock.sleep(pause)
    raise AssertionError("counting never ends")


async def _drive(
    request: TriggerRequest,
    checkpoint: Checkpoint,
    policy: SyncPolicy,
    session: AsyncInterpreter,
    follower: Follower,
) -> dict[str, Any]:
    if checkpoint.job_id is not None:
        result = await arun(resume(checkpoint, policy), session)
        job = follower.job or JobSummary(job_id=result.job.job_id)
        return success(job.concluded(result))
    submission = await arun(obtain(checkpoint, policy), session)
    job = follower.job or JobSummary(job_id=submission.job_id)
    return obtained(submission.checkpoint, job, for_version=request.checkpoint.get("version"))


@lru_cache(maxsize=64)
def _shared(policy: SyncPolicy) -> SyncPolicy:
    """Return one policy for all triggers whose policies are equal."""
    return policy


def _job_left_alone(checkpoint: object) -> str:
    job_id = checkpoint.get("job_id") if isinstance(checkpoint, dict) else None
    if type(job_id) is not int:
        return ""
    return f"Airbyte job {job_id} goes on, and no task follows it any more: "


def _unknown_here(request: TriggerRequest, job: JobSummary | None) -> ConnectionNotThere:
    """Say that it is the triggerer that does not know the connection, and what becomes of the job."""
    job_id = request.checkpoint.get("job_id")
    goes_on = "No Airbyte job was started for this task."
    if job_id is not None:
        where = "" if job is None or job.url is None else f": {job.url}"
        goes_on = f"Airbyte job {job_id} goes on, and this task no longer follows it{where}"
    return ConnectionNotThere(
        f"this triggerer, on host {gethostname()!r}, does not know the Airflow connection "
        f"{request.conn_id!r}, although the worker that deferred the task does. Define the "
        "connection for the triggerer too: give it the same environment variable or secrets backend. "
        f"{goes_on}"
    )


def official_wait(
    job_id: int | str, end_time: float, poll_interval: float, execution_deadline: float | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return checkpoint and policy for the arguments of the official provider's trigger."""
    deadline = end_time if execution_deadline is None else min(end_time, execution_deadline)
    is_cancelled_then = deadline == execution_deadline
    shortest = PollSchedule().floor
    checkpoint = Checkpoint.watching(
        int(job_id),
        Origin.STARTED if is_cancelled_then else Origin.ATTACHED,
        asked_at=datetime.now(timezone.utc),
        deadline=datetime.fromtimestamp(deadline, timezone.utc),
        deadline_name="execution_timeout" if is_cancelled_then else "timeout",
    )
    poll = PollSchedule(floor=shortest, cap=max(shortest, timedelta(seconds=poll_interval)))
    return checkpoint.to_json(), SyncPolicy(poll=poll, timeout=None).to_json()
