"""Scenario files: what they can say, and how mistakes in them are told."""

import json
from datetime import timedelta

import pytest

from airbyte_sync_local import (
    Actor,
    Caller,
    ConnectionScenario,
    Fault,
    InvalidScenario,
    JobScript,
    Quirks,
    RequireClientCredentials,
    Scenario,
    ServerConnection,
    Step,
    answers,
    job_scripts,
    load,
)
from airbyte_sync_local.platform.model import Failure

TOML = """
about = "Everything at once."
default_script = "succeeds_slowly"

[quirks]
caller = "member"
job_appears_after = 20
list_has_stats = false

[auth]
client_id = "me"
lifetime = 180
told_lifetime = 900

[[connections]]
id = "c1"
already_running = "never_ends"
name = "Orders"
source_id = "s1"
destination_id = "d1"
source = { type = "postgres", name = "Shop", configuration = { host = "db" } }
destination = { type = "s3" }
stream_namespace = "public"
namespace_definition = "custom_format"
namespace_format = "lake"
job_scripts = [
    "succeeds",
    { script = "fails", reason = "The password is wrong", lasts = 30 },
    { steps = [
        { status = "running", at = 1 },
        { status = "incomplete", at = 2.5, failure = "Gone" },
        { status = "succeeded", at = 60, rows = 10, bytes = 99 },
      ], on_cancel = [{ status = "cancelled", at = 5 }] },
]

[[faults]]
on = "POST /jobs"
do = "drop_after"
times = 2
skip = 1
about = "c1"
wait = 0.5

[[faults]]
on = "GET /jobs*"
answer = "rate_limited"
retry_after = 30
times = "always"

[[faults]]
on = "GET /health"
answer = { status = 418, body = { teapot = true }, headers = { X-Short = "stout" } }
"""

EXPECTED = Scenario(
    about="Everything at once.",
    auth=RequireClientCredentials(
        client_id="me",
        client_secret="local",
        lifetime=timedelta(seconds=180),
        told_lifetime=timedelta(seconds=900),
    ),
    connections=(
        ConnectionScenario(
            connection=ServerConnection(
                connection_id="c1",
                name="Orders",
                source_id="s1",
                destination_id="d1",
                source=Actor(type="postgres", name="Shop", configuration={"host": "db"}),
                destination=Actor(type="s3"),
                stream_namespace="public",
                namespace_definition="custom_format",
                namespace_format="lake",
            ),
            already_running=job_scripts.never_ends(),
            job_scripts=(
                job_scripts.succeeds(),
                job_scripts.fails("The password is wrong", lasts=timedelta(seconds=30)),
                JobScript(
                    steps=(
                        Step(status="running", at=timedelta(seconds=1)),
                        Step(
                            status="incomplete",
                            at=timedelta(seconds=2.5),
                            failure=Failure(reason="Gone"),
                        ),
                        Step(status="succeeded", at=timedelta(seconds=60), rows=10, bytes=99),
                    ),
                    on_cancel=(Step(status="cancelled", at=timedelta(seconds=5)),),
                ),
            ),
        ),
    ),
    faults=(
        Fault(
            on="POST /jobs",
            do="drop_after",
            times=2,
            skip=1,
            about="c1",
            wait=timedelta(seconds=0.5),
        ),
        Fault(
            on="GET /jobs*",
            do="answer",
            answer=answers.rate_limited().with_header("Retry-After", "30"),
            times=None,
        ),
        Fault(
            on="GET /health",
            do="answer",
            answer=answers.Answer(status=418, body={"teapot": True}, headers={"X-Short": "stout"}),
        ),
    ),
    quirks=Quirks(
        caller=Caller.MEMBER, job_appears_after=timedelta(seconds=20), list_has_stats=False
    ),
    default_script=job_scripts.succeeds_slowly(),
)


def written(tmp_path, content, name="scenario.toml"):
    path = tmp_path / name
    path.write_text(content)
    return path


def test_a_toml_file_says_everything(tmp_path):
    """Connections with scripts in all three forms, faults and quirks come from one file."""
    assert EXPECTED == load(written(tmp_path, TOML))


def test_a_json_file_says_the_same(tmp_path):
    """JSON has the same keys."""
    content = json.dumps({"connections": [{"id": "c1", "job_scripts": ["fails"]}]})
    (entry,) = load(written(tmp_path, content, "scenario.json")).connections
    assert ("c1", (job_scripts.fails(),)) == (entry.connection.connection_id, entry.job_scripts)


def test_an_empty_file_is_an_empty_scenario(tmp_path):
    """Everything has a default."""
    assert Scenario() == load(written(tmp_path, ""))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[[connection]]", "unknown key 'connection'; the known keys are connections, faults"),
        ("connections = 3", "connections: expected a list, got 3"),
        ("[[connections]]\nname = 3", r"connections: \[0\]: name: expected text, got 3"),
        ("[[connections]]\nstatus = 'on'", "status: expected one of active, inactive"),
        ("[[connections]]\nsource = {}", "source: the key 'type' is missing"),
        ("[[connections]]\nnamespace_definition = 'x'", "expected one of source, destination"),
        (
            "[[connections]]\njob_scripts = ['wins']",
            r"job_scripts: \[0\]: script: expected one of succeeds",
        ),
        (
            "default_script = {script = 'fails', why = 'x'}",
            "unknown key 'why'; the known keys are reason",
        ),
        (
            "default_script = {script = 'succeeds', lasts = -1}",
            "lasts: expected a number of seconds",
        ),
        ("default_script = {}", "default_script: the key 'steps' is missing"),
        ("default_script = {steps = [{at = 1}]}", "the key 'status' is missing"),
        ("default_script = {steps = [{status = 'succeeded'}]}", "Airbyte never turns a job"),
        ("default_script = {steps = [3]}", "expected a table with keys, got 3"),
        ("[quirks]\ncaller = 'boss'", "quirks: caller: 'boss' is not a valid Caller"),
        ("[quirks]\nlist_has_stats = 1", "expected true or false, got 1"),
        ("[[faults]]\ndo = 'drop'", "the key 'on' is missing"),
        ("[[faults]]\non = 'GET /jobs'\ntimes = 'twice'", "times: expected a whole number"),
        ("[[faults]]\non = 'GET /jobs'\nanswer = 'no'", "answer: expected one of bad_gateway"),
        ("[[faults]]\non = 'GET /jobs'\nanswer = {}", "answer: the key 'status' is missing"),
        ("[[faults]]\non = 'GET /jobs'", "give an answer"),
        ("= 3", "not TOML"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path, content, text):
    """The error leads through every level to the key that cannot be meant."""
    with pytest.raises(InvalidScenario, match=text):
        load(written(tmp_path, content))


def test_a_mistaken_secret_is_not_repeated(tmp_path):
    """The error about a secret of the wrong type does not hold it."""
    with pytest.raises(InvalidScenario, match="client_secret: expected text") as raised:
        load(written(tmp_path, "[auth]\nclient_secret = 271828"))
    assert "271828" not in str(raised.value)


def test_a_file_of_another_kind_is_refused(tmp_path):
    """The suffix decides how a file is read."""
    with pytest.raises(InvalidScenario, match=r"name the file \.toml or \.json"):
        load(written(tmp_path, "", "scenario.yaml"))


def test_a_missing_file_is_told(tmp_path):
    """A file that is not there is a mistake like any other."""
    with pytest.raises(InvalidScenario, match="cannot be opened"):
        load(tmp_path / "nowhere.toml")
