"""submit, watch, cancel, jobs, connections, check, completion and help."""

import pytest

from airbyte_sync_local import Fault, answers, job_scripts
from tests.cli.command import QUICKLY, RUNS, statuses

WORKSPACE = "0d2a4c9b-9f55-4d5c-9f55-0d2a4c9b7c11"


def test_submit_prints_the_job(cli, add, airbyte):
    """Nothing but its number on standard output; watch takes it from there."""
    add("Orders")
    done = cli("submit", "Orders")
    assert (0, "1\n") == (done.code, done.out)
    assert "Started Airbyte sync job 1 of connection 'Orders'" in done.err
    assert 0 == cli("watch", *QUICKLY, "1").code
    assert 1 == len(airbyte.jobs)


def test_submit_as_json(cli, add):
    """With where the job is."""
    connection_id = add("Orders")
    told = cli("submit", "--json", connection_id).json
    assert (1, "started", connection_id) == (told["job_id"], told["origin"], told["connection_id"])
    assert "jobId=1" in told["url"]


def test_submit_to_a_busy_connection(cli, busy, airbyte):
    """The same exit codes as run."""
    busy("Orders")
    assert 3 == cli("submit", "--on-conflict", "fail", "Orders").code
    assert 1 == len(airbyte.jobs)


def test_watch_tells_how_a_job_ends(cli, add, airbyte):
    """By its number or by its connection; the exit codes are those of run."""
    airbyte.start_external_job(add("Orders", job_scripts.fails()))
    airbyte.start_external_job(add("Prices"))
    done = cli("watch", *QUICKLY, "1", "Prices")
    assert 6 == done.code
    assert "Orders: failed: " in done.out
    assert "Prices: succeeded: job 2" in done.out


def test_watch_gives_up_and_cancels_nothing(cli, busy, airbyte):
    """--timeout ends the watching alone."""
    busy("Orders")
    assert 7 == cli("watch", *QUICKLY, "--timeout", "0.3", "Orders").code
    assert ["running"] == statuses(airbyte)


def test_watch_what_is_not_there(cli, add):
    """An unknown job, and a connection without jobs."""
    add("Orders")
    assert 4 == cli("watch", *QUICKLY, "99").code
    done = cli("watch", *QUICKLY, "Orders")
    assert 4 == done.code
    assert "has never had a job" in done.out
    done = cli("watch", *QUICKLY, "Orders", "\u0661")  # a digit, but none that Airbyte writes
    assert "job \u0661" not in done.out


def test_cancel_what_runs_on_a_connection(cli, busy, airbyte):
    """Also what others have started; a second time there is nothing to do."""
    busy("Orders")
    done = cli("cancel", "Orders")
    assert (0, "Airbyte job 1 cancelled") == (done.code, done.out.splitlines()[-1])
    assert ["cancelled"] == statuses(airbyte)
    assert (0, "Orders: there are no active jobs\n") == (
        cli("cancel", "Orders").code,
        cli("cancel", "Orders").out,
    )


def test_cancel_a_job(cli, busy, airbyte):
    """An ended one is left alone, and one that is not known stops no other."""
    busy("Orders")
    assert 0 == cli("cancel", "1").code
    assert "Airbyte job 1 had ended already: cancelled\n" == cli("cancel", "1").out
    airbyte.start_external_job(airbyte.jobs[0].connection_id, RUNS)
    done = cli("cancel", "99", "2")
    assert 4 == done.code
    assert "airbyte-sync: 99: " in done.err
    assert ["cancelled", "cancelled"] == statuses(airbyte)


def test_a_cancellation_that_is_refused(cli, busy, airbyte):
    """Nothing is unknown: it is refused, and the sync goes on."""
    busy("Orders")
    airbyte.inject(Fault(on="*", do="answer", answer=answers.forbidden(), times=None))
    assert 4 == cli("cancel", "1").code
    assert ["running"] == statuses(airbyte)


@pytest.mark.parametrize("command", ["watch", "cancel"])
def test_a_number_that_no_job_has(cli, command):
    """However long it is."""
    assert 2 == cli(command, "9" * 5000).code


def test_a_cancellation_that_is_not_confirmed(cli, busy):
    """It is unknown whether the job has ended."""
    busy("Orders", job_scripts.JobScript(steps=RUNS.steps, on_cancel=()))
    done = cli("cancel", "--cancel-timeout", "0.3", "--json", "Orders")
    assert (9, "outcome unknown") == (done.code, done.json["outcome"])
    assert "CancelUnconfirmed" == done.json["cancelled"][0]["error"]["type"]


def test_jobs_are_listed(cli, add, airbyte, busy):
    """The newest first, with the names of their connections."""
    add("Orders")
    assert 0 == cli("run", *QUICKLY, "Orders").code
    busy("Prices")
    heading, newest, oldest = cli("jobs").out.splitlines()
    assert "JOB STATUS TYPE STARTED (UTC) TIME ROWS BYTES CONNECTION" == " ".join(heading.split())
    assert newest.split()[:3] == ["2", "running", "sync"]
    assert newest.endswith("Prices")
    assert oldest.split()[:3] == ["1", "succeeded", "sync"]
    assert oldest.endswith("Orders")


def test_jobs_of_a_connection(cli, add, busy):
    """By its name or by its id."""
    add("Orders")
    connection_id = busy("Prices")
    for name in ("Prices", connection_id):
        (job,) = cli("jobs", "--json", name).json["jobs"]
        assert (1, "Prices", "running") == (job["job_id"], job["connection_name"], job["status"])
    assert "there are no jobs\n" == cli("jobs", "Orders").err


def test_jobs_that_are_active(cli, add, busy):
    """Also what no program follows any more."""
    add("Orders")
    cli("run", *QUICKLY, "Orders")
    assert "there are no active jobs\n" == cli("jobs", "--active").err
    busy("Prices")
    (job,) = cli("jobs", "--active", "--json").json["jobs"]
    assert "Prices" == job["connection_name"]


def test_jobs_of_a_workspace(cli, add, airbyte):
    """Those of its connections alone."""
    airbyte.start_external_job(add("Orders"))
    airbyte.start_external_job(add("Prices", workspace_id=WORKSPACE))
    (job,) = cli("jobs", "--workspace", WORKSPACE, "--json").json["jobs"]
    assert "Prices" == job["connection_name"]
    assert 2 == len(cli("jobs", "--json").json["jobs"])


def test_connections_are_listed(cli, add):
    """By name; a long one is not cut where a program reads it."""
    long = "Orders of the shop in Berlin, with everything that was ever returned" * 3
    ids = [add("b"), add("a", status="inactive"), add(long)]
    heading, *lines = cli("connections").out.splitlines()
    assert ["ID", "STATUS", "NAME"] == heading.split()
    assert [ids[1], "inactive", "a"] == lines[0].split()
    assert [ids[0], "active", "b"] == lines[1].split()
    assert lines[2].endswith(long)
    assert ["a", "b", long] == [
        each["name"] for each in cli("connections", "--json").json["connections"]
    ]


def test_connections_of_a_workspace(cli, add):
    """Those alone; names are looked for there, too."""
    add("Orders")
    there = add("Orders", workspace_id=WORKSPACE)
    (found,) = cli("connections", "--workspace", WORKSPACE, "--json").json["connections"]
    assert there == found["connection_id"]
    assert there in cli("check", "--workspace", WORKSPACE, "Orders").out


def test_check(cli, add, airbyte):
    """The server, then each connection; nothing is started."""
    connection_id = add("Orders")
    done = cli("check", "Orders", connection_id)
    assert (0, "") == (done.code, done.err)
    first, *lines = done.out.splitlines()
    assert f"Airbyte answered at {airbyte.base_url}" in first
    assert [f"Connection 'Orders' ({connection_id}) can run syncs"] * 2 == lines
    assert [] == list(airbyte.jobs)


def test_check_finds_what_is_wrong(cli, add):
    """An unknown name, and a connection that is switched off."""
    add("Orders", status="inactive")
    done = cli("check", "Orders", "Nothing")
    assert 4 == done.code
    assert "airbyte-sync: Orders: connection 'Orders'" in done.err
    assert "airbyte-sync: Nothing: no connection is called 'Nothing'" in done.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(cli, shell):
    """What the shell is to be told."""
    done = cli("completion", shell)
    assert 0 == done.code
    assert "_AIRBYTE_SYNC_COMPLETE" in done.out


def test_completion_knows_commands_and_choices(cli, environment, capfd):
    """As a shell asks for them."""
    environment.setenv("_AIRBYTE_SYNC_COMPLETE", "bash_complete")
    environment.setenv("COMP_WORDS", "airbyte-sync run --on-conflict ")
    environment.setenv("COMP_CWORD", "3")
    with pytest.raises(SystemExit):
        cli()
    told = capfd.readouterr().out
    assert all(choice in told for choice in ("queue", "attach", "skip", "fail"))


@pytest.mark.parametrize(
    "command", ["run", "submit", "watch", "cancel", "jobs", "connections", "check", "completion"]
)
def test_help_teaches_by_examples(cli, command):
    """Every command has one, and is in the list of commands."""
    done = cli(command, "--help")
    assert 0 == done.code
    assert "Examples:" in done.out or "Once, in the file" in done.out
    assert f"\n  {command} " in cli("--help").out
