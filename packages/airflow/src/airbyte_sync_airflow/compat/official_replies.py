"""What the hook returns: our values, which also answer to the names that the official hook's replies have.

The official hook returns models of ``airbyte-api`` (``JobResponse``, ``JobStatusEnum``, ``JobTypeEnum``).
What they offer and we do not raises ``AttributeError`` with the name to use.

Source: ``models/jobresponse.py`` and ``models/jobstatusenum.py`` of airbyte-api 1.0.1.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NoReturn

from airbyte_sync import Job, JobStatus


class Word(str):
    """A word of Airbyte's; ``value`` and ``name`` are what they are of the official enums."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """The word."""
        return str(self)

    @property
    def name(self) -> str:
        """The word in capital letters."""
        return self.upper()


class HookJobStatus(JobStatus):
    """A :class:`airbyte_sync.JobStatus` that also answers to ``value`` and ``name``."""

    __slots__ = ()

    @property
    def value(self) -> str:
        """Airbyte's word."""
        return self.word

    @property
    def name(self) -> str:
        """Airbyte's word in capital letters."""
        return self.word.upper()

    def __getattr__(self, name: str) -> NoReturn:
        if hasattr(str, name):  # the official status is a text, too
            _refuse(name, "a job status", f"job.status.word.{name}")
        _refuse(name, "a job status", None)


class HookJob(Job):
    """A :class:`airbyte_sync.Job` that also answers to the names of the official reply."""

    __slots__ = ()

    @classmethod
    def of(cls, job: Job) -> HookJob:
        """Return the same job."""
        values = {field.name: getattr(job, field.name) for field in fields(Job)}
        values["status"] = HookJobStatus(job.status.word)
        values["job_type"] = Word(job.job_type)
        return cls(**values)

    @property
    def start_time(self) -> str:
        """When the job was created: ISO 8601, UTC. Ours is ``created_at``."""
        return self.created_at.isoformat()

    @property
    def last_updated_at(self) -> str | None:
        """When the job ended: ISO 8601, UTC. Ours is ``ended_at``."""
        return None if self.ended_at is None else self.ended_at.isoformat()

    @property
    def rows_synced(self) -> int | None:
        """Committed records. Ours is ``rows``."""
        return self.rows

    @property
    def bytes_synced(self) -> int | None:
        """Committed bytes. Ours is ``bytes``."""
        return self.bytes

    def __getattr__(self, name: str) -> NoReturn:
        _refuse(name, "a job", _INSTEAD_ON_A_JOB.get(name))


_INSTEAD_ON_A_JOB = {
    **dict.fromkeys(("model_dump", "model_dump_json", "dict", "json", "to_dict"), "to_json()"),
    "connectionId": "connection_id",
    "jobId": "job_id",
    "jobType": "job_type",
    "startTime": "created_at",
    "lastUpdatedAt": "ended_at",
    "rowsSynced": "rows",
    "bytesSynced": "bytes",
}

INSTEAD_ON_THE_HOOK = {
    **dict.fromkeys(("airbyte_api", "create_api_session"), "get_conn(), which opens a gateway"),
    **dict.fromkeys(
        ("conn", "get_conn_params"), "get_connection(hook.airbyte_conn_id), or get_conn()"
    ),
}
"""What the official hook has beside the methods that ours has, too."""


def _refuse(name: str, of: str, instead: str | None) -> NoReturn:
    advice = "" if instead is None else f": use {instead}"
    raise AttributeError(f"{of} of airbyte-sync has no attribute {name!r}{advice}", name=name)


def refuse_on_the_hook(name: str) -> Any:
    """
    Raise for an attribute that our hook does not have.

    Raises:
        AttributeError: The text names what to use where the official hook has it.
    """
    _refuse(name, "the AirbyteHook", INSTEAD_ON_THE_HOOK.get(name))
