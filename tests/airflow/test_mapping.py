"""Many connections with one task, connections by their name, and other kinds of jobs."""

import json
from datetime import timedelta

import pytest

from airbyte_sync_airflow.compat.airflow import AirflowFailException
from airbyte_sync_airflow.exceptions import AirbyteConnectionUnavailable, AirbyteInputInvalid
from airbyte_sync_local import ServerConnection, job_scripts

MINUTE = timedelta(minutes=1)
AT_ONCE = job_scripts.succeeds(starts=timedelta(0), lasts=timedelta(0))
WORKSPACES = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")


DAG_FILE = """
import json, os
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from datetime import datetime
partial, expanded = json.loads(os.environ["THE_OPTIONS"])
with DAG("{name}", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    AirbyteTriggerSyncOperator.partial(task_id="sync", **partial).expand(**expanded)
"""


@pytest.fixture
def run_mapped(load_dag_file, monkeypatch, request):
    """Run a mapped task in a real run; return the state of each of its instances."""

    def run(partial, expanded):
        monkeypatch.setenv("THE_OPTIONS", json.dumps([partial, expanded]))
        name = f"mapped_{abs(hash(request.node.nodeid))}"
        ended = load_dag_file(name, DAG_FILE.replace("{name}", name)).dag.test()
        return [
            str(each.state)
            for each in sorted(ended.get_task_instances(), key=lambda each: each.map_index)
        ]

    return run


@pytest.fixture
def connections(airbyte, connection):
    """Three of them, whose syncs take no time."""
    return [
        airbyte.add_connection(ServerConnection(name=name), job_scripts=[AT_ONCE])
        for name in ("orders", "customers", "returns")
    ]


@pytest.mark.filterwarnings("default")  # dag.test() warns of its own parts
@pytest.mark.parametrize("partial", [{}, {"deferrable": True}, {"asynchronous": True}])
def test_it_can_be_mapped_over_ids(run_mapped, connections, submissions, partial):
    """One instance for each connection, in every mode."""
    ids = [each.connection_id for each in connections]
    assert ["success"] * 3 == run_mapped(partial, {"connection_id": ids})
    assert sorted(ids) == sorted(each.body["connectionId"] for each in submissions())


@pytest.mark.filterwarnings("default")
def test_it_can_be_mapped_over_names(run_mapped, connections, submissions):
    """As people call them."""
    names = [each.name for each in connections]
    assert ["success"] * 3 == run_mapped({}, {"connection_name": names})
    assert sorted(each.connection_id for each in connections) == sorted(
        each.body["connectionId"] for each in submissions()
    )


@pytest.mark.filterwarnings("default")
def test_one_of_many_may_fail(run_mapped, airbyte, connections):
    """The others go on."""
    airbyte.add_connection(connections[1], job_scripts=[job_scripts.fails()])
    ids = [each.connection_id for each in connections]
    assert ["success", "failed", "success"] == run_mapped({}, {"connection_id": ids})


# --------------------------------------------------------------------------------------------------
# By name


@pytest.fixture
def namesakes(airbyte, connection):
    """Two connections of one name, in two workspaces."""
    return [
        airbyte.add_connection(ServerConnection(name="orders", workspace_id=each))
        for each in WORKSPACES
    ]


def test_a_name_is_looked_up(operator, airbyte, connections, context, submissions):
    """And the XCom says what was found."""
    assert 1 == operator(connection_name="customers").execute(context)
    job = context["ti"].xcoms["airbyte_job"]
    assert ("customers", connections[1].connection_id) == (
        job["connection_name"],
        job["connection_id"],
    )
    assert [connections[1].connection_id] == [each.body["connectionId"] for each in submissions()]


def test_a_name_is_looked_up_once(operator, airbyte, connections, context):
    """What is known of the connection is not asked for again."""
    operator(connection_name="customers").execute(context)
    asked = [each.operation for each in airbyte.requests if "/connections" in each.operation]
    assert ["GET /connections"] == asked


@pytest.mark.parametrize("number", [0, 1])
def test_a_workspace_tells_namesakes_apart(operator, namesakes, context, submissions, number):
    """The name alone would not do."""
    operator(connection_name="orders", workspace_id=WORKSPACES[number]).execute(context)
    assert [namesakes[number].connection_id] == [
        each.body["connectionId"] for each in submissions()
    ]


def test_name_and_workspace_may_be_templates(operator, namesakes, context, submissions):
    """As everything that names something."""
    context |= {"what": "orders", "where": WORKSPACES[1]}
    operator(connection_name="{{ what }}", workspace_id="{{ where }}").execute(context)
    assert [namesakes[1].connection_id] == [each.body["connectionId"] for each in submissions()]


def test_an_ambiguous_name_fails_at_once(operator, namesakes, context, submissions):
    """The text lists the ids to choose from."""
    with pytest.raises(AirbyteInputInvalid, match="2 connections are called 'orders'") as failure:
        operator(connection_name="orders").execute(context)
    assert all(each.connection_id in str(failure.value) for each in namesakes)
    assert [] == submissions()


@pytest.mark.parametrize(
    "options",
    [
        {"connection_name": "Orders"},  # letter by letter
        {"connection_name": "orders", "workspace_id": "33333333-3333-4333-8333-333333333333"},
    ],
)
def test_an_unknown_name_fails_at_once(operator, namesakes, context, submissions, options):
    """No retry can mend it."""
    with pytest.raises(AirbyteConnectionUnavailable, match="no connection is called"):
        operator(**options).execute(context)
    assert [] == submissions()


@pytest.mark.parametrize("option", ["connection_name", "workspace_id"])
def test_a_template_that_gives_nothing_fails_at_once(
    operator, namesakes, context, submissions, option
):
    """A variable may be empty: that is no name, and no way to say "everywhere"."""
    context["gone"] = ""
    options = {"connection_name": "orders", "workspace_id": WORKSPACES[0], option: "{{ gone }}"}
    with pytest.raises(AirflowFailException):
        operator(**options).execute(context)
    assert [] == submissions()


# --------------------------------------------------------------------------------------------------
# Other kinds of jobs


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_reset_is_run_and_told(
    operator, airbyte, connection, context, defer, event_of, submissions, deferrable
):
    """The same in every mode."""
    task = operator(connection_id=connection.connection_id, job_type="reset", deferrable=deferrable)
    if deferrable:
        task.execute_complete(context, event_of(defer(task.execute, context)))
    else:
        assert 1 == task.execute(context)
    assert ["reset"] == [each.body["jobType"] for each in submissions()]
    assert "reset" == context["ti"].xcoms["airbyte_job"]["job_type"]
    assert "succeeded" == context["ti"].xcoms["airbyte_job"]["status"]


def test_a_reset_waits_for_a_running_sync(operator, start_job, airbyte, connection, context, clock):
    """Airbyte would cancel it; ``on_conflict`` is asked first, and queues."""
    start_job(job_scripts.succeeds(lasts=5 * MINUTE))
    clock.advance(MINUTE)
    task = operator(connection_id=connection.connection_id, job_type="reset")
    assert 2 == task.execute(context)
    assert [("sync", "succeeded"), ("reset", "succeeded")] == [
        (job.job_type, job.status) for job in airbyte.jobs
    ]


def test_a_refresh_is_refused_when_the_dag_is_parsed(operator, connection):
    """Airbyte offers none over its public API; the text says so, and what to do."""
    with pytest.raises(AirbyteInputInvalid, match="starts no refreshes") as failure:
        operator(connection_id=connection.connection_id, job_type="refresh")
    assert "use 'clear' and then 'sync'" in str(failure.value)
