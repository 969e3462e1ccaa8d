"""
Replies that are not the word of Airbyte about what was asked, as faults of the local Airbyte.

A server, a gateway in front of it or a broken network may give any of them, at any request. A client that is
worth its salt tells each of them from an answer, waits no longer for it than it has to, and starts no second
sync because of it::

    airbyte.inject(ODD_REPLIES["another job"].on("GET /jobs/{jobId}"))

Not among them is what no client could see through: an untrue word about the very thing that was asked for, in
Airbyte's own shape, such as a list that leaves out a job that exists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from airbyte_sync_local import Answer, Change, Drip, Fault, answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airbyte_sync_local.scenarios.faults import FaultAction

SUBMIT: Final = "POST /jobs"
POLL: Final = "GET /jobs/{jobId}"
FIND: Final = "GET /jobs"
CANCEL: Final = "DELETE /jobs/{jobId}"
CONNECTION: Final = "GET /connections/{connectionId}"
TOKEN: Final = "POST /applications/token"  # noqa: S105 - a path, not a secret
EXPLAIN: Final = "POST /api/v1/jobs/get_without_logs"

CALLS: Final = (SUBMIT, POLL, FIND, CANCEL, CONNECTION, TOKEN)
"""What a sync asks for on its way."""

STATUSES: Final = (
    *range(300, 305),
    *(307, 308),
    *range(400, 416),
    *(417, 418, *range(421, 427), 428, 429, 431, 451, 498, 499),
    *range(500, 506),
    *(507, 508, 511, *range(520, 526), 530, 599),
)
"""Every status of an answer that is no success, and that a server or a gateway is known to give."""

ANOTHER_CONNECTION: Final = "00000000-0000-4000-8000-0000000000ff"
_SECOND = timedelta(seconds=1)
_ODD_TEXTS = ("", "\x00", "\ud800", "succeeded\x00", "x" * 5000)
_NO_TEXTS: tuple[Any, ...] = (None, True, 5, 1.5, [], {}, ["succeeded"])
_NO_NUMBERS: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**63,
    10**20,
    1.5,
    1e300,
    "",
    "x",
    "9" * 4301,
    [],
    {},
)
_NO_TIMES: tuple[Any, ...] = (
    *_NO_TEXTS,
    *_ODD_TEXTS,
    "0001-01-01T00:00Z",
    "9999-12-31T23:59:59Z",
    "today",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OddReply:
    """One kind of odd reply; :meth:`on` makes a fault of it."""

    do: FaultAction = "answer"
    answer: Answer | None = None
    change: Callable[[Answer], Answer] | None = None
    drip: Drip | None = None
    job_appears_after: timedelta | None = None
    fits: tuple[str, ...] = ("*",)
    """The operations that may be answered like this, as a fault names them."""
    says_no: bool = False
    """Whether it is a refusal in Airbyte's own words, which ends what has not begun yet."""

    def may_strike(self, operation: str) -> bool:
        """Tell whether the operation can be answered like this."""
        return any(fnmatchcase(operation, pattern) for pattern in self.fits)

    def on(self, operation: str, *, times: int | None = 1, skip: int = 0) -> Fault:
        """
        Make the fault.

        Args:
            operation: What is answered like this, such as ``GET /jobs/{jobId}``.
            times: How often; ``None``: from now on.
            skip: How many requests pass before.
        """
        return Fault(
            on=operation,
            do=self.do,
            answer=self.answer,
            change=self.change,
            drip=self.drip,
            job_appears_after=self.job_appears_after,
            times=times,
            skip=skip,
        )


def with_status(status: int, shape: str) -> OddReply:
    """
    Return the reply of a gateway.

    Args:
        status: Its status.
        shape: What its body is: ``page``, ``json``, ``empty`` or ``text``.
    """
    bodies = {
        "page": answers.gateway_page(status, "Odd"),
        "json": answers.gateway_json(status, "odd"),
        "empty": Answer(status=status),
        "text": Answer(status=status, body="odd", content_type="text/plain"),
    }
    return OddReply(answer=bodies[shape])


def _airbytes_refusals() -> Iterator[tuple[str, OddReply]]:
    refusals = {
        "bad request": answers.bad_request("odd"),
        "forbidden": answers.forbidden(),
        "unknown id": answers.resource_not_found("job", "1"),
        "unknown job": answers.job_not_running(),
        "busy": answers.try_again_later("A sync is already running for: it"),
        "conflict": answers.state_conflict(),
        "unprocessable": answers.unprocessable("odd"),
        "unauthorized": answers.unauthorized_problem(),
        "unauthorized, empty": answers.unauthorized_empty(),
        "unauthorized by the framework": answers.micronaut(401, "Unauthorized", path="/"),
        "invalid, with an id": answers.error_id(400),
        "unknown, with an id": answers.error_id(404),
        "unknown to the older API": answers.known_error(404, "no", "IdNotFoundKnownException"),
        "no such path": answers.micronaut(404, "Not Found", path="/"),
        "no such method": answers.micronaut(405, "Method Not Allowed", path="/"),
        "rate limited": answers.rate_limited(),
        "internal error": answers.internal_error(),
        "unavailable": answers.unavailable(),
        "timed out inside": answers.request_timed_out(),
        "about:blank": Answer(status=500, body={"type": "about:blank", "status": 500}),
    }
    for wait in (
        "0",
        "7",
        "-1",
        "99999999999999999999",
        "1e9",
        "soon",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ):
        refusals[f"retry after {wait}"] = answers.unavailable().with_header("Retry-After", wait)
    for name, answer in refusals.items():
        says_no = answer.status in range(400, 500) and answer.status not in {408, 429}
        yield name, OddReply(answer=answer, says_no=says_no)


def _gateways_refusals() -> Iterator[tuple[str, OddReply]]:
    refusals = {
        "wants basic": answers.proxy_wants_basic(),
        "login redirect": answers.login_redirect(),
        "redirect to nowhere": Answer(status=302, headers={"Location": "http://["}),
        "redirect to itself": Answer(status=307, headers={"Location": "/api/public/v1/jobs"}),
        "stack trace": answers.gateway_json(400, "\n at x.y(Z.java)" * 4000),
        "surrogates": answers.gateway_json(404, "\ud800\x00\u2028" * 100),
        "title without an end": Answer(
            status=403, body="<html><title>" + "<title " * 9000, content_type="text/html"
        ),
    }
    for name, answer in refusals.items():
        yield name, OddReply(answer=answer)
    for place, status in enumerate(STATUSES):
        shape = ("page", "json", "empty", "text")[place % 4]
        yield f"{status}, {shape}", with_status(status, shape)


def _no_answers() -> Iterator[tuple[str, OddReply]]:
    """Yield what comes with a success's status and is none."""
    bodies: dict[str, Any] = {
        "login page": answers.login_page().body,
        "web application": answers.webapp_page().body,
        "nothing": b"",
        "blanks": b" " * 1000,
        "null": b"null",
        "a list": b"[]",
        "an object": b"{}",
        "a text": b'"succeeded"',
        "a number": b"1" * 5000,
        "not a number": b"NaN",
        "bytes": bytes(range(256)),
        "UTF-16": '{"jobId": null}'.encode("utf-16"),
        "deep": b"[" * 9000,
        "deeper": b'{"data":' * 200_000,
        "many items": b'{"data":[' + b"{}," * 9000 + b"{}]}",
        "more items": b'{"data":[' + b"0," * 300_000 + b"0]}",
        "data of another type": b'{"data": {"jobs": 5}}',
        "too much": b'{"jobId": 1, "x": "' + b"x" * 5_000_000 + b'"}',
        "an error with 200": b'{"status": 500, "title": "unexpected-problem"}',
    }
    for name, body in bodies.items():
        page = isinstance(body, str)
        kind = "text/html" if page else "application/json"
        yield (
            name,
            OddReply(do="answer_after", answer=Answer(status=200, body=body, content_type=kind)),
        )
    for status in (202, 204, 205, 206):
        yield f"{status}, empty", OddReply(do="answer_after", answer=Answer(status=status))
    yield "half", OddReply(do="alter", change=_cut_in_half)
    yield "padded", OddReply(do="alter", change=Change(padding=100_000))
    yield "padded too much", OddReply(do="alter", change=Change(padding=5_000_000))
    for encoding in ("gzip", "br", "zstd", "deflate", "x-odd"):
        change = Change(headers={"Content-Encoding": encoding})
        yield f"said to be {encoding}", OddReply(do="alter", change=change)


def _cut_in_half(answer: Answer) -> Answer:
    body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    return replace(answer, body=body[: len(body) // 2])


def _about_something_else() -> Iterator[tuple[str, OddReply]]:
    other = {"connectionId": ANOTHER_CONNECTION}
    about_one_job = (POLL, CANCEL)
    yield "another job", _altered(about_one_job, jobId=999, status="succeeded")
    yield (
        "another job of another connection",
        _altered(about_one_job, jobId=999, status="failed", **other),
    )
    yield (
        "a job of another connection",
        _altered((*about_one_job, SUBMIT), status="succeeded", **other),
    )
    yield "jobs of another connection", _altered((FIND,), status="succeeded", **other)
    yield "another connection", _altered((CONNECTION,), status="inactive", **other)


def _altered(fits: tuple[str, ...], /, **members: Any) -> OddReply:
    return OddReply(do="alter", change=Change(set=members), fits=fits)


def _odd_members() -> Iterator[tuple[str, OddReply]]:
    """Yield replies that lack a member, or have an odd one that cannot be taken for a true one."""
    of_jobs = (POLL, FIND, CANCEL)
    members: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {
        "jobId": ((*of_jobs, SUBMIT), _NO_NUMBERS),
        "status": (of_jobs, (*_NO_TEXTS, *_ODD_TEXTS)),
        "jobType": (of_jobs, (*_NO_TEXTS, *_ODD_TEXTS)),
        "connectionId": ((*of_jobs, CONNECTION), (*_NO_TEXTS, *_ODD_TEXTS)),
        "startTime": ((*of_jobs, SUBMIT), _NO_TIMES),
        "lastUpdatedAt": ((POLL, CANCEL), _NO_TIMES),
        "duration": (of_jobs, (*_NO_TIMES, "PT" + "9" * 50 + "H")),
        "rowsSynced": (of_jobs, _NO_NUMBERS),
        "bytesSynced": (of_jobs, _NO_NUMBERS),
        "name": ((CONNECTION,), (*_NO_TEXTS, *_ODD_TEXTS, "\u2028" * 900)),
        "workspaceId": ((CONNECTION,), (*_NO_TEXTS, *_ODD_TEXTS)),
        "access_token": ((TOKEN,), (*_NO_TEXTS, *_ODD_TEXTS, "a b", "x" * 20_000)),
        "expires_in": ((TOKEN,), _NO_NUMBERS),
    }
    for name, (fits, values) in members.items():
        yield f"no {name}", OddReply(do="alter", change=Change(remove=(name,)), fits=fits)
        for value in values:
            yield f"{name}={value!r:.20}", _altered(fits, **{name: value})
    of_submissions = (*_NO_TEXTS, "", "\x00", "\ud800", "x" * 5000)
    for name in ("status", "jobType", "connectionId"):
        for value in of_submissions:
            yield f"{name}={value!r:.20} of a submission", _altered((SUBMIT,), **{name: value})
    nothing = ("jobId", "status", "jobType", "startTime", "connectionId")
    yield "no members", OddReply(do="alter", change=Change(remove=nothing), fits=(SUBMIT, *of_jobs))


def _lost() -> Iterator[tuple[str, OddReply]]:
    yield "not received", OddReply(do="drop")
    yield "lost", OddReply(do="drop_after")
    yield "silence", OddReply(do="stall")
    yield "silence afterwards", OddReply(do="stall_after")
    yield "drip", OddReply(do="alter", drip=Drip(every=_SECOND / 20))
    yield (
        "dripping header",
        OddReply(do="alter", drip=Drip(every=_SECOND / 20, header=True, body=False)),
    )
    yield "dripping refusal", OddReply(answer=answers.no_route(), drip=Drip(every=_SECOND / 20))
    open_outcomes = {
        "bad gateway": answers.bad_gateway(),
        "gateway timeout": answers.gateway_timeout(),
        "client closed": answers.client_closed_page(),
        "timeout": answers.request_timed_out(),
        "conflict": answers.state_conflict(),
        "uncaught error": answers.internal_error(),
    }
    for name, answer in open_outcomes.items():
        yield f"{name}, carried out", OddReply(do="answer_after", answer=answer)
    for seconds in (1, 20, 60, 100, 140):
        late = timedelta(seconds=seconds)
        yield (
            f"gateway timeout, job {seconds} s later",
            OddReply(
                do="answer_meanwhile",
                answer=answers.gateway_timeout(),
                job_appears_after=late,
                fits=(SUBMIT,),
            ),
        )
        yield (
            f"lost, job {seconds} s later",
            OddReply(do="drop_meanwhile", job_appears_after=late, fits=(SUBMIT,)),
        )


ODD_REPLIES: Final[Mapping[str, OddReply]] = MappingProxyType(
    {
        name: reply
        for family in (
            _airbytes_refusals,
            _gateways_refusals,
            _no_answers,
            _about_something_else,
            _odd_members,
            _lost,
        )
        for name, reply in family()
    }
)
"""Every odd reply, by a name for people."""
