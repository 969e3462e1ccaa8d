"""Odd answers: what a gateway, another server or a broken network makes of an answer."""

from __future__ import annotations

import socket
from datetime import timedelta
from time import monotonic, sleep

import pytest
import requests

from airbyte_sync_local import (
    Answer,
    Change,
    Drip,
    Fault,
    ImpossibleFault,
    RequireBearerToken,
    Threads,
    answers,
    gateway,
)

CREATE = "POST /jobs"
POLL = "GET /jobs/{jobId}"
LIST = "GET /jobs"
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def job(api, connection):
    """A job that exists."""
    return api.submit(connection).json()


def alter(on, **change):
    return Fault(on=on, do="alter", change=Change(**change))


# --- answers that are not Airbyte.s ---


@pytest.mark.parametrize(
    ("answer", "status", "content_type", "text"),
    [
        (answers.no_route(), 404, "application/json", "no Route matched with those values"),
        (answers.not_found_page(), 404, "text/html", "nginx"),
        (answers.bad_request_json(), 400, "application/json", '"Bad Request"'),
        (answers.bad_request_page(), 400, "text/html", "nginx"),
        (answers.method_not_allowed_page(), 405, "text/html", "Not Allowed"),
        (answers.firewall_page(), 403, "text/html", "Forbidden"),
        (answers.client_closed_page(), 499, "text/html", "Client Closed"),
        (answers.gateway_json(410, "Gone"), 410, "application/json", "Gone"),
        (answers.login_page(), 200, "text/html", "Sign in"),
        (Answer(status=200, body=b"\xff\xfe"), 200, "application/json", ""),
    ],
)
@pytest.mark.parametrize("do", ["answer", "answer_after"])
def test_a_foreign_answer_to_a_submission(api, connection, do, answer, status, content_type, text):
    """What is not Airbyte's word may come before the job is made, or after."""
    api.airbyte.inject(Fault(on=CREATE, do=do, answer=answer))
    reply = api.submit(connection)
    told = reply.headers["Content-Type"].split(";")[0]
    assert (status, content_type, True) == (reply.status_code, told, text in reply.text)
    assert int(do == "answer_after") == len(api.airbyte.jobs)


def test_a_login_page_is_on_another_host(api):
    """The redirect names a host that is not the server's; the client decides about following."""
    api.airbyte.inject(Fault(on=LIST, do="answer", answer=answers.login_redirect()))
    reply = api.call("GET", "/jobs", allow_redirects=False)
    location = "https://login.example.com/?next=airbyte"
    assert (302, location) == (reply.status_code, reply.headers["Location"])


def test_a_proxy_says_what_it_wants(api):
    """The 401 of a proxy that wants HTTP Basic says so in its header."""
    api.airbyte.inject(Fault(on=LIST, do="answer", answer=answers.proxy_wants_basic()))
    assert 'Basic realm="Restricted"' == api.get("/jobs").headers["WWW-Authenticate"]


# --- the true answer, changed ---


@pytest.mark.parametrize(
    ("changed", "name", "value"),
    [
        ({"jobId": 999}, "jobId", 999),
        ({"jobId": "1"}, "jobId", "1"),
        ({"jobId": None}, "jobId", None),
        ({"connectionId": "another"}, "connectionId", "another"),
        ({"rowsSynced": 2**70}, "rowsSynced", 2**70),
        ({"status": "succeeded\0"}, "status", "succeeded\0"),
        ({"status": "\ud800"}, "status", "\ud800"),
        ({"status": ["succeeded"]}, "status", ["succeeded"]),
    ],
)
def test_a_field_may_hold_anything(api, job, changed, name, value):
    """Ids of another job, numbers of 70 bits, lone surrogates, NULs and odd types."""
    api.airbyte.inject(alter(POLL, set=changed))
    struck, next_one = api.get("/jobs/1").json(), api.get("/jobs/1").json()
    assert value == struck[name]
    assert ("pending", 1, 0) == (next_one["status"], next_one["jobId"], next_one["rowsSynced"])


@pytest.mark.parametrize("name", ["startTime", "connectionId", "jobId", "status"])
def test_a_field_may_be_missing(api, connection, name):
    """A submission is answered without a field, and the job exists."""
    api.airbyte.inject(alter(CREATE, remove=(name,)))
    body = api.submit(connection).json()
    assert (False, 1) == (name in body, len(api.airbyte.jobs))


def test_a_change_may_be_about_one_job_of_a_list(api, job):
    """Only the rows with the id are changed or hidden."""
    api.submit(api.airbyte.add_connection())
    api.airbyte.inject(alter(LIST, set={"status": "odd"}, of="2"))
    assert ["pending", "odd"] == [row["status"] for row in api.get("/jobs").json()["data"]]
    api.airbyte.inject(alter(LIST, hide=True, of=job["connectionId"].upper()))
    assert [[2], [1, 2]] == [api.list_ids(), api.list_ids()]


def test_a_change_may_lead_inside(api, job):
    """Names with dots lead into objects and lists, and a name that leads nowhere changes nothing."""
    api.wait(1)
    fields = {"job.status": "odd", "attempts.0.attempt.status": "odd", "attempts.7.x": 1}
    api.airbyte.inject(alter("POST /api/v1/jobs/get_without_logs", set=fields, remove=("job.id",)))
    url = f"{api.airbyte.base_url}/api/v1/jobs/get_without_logs"
    body = api.call("POST", url, json={"id": 1}).json()
    told = body["job"]["status"], body["attempts"][0]["attempt"]["status"], "id" in body["job"]
    assert ("odd", "odd", False) == told
    assert 1 == len(body["attempts"])


def test_a_change_may_be_a_function(api, job):
    """What a change cannot say, a function can."""

    def is_a_list(answer):
        return Answer(status=answer.status, body=[answer.body])

    api.airbyte.inject(Fault(on=POLL, do="alter", change=is_a_list))
    assert [1] == [row["jobId"] for row in api.get("/jobs/1").json()]


def test_status_and_headers_may_change(api, job):
    """The true body under another status, with headers that were never sent."""
    api.airbyte.inject(alter(POLL, status=500, headers={"X-Echo": "y" * 9000}))
    reply = api.get("/jobs/1")
    assert (500, 1, 9000) == (
        reply.status_code,
        reply.json()["jobId"],
        len(reply.headers["X-Echo"]),
    )


def test_refusals_are_changed_too(api):
    """A refusal is a true answer: without its title it is not Airbyte's."""
    api.airbyte.inject(alter(POLL, remove=("title",)))
    reply = api.get("/jobs/9")
    assert (409, False, 409) == (reply.status_code, "title" in reply.json(), reply.json()["status"])


def test_a_body_may_be_huge(api, job):
    """Thirty megabytes, of the true answer or of a page."""
    size = 30_000_000
    api.airbyte.inject(alter(POLL, padding=size))
    page = answers.webapp_page()
    api.airbyte.inject(Fault(on=LIST, do="answer", answer=page, change=Change(padding=size)))
    assert [True, True] == [len(api.get(path).content) > size for path in ("/jobs/1", "/jobs")]


# --- dripping ---


@pytest.mark.parametrize(("header", "body"), [(True, True), (True, False), (False, True)])
def test_an_answer_may_drip(api, job, header, body):
    """The client gets the whole answer in the end, and is on record as answered."""
    drip = Drip(every=timedelta(microseconds=10), header=header, body=body)
    api.airbyte.inject(Fault(on=POLL, do="alter", drip=drip))
    reply = api.get("/jobs/1")
    assert (200, 1) == (reply.status_code, reply.json()["jobId"])
    assert "Fri, 21 Aug 2026 10:15:00 GMT" == reply.headers["Date"]
    assert 200 == api.airbyte.requests[-1].status


def test_a_drip_has_gaps(api, job):
    """Every piece is waited for: a header of some hundred bytes takes as many gaps."""
    api.airbyte.inject(Fault(on=POLL, do="alter", drip=Drip(every=MILLISECOND, header=True)))
    began = monotonic()
    reply = api.get("/jobs/1")
    assert monotonic() - began > len(reply.content) * MILLISECOND.total_seconds()


def test_a_drip_holds_no_thread(serve):
    """The server has done its work: others are served while the network drips."""
    api = serve(threads=Threads(count=1))
    api.submit(api.airbyte.add_connection())
    forever = Drip(every=timedelta(hours=1))
    api.airbyte.inject(Fault(on=POLL, do="alter", drip=forever))
    with pytest.raises(requests.ConnectionError):  # requests has read the header by then
        api.call("GET", "/jobs/1", timeout=0.1)
    assert 200 == api.get("/jobs/1").status_code
    until = monotonic() + 5
    while api.airbyte.requests[1].status is None:  # the client has left: the drip ends
        assert monotonic() < until
        sleep(0.01)


# --- answers that come although the job does not, or later ---


@pytest.mark.parametrize("do", ["answer", "answer_after", "answer_meanwhile"])
def test_a_504_with_and_without_the_job(api, connection, do):
    """Whether the job exists is the action's choice."""
    api.airbyte.inject(Fault(on=CREATE, do=do, answer=answers.gateway_timeout()))
    assert 504 == api.submit(connection).status_code
    expected = [] if do == "answer" else [1]
    assert expected == api.list_ids()


@pytest.mark.parametrize("do", ["answer_meanwhile", "drop_meanwhile"])
def test_a_job_may_appear_late(api, connection, do):
    """It appears when it is due by the server's clock, and no other submission is struck."""
    answer = answers.gateway_timeout() if do == "answer_meanwhile" else None
    late = timedelta(seconds=130)
    api.airbyte.inject(Fault(on=CREATE, do=do, answer=answer, job_appears_after=late))
    if answer is None:
        with pytest.raises(requests.ConnectionError):
            api.submit(connection)
    else:
        assert 504 == api.submit(connection).status_code
    while CREATE not in {record.operation for record in api.airbyte.requests}:
        sleep(0.01)
    api.wait(129)
    assert [] == api.list_ids()
    api.wait(1)
    assert ["2026-08-21T10:17:10Z"] == [row["startTime"] for row in api.get("/jobs").json()["data"]]
    assert 200 == api.submit(api.airbyte.add_connection()).status_code


# --- a gateway in front ---


def test_a_gateway_answers_everything_for_a_time(serve):
    """It asks for no credentials, knows no paths, and counts its time from the first request."""
    api = serve(auth=RequireBearerToken(token="x"))
    api.airbyte.inject(gateway(answers.no_route(), lasts=timedelta(seconds=30)))
    api.wait(1000)
    paths = ("/jobs", "/health", "/nothing", f"{api.airbyte.base_url}/index.html")
    assert [404] * 4 == [api.get(path).status_code for path in paths]
    api.wait(29)
    assert "no Route" in api.get("/jobs").text
    api.wait(1)
    assert [401, 200, 404, 200] == [api.get(path).status_code for path in paths]


def test_a_gateway_may_carry_requests_out(api, connection):
    """A fault in front wraps the whole server: its answers, its faults, its refusals."""
    late = Fault(on=CREATE, do="answer_after", answer=answers.bad_gateway(), in_front=True)
    api.airbyte.inject(late)
    api.airbyte.inject(alter(POLL, set={"jobId": 7}))
    api.airbyte.inject(Fault(on=POLL, do="delay", in_front=True))
    assert (502, [1]) == (api.submit(connection).status_code, api.list_ids())
    assert 7 == api.get("/jobs/1").json()["jobId"]


def test_what_a_gateway_drops_inside_is_dropped(api, connection):
    """Where the server gives no answer, the gateway has none to alter."""
    api.airbyte.inject(Fault(on=CREATE, do="drop"))
    api.airbyte.inject(Fault(on=CREATE, do="alter", change=Change(set={"x": 1}), in_front=True))
    with pytest.raises(requests.ConnectionError):
        api.submit(connection)


def test_a_server_stops_while_it_goes_on_with_a_request(serve):
    """A job that is still awaited does not keep the server alive."""
    api = serve()
    fault = Fault(
        on=CREATE,
        do="answer_meanwhile",
        answer=answers.gateway_timeout(),
        job_appears_after=timedelta(days=1),
        times=None,
    )
    api.airbyte.inject(fault)
    assert 504 == api.submit(api.airbyte.add_connection()).status_code


# --- faults that cannot be meant ---


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"do": "alter"}, "alters nothing"),
        ({"do": "drop", "change": Change()}, "no answer that could change"),
        ({"do": "stall", "drip": Drip(every=MILLISECOND)}, "no answer that could change"),
        ({"do": "drop", "job_appears_after": MILLISECOND}, "starts no job"),
        ({"do": "answer_meanwhile"}, "give an answer"),
    ],
)
def test_a_fault_that_cannot_be_meant_is_refused(fault, text):
    """What an action has no use for is an error when the fault is made."""
    with pytest.raises(ImpossibleFault, match=text):
        Fault(on=CREATE, **fault)


def test_a_scenario_says_all_of_it(api, job):
    """The admin API and scenario files have the same keys."""
    fault = {
        "on": POLL,
        "do": "alter",
        "change": {"set": {"rowsSynced": 2**70, "status": "\ud800"}, "remove": ["startTime"]},
        "drip": {"every": 0, "header": True, "size": 7},
        "in_front": True,
        "lasts": 30,
    }
    url = f"{api.airbyte.base_url}/_local/faults"
    assert 204 == api.call("POST", url, json=fault).status_code
    body = api.get("/jobs/1").json()
    assert (2**70, "\ud800", False) == (body["rowsSynced"], body["status"], "startTime" in body)


def test_a_drip_is_seen_on_the_wire(api, job):
    """The status line arrives at once where only the body drips."""
    api.airbyte.inject(Fault(on=POLL, do="alter", drip=Drip(every=timedelta(hours=1))))
    host, port = api.airbyte.base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"GET /v1/jobs/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(4096)
    head, _, body = received.partition(b"\r\n\r\n")
    assert (b"HTTP/1.1 200 OK", b"") == (head.split(b"\r\n")[0], body)
