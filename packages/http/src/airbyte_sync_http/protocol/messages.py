"""Airbyte's public API as values: what to ask, and how to read the answer.

Every function returns a :class:`Call`, a request with the reader of its answer. Nothing here does I/O,
knows a clock or holds a credential, except the body of a token request. A reader returns a value of
the domain or raises a :class:`~airbyte_sync.errors.CallFailed`, whatever the server sent.

What decides must be readable: ids, statuses, creation times. What only informs (rows, bytes, duration, end
time) is left out when it cannot be read, because no statistic may hide the end of a job.

An answer may be as large as what was asked for can be, see :class:`Size`: it is read on an event loop that
others wait for.

Source: the public OpenAPI file and ``apis/publicapi`` of airbyte-platform.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

from airbyte_sync.errors import InvalidInput
from airbyte_sync.jobs import (
    Connection,
    ConnectionStatus,
    FailureReason,
    Job,
    JobPage,
    JobStatus,
    JobType,
    is_same_id,
)
from airbyte_sync_http.addresses import config_api_url
from airbyte_sync_http.protocol.cleaning import LARGEST_NUMBER, is_clean, shown
from airbyte_sync_http.protocol.errors_from_responses import (
    error_from_response,
    error_from_token_response,
    server_time,
    unexpected,
    wrong_address,
)
from airbyte_sync_http.protocol.failure_reasons import failure_reason
from airbyte_sync_http.protocol.job_reports import job_details
from airbyte_sync_http.protocol.json_node import (
    LONGEST_WORD,
    MOST_VALUES,
    InvalidField,
    JsonNode,
    TooManyValues,
    if_readable,
    is_plausible,
)
from airbyte_sync_http.protocol.streams import Endpoint, Route, endpoint, route
from airbyte_sync_http.settings import is_token
from airbyte_sync_http.transports.base import HttpRequest, HttpResponse, answer_too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from datetime import datetime

    from airbyte_sync.errors import CallFailed
    from airbyte_sync.job_details import JobDetails
    from airbyte_sync.requests import JobQuery
    from airbyte_sync_http.settings import ClientCredentials, ServerSettings

Result = TypeVar("Result")

LARGEST_PAGE = 100
"""The most that Airbyte lists at a time (public OpenAPI file, ``limit``)."""

USUAL_LIFETIME = 180.0
"""Seconds that a token is trusted which does not tell: the least that Airbyte ever gave (v1.0 to v1.4)."""

_FAR_AWAY = 1e11
_HEAD_OF_AN_ERROR = 16 * 1024
_LONGEST_TOKEN = 16 * 1024
"""Characters of a token: no server takes a longer header."""


@dataclass(frozen=True, slots=True)
class Size:
    """
    How large an answer may be. Python reads 50,000 values in less than 20 ms, and they take some 5 MB.
    """

    bytes: int
    values: int = MOST_VALUES


SMALL = Size(512 * 1024, 1_000)
"""One job or one token: a dozen fields. Instead of it may come an error with a stack trace, or a web page."""
PAGE = Size(1024 * 1024)
"""A hundred jobs of some 400 bytes and a dozen values each."""
STREAMS = Size(2 * 1024 * 1024, 50_000)
"""A connection, or a page of them: some ten values for each stream, and three for each column chosen."""
CONFIGURATION = Size(1024 * 1024)
"""A source or a destination with its configuration."""
ATTEMPTS = Size(2 * 1024 * 1024, 50_000)
"""All attempts of a job, each with the statistics of every stream, and stack traces."""

_LONGEST_ID = 19
"""Digits of the largest number of 63 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[Result]):
    """A request, and how to read its answer."""

    request: HttpRequest
    build: Callable[[JsonNode, HttpResponse], Result]
    most_values: int = MOST_VALUES
    """How many values the answer may have."""
    error: Callable[[HttpRequest, HttpResponse], CallFailed] = error_from_response
    """What an answer other than 2xx means."""

    def read(self, response: HttpResponse) -> Result:
        """
        Read the answer.

        Args:
            response: What the server sent.

        Returns:
            What was asked for.

        Raises:
            CallFailed: The server refused, or sent something else.
            AnswerTooLarge: The body is larger than the request allows.
        """
        if len(response.body) > self.request.answer_limit:  # its transport did not look
            raise answer_too_large(self.request)
        if response.status not in range(200, 300):
            raise self.error(self.request, _of_an_error(response))
        try:
            document = JsonNode.of(response.body, self.most_values)
        except InvalidField as error:
            if isinstance(error, TooManyValues) and self.most_values > MOST_VALUES:
                # A connection may really be that large, and may be asked for in other ways.
                raise answer_too_large(self.request, f"{self.most_values} values") from error
            raise wrong_address(self.request, response) from error
        try:
            return self.build(document, response)
        except InvalidField as error:
            raise unexpected(
                self.request,
                response,
                f"But {error}. Is this the public API of an Airbyte, of a version that this release knows?",
            ) from error


def _of_an_error(response: HttpResponse) -> HttpResponse:
    """Return an error without most of its body, where that is larger than any that is read."""
    if len(response.body) <= SMALL.bytes:
        return response
    return replace(response, body=response.body[:_HEAD_OF_AN_ERROR])


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessToken:
    """A token, and for how long from now the server takes it."""

    value: str = field(repr=False)
    lifetime: timedelta


# --------------------------------------------------------------------------------------------------
# Jobs


def submit(
    settings: ServerSettings, connection_id: str, job_type: JobType, asked_at: datetime
) -> Call[Job]:
    """
    Start a job. The answer comes without rows and bytes.

    A job id is all that the answer has to tell. What is known from the request needs no repetition, but
    must not be contradicted.

    Args:
        settings: The server.
        connection_id: The connection.
        job_type: What to run.
        asked_at: The time; it stands for the job's creation where the answer does not tell it.
    """
    connection_id = _id("connection_id", connection_id)
    body = {"connectionId": connection_id, "jobType": job_type.value}
    request = _request(settings, "POST", "/jobs", body=body, read_timeout=settings.submit_timeout)

    def build(document: JsonNode, response: HttpResponse) -> Job:
        told = if_readable(document["startTime"].instant)
        created_at = told if told is not None else _plausible_time(response)
        job = Job(
            job_id=_told_job_id(document["jobId"]),
            status=_status(_word_or(document["status"], JobStatus.PENDING.word, _STATUSES)),
            job_type=_word_or(document["jobType"], job_type.value, _JOB_TYPES),
            connection_id=_word_or(document["connectionId"], connection_id),
            created_at=created_at if created_at is not None else asked_at.replace(microsecond=0),
        )
        return _about_connection(job, connection_id)

    return _call(request, SMALL, build)


def _word_or(node: JsonNode, assumed: str, known: Container[str] = ()) -> str:
    """Return what a member says, or what is known without it; see :meth:`JsonNode.word`."""
    told = if_readable(lambda: node.word(known))
    return assumed if told is None else told


def cancel(settings: ServerSettings, job_id: int) -> Call[Job]:
    """Cancel what runs on the connection of a job. The answer is 200 with the job, not 204."""
    request = _request(settings, "DELETE", _job_path(job_id))
    return _call(request, SMALL, lambda document, _: _about_job(_job(document), job_id))


def fetch_job(settings: ServerSettings, job_id: int) -> Call[Job]:
    """Poll one job."""
    request = _request(settings, "GET", _job_path(job_id))
    return _call(request, SMALL, lambda document, _: _about_job(_job(document), job_id))


def find_jobs(settings: ServerSettings, query: JobQuery) -> Call[JobPage]:
    """
    List jobs, newest first, or those that changed, by their last change; Airbyte's own order is oldest
    first.

    The links ``next`` and ``previous`` of the answer are not used: they name a host that is often
    unreachable, and lose the order asked for (``JobsResponseMapper.kt``).

    Raises:
        InvalidInput: The page asked for is empty, or larger than Airbyte gives.
    """
    if not 1 <= query.limit <= LARGEST_PAGE or query.offset < 0:
        raise InvalidInput(
            f"limit is {query.limit} and offset {query.offset}: Airbyte lists 1 to {LARGEST_PAGE} jobs at "
            "a time, from offset 0 on"
        )

    def build(document: JsonNode, response: HttpResponse) -> JobPage:
        nodes = document["data"].items()
        if len(nodes) > LARGEST_PAGE:
            raise InvalidField(f"data has {len(nodes)} items where at most {LARGEST_PAGE} belong")
        jobs = tuple(map(_job, nodes))
        if query.connection_id is not None:
            for job in jobs:
                _about_connection(job, str(query.connection_id).strip())
        return JobPage(jobs=jobs, server_time=_plausible_time(response))

    return _call(_request(settings, "GET", "/jobs", _parameters(query)), PAGE, build)


def _parameters(query: JobQuery) -> dict[str, str]:
    parameters: dict[str, str] = {}
    if query.connection_id is not None:
        parameters["connectionId"] = _id("connection_id", query.connection_id)
    elif query.workspace_id is not None:
        parameters["workspaceIds"] = _id("workspace_id", query.workspace_id)
    parameters |= {"limit": str(query.limit), "offset": str(query.offset)}
    if query.updated_since is None:
        parameters["orderBy"] = "createdAt|DESC"
    else:
        since = query.updated_since.astimezone(timezone.utc)
        parameters |= {"orderBy": "updatedAt|ASC", "updatedAtStart": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
    if query.job_type is not None:
        parameters["jobType"] = query.job_type.value
    if query.status is not None:
        parameters["status"] = query.status.word
    return parameters


def _plausible_time(response: HttpResponse) -> datetime | None:
    now = server_time(response)
    return now if now is not None and is_plausible(now) else None


def _about_job(job: Job, job_id: int) -> Job:
    """Return a job if it is the one that was asked for; a reply about another one is no answer."""
    if job.job_id != job_id:
        raise InvalidField(f"it is about job {job.job_id}, and job {job_id} was asked for")
    return job


def _about_connection(job: Job, connection_id: str) -> Job:
    """Return a job if it is one of the connection that was asked about."""
    if not is_same_id(job.connection_id, connection_id):
        raise InvalidField(
            f"job {job.job_id} in it is of another connection than the one asked for"
        )
    return job


_STATUSES = frozenset(
    {"pending", "queued", "running", "incomplete", "succeeded", "failed", "cancelled"}
)
_JOB_TYPES = frozenset(job_type.value for job_type in JobType)

_status = lru_cache(maxsize=64)(JobStatus)
"""One object for a word, however many jobs are on their way."""


def _job(node: JsonNode) -> Job:
    return Job(
        job_id=_told_job_id(node["jobId"]),
        status=_status(node["status"].word(_STATUSES)),
        job_type=node["jobType"].word(_JOB_TYPES),
        connection_id=node["connectionId"].word(),
        created_at=node["startTime"].instant(),
        ended_at=if_readable(node["lastUpdatedAt"].instant),
        duration=if_readable(node["duration"].duration),
        rows=if_readable(node["rowsSynced"].count),
        bytes=if_readable(node["bytesSynced"].count),
    )


def _told_job_id(node: JsonNode) -> int:
    """Read a whole number; some proxies and SDKs make texts of numbers of 64 bits."""
    value = node.value
    if (
        isinstance(value, str)
        and len(value) <= _LONGEST_ID
        and value.isascii()
        and value.isdecimal()
    ):
        node = JsonNode(int(value), node.place)
    job_id = node.count()
    if job_id == 0:
        raise InvalidField(f"{node.place} is 0, which no job has")
    return job_id


# --------------------------------------------------------------------------------------------------
# Connections


def fetch_connection(settings: ServerSettings, connection_id: str) -> Call[Connection]:
    """Look at one connection."""
    request = _request(settings, "GET", _path("connections", "connection_id", connection_id))

    def build(document: JsonNode, response: HttpResponse) -> Connection:
        del response
        connection = _connection(document)
        if not is_same_id(connection.connection_id, str(connection_id).strip()):
            raise InvalidField("it is about another connection than the one asked for")
        return connection

    return _call(request, STREAMS, build)


def list_connections(
    settings: ServerSettings, workspace_id: str | None, offset: int, limit: int = LARGEST_PAGE
) -> Call[tuple[Connection, ...]]:
    """List up to ``limit`` connections, with all their streams; a shorter page is the last one."""
    parameters = {"limit": str(limit), "offset": str(offset)}
    if workspace_id is not None:
        parameters["workspaceIds"] = _id("workspace_id", workspace_id)
    return _call(_request(settings, "GET", "/connections", parameters), STREAMS, _connection_page)


def _connection_page(document: JsonNode, response: HttpResponse) -> tuple[Connection, ...]:
    del response
    return tuple(map(_connection, document["data"].items()))


def _connection(node: JsonNode) -> Connection:
    return Connection(
        connection_id=node["connectionId"].word(),
        name=node["name"].label(),
        status=_connection_status(node["status"].text()),
        workspace_id=node["workspaceId"].word(),
        source_id=node["sourceId"].word(),
        destination_id=node["destinationId"].word(),
    )


def _connection_status(word: str) -> ConnectionStatus:
    try:
        return ConnectionStatus(word)
    except ValueError:
        return ConnectionStatus.UNKNOWN


# --------------------------------------------------------------------------------------------------
# Lineage


def fetch_route(settings: ServerSettings, connection_id: str) -> Call[Route]:
    """Look at which streams a connection moves, and between what."""
    request = _request(settings, "GET", _path("connections", "connection_id", connection_id))
    return _call(request, STREAMS, lambda document, _: route(document))


def fetch_source(settings: ServerSettings, source_id: str) -> Call[Endpoint]:
    """Look at a source. Airbyte masks the secrets of its configuration, as far as it knows them."""
    request = _request(settings, "GET", _path("sources", "source_id", source_id))
    return _call(request, CONFIGURATION, lambda document, _: endpoint(document, "source"))


def fetch_destination(settings: ServerSettings, destination_id: str) -> Call[Endpoint]:
    """Look at a destination; see :func:`fetch_source`."""
    request = _request(settings, "GET", _path("destinations", "destination_id", destination_id))
    return _call(request, CONFIGURATION, lambda document, _: endpoint(document, "destination"))


# --------------------------------------------------------------------------------------------------
# Reasons and details


def explain_failure(settings: ServerSettings, job_id: int) -> Call[FailureReason | None]:
    """
    Ask the Config API why a job failed. It takes the public API's credentials.

    Of its routes this one is cheap, for it reads no logs; it wants the id under exactly this name
    (``JobsApiController.kt``, ``AuthorizationServerHandler.kt``).
    """
    return _call(
        _report_request(settings, job_id), ATTEMPTS, lambda document, _: failure_reason(document)
    )


def fetch_details(settings: ServerSettings, job_id: int) -> Call[JobDetails]:
    """Ask the Config API what a job did by stream and attempt; see :func:`explain_failure`."""

    def build(document: JsonNode, response: HttpResponse) -> JobDetails:
        del response
        told = _told_job_id(document["job"]["id"])
        if told != job_id:
            raise InvalidField(f"it is about job {told}, and job {job_id} was asked for")
        return job_details(document)

    return _call(_report_request(settings, job_id), ATTEMPTS, build)


def _report_request(settings: ServerSettings, job_id: int) -> HttpRequest:
    url = f"{config_api_url(settings.base_url)}/jobs/get_without_logs"
    return _request(settings.with_short_timeouts(), "POST", url, body={"id": _job_id(job_id)})


# --------------------------------------------------------------------------------------------------
# Tokens


def fetch_token(settings: ServerSettings, credentials: ClientCredentials) -> Call[AccessToken]:
    """
    Get a token. JSON, because older servers refuse a form; the field really is ``grant-type``.

    The lifetime is the shorter one of ``expires_in`` and what the token says itself: the former
    reports a setting, which Keycloak may have capped. It is measured on the server's clock alone.
    """
    body = {
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "grant-type": "client_credentials",
    }
    url = settings.token_url(credentials)
    call = _call(_request(settings, "POST", url, body=body), SMALL, _access_token)
    return replace(call, error=error_from_token_response)


def _access_token(document: JsonNode, response: HttpResponse) -> AccessToken:
    value = document["access_token"].text()
    if len(value) > _LONGEST_TOKEN or not is_token(value):
        raise InvalidField("access_token is not a token")
    told = (_number(document["expires_in"]), _lifetime_in_jwt(value, server_time(response)))
    seconds = min((number for number in told if number is not None), default=USUAL_LIFETIME)
    return AccessToken(value=value, lifetime=timedelta(seconds=max(seconds, 0)))


def _lifetime_in_jwt(value: str, now: datetime | None) -> float | None:
    """Return how many seconds a token lives by its own account, where it is a JWT that can be read."""
    try:
        _, claims, _ = value.split(".")
        node = JsonNode.of(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        ends, began = _number(node["exp"]), _number(node["iat"])
    except ValueError:
        return None
    if began is None and now is not None:
        began = now.timestamp()
    return None if ends is None or began is None else ends - began


def _number(node: JsonNode) -> float | None:
    """Return a number of seconds, where there is one and a date can bear it."""
    value = node.value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _FAR_AWAY:
        return float(value)
    return None


# --------------------------------------------------------------------------------------------------
# Requests


def _call(
    request: HttpRequest, size: Size, build: Callable[[JsonNode, HttpResponse], Result]
) -> Call[Result]:
    """Return a call whose answer is at most so large."""
    return Call(
        request=replace(request, answer_limit=size.bytes), build=build, most_values=size.values
    )


def _id(what: str, value: object) -> str:
    """
    Return an id as it is sent: without the blanks around it that a template leaves.

    Raises:
        InvalidInput: It can be none. A path of one or two dots would lead to another address.
    """
    text = str(value) if isinstance(value, UUID) else value
    text = text.strip() if isinstance(text, str) else ""
    if not 0 < len(text) <= LONGEST_WORD or not is_clean(text) or text in {".", ".."}:
        raise InvalidInput(
            f"{what} is {shown(value)}: expected an id of Airbyte, which is a UUID as a rule"
        )
    return text


def _path(kind: str, what: str, value: object) -> str:
    return f"/{kind}/{quote(_id(what, value), safe='')}"


def _job_id(value: object) -> int:
    """
    Return a job id that can be sent.

    Raises:
        InvalidInput: It is not a number that Airbyte gives to a job.
    """
    if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
        raise InvalidInput(f"job_id is {shown(value)}: expected the number of an Airbyte job")
    return value


def _job_path(job_id: object) -> str:
    return f"/jobs/{_job_id(job_id)}"


def _request(
    settings: ServerSettings,
    method: str,
    address: str,
    parameters: Mapping[str, str] | None = None,
    *,
    body: Mapping[str, object] | None = None,
    read_timeout: timedelta | None = None,
) -> HttpRequest:
    """Build a request to a path below the API's root, or to a whole URL."""
    url = address if "://" in address else settings.base_url + address
    request = HttpRequest(
        method=method,
        url=f"{url}?{urlencode(parameters, quote_via=quote, safe='')}" if parameters else url,
        headers={"Accept": "application/json", "User-Agent": settings.user_agent},
        body=None if body is None else json.dumps(body).encode(),
        connect_timeout=settings.connect_timeout,
        read_timeout=read_timeout or settings.read_timeout,
    )
    if body is not None:
        request = request.with_header("Content-Type", "application/json")
    if _origin(url) == _origin(settings.base_url):  # they may hold credentials
        for name, value in settings.headers.items():
            request = request.with_header(name, value)
    return request


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
