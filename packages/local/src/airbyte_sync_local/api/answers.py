"""
Every answer that is not the thing asked for: the error bodies of the many layers of an Airbyte.

A request may be refused by the platform (a *problem*), by an uncaught error (``{"errorId"}``), by
Micronaut, the framework below it (a HATEOAS body), by a proxy in front (HTML) or by the load
shedder. Clients must live with all of them. Those without arguments are also listed in `BY_NAME`,
which is how fault scripts ask for one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from uuid import UUID

from airbyte_sync_local.platform.model import Json, new_id
from airbyte_sync_local.platform.quirks import Caller
from airbyte_sync_local.platform.refusals import (
    JobAlreadyRunning,
    NothingRunning,
    UnknownJob,
    UnknownResource,
    UnreadableWorkspace,
    UnsupportedJobType,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airbyte_sync_local.platform.refusals import Refusal

_REFERENCE: Final = "https://reference.airbyte.com/reference/errors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    body: Json = None
    """JSON; a string is sent as text, bytes are sent as they are, None sends no body."""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_header(self, name: str, value: str) -> Answer:
        """Return the same answer with one more header."""
        return replace(self, headers={**self.headers, name: value})


class ErrorAnswer(Exception):
    """
    A request is answered with an error.

    Attributes:
        answer: The error.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"answered with {answer.status}: {answer.body}")
        self.answer = answer


def of_refusal(refusal: Refusal, caller: Caller) -> Answer:
    """
    Say what the platform refused. A member is not told what exists.

    Args:
        refusal: Why it refused.
        caller: Who asks.
    """
    is_member = caller is Caller.MEMBER
    match refusal:
        case UnreadableWorkspace():
            return forbidden()
        case UnknownJob() | UnknownResource() if is_member:
            return forbidden()
        case UnknownJob() | NothingRunning():
            return job_not_running()
        case UnknownResource(resource_type=kind, resource_id=resource_id):
            return resource_not_found(kind, resource_id) if _is_uuid(resource_id) else error_id(500)
        case UnsupportedJobType():
            return unprocessable(str(refusal))
        case JobAlreadyRunning():
            return try_again_later(str(refusal))
        case _:
            return state_conflict()


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


# --- problems: the platform's own words -----------------------------------------------------------


def _problem(status: int | str, title: str, detail: str, anchor: str = "", **data: Json) -> Answer:
    body: dict[str, Json] = {
        "status": status,
        "type": _REFERENCE + anchor,
        "title": title,
        "detail": detail,
        "documentationUrl": None,
        "data": data or None,
    }
    return Answer(status=int(status), body=body)


def already_running(connection_id: str) -> Answer:
    """A job of the connection is running. The text names the connection, never the job."""
    return try_again_later(str(JobAlreadyRunning(connection_id)))


def try_again_later(message: str) -> Answer:
    """Answer the 409 that Airbyte gives for a running sync, and for other things too."""
    title = "try-again-later"
    return _problem(409, title, "Please try again later.", f"#{title}", message=message)


def state_conflict(message: str = "Could not fulfill request") -> Answer:
    """Answer the 409 that says nothing: inactive, locked, deleted, or too slow to start."""
    anchor = "#409-state-conflict"
    return _problem(409, "state-conflict", "State conflict", anchor, message=message)


def job_not_running() -> Answer:
    """Nothing to cancel; for an administrator also the answer for an unknown job."""
    return state_conflict("Job is not currently running")


def forbidden() -> Answer:
    """Answer a missing role, and everything that an ordinary caller may not know to exist."""
    message = "Caller does not have the required permissions to access the resource(s)."
    return _problem(403, "forbidden", "The request is forbidden.", "#forbidden", message=message)


def resource_not_found(resource_type: str, resource_id: str) -> Answer:
    """Answer an administrator who names something unknown."""
    title, detail = "resource-not-found", "The requested resource could not be found."
    data = {"resourceType": resource_type, "resourceId": resource_id}
    return _problem(404, title, detail, f"#{title}", **data)


def unprocessable(message: str) -> Answer:
    """Understood, but never to be done."""
    title, detail = "unprocessable-entity", "The body of the request was not understood"
    return _problem(422, title, detail, f"#{title}", message=message)


def bad_request(message: str) -> Answer:
    """A parameter makes no sense."""
    detail = "The request could not be understood by the server due to malformed syntax."
    return _problem(400, "bad-request", detail, "#bad-request", message=message)


def unavailable() -> Answer:
    """The database is down."""
    detail = "The server is currently unable to handle the request."
    return _problem(503, "service-unavailable", detail)


def request_timed_out() -> Answer:
    """The server gave up on itself."""
    return _problem(408, "Request timeout exceeded", "The request exceeded the timeout.")


# --- other layers ---------------------------------------------------------------------------------


def error_id(status: int) -> Answer:
    """An uncaught error, or input that failed validation: only an id to look up in the logs."""
    return Answer(status=status, body={"errorId": new_id()})


def internal_error() -> Answer:
    """Something broke inside."""
    return error_id(500)


def known_error(status: int, message: str, exception: str) -> Answer:
    """Answer as the internal Config API does to what it knows to be wrong."""
    body = {
        "message": message,
        "exceptionClassName": f"io.airbyte.commons.server.errors.{exception}",
        "exceptionStack": [],
        "errorId": new_id(),
    }
    return Answer(status=status, body=body)


def micronaut(status: int, message: str, *, path: str, error: str | None = None) -> Answer:
    """Answer in the shape of the web framework, which knows nothing of Airbyte's problems."""
    body = {
        "message": message,
        "_links": {"self": {"href": path, "templated": False}},
        "_embedded": {"errors": [{"message": error or message}]},
    }
    return Answer(status=status, body=body)


def rate_limited() -> Answer:
    """Shed load; Airbyte deliberately sends no Retry-After with it."""
    return Answer(status=429, body={"message": "You are being rate limited."})


def bad_gateway() -> Answer:
    """A proxy could not reach the server."""
    return gateway_page(502, "Bad Gateway")


def gateway_timeout() -> Answer:
    """A proxy gave up; what was asked may have been done."""
    return gateway_page(504, "Gateway Time-out")


def webapp_page() -> Answer:
    """Answer any path outside the API with the web application, as a real server does, with 200."""
    page = (
        '<!doctype html>\n<html lang="en"><head><title>Airbyte</title></head>'
        '<body><div id="root"></div></body></html>\n'
    )
    return Answer(status=200, body=page, content_type="text/html")


# --- a gateway in front ---------------------------------------------------------------------------


def gateway_json(status: int, message: str) -> Answer:
    """Answer as an API gateway does, in JSON that is not Airbyte's. The shape is that of Kong."""
    return Answer(status=status, body={"message": message})


def gateway_page(status: int, title: str) -> Answer:
    """Answer as a web server in front does, with a page. The shape is that of nginx."""
    page = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n"
        f"<body>\r\n<center><h1>{status} {title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status=status, body=page, content_type="text/html")


def no_route() -> Answer:
    """Answer 404 as a gateway does while it reloads its routes: about the route, not a resource."""
    return gateway_json(404, "no Route matched with those values")


def not_found_page() -> Answer:
    """Answer 404 with a web server's page."""
    return gateway_page(404, "Not Found")


def bad_request_json() -> Answer:
    """Answer 400 with a gateway's JSON."""
    return gateway_json(400, "Bad Request")


def bad_request_page() -> Answer:
    """Answer 400 with a web server's page."""
    return gateway_page(400, "Bad Request")


def method_not_allowed_page() -> Answer:
    """Answer 405 as a server of static files does to every POST. Nothing was started."""
    return gateway_page(405, "Not Allowed").with_header("Allow", "GET, HEAD")


def proxy_wants_basic() -> Answer:
    """Answer 401 as a proxy in front does that wants HTTP Basic; Airbyte never heard of it."""
    page = gateway_page(401, "Authorization Required")
    return page.with_header("WWW-Authenticate", 'Basic realm="Restricted"')


def firewall_page() -> Answer:
    """Answer 403 with a firewall's page."""
    return gateway_page(403, "Forbidden")


def client_closed_page() -> Answer:
    """Answer 499: the gateway takes the client for gone; what was asked may have been done."""
    return gateway_page(499, "Client Closed Request")


def login_redirect(location: str = "https://login.example.com/?next=airbyte") -> Answer:
    """Answer 302 to a login page on another host, as single sign-on does. Nothing was started."""
    return gateway_page(302, "Found").with_header("Location", location)


def login_page() -> Answer:
    """Answer 200 with a login page."""
    page = (
        "<!doctype html>\n<html><head><title>Sign in</title></head>"
        '<body><form method="post"><input name="user"></form></body></html>\n'
    )
    return Answer(status=200, body=page, content_type="text/html")


# --- credentials ----------------------------------------------------------------------------------


def unauthorized_problem() -> Answer:
    """Answer 401 as Cloud documents it, with the status as a string."""
    detail = "The access token is invalid or expired."
    return _problem("401", "invalid-access-token", detail, "#invalid-api-key")


def unauthorized_empty() -> Answer:
    """Answer 401 with no body at all, as some proxies do."""
    return Answer(status=401)


def bad_client_credentials(path: str) -> Answer:
    """Answer as a community server does: with 400, not 401."""
    return micronaut(400, "Bad Request", path=path, error="Invalid client id or token")


_WITHOUT_ARGUMENTS: Final = (
    *(bad_gateway, bad_request_json, bad_request_page, client_closed_page, firewall_page),
    *(forbidden, gateway_timeout, internal_error, job_not_running, login_page, login_redirect),
    *(method_not_allowed_page, no_route, not_found_page, proxy_wants_basic, rate_limited),
    *(request_timed_out, state_conflict, unauthorized_empty, unavailable, webapp_page),
)
BY_NAME: Final[Mapping[str, Callable[[], Answer]]] = MappingProxyType(
    {answer.__name__.removesuffix("_empty"): answer for answer in _WITHOUT_ARGUMENTS}
)
"""Answers that need no argument, by the name that fault scripts use."""
