"""Jobs as people name them: by their number, or by the connection whose sync is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync import InvalidInput, JobQuery
from airbyte_sync.jobs import newest
from airbyte_sync.texts import shown
from airbyte_sync_cli.errors import NoSuchJob

if TYPE_CHECKING:
    from airbyte_sync_cli.work.session import Session


_MOST_DIGITS = 19
"""As Airbyte's own numbers have, which are of 64 bits."""


def is_job_id(text: str) -> bool:
    """Whether a text is the number of a job; anything else names a connection."""
    return text.isascii() and text.isdecimal()


def _job_id(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise InvalidInput(f"{shown(text)} is too long for the number of an Airbyte job")
    return int(text)


async def job_to_watch(session: Session, text: str) -> int:
    """
    Return the job that a text means: the active one of a connection, or else its newest.

    Raises:
        InvalidInput: No job has this number.
        NoSuchJob: The connection has never had a job.
        AirbyteSyncError: As :meth:`Session.find`.
    """
    if is_job_id(text):
        return _job_id(text)
    connection_id = await session.id_of(text)
    active = await session.gateway.list_active_jobs(connection_id)
    if active:
        return active[0].job_id
    page = await session.gateway.find_jobs(JobQuery(connection_id=connection_id, limit=1))
    last = newest(page.jobs)
    if last is None:
        raise NoSuchJob(f"connection {text!r} has never had a job: start one with airbyte-sync run")
    return last.job_id


async def jobs_to_cancel(session: Session, text: str) -> list[int]:
    """Return the jobs that a text means: all active ones of a connection. Raises as :func:`job_to_watch`."""
    if is_job_id(text):
        return [_job_id(text)]
    connection_id = await session.id_of(text)
    return [job.job_id for job in await session.gateway.list_active_jobs(connection_id)]
