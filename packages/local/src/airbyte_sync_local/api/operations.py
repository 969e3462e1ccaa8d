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
GET_WORKSPACE: Final = "GET /workspaces/{workspaceId}"
GET_SOURCE: Final = "GET /sources/{sourceId}"
LIST_SOURCES: Final = "GET /sources"
GET_DESTINATION: Final = "GET /destinations/{destinationId}"
LIST_DESTINATIONS: Final = "GET /destinations"
CREATE_JOB: Final = "POST /jobs"
LIST_JOBS: Final = "GET /jobs"
GET_JOB: Final = "GET /jobs/{jobId}"
CANCEL_JOB: Final = "DELETE /jobs/{jobId}"
CONFIG_HEALTH: Final = "GET /api/v1/health"
CONFIG_GET_CONNECTION: Final = "POST /api/v1/connections/get"
CONFIG_SYNC: Final = "POST /api/v1/connections/sync"
CONFIG_GET_STATE: Final = "POST /api/v1/state/get"
JOB_INFO: Final = "POST /api/v1/jobs/get_without_logs"
JOB_INFO_WITH_LOGS: Final = "POST /api/v1/jobs/get"

OPERATIONS: Final = (
    HEALTH,
    TOKEN,
    LIST_WORKSPACES,
    GET_WORKSPACE,
    LIST_CONNECTIONS,
    GET_CONNECTION,
    LIST_SOURCES,
    GET_SOURCE,
    LIST_DESTINATIONS,
    GET_DESTINATION,
    CREATE_JOB,
    LIST_JOBS,
    GET_JOB,
    CANCEL_JOB,
    CONFIG_HEALTH,
    CONFIG_GET_CONNECTION,
    CONFIG_SYNC,
    CONFIG_GET_STATE,
    JOB_INFO,
    JOB_INFO_WITH_LOGS,
)

HEALTH_CHECKS: Final = frozenset({HEALTH, CONFIG_HEALTH})
"""Operations that have threads of their own."""

ANONYMOUS: Final = HEALTH_CHECKS | {TOKEN}
"""Operations that need no credentials."""

PUBLIC_PREFIXES: Final = ("/api/public/v1", "/v1")
"""Where the public API is: on self-managed servers, and on Cloud."""

CONFIG_PREFIX: Final = "/api/v1"
LOCAL_PREFIX: Final = "/_local"
