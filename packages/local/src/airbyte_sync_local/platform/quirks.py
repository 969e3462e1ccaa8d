"""
Where Airbyte servers differ from one another, as one value to choose from.

Each default is what a current self-managed server does for its administrator. The labels v1 and v2
mean Airbyte's own releases.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class Caller(str, Enum):
    """Who the server takes the caller for; it decides what an unknown id is answered with."""

    ADMIN = "admin"
    """Instance administrator: community edition. Unknown ids give 404 and 409."""
    MEMBER = "member"
    """Any caller on Cloud and Enterprise. Unknown ids give 403, as forbidden ones do."""


class Edition(str, Enum):
    """Whose error bodies the server sends where credentials are concerned."""

    COMMUNITY = "community"
    """Bad client credentials: 400 in the framework's shape. 401: the framework's shape."""
    CLOUD = "cloud"
    """Bad client credentials: 401 with an errorId. 401: a problem."""


class SecondSubmit(str, Enum):
    """What a second POST meets while the first one's job has no attempt yet."""

    SAME_JOB = "same_job"
    """200 with the same job id: what Airbyte's own unit tests promise."""
    STATE_CONFLICT = "state_conflict"
    """409 with a text that explains nothing: what its production code probably does."""
    ALREADY_RUNNING = "already_running"
    """409 as for a job that runs: the strictest."""


class UnauthorizedBody(str, Enum):
    """What a 401 carries. It is not documented, so clients must live with all of them."""

    BY_EDITION = "by_edition"
    """The framework's shape from a community server, and a problem from Cloud."""
    FRAMEWORK = "framework"
    PROBLEM = "problem"
    EMPTY = "empty"
    """No body at all, as some proxies have it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quirks:
    """How this particular server behaves."""

    caller: Caller = Caller.ADMIN
    edition: Edition = Edition.COMMUNITY
    unauthorized: UnauthorizedBody = UnauthorizedBody.BY_EDITION
    second_submit: SecondSubmit = SecondSubmit.SAME_JOB
    second_submit_waits: timedelta = timedelta(seconds=60)
    """How long a second POST waits for a job of its own before it gives up with the conflict."""
    job_appears_after: timedelta = timedelta(0)
    """How long after a POST the job exists. Beyond 60 s the POST gives up; the job comes anyway."""
    submit_waits_for_start: bool = False
    """POST answers only once the job has begun, with ``running``: v2.0.0 and older."""
    queued_can_be_cancelled: bool = True
    """Whether a cancel reaches a job that waits for capacity, rather than being dropped."""
    cancel_waits_for_end: bool = False
    """DELETE answers only once nothing runs any more, however long that takes, as Airbyte mostly does."""
    list_hides_refreshes: bool = False
    """A list without ``jobType`` holds syncs and resets only: v2.0.0 and older."""
    list_has_stats: bool = True
    """Whether a list tells rows and bytes."""
    advertised_url: str = "http://localhost:8001/api/public"
    """The host that page links name; rarely one that the client can reach."""
