"""Bad input: a clear text, before anything is started in Airbyte."""

import pytest
from jinja2.nativetypes import NativeEnvironment

from airbyte_sync_airflow.compat.airflow import AirflowException, AirflowFailException
from airbyte_sync_airflow.exceptions import AirbyteServerUnreachable, AirbyteTransientError
from airbyte_sync_airflow.operators import AirbyteTriggerSyncOperator
from airbyte_sync_testkit.contract.raw_server import refused_port

try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG

GOOD_ID = "6f0a4a6e-4b0e-4f5e-9a55-2f2b8c1d7e10"


@pytest.fixture
def run(operator, context):
    """Run a task up to its deferral, behind which most could go wrong."""

    def run(connection_id=GOOD_ID, **options):
        operator(**{"connection_id": connection_id, "deferrable": True, **options}).execute(context)

    return run


@pytest.mark.parametrize(
    ("connection_id", "text"),
    [
        ("orders-to-warehouse", "not a UUID, and Airbyte knows no such connection"),
        ("", "expected the UUID"),
        ("{{ var.value.gone }}", "expected the UUID"),
        ("../workspaces", "not a UUID"),
        (7, "expected the UUID"),
    ],
)
def test_a_connection_id_that_is_not_a_uuid(connection, run, submissions, connection_id, text):
    """The text says where the id is found."""
    with pytest.raises(AirflowFailException, match=text) as failure:
        run(connection_id)
    assert "address of the connection's page" in str(failure.value)
    assert [] == submissions()


def test_an_xcom_that_is_not_there_names_no_connection(connection, operator, context, submissions):
    """A template that is rendered natively may give nothing at all."""
    task = operator("{{ none }}")
    task.connection_id = None
    with pytest.raises(AirflowFailException, match="expected the UUID"):
        task.execute(context)
    assert [] == submissions()


@pytest.mark.parametrize("argument", ["connection_id", "connection_name"])
def test_a_name_that_a_template_spells_wrong(connection, operator, context, submissions, argument):
    """Rendered natively it is an object of Jinja's, which knows what is missing."""
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        task = operator(**{argument: "{{ params.gone }}"})
    context["params"] = {}
    task.render_template_fields(context)
    with pytest.raises(AirflowFailException) as failure:
        task.execute(context)
    expected = (
        f"the template of {argument} asks for something that is not there: 'dict object' has no "
    )
    assert str(failure.value).startswith(f"{expected}attribute 'gone'. Check")
    assert [] == submissions()


def test_a_job_id_that_a_template_spells_wrong(sensor, connection, context):
    """The sensor says it, too."""
    given = NativeEnvironment().from_string("{{ gone }}").render()
    with pytest.raises(AirflowFailException, match=r"of airbyte_job_id .*: 'gone' is undefined"):
        sensor(given).execute(context)


@pytest.mark.parametrize("names", [{}, {"connection_id": GOOD_ID, "connection_name": "Orders"}])
def test_a_task_names_its_connection_once(names):
    """By id or by name; both or none is refused when the DAG is parsed."""
    with pytest.raises(AirflowFailException, match="either by connection_id"):
        AirbyteTriggerSyncOperator(task_id="sync", **names)


def test_a_connection_that_airbyte_does_not_know(connection, run, airbyte):
    """Airbyte refuses it, and no retry is made."""
    with pytest.raises(AirflowFailException) as failure:
        run()
    assert GOOD_ID in str(failure.value)
    assert [] == list(airbyte.jobs)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"host": "airbyte.internal"}, "has no scheme: write http://airbyte.internal"),
        ({"host": "api.airbyte.com"}, "has no scheme: write https://api.airbyte.com"),
        ({"host": "u:hunter2@airbyte.internal"}, "user name or password"),
        ({"host": "http://u:hunter2", "port": 8000}, "is not a URL"),
        ({"extra": {"verify": 0}}, "neither true nor false nor the path"),
        ({"extra": {"client_cert": ["", ""]}}, "there is no such file"),
        ({"extra": {"headers": {"X-Key": None}}}, "is not a JSON object of texts"),
        (
            {"host": "airbyte.internal", "port": 8001},
            (
                "write http://airbyte.internal:8001 as the host. As a URI the Airflow connection is "
                "airbyte://http://airbyte.internal:8001, or with credentials "
                "airbyte://http://CLIENT_ID:CLIENT_SECRET@airbyte.internal:8001"
            ),
        ),
        (
            {"host": "airbyte.internal", "port": 8001, "schema": "https"},
            (
                "write https://airbyte.internal:8001 as the host, and leave the schema empty, because it is "
                "the token URL. As a URI the Airflow connection is airbyte://https://airbyte.internal:8001"
            ),
        ),
        (
            {"login": "me", "password": "hunter22", "extra": {"headers": "Authorization: Basic x"}},
            "there are credentials and an extra header Authorization",
        ),
        ({"host": ""}, "has no scheme: write https://api.airbyte.com"),
        ({"host": "ftp://airbyte.internal"}, "begins with ftp://"),
        ({"host": "http://user:pass@airbyte.internal"}, "user name or password"),
        (
            {"extra": {"transport": "carrier-pigeon"}},
            "'carrier-pigeon'; known are: httpx, requests",
        ),
        ({"extra": {"async_transport": "carrier-pigeon"}}, "known are: aiohttp, httpx"),
        ({"extra": {"proxies": ["http://proxy"]}}, "'proxies' is not a JSON object"),
        ({"extra": {"auth": "kerberos"}}, "'client_credentials', 'basic'"),
        ({"extra": {"verify": "/no/such/bundle.pem"}}, "there is no such file"),
        ({"login": "only-an-id"}, "belong together"),
    ],
)
def test_an_airflow_connection_that_cannot_be_right(
    airbyte, connect, run, submissions, fields, text
):
    """The text names the Airflow connection and the field, and never the secret."""
    connect(**{"host": airbyte.base_url, **fields})
    with pytest.raises(AirflowFailException, match="airbyte_default") as failure:
        run(airbyte.add_connection().connection_id)
    assert text in str(failure.value)
    assert "hunter2" not in str(failure.value)
    assert [] == list(airbyte.requests)


def test_the_uri_of_an_address_is_refused_with_the_right_one(run, monkeypatch):
    """Airflow takes ``http`` for the type of the connection, and keeps the port apart."""
    monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_DEFAULT", "http://airbyte.internal:8001")
    with pytest.raises(AirflowFailException, match=r"airbyte://http://airbyte\.internal:8001,"):
        run()


def test_the_uri_that_is_advised_works(airbyte, run, monkeypatch, submissions):
    """With credentials in it."""
    connection = airbyte.add_connection()
    place = airbyte.base_url.removeprefix("http://")
    uri = f"airbyte://http://the-client-id:the-client-secret@{place}"
    monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_DEFAULT", uri)
    run(connection.connection_id, asynchronous=True)
    assert 1 == len(submissions())


def test_the_scheme_in_the_schema_of_an_old_connection_is_no_token_url(
    airbyte, connect, run, submissions
):
    """The host has it already."""
    connection = airbyte.add_connection()
    connect(
        host=airbyte.base_url, login="the-client-id", password="the-client-secret", schema="http"
    )
    run(connection.connection_id, asynchronous=True)
    assert 1 == len(submissions())


def test_an_airflow_connection_that_is_not_there(run):
    """The text names it; another try may find it, because Airflow says so in trouble, too."""
    with pytest.raises(
        AirbyteTransientError, match="no Airflow connection 'nowhere': create it"
    ) as it:
        run(airbyte_conn_id="nowhere")
    assert "If a secrets backend of Airflow holds it, that may have failed" in str(it.value)


@pytest.mark.parametrize("value", ["{not JSON", '{"conn_type": "airbyte", "login": 3}'])
def test_an_airflow_connection_that_airflow_cannot_read(run, monkeypatch, value):
    """Airflow says that there is none; the text names the variable, and not what is in it."""
    monkeypatch.setenv("AIRFLOW_CONN_AIRBYTE_DEFAULT", value)
    with pytest.raises(AirbyteTransientError) as failure:
        run()
    assert "environment variable AIRFLOW_CONN_AIRBYTE_DEFAULT" in str(failure.value)
    assert "create it" not in str(failure.value)
    assert value not in str(failure.value)


def test_an_airflow_connection_whose_template_gives_nothing(run, context):
    """The text names the argument and the template."""
    context["gone"] = ""
    with pytest.raises(
        AirflowFailException, match=r"airbyte_conn_id '\{\{ gone }}' rendered to ''"
    ):
        run(airbyte_conn_id="{{ gone }}")


def test_wrong_credentials(airbyte, connect, run, submissions):
    """The text says which part is wrong, and nothing is submitted."""
    connect(host=airbyte.base_url, login="the-client-id", password="not-the-secret")
    with pytest.raises(AirflowFailException, match="client id or the client secret") as failure:
        run(airbyte.add_connection().connection_id)
    assert "not-the-secret" not in str(failure.value)
    assert [] == submissions()


def test_a_wrong_token_url(airbyte, connect, run, submissions):
    """The token route that is not there is named."""
    connect(host=airbyte.base_url, login="the-client-id", password="x", schema="oauth/token")
    with pytest.raises(AirflowException, match="token") as failure:
        run(airbyte.add_connection().connection_id)
    assert "oauth/token" in str(failure.value)
    assert [] == submissions()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("wait_seconds", -1),
        ("timeout", -1),
        ("timeout", "soon"),
        ("timeout", float("nan")),
        ("timeout", True),
        ("timeout", False),
        ("wait_seconds", b"3"),
        ("queue_timeout", True),
        ("on_conflict", "fight"),
        ("asynchronous", "no"),
        ("deferrable", "{{ var.value.deferrable }}"),
        ("cancel_on_kill", []),
        ("cancel_on_kill", 2),
        ("api_version", ""),
        ("api_version", "1"),
    ],
)
def test_an_option_that_cannot_be_right_is_refused_when_the_dag_is_parsed(operator, option, value):
    """The DAG's author sees it at once, not at night."""
    with pytest.raises(AirflowException, match=option):
        operator(GOOD_ID, **{option: value})


@pytest.mark.parametrize("option", ["deferrable", "cancel_on_kill"])
@pytest.mark.parametrize("value", ["no", "", 2, [], "{{ params.flag }}"])
def test_a_flag_of_a_sensor_that_is_none_is_refused_when_the_dag_is_parsed(sensor, option, value):
    """To Python most of them are true."""
    with pytest.raises(AirflowException, match=f"{option} is .*: write True or False"):
        sensor(1, **{option: value})


@pytest.mark.parametrize("option", ["asynchronous", "deferrable", "cancel_on_kill"])
@pytest.mark.parametrize(
    ("value", "meant"),
    [("false", False), ("False", False), (" true ", True), ("TRUE", True), (0, False), (1, True)],
)
def test_a_flag_may_come_as_text(operator, sensor, option, value, meant):
    """An environment has nothing else, and to Python the text "false" is true."""
    assert getattr(operator(GOOD_ID, **{option: value}), option) is meant
    if option != "asynchronous":
        assert getattr(sensor(1, **{option: value}), option) is meant


def test_a_flag_that_is_none_is_no(operator, sensor):
    """As in the official provider; of ``cancel_on_kill`` it means what the Airflow connection says."""
    task = operator(GOOD_ID, asynchronous=None, deferrable=None)
    assert (False, False, None) == (task.asynchronous, task.deferrable, task.cancel_on_kill)
    assert sensor(1, deferrable=None).deferrable is False


@pytest.mark.parametrize(
    "option", ["timeout", "wait_seconds", "queue_timeout", "on_conflict", "job_type", "deferrable"]
)
def test_a_template_where_none_is_rendered(operator, option):
    """The text says that this is the matter."""
    with pytest.raises(AirflowException, match="Templates are not rendered in this argument"):
        operator(GOOD_ID, **{option: "{{ params.it }}"})


def test_a_version_that_is_none_is_the_sensors_own_mistake(sensor):
    """Not the Airflow connection's."""
    with pytest.raises(AirflowException, match=r"^api_version is 'v1/': write v1$"):
        sensor(1, api_version="v1/")


@pytest.mark.parametrize("credentials", [{}, {"login": "me", "password": "hunter22"}])
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_port_where_nothing_listens(
    parts, connect, operator, context, run_deferred, credentials, deferrable
):
    """What to do about the network stands in the task's own error, not in the connection test alone."""
    extra = {"unreachable_timeout": 30}
    with refused_port() as port:
        connect(host=f"http://127.0.0.1:{port}", extra=extra, **credentials)
        with pytest.raises(AirbyteServerUnreachable) as failure:
            run_deferred(lambda: operator(GOOD_ID, deferrable=deferrable), context)
    assert 1 == str(failure.value).count("Nothing listens there: check the port")
