"""Faults: whether the request takes effect, and what the client gets."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from airbyte_sync_local import Answer, Fault, ImpossibleFault, Threads, answers

CREATE = "POST /jobs"


def outcome(api, connection):
    """What comes back from a submit, and how many jobs there are then."""
    try:
        came_back = api.submit(connection, timeout=0.3).status_code
    except requests.ReadTimeout:
        came_back = "nothing"
    except requests.ConnectionError:
        came_back = "closed"
    return came_back, len(api.airbyte.jobs)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("drop", ("closed", 0)),
        ("drop_after", ("closed", 1)),
        ("stall", ("nothing", 0)),
        ("stall_after", ("nothing", 1)),
        ("delay", (200, 1)),
    ],
)
def test_an_action_does_what_its_name_says(api, connection, action, expected):
    """Whether the job exists afterwards, and how the client is answered, depends on the action."""
    api.airbyte.inject(Fault(on=CREATE, do=action))
    assert expected == outcome(api, connection)


@pytest.mark.parametrize(("action", "jobs"), [("answer", 0), ("answer_after", 1)])
def test_another_answer_can_be_given(api, connection, action, jobs):
    """A proxy's 502 may come instead of the job, or although there is one."""
    api.airbyte.inject(Fault(on=CREATE, do=action, answer=answers.bad_gateway()))
    reply = api.submit(connection)
    assert (502, "text/html; charset=utf-8") == (
        reply.status_code,
        reply.headers["Content-Type"],
    )
    assert jobs == len(api.airbyte.jobs)


def test_a_request_may_take_effect_after_the_client_is_gone(serve):
    """A connection that is closed at once does not keep the request from being carried out."""
    api = serve()
    connection = api.airbyte.add_connection()
    api.airbyte.inject(Fault(on=CREATE, do="drop_meanwhile"))
    assert "closed" == outcome(api, connection)[0]
    assert [1] == api.list_ids()


def test_a_fault_strikes_once_unless_told_otherwise(api, connection):
    """By default one request is struck; the next one passes."""
    api.airbyte.inject(Fault(on=CREATE, do="answer", answer=answers.internal_error()))
    assert [500, 200] == [api.submit(connection).status_code for _ in range(2)]


def test_a_fault_may_let_some_pass_first(api):
    """With skip and times any stretch of requests can be struck."""
    api.airbyte.inject(
        Fault(on="GET /jobs", do="answer", answer=answers.unavailable(), skip=1, times=2)
    )
    assert [200, 503, 503, 200] == [api.get("/jobs").status_code for _ in range(4)]


def test_a_fault_may_strike_for_ever(api):
    """With times=None it stays until faults are cleared."""
    api.airbyte.inject(Fault(on="*", do="answer", answer=answers.unavailable(), times=None))
    struck = [api.get(path).status_code for path in ("/jobs", "/health", "/workspaces")]
    api.airbyte.clear_faults()
    assert [503, 503, 503, 200] == [*struck, api.get("/health").status_code]


def test_a_fault_may_be_about_one_id(api, connection):
    """With an id only requests that name it are struck, wherever they name it."""
    other = api.airbyte.add_connection()
    api.airbyte.inject(
        Fault(
            on="*",
            do="answer",
            answer=answers.forbidden(),
            about=other.connection_id,
            times=None,
        )
    )
    assert [200, 403] == [api.submit(row).status_code for row in (connection, other)]
    assert [200, 403] == [
        api.get("/jobs", connectionId=row.connection_id).status_code for row in (connection, other)
    ]
    assert 403 == api.get(f"/connections/{other.connection_id}").status_code


def test_load_is_shed_without_retry_after(api):
    """Airbyte's own 429 does not say how long to wait; a gateway's may."""
    shed = answers.rate_limited()
    for answer in (shed, shed.with_header("Retry-After", "30")):
        api.airbyte.inject(Fault(on="GET /jobs", do="answer", answer=answer))
    first, second = api.get("/jobs"), api.get("/jobs")
    assert {"message": "You are being rate limited."} == first.json()
    assert (None, "30") == (first.headers.get("Retry-After"), second.headers.get("Retry-After"))


def test_a_running_sync_may_be_invisible(api, connection):
    """Stale state can refuse a sync as running although no job is listed."""
    refusal = answers.already_running(connection.connection_id)
    api.airbyte.inject(Fault(on=CREATE, do="answer", answer=refusal))
    assert 409 == api.submit(connection).status_code
    assert [] == api.list_ids()


def test_an_answer_may_have_no_body(api):
    """A 401 with nothing in it is an answer that proxies give."""
    api.airbyte.inject(Fault(on="GET /jobs", do="answer", answer=Answer(status=401)))
    reply = api.get("/jobs")
    assert (401, b"") == (reply.status_code, reply.content)


def test_requests_that_stall_use_up_the_threads(serve):
    """With every thread held, nothing but health is answered."""
    api = serve(threads=Threads(count=2))
    connections = [api.airbyte.add_connection() for _ in range(2)]
    api.airbyte.inject(Fault(on=CREATE, do="stall", times=2))
    with ThreadPoolExecutor() as pool:
        stalled = [pool.submit(api.submit, row, timeout=0.5) for row in connections]
        while api.airbyte.max_concurrency < 2:
            pass
        assert 200 == api.get("/health").status_code
        with pytest.raises(requests.ReadTimeout):
            api.call("GET", "/jobs", timeout=0.1)
        assert all(isinstance(reply.exception(), requests.ReadTimeout) for reply in stalled)
    assert 200 == api.get("/jobs").status_code


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ({"on": "POST /job", "do": "drop"}, "no operation is called 'POST /job'"),
        ({"on": CREATE, "do": "explode"}, "no fault does 'explode'"),
        ({"on": CREATE, "do": "answer"}, "give an answer"),
        ({"on": CREATE, "do": "drop", "times": "always"}, "or None for all requests"),
        ({"on": CREATE, "do": "drop", "times": 0}, "a number above zero"),
        ({"on": CREATE, "do": "drop", "answer": Answer(status=500)}, "to no other action"),
    ],
)
def test_a_fault_that_cannot_be_meant_is_refused(fault, text):
    """A misspelt operation, an unknown action and a missing answer are errors when it is made."""
    with pytest.raises(ImpossibleFault, match=text):
        Fault(**fault)


def test_a_wait_is_real_time(api):
    """A fault can hold a request for a while before anything else happens."""
    api.airbyte.inject(Fault(on="GET /jobs", do="delay", wait=timedelta(milliseconds=1)))
    assert 200 == api.get("/jobs").status_code
