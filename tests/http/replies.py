"""Documents of Airbyte's API as the tests of this folder begin with them, and replies that hold them."""

import json

from airbyte_sync_http import HttpResponse, ServerSettings

ID = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"
SETTINGS = ServerSettings(base_url="http://localhost:8000")
JOB = {
    "jobId": 1234,
    "status": "succeeded",
    "jobType": "sync",
    "startTime": "2026-08-21T10:15Z",
    "connectionId": ID,
}
CONNECTION = {
    "connectionId": ID,
    "name": "Shop",
    "status": "active",
    "workspaceId": "w",
    "sourceId": "s",
    "destinationId": "d",
}


def reply(body, status=200, **headers):
    """Return a reply with a document, or bytes as they are; ``_`` in a header's name stands for ``-``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status=status, headers=named, body=content)
