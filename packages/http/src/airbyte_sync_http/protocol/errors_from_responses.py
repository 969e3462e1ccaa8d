"""What an answer means that is not the thing asked for.

Such an answer comes from one of many layers: Airbyte's own *problems*, its uncaught errors
(``{"errorId"}``), its older API, the framework below it (a HATEOAS body), its load shedder, or a proxy
in front (a web page). Who speaks decides first: a 4xx in the words of none of Airbyte's layers is a
gateway's, and says nothing about jobs and connections. Then the status decides which error it is. The body
only gives the words, and for 409, which has several meanings, the meaning.

Source: ``api-problems.yaml``, ``ConfigClientErrorHandler.kt`` and ``errors/handlers`` of
airbyte-platform.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airbyte_sync.errors import (
    BadRequest,
    CallFailed,
    Forbidden,
    JobNotRunning,
    NotFound,
    RefusedOnTheWay,
    ServerTrouble,
    StateConflict,
    SyncAlreadyRunning,
    Throttled,
    Unauthorized,
    UnexpectedReply,
    Unprocessable,
    UnreadableId,
)
from airbyte_sync.jobs import is_uuid
from airbyte_sync_http.addresses import likely_base_url
from airbyte_sync_http.auth.hiding import hide
from airbyte_sync_http.protocol.json_node import InvalidField, JsonNode, if_readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from urllib.parse import SplitResult

    from airbyte_sync_http.transports.base import HttpRequest, HttpResponse

LONGEST_RETRY_AFTER = timedelta(hours=1)
"""A server that asks us to stay away for longer is asked again after this time."""

_ALREADY_RUNNING = "A sync is already running"
_JOB_NOT_RUNNING = "Job is not currently running"
_LONGEST_QUOTE = 300
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,200})", re.IGNORECASE)
_HEAD_OF_A_PAGE = 16 * 1024
"""Bytes of a web page in which its title is looked for."""

_TITLES = frozenset(
    {
        "invalid-api-key",
        "invalid-access-token",
        "forbidden",
        "bad-request",
        "resource-not-found",
        "try-again-later",
        "state-conflict",
        "unprocessable-entity",
        "unexpected-problem",
        "Connection is locked",
        "License Entitlement Error",
        "SSO Sign-in Required",
    }
)
"""The titles of Airbyte's problems (``api-problems.yaml``); gateways send problems of their own."""

_UNKNOWN_ID = "resource-not-found"

_AIRBYTES = {"errorId", "exceptionClassName"}
"""Members that only Airbyte's errors have: uncaught ones, and those of its older API."""

_OUTCOME_UNKNOWN = {HTTPStatus.REQUEST_TIMEOUT, 499}
"""A server or a proxy that stopped waiting; 499 is nginx's word for a client that did."""

_ADVICE: dict[int, tuple[type[CallFailed], str]] = {
    400: (BadRequest, "Check the ids and the job type."),
    401: (Unauthorized, "Check the credentials."),
    403: (
        Forbidden,
        (
            "The credentials are good, but not for this. Check the id, because Airbyte answers the same "
            "for an id that it does not know, and the rights of the user who made the application."
        ),
    ),
    404: (NotFound, "Airbyte does not know this id. Check the id, and the server's address."),
    422: (
        Unprocessable,
        "Airbyte does not offer this over its public API: start it on the connection's page in Airbyte.",
    ),
    429: (Throttled, "Ask less often: all applications of the same user are counted together."),
}


_LISTS = ("/connections", "/workspaces")
"""Where routes end that name no id."""

_MAY_NOT_LIST = (
    "The credentials are good, but may not see this. Check the rights of the user who made them."
)


def error_from_response(request: HttpRequest, response: HttpResponse) -> CallFailed:
    """
    Return the error that an answer other than 2xx means.

    Args:
        request: What was asked.
        response: What was answered.

    Returns:
        An error whose text says what happened, in the server's own words where it has some, and
        what to do next.
    """
    status = response.status
    names_no_id = urlsplit(request.url).path.endswith(_LISTS)
    kind: type[CallFailed]
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and _names_no_uuid(request):
        kind, advice = UnreadableId, "Check the id: Airbyte fails like this at one that is no UUID."
    elif status in _OUTCOME_UNKNOWN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        kind, advice = ServerTrouble, "Try again later; if it persists, look at the server's logs."
    elif not is_airbytes(response):
        return refused_on_the_way(request, response)
    elif status == HTTPStatus.CONFLICT:
        kind, advice = _conflict(request, response)
    elif status == HTTPStatus.FORBIDDEN and names_no_id:
        kind, advice = Forbidden, _MAY_NOT_LIST
    elif status == HTTPStatus.NOT_FOUND and names_no_id:
        kind, advice = NotFound, _what_to_write(request, response)
    elif status in _ADVICE:
        kind, advice = _ADVICE[status]
    else:
        return wrong_address(request, response)
    return kind(
        f"{what_happened(request, response)}. {advice}",
        status=status,
        retry_after=_retry_after(response),
    )


def _names_no_uuid(request: HttpRequest) -> bool:
    """Tell whether a connection is read by an id that Airbyte cannot read. A proxy answers 502 to 504."""
    *_, route, identifier = "", *urlsplit(request.url).path.split("/")
    return request.method == "GET" and route == "connections" and not is_uuid(unquote(identifier))


_WRONG_CREDENTIALS = (
    "The client id or the client secret is wrong: copy both again from the application in Airbyte."
)
_TOKEN_REFUSED: dict[int, str] = {
    400: _WRONG_CREDENTIALS,
    401: _WRONG_CREDENTIALS,
    403: f"{_WRONG_CREDENTIALS} Or the user who made it has no rights any more.",
    404: "This server has no token route there: either its authentication is off, and "
    "no credentials are needed, or the token URL is wrong (v1/applications/token is the usual one), or "
    "the server's address is.",
}


def error_from_token_response(request: HttpRequest, response: HttpResponse) -> CallFailed:
    """Return the error that an answer other than 2xx means where a token was asked for."""
    advice = _TOKEN_REFUSED.get(response.status)
    if advice is None:
        return error_from_response(request, response)
    if not (is_airbytes(response) or is_about_the_path(response) or _is_oauth_error(response)):
        return refused_on_the_way(request, response)
    error = unauthorized(request, response, advice)
    return Unauthorized(f"no access token: {error}", status=error.status)


def _is_oauth_error(response: HttpResponse) -> bool:
    """Whether a refusal is in the words of an identity provider (RFC 6749, section 5.2)."""
    try:
        return bool(JsonNode.of(response.body)["error"].text())
    except InvalidField:
        return False


def refuses_credentials(response: HttpResponse, *, is_basic: bool) -> bool:
    """
    Tell whether an answer refuses our credentials, and not a proxy's that were never given.

    Args:
        response: The answer.
        is_basic: Whether a user name and a password were given.
    """
    return response.status == HTTPStatus.UNAUTHORIZED and (is_basic or is_airbytes(response))


def unauthorized(request: HttpRequest, response: HttpResponse, advice: str) -> Unauthorized:
    """Return the error for credentials that are refused."""
    return Unauthorized(f"{what_happened(request, response)}. {advice}", status=response.status)


def is_airbytes(response: HttpResponse) -> bool:
    """
    Tell whether a refusal is in the words of one of Airbyte's layers.

    429 and 401 are taken for Airbyte's in any words, because those are not documented: its load shedder
    and what checks its tokens differ between releases. A login form and a challenge for a user name are
    surely a proxy's, unless the user name was given.
    """
    status = response.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    if status == HTTPStatus.UNAUTHORIZED:
        return not (_wants_a_user_name(response) or _is_page(response))
    body = _document(response)
    if not isinstance(body, dict) or status not in range(400, 500):
        return False
    texts = {name: value for name, value in body.items() if isinstance(value, str)}
    if status == HTTPStatus.NOT_FOUND:  # in the framework's words it is the path that is unknown
        return texts.get("title") == _UNKNOWN_ID or "errorId" in texts
    has_known_title = texts.get("title") in _TITLES
    return has_known_title or not texts.keys().isdisjoint(_AIRBYTES) or _is_the_frameworks(body)


def _is_the_frameworks(body: Mapping[str, object]) -> bool:
    return any(isinstance(body.get(name), dict) for name in ("_links", "_embedded"))


def is_about_the_path(response: HttpResponse) -> bool:
    """Tell whether an Airbyte says that it has no such route, in the words of the framework below it."""
    body = _document(response)
    return (
        response.status == HTTPStatus.NOT_FOUND
        and isinstance(body, dict)
        and _is_the_frameworks(body)
    )


def refused_on_the_way(request: HttpRequest, response: HttpResponse) -> UnexpectedReply:
    """Return the error for a refusal that is not in Airbyte's words, with advice for who gave it."""
    if response.status == HTTPStatus.UNAUTHORIZED and _wants_a_user_name(response):
        return unexpected(
            request,
            response,
            "Something in front of Airbyte wants a user name and a password: use basic "
            "authentication (auth: basic) with those, or an address behind it.",
        )
    if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return unexpected(
            request,
            response,
            "That is not Airbyte's answer: a firewall or a proxy in front of it blocked the request. Allow "
            "this machine there, give the headers that it wants, or an address behind it.",
        )
    return wrong_address(request, response)


def _wants_a_user_name(response: HttpResponse) -> bool:
    challenge = (response.header("WWW-Authenticate") or "")[:_LONGEST_QUOTE]
    return challenge.strip().lower().startswith("basic")


def _document(response: HttpResponse) -> object:
    return if_readable(lambda: JsonNode.of(response.body).value)


def wrong_address(request: HttpRequest, response: HttpResponse) -> UnexpectedReply:
    """Return the error for an answer that no Airbyte API gives: the address is probably wrong."""
    return unexpected(
        request, response, f"That is not Airbyte's public API. {_what_to_write(request, response)}"
    )


def _what_to_write(request: HttpRequest, response: HttpResponse) -> str:
    """Say which address is the right one, or why the right address gives something else."""
    likely = likely_base_url(request.url)
    asked, target = urlsplit(request.url), _redirect(response)
    if target is not None and target.hostname != asked.hostname:
        return (
            "Something in front of Airbyte sends us elsewhere, perhaps to log in: give the headers that "
            "let programs pass, or an address behind it."
        )
    if target is not None and (asked.scheme, target.scheme) == ("http", "https"):
        return "The server wants TLS: write https:// in its address."
    if not request.url.startswith(f"{likely}/"):
        return (
            f"The server's address is probably wrong: write {likely}, or what stands before it on your "
            "network."
        )
    if (_title(response) or "").lower().startswith("airbyte"):
        return (
            "Airbyte's web application answers there, not its server: give the address at which /api "
            "leads to the server."
        )
    return (
        "The server's address is probably wrong, though its path is the usual one: check host and port. "
        "Or something in front of Airbyte answers, such as a login page: give the headers that let "
        "programs pass, or an address behind it."
    )


def _redirect(response: HttpResponse) -> SplitResult | None:
    """Return where an answer sends us, if that is another place than the one asked."""
    try:
        target = urlsplit(response.header("Location") or "")
    except ValueError:
        return None
    return target if response.status in range(300, 400) and target.hostname else None


def unexpected(request: HttpRequest, response: HttpResponse, advice: str) -> UnexpectedReply:
    """
    Return the error for an answer that is not what was asked for.

    A redirect and a 4xx prove that the request was not carried out; anything else leaves that open.
    """
    kind = RefusedOnTheWay if response.status in range(300, 500) else UnexpectedReply
    return kind(f"{what_happened(request, response)}. {advice}", status=response.status)


def server_time(response: HttpResponse) -> datetime | None:
    """Return the server's clock when it answered, where it says so."""
    return _http_date(response.header("Date"))


def _conflict(request: HttpRequest, response: HttpResponse) -> tuple[type[CallFailed], str]:
    message = _message(response) or ""
    if message.startswith(_ALREADY_RUNNING):
        return SyncAlreadyRunning, "Wait for the connection's active job, or follow it."
    if message.startswith(_JOB_NOT_RUNNING):
        if request.method == "DELETE":
            return JobNotRunning, "There is nothing to cancel."
        if request.method == "GET":
            return NotFound, "Airbyte does not know this job. Check the job id and the server."
    return (
        StateConflict,
        "Airbyte does not say why. Look at the connection: it may be switched off, locked or deleted.",
    )


def what_happened(request: HttpRequest, response: HttpResponse) -> str:
    """Say what was asked and what was answered, in the server's own words where it has some."""
    answered = f"{request.method} {request.url} was answered with {response.status}"
    target = response.header("Location")
    if target is not None and response.status in range(300, 400):
        return f"{answered}, a redirect to {one_line(hide(target)).split('?')[0]}, which is not followed"
    if page := _page(response):
        return f"{answered} and {page}"
    message = one_line(hide(_message(response) or ""))
    return f"{answered}: {message.rstrip('.')}" if message else answered


def _message(response: HttpResponse) -> str | None:
    """
    Return the most specific words in the body, as they are: what they mean depends on every letter.

    ``detail`` is generic in Airbyte's problems.
    """
    try:
        for node in _words(JsonNode.of(response.body)):
            text = if_readable(node.text)
            if text and text.strip():
                return text.strip()
    except InvalidField:
        return None
    return None


def _words(body: JsonNode) -> Iterator[JsonNode]:
    if isinstance(body["data"].value, dict):
        yield body["data"]["message"]
    for error in body.items_at("_embedded", "errors"):
        if isinstance(error.value, dict):
            yield error["message"]
    yield from (body[name] for name in ("message", "detail", "title"))
    error_id = if_readable(body["errorId"].text)
    if error_id:
        yield JsonNode(f"no reason given; the server's log has more under errorId {error_id}")


def _page(response: HttpResponse) -> str | None:
    """Describe a web page, as proxies and login forms send them."""
    if not _is_page(response):
        return None
    title = _title(response)
    return "a web page" if title is None else f"a web page ({title})"


def _is_page(response: HttpResponse) -> bool:
    content_type = response.header("Content-Type") or ""
    return (
        "html" in content_type[:_LONGEST_QUOTE].lower() or response.body[:64].lstrip()[:1] == b"<"
    )


def _title(response: HttpResponse) -> str | None:
    head = hide(response.body[:_HEAD_OF_A_PAGE].decode(errors="replace"))
    title = _TITLE.search(head)
    return None if title is None else one_line(hide(unescape(title[1])))


def one_line(text: str, longest: int = _LONGEST_QUOTE) -> str:
    """Put a foreign text on one line, without control characters, and no longer than needed."""
    line = "".join(char if char.isprintable() else " " for char in text[: 4 * longest])
    line = " ".join(line.split())
    return line if len(line) <= longest else f"{line[:longest]}..."


def _retry_after(response: HttpResponse) -> timedelta | None:
    """Read ``Retry-After``: seconds, or a date, which is compared with the server's own ``Date``."""
    value = (response.header("Retry-After") or "").strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), LONGEST_RETRY_AFTER)
    until, now = _http_date(value), server_time(response)
    if until is None or now is None:
        return None
    return min(max(until - now, timedelta(0)), LONGEST_RETRY_AFTER)


def _http_date(value: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value or "")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
