"""``airbyte-sync run``: the exit code and the text of every outcome."""

import itertools
import logging
import socket
from datetime import timedelta

import pytest

from airbyte_sync_local import (
    Fault,
    LocalAirbyte,
    RequireClientCredentials,
    ServerConnection,
    answers,
    job_scripts,
)
from tests.cli.command import AT_ONCE, QUICKLY, RUNS, Done, statuses, submissions

FAILS = job_scripts.fails("The password is wrong", lasts=timedelta(0))


def test_a_sync_that_succeeds(cli, add, airbyte):
    """By its name, in lines: how it began, and how it ended."""
    connection_id = add("Orders")
    done = cli("run", *QUICKLY, "Orders")
    assert 0 == done.code, done
    began, ended = done.out.splitlines()
    assert f"Started Airbyte sync job 1 of connection 'Orders' ({connection_id})" in began
    assert "/connections/" in began  # the link
    assert "succeeded: job 1, 7 rows, 70 B, 0s" in ended
    assert "" == done.err
    assert 1 == submissions(airbyte)


def test_a_sync_by_its_id(cli, add):
    """Its name is told, too."""
    done = cli("run", *QUICKLY, add("Orders"))
    assert 0 == done.code
    assert "of connection 'Orders'" in done.out


def test_a_sync_that_fails(cli, add):
    """With the reason."""
    add("Orders", FAILS)
    done = cli("run", *QUICKLY, "Orders")
    assert 6 == done.code
    assert "failed: Airbyte job 1 failed" in done.out
    assert "The password is wrong" in done.out


def test_a_sync_that_is_cancelled(cli, add):
    """By another than us."""
    add("Orders", job_scripts.JobScript.of((0, "running"), (0.1, "cancelled")))
    done = cli("run", *QUICKLY, "Orders")
    assert 5 == done.code
    assert "cancelled: Airbyte job 1 was cancelled" in done.out


def test_a_timeout_cancels(cli, add, airbyte):
    """Once, and until Airbyte says that it has ended."""
    add("Orders", RUNS)
    done = cli("run", *QUICKLY, "--timeout", "0.5", "Orders")
    assert 7 == done.code
    assert "timed out: " in done.out
    assert ["cancelled"] == statuses(airbyte)


def test_a_sync_that_does_not_begin(cli, busy, airbyte):
    """Behind another one, for longer than was allowed: nothing was started."""
    busy("Orders")
    done = cli("run", *QUICKLY, "--queue-timeout", "0.5", "Orders")
    assert 7 == done.code
    assert "timed out: " in done.out
    assert "The connection is busy with Airbyte job 1" in done.out
    assert ["running"] == statuses(airbyte)


@pytest.mark.parametrize("on_conflict", ["skip", "fail"])
def test_a_busy_connection(cli, busy, airbyte, on_conflict):
    """Nothing is started."""
    busy("Orders")
    done = cli("run", *QUICKLY, "--on-conflict", on_conflict, "Orders")
    assert 3 == done.code
    assert "busy: " in done.out
    assert ["running"] == statuses(airbyte)


def test_a_busy_connection_that_is_attached_to(cli, busy, airbyte):
    """Its sync will do."""
    busy("Orders", job_scripts.JobScript.of((0, "running"), (60.5, "succeeded")))
    done = cli("run", *QUICKLY, "--on-conflict", "attach", "Orders")
    assert 0 == done.code, done
    assert "which was started elsewhere" in done.out
    assert 1 == len(airbyte.jobs)


def test_a_wrong_secret(cli, environment):
    """The exit code says refused, the text says what to do, and neither shows the secret."""
    auth = RequireClientCredentials(client_id="id", client_secret="secret")
    with LocalAirbyte(auth=auth) as server:
        environment.setenv("AIRBYTE_SYNC_URL", server.base_url)
        environment.setenv("AIRBYTE_SYNC_CLIENT_ID", "id")
        environment.setenv("AIRBYTE_SYNC_CLIENT_SECRET", "wrong-secret")
        connection_id = server.add_connection().connection_id
        for target in (connection_id, "Orders"):
            done = cli("run", target)
            assert 4 == done.code
            assert "refused: " in done.out
            assert "client secret is wrong" in done.out
            assert "wrong-secret" not in done.out + done.err
        assert [] == list(server.jobs)


@pytest.mark.parametrize("status", ["inactive", "locked", "deprecated"])
def test_a_connection_that_takes_no_jobs(cli, add, status):
    """The text says which it is, and what to do."""
    done = cli("run", add("Orders", status=status))
    assert 4 == done.code
    assert "refused: connection 'Orders'" in done.out


def test_an_unknown_name(cli, add):
    """Near misses are told."""
    add("orders")
    done = cli("run", "Orders")
    assert 4 == done.code
    assert "no connection is called 'Orders'" in done.out
    assert "but 'orders'" in done.out


def test_a_name_that_two_connections_have(cli, add):
    """Their ids are told."""
    ids = {add("Orders"), add("Orders")}
    done = cli("run", "Orders")
    assert 4 == done.code
    assert all(each in done.out for each in ids)


@pytest.mark.parametrize("target", ["b5ef9c4c-6b4f-4d5c-9f55-0d2a4c9b7c11", "Orders"])
def test_a_server_that_is_not_there(cli, environment, target):
    """Whether its connection must be found or not, it is given up after the time that was allowed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment.setenv("AIRBYTE_SYNC_URL", f"http://127.0.0.1:{port}")
    done = cli("run", "--unreachable-timeout", "0.5", target)
    assert 8 == done.code, done
    ended = done.out.splitlines()[-1]
    assert "unreachable: " in ended
    assert 1 == ended.count("Nothing listens there: check the port")


def test_many_names_are_looked_up_in_one_list(cli, add, airbyte):
    """Not in one for each of them; one that is not there is told with names like it."""
    names = [f"Table {number}" for number in range(8)]
    for name in names:
        add(name)
    done = cli("run", *QUICKLY, *names, "table 0")
    assert 4 == done.code, done
    assert 8 == len(airbyte.jobs)
    assert "no connection is called 'table 0', but 'Table 0'" in done.out
    lists = [each for each in airbyte.requests if each.operation == "GET /connections"]
    assert 1 == len(lists)


def test_a_timeout_whose_cancellation_is_not_confirmed(cli, add, environment):
    """The text says so."""
    add("Orders", job_scripts.JobScript(steps=RUNS.steps, on_cancel=()))
    environment.setenv("AIRBYTE_SYNC_CANCEL_TIMEOUT", "0.5")
    done = cli("run", *QUICKLY, "--timeout", "0.3", "Orders")
    assert 7 == done.code
    assert "did not say in time" in done.out or "not confirmed" in done.out, done.out


def test_several_at_once(cli, add, airbyte):
    """Each line names its connection, one that fails stops no other, and the highest exit code holds."""
    add("Orders")
    add("Prices", FAILS)
    add("Stock")
    done = cli("run", *QUICKLY, "Orders", "Prices", "Stock", "Nothing")
    assert 6 == done.code
    for expected in (
        "Orders: succeeded: job",
        "Prices: failed: Airbyte job",
        "Stock: succeeded: job",
        "Nothing: refused: no connection is called 'Nothing'",
    ):
        assert expected in done.out
    assert done.out.endswith("4 syncs: 2 succeeded, 1 refused, 1 failed\n")
    assert 3 == len(airbyte.jobs)


def test_one_at_a_time(cli, add, airbyte):
    """Never two jobs at once."""
    for name in ("Orders", "Prices", "Stock"):
        add(name)
    assert 0 == cli("run", *QUICKLY, "--at-once", "1", "Orders", "Prices", "Stock").code
    operations = [record.operation for record in airbyte.requests]
    submitted = [place for place, each in enumerate(operations) if each == "POST /jobs"]
    assert 3 == len(submitted)
    for one, other in itertools.pairwise(submitted):
        assert any(each.startswith("GET /jobs") for each in operations[one:other])


def test_the_same_connection_twice(cli, add, airbyte):
    """By id and by name: nothing is started."""
    done = cli("run", add("Orders"), "Orders")
    assert 2 == done.code
    assert "was named twice" in done.err
    assert [] == list(airbyte.jobs)


def test_quiet_says_nothing_when_all_is_well(cli, add):
    """So that cron sends no mail."""
    add("Orders")
    assert Done(0, "", "") == cli("run", *QUICKLY, "--quiet", "Orders")


def test_quiet_says_what_went_wrong(cli, add):
    """On standard error."""
    add("Orders", FAILS)
    done = cli("run", *QUICKLY, "-q", "Orders")
    assert (6, "") == (done.code, done.out)
    assert "The password is wrong" in done.err


def test_a_clear(cli, add, airbyte):
    """Other types of job, too. Airbyte calls it a reset."""
    add("Orders")
    assert 0 == cli("run", *QUICKLY, "--type", "clear", "Orders").code
    assert ["reset"] == [job.job_type for job in airbyte.jobs]


def test_a_lost_answer_starts_no_second_sync(cli, add, airbyte):
    """It is told on the way."""
    add("Orders")
    airbyte.inject(Fault(on="POST /jobs", do="drop_after"))
    done = cli("run", *QUICKLY, "Orders")
    assert 0 == done.code, done
    assert "Airbyte's answer was lost" in done.out
    assert 1 == len(airbyte.jobs)


def test_a_transport_of_another_package_is_found_by_its_name(cli, add, airbyte, caplog):
    """The example over httpx, which is installed beside ours: its engine logs each request that it sends."""
    add("Orders")
    caplog.set_level(logging.DEBUG, "httpcore.http11")
    assert 0 == cli("run", *QUICKLY, "--transport", "httpx", "Orders").code
    assert len(airbyte.requests) == caplog.text.count("send_request_headers.started") >= 3


def test_a_transport_that_is_not_there(cli, add):
    """It is bad usage, and told."""
    add("Orders")
    done = cli("run", "--transport", "carrier-pigeon", "Orders")
    assert 2 == done.code
    assert "carrier-pigeon" in done.err


def test_a_login_page_is_no_airbyte(cli, add, airbyte):
    """What answers there is not reached, and the text says what it is."""
    add("Orders")
    airbyte.inject(
        Fault(on="*", do="answer", answer=answers.login_page(), in_front=True, times=1000)
    )
    done = cli("run", "--unreachable-timeout", "0.3", "Orders")
    assert 8 == done.code, done
    assert "login page" in done.out


def test_streams_are_told_where_they_are_asked_for(cli, airbyte):
    """In the document; without --streams they are not asked for."""
    connection = ServerConnection(name="Orders", streams=("orders", "lines"))
    airbyte.add_connection(connection, job_scripts=[AT_ONCE])
    (sync,) = cli("run", *QUICKLY, "--json", "--streams", "Orders").json["syncs"]
    assert {"orders", "lines"} == {each["name"] for each in sync["streams"]["streams"]}
    (sync,) = cli("run", *QUICKLY, "--json", "Orders").json["syncs"]
    assert sync["streams"] is None
