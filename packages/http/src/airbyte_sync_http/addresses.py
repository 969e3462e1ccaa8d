"""The addresses of an Airbyte: how people write them, and what they mean.

A wrong path is the most common mistake of all in this field. A self-managed Airbyte serves its public
API at ``/api/public/v1``, an older API at ``/api/v1``, and its web application under any other path,
with status 200; Cloud serves the public API at ``https://api.airbyte.com/v1``. So every usual
spelling is accepted here and means the one right address.

Source: docs.airbyte.com/developers/api-documentation; ``ServerConstants.kt`` and ``WebUrlHelper.kt``
of airbyte-platform.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from airbyte_sync.errors import InvalidInput
from airbyte_sync_http.protocol.cleaning import LONGEST_NAME, clean, is_clean, matches, shown

CLOUD_API = "https://api.airbyte.com"
CLOUD_UI = "https://cloud.airbyte.com"

_LONGEST = 2000
_HOST = re.compile(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_VERSION = re.compile(r"v[0-9]{1,9}")
_TOKEN_ROUTE = re.compile(r"(api/)?(public/)?(v\d+/)?applications/token/?")
_API_ROOT = re.compile(r"(/api/public)?/v\d+$")


def normalise_base_url(host: str, api_version: str = "v1") -> str:
    """
    Return the root of the public API that an address means.

    ``http://h:8000``, ``http://h:8000/api``, ``http://h:8000/api/v1`` (the older API's address, which
    people paste) and ``http://h:8000/api/public`` all mean ``http://h:8000/api/public/v1``. A path that
    ends in a version, as behind a reverse proxy, is kept.

    Args:
        host: The address of an Airbyte, with ``http://`` or ``https://``.
        api_version: The version to use where ``host`` names none.

    Returns:
        The address without a slash at its end. It means itself when normalised again.

    Raises:
        InvalidInput: It cannot be such an address; the text says what to write.
    """
    if not matches(_VERSION, api_version):
        raise InvalidInput(f"api_version is {shown(api_version)}: write v1")
    origin, path = _split(host)
    if origin == CLOUD_UI:
        raise InvalidInput(f"{CLOUD_UI} is Airbyte's web application: write {CLOUD_API}")
    segments = [segment for segment in path.split("/") if segment]
    version = segments.pop() if segments and _VERSION.fullmatch(segments[-1]) else None
    if version is None and "workspaces" in segments:
        parent = "/".join([origin, *segments[: segments.index("workspaces")]])
        raise InvalidInput(
            f"the Airbyte address is that of a page of Airbyte's web application: write {parent}"
        )
    if origin == CLOUD_API:
        return f"{CLOUD_API}/{version or api_version}"
    if version is None or segments[-1:] == ["api"]:
        segments = [*_without_api(segments), "api", "public"]
    return "/".join([origin, *segments, version or api_version])


def token_url(base_url: str, schema: str = "") -> str:
    """
    Return the address of the token route.

    Args:
        base_url: The address of an Airbyte, in any spelling.
        schema: Where the route is, as people write it: nothing or ``v1/applications/token`` for
            Airbyte's own one, a path from the root of the host, or a whole URL, the only way to
            send credentials to another host.

    Returns:
        A whole URL.

    Raises:
        InvalidInput: One of them cannot be an address.
    """
    base_url = normalise_base_url(base_url)
    if not isinstance(schema, str):
        raise InvalidInput(f"the token route is {shown(schema)}: write v1/applications/token")
    schema = schema.strip()
    if "://" in schema:
        origin, path = _split(schema)
        return origin + path
    if not schema or _TOKEN_ROUTE.fullmatch(schema.lstrip("/")):
        return f"{base_url}/applications/token"
    if not _PATH.fullmatch(schema):
        raise InvalidInput(
            f"the token route is {shown(schema)}: write v1/applications/token, or leave it empty"
        )
    root = _split(base_url)[0] if schema.startswith("/") else base_url
    return f"{root}/{schema.lstrip('/')}"


def ui_url(base_url: str) -> str:
    """Return the address of the web application that belongs to an API; it may be configured otherwise."""
    base_url = normalise_base_url(base_url)
    return CLOUD_UI if base_url.startswith(CLOUD_API) else _API_ROOT.sub("", base_url)


def normalise_ui_url(address: str) -> str:
    """
    Return the address of a web application as a person wrote it, or copied it from a browser.

    Args:
        address: With ``http://`` or ``https://``; what leads to a workspace or below it is left out.

    Returns:
        The address without a slash at its end.

    Raises:
        InvalidInput: It cannot be such an address; the text says what to write.
    """
    origin, path = _split(address, "address of Airbyte's web application", _UI_EXAMPLES)
    return origin + path.partition("/workspaces/")[0].rstrip("/")


def job_url(ui_url: str, workspace_id: str, connection_id: str, job_id: int) -> str:
    """
    Return the page that shows a job's log, the same on Cloud and self-managed.

    Source: ``ConnectionTimelinePage.tsx`` and ``routePaths.tsx`` of airbyte-platform; ``jobId`` does
    nothing without ``openLogs``.

    Args:
        ui_url: Where people open Airbyte: ``ServerSettings.ui_url``.
        workspace_id: The workspace of the connection.
        connection_id: The connection.
        job_id: The job.
    """
    workspace, connection = (
        quote(clean(part, LONGEST_NAME), safe="") for part in (workspace_id, connection_id)
    )
    page = f"{ui_url}/workspaces/{workspace}/connections/{connection}/timeline"
    return f"{page}?jobId={job_id}&openLogs=true"


def config_api_url(base_url: str) -> str:
    """Return the root of the Config API, Airbyte's older API: it knows why a job failed."""
    return f"{ui_url(base_url)}/api/v1"


def likely_base_url(url: str) -> str:
    """Return where the public API most likely is on the host of ``url``: for error texts."""
    parts = urlsplit(url)
    return normalise_base_url(f"{parts.scheme}://{parts.netloc}")


_EXAMPLES = f"write {CLOUD_API}, or http://host:8000 for a self-managed Airbyte"
_UI_EXAMPLES = f"write {CLOUD_UI}, or http://host:8000 for a self-managed Airbyte"


def _split(
    address: str, what: str = "Airbyte address", examples: str = _EXAMPLES
) -> tuple[str, str]:
    """Return scheme, host and port in one, and the path, after every other part was refused."""
    if not isinstance(address, str):
        raise InvalidInput(f"the {what} is {shown(address)}: {examples}")
    address = address.strip()
    if len(address) > _LONGEST or not is_clean(address):  # urlsplit passes over tabs
        raise InvalidInput(
            f"the {what} has a tab, a line break or another odd character in it, or is too long: {examples}"
        )
    if "@" in address.partition("://")[2].partition("/")[0] or (
        "://" not in address and "@" in address
    ):
        raise InvalidInput(
            f"the {what} holds a user name or password: write it without them, and give the "
            "credentials as credentials"
        )
    if "://" not in address:
        place = address.lstrip("/")
        example = f"{_scheme_for(place)}://{place}" if place else CLOUD_API
        raise InvalidInput(f"the {what} {shown(address)} has no scheme: write {example}")
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"the {what} is not a URL: {examples}") from error
    if parts.scheme not in {"http", "https"}:
        raise InvalidInput(f"the {what} begins with {parts.scheme}://: {examples}")
    if parts.query or parts.fragment:
        raise InvalidInput(f"the {what} has something after ? or #: write {_without_tail(address)}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(parts.path):
        raise InvalidInput(f"the {what} {shown(address)} is not a URL: {examples}")
    if host == urlsplit(CLOUD_API).hostname and parts.scheme != "https":
        raise InvalidInput(f"Airbyte Cloud wants TLS: write {CLOUD_API}")
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else ""), parts.path


def _without_api(segments: list[str]) -> list[str]:
    """Return the segments before a trailing ``api`` or ``api/public``."""
    if segments[-2:] == ["api", "public"]:
        return segments[:-2]
    return segments[:-1] if segments[-1:] == ["api"] else segments


def _without_tail(address: str) -> str:
    return re.split(r"[?#]|/workspaces/", address, maxsplit=1)[0]


def _scheme_for(address: str) -> str:
    return "https" if "airbyte.com" in address else "http"
