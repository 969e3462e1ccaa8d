"""
The operations that the server offers, by the name used in fault scripts and in the request log.

A name is the method and the path template of Airbyte's OpenAPI file, without the prefix of the
public API; operations of the Config API keep theirs, since it is a different API.
"""

from __future__ import annotations

from typing import Final

HEALTH: Final = "GET /health"
TOKEN: Final = "POST /applications/token"  # noqa: S105 - a path, not a secret
LIST_WORKSPACES: Final = "GET /workspaces"
LIST_CONNECTIONS: Final = "GET /connections"
GET_CONNECTION: Final = "GET /connections/{connectionId}"
GET_SOURCE: Final = "GET /sources/{sourceId}"
GET_DESTINATION: Final = "GET /destinations/{destinationId}"
CREATE_JOB: Final = "POST /jobs"
LIST_JOBS: Final = "GET /jobs"
GET_JOB: Final = "GET /jobs/{jobId}"
CANCEL_JOB: Final = "DELETE /jobs/{jobId}"
JOB_INFO: Final = "POST /api/v1/jobs/get_without_logs"

OPERATIONS: Final = (
    HEALTH,
    TOKEN,
    LIST_WORKSPACES,
    LIST_CONNECTIONS,
    GET_CONNECTION,
    GET_SOURCE,
    GET_DESTINATION,
    CREATE_JOB,
    LIST_JOBS,
    GET_JOB,
    CANCEL_JOB,
    JOB_INFO,
)

ANONYMOUS: Final = frozenset({HEALTH, TOKEN})
"""Operations that need no credentials."""

PUBLIC_PREFIXES: Final = ("/api/public/v1", "/v1")
"""Where the public API is: on self-managed servers, and on Cloud."""

CONFIG_PREFIX: Final = "/api/v1"
LOCAL_PREFIX: Final = "/_local"
