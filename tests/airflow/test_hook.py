"""The hook: the methods of the official one, and a test of a connection that says what is wrong."""

import inspect
import os
import ssl
from datetime import timedelta

import pytest

from airbyte_sync_airflow.compat.airflow import AirflowException, AirflowFailException
from airbyte_sync_airflow.config.connection import read_server
from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_local import Fault, LocalAirbyte, answers, job_scripts
from airbyte_sync_testkit.contract.loopback_certificate import CERTIFICATE, KEY
from airbyte_sync_testkit.contract.raw_server import (
    Peer,
    RawServer,
    answer,
    answering,
    refused_port,
    unreachable_port,
)

ID = "the-client-id"
SECRET = "the-client-secret"


@pytest.fixture(autouse=True)
def _no_proxy_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


# --------------------------------------------------------------------------------------------------
# The methods of the official hook


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("__init__", {"airbyte_conn_id": "airbyte_default", "api_version": "v1", "timeout": None}),
        ("get_job_details", {"job_id": inspect.Parameter.empty}),
        ("get_job_status", {"job_id": inspect.Parameter.empty}),
        (
            "wait_for_job",
            {"job_id": inspect.Parameter.empty, "wait_seconds": 3, "timeout": 3600},
        ),
        ("submit_sync_connection", {"connection_id": inspect.Parameter.empty}),
        ("submit_reset_connection", {"connection_id": inspect.Parameter.empty}),
        ("cancel_job", {"job_id": inspect.Parameter.empty}),
        ("test_connection", {}),
    ],
)
def test_the_signatures_are_the_official_ones(method, parameters):
    """apache-airflow-providers-airbyte 6.2.0, in this order."""
    ours = inspect.signature(getattr(AirbyteHook, method)).parameters.values()
    assert list(parameters.items()) == [
        (parameter.name, parameter.default) for parameter in ours if parameter.name != "self"
    ]


def test_the_hook_starts_follows_and_cancels_jobs(connection, airbyte):
    """The methods of the official hook, over our gateway."""
    hook = AirbyteHook()
    job = hook.submit_sync_connection(connection.connection_id)
    assert "pending" == hook.get_job_status(job.job_id)
    hook.wait_for_job(str(job.job_id))
    assert "succeeded" == hook.get_job_details(job.job_id).status.word
    second = hook.submit_sync_connection(connection.connection_id)
    assert "cancelled" == hook.cancel_job(second.job_id).status.word


def test_the_hook_starts_a_reset(connection, airbyte):
    """Once, as asked."""
    job = AirbyteHook().submit_reset_connection(connection.connection_id)
    assert [("reset", job.job_id)] == [(each.job_type, each.job_id) for each in airbyte.jobs]


def test_a_time_out_cancels_the_job(airbyte, connection, clock):
    """As the official hook does; the error says so."""
    slow = airbyte.add_connection(job_scripts=[job_scripts.succeeds(lasts=timedelta(hours=2))])
    hook = AirbyteHook()
    job = hook.submit_sync_connection(slow.connection_id)
    began = clock.now()
    with pytest.raises(AirflowException, match="and was cancelled"):
        hook.wait_for_job(job.job_id, timeout=600)
    assert "cancelled" == hook.get_job_status(job.job_id)
    assert timedelta(minutes=10) <= clock.now() - began < timedelta(minutes=12)


@pytest.mark.parametrize("endless", [None, 0])
def test_without_a_time_out_it_waits_as_long_as_it_takes(airbyte, connection, endless):
    """Zero means the same to the official hook."""
    slow = airbyte.add_connection(job_scripts=[job_scripts.succeeds(lasts=timedelta(hours=5))])
    hook = AirbyteHook()
    job = hook.submit_sync_connection(slow.connection_id)
    hook.wait_for_job(job.job_id, wait_seconds=60, timeout=endless)
    assert "succeeded" == hook.get_job_status(job.job_id)


def test_the_time_out_of_the_hook_holds_for_every_request(connect):
    """It wins over those of the connection."""
    connect(host="http://h", extra={"read_timeout": 40})
    settings = AirbyteHook(timeout=7)._server().settings
    timeouts = (settings.connect_timeout, settings.read_timeout, settings.submit_timeout)
    assert [timedelta(seconds=7)] * 3 == list(timeouts)
    assert read_server("airbyte_default", "v1") == AirbyteHook()._server()


@pytest.mark.parametrize("timeout", [0, -1, "soon"])
def test_an_impossible_time_out_is_refused(connect, timeout):
    """The text names it."""
    connect(host="http://h")
    with pytest.raises(AirflowFailException, match=r"timeout of the hook is .*above zero"):
        AirbyteHook(timeout=timeout).get_job_details(1)


def test_the_hook_uses_the_api_version(connection, airbyte):
    """It is a part of every address."""
    with pytest.raises(AirflowException):
        AirbyteHook("airbyte_default", "v7").get_job_details(1)
    assert "/v7/" in list(airbyte.requests)[-1].path


# --------------------------------------------------------------------------------------------------
# The test of a connection


@pytest.fixture
def complaint(connect, airbyte):
    """What the button in the UI says about a connection that does not work."""

    def complaint_about(**fields):
        connect(**{"host": airbyte.base_url, "login": ID, "password": SECRET, **fields})
        works, text = AirbyteHook().test_connection()
        assert not works
        assert SECRET not in text
        return text

    return complaint_about


def test_good_credentials_are_proved(connection, airbyte):
    """The button makes a call that needs them."""
    works, text = AirbyteHook().test_connection()
    assert works, text
    assert f"{airbyte.base_url}/api/public/v1, and it accepts these credentials" in text
    assert any(record.headers.get("Authorization") for record in airbyte.requests)


def test_a_server_that_wants_no_credentials(connect, clock):
    """Nothing is claimed about credentials that are not there."""
    with LocalAirbyte(clock=clock.now) as airbyte:
        connect(host=airbyte.base_url)
        works, text = AirbyteHook().test_connection()
    assert (True, True) == (works, text.endswith("and it asks for no credentials"))


@pytest.mark.parametrize("ending", ["", "/", "/api", "/api/v1", "/api/public/v1/", "/api/public"])
def test_every_usual_spelling_of_the_host_works(connection, airbyte, connect, ending):
    """People paste what they have."""
    connect(host=f"{airbyte.base_url}{ending}", login=ID, password=SECRET)
    works, text = AirbyteHook().test_connection()
    assert works, text


def test_no_airflow_connection():
    """It has to be created."""
    works, text = AirbyteHook("nowhere").test_connection()
    assert (False, True) == (works, "no Airflow connection 'nowhere': create it" in text)


def test_no_scheme(complaint):
    """The address is given back with one."""
    assert "has no scheme: write http://airbyte.internal:8000" in complaint(
        host="airbyte.internal:8000"
    )


def test_a_wrong_secret(complaint):
    """Wrong credentials are no success, as a health check would have it."""
    text = complaint(password="not-the-secret")
    assert "The client id or the client secret is wrong" in text
    assert "not-the-secret" not in text


def test_a_wrong_token_path(complaint, airbyte):
    """The usual one is named."""
    text = complaint(schema="/oauth/token")
    assert f"{airbyte.base_url}/oauth/token" in text
    assert "the usual one is" in text or "v1/applications/token is the usual one" in text


def test_credentials_that_the_server_does_not_ask_for(connect, clock):
    """It has no token route at all."""
    with LocalAirbyte(clock=clock.now) as airbyte:
        connect(host=airbyte.base_url, login=ID, password=SECRET)
        works, text = AirbyteHook().test_connection()
    assert (False, True) == (works, "no credentials are needed" in text)


def test_no_credentials_where_some_are_needed(complaint):
    """They are asked for."""
    assert "give a client id and secret" in complaint(login=None, password=None)


@pytest.mark.parametrize(
    ("auth", "words"),
    [("basic", "wants a client id and secret"), ("bearer", "The token is wrong or has ended")],
)
def test_credentials_of_the_wrong_kind(complaint, auth, words):
    """What was sent is named."""
    assert words in complaint(extra={"auth": auth})


def test_credentials_without_rights(complaint, airbyte):
    """Neither the secret nor an id is doubted."""
    airbyte.inject(
        Fault(on="GET */connections", do="answer", answer=answers.forbidden(), times=None)
    )
    assert "Check the rights of the user" in complaint()


def test_a_version_that_does_not_exist(complaint, airbyte):
    """The right address is named."""
    text = complaint(host=f"{airbyte.base_url}/api/public/v7")
    assert f"{airbyte.base_url}/api/public/v1" in text


def test_a_version_that_is_none(connect):
    """It is refused before anything is sent."""
    connect(host="http://h")
    works, text = AirbyteHook(api_version="1").test_connection()
    assert (False, True) == (works, "api_version is '1': write v1" in text)


@pytest.mark.parametrize("login", [ID, None], ids=["token route", "connections"])
def test_the_web_application_instead_of_the_server(complaint, login):
    """It answers everything with a page, and success."""
    page = answer(b"<!doctype html><title>Airbyte</title>", headers=("Content-Type: text/html",))
    with RawServer(answering(page)) as server:
        for host, words in (
            (server.url, "Airbyte's web application answers there, not its server"),
            (f"{server.url}/v1", f"write {server.url}/api/public/v1"),
        ):
            text = complaint(host=host, login=login, password=login and SECRET)
            assert "a web page (Airbyte)" in text
            assert words in text


def test_a_login_page_instead_of_the_server(complaint):
    """The headers that let programs pass are named."""
    page = answer(b"<title>Sign in</title>", headers=("Content-Type: text/html",))
    with RawServer(answering(page)) as server:
        text = complaint(host=server.url, login=None, password=None)
    assert "a web page (Sign in)" in text
    assert "give the headers" in text


def test_a_redirect_to_a_login(complaint):
    """It is not followed, because it would take the credentials along."""
    redirect = answer(status="302 Found", headers=("Location: https://sso.invalid/login?a=b",))
    with RawServer(answering(redirect)) as server:
        text = complaint(host=server.url, login=None, password=None)
    assert "a redirect to https://sso.invalid/login, which is not followed" in text
    assert "perhaps to log in" in text


@pytest.fixture
def certificate(tmp_path):
    """The path of a certificate that signed itself."""
    path = tmp_path / "certificate.pem"
    path.write_text(CERTIFICATE)
    return path


@pytest.fixture
def tls(certificate, tmp_path):
    """What a server needs to show it."""
    key = tmp_path / "key.pem"
    key.write_text(KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@pytest.mark.parametrize("login", [ID, None], ids=["token route", "connections"])
def test_a_certificate_that_signed_itself(complaint, connect, certificate, tls, login):
    """The field that mends it is named, and does mend it."""
    listing = answering(answer(b'{"data": []}', headers=("Content-Type: application/json",)))
    with RawServer(listing, tls=tls) as server:
        host = f"https://127.0.0.1:{server.port}"
        text = complaint(host=host, login=login, password=login and SECRET)
        assert "set verify to the path of the CA bundle" in text
        assert "self-signed certificate" in text
        for verify in (str(certificate), "false"):
            connect(host=host, extra={"verify": verify})
            works, text = AirbyteHook().test_connection()
            assert works, text


def test_tls_where_none_is_spoken(complaint):
    """The address begins with https:// and should not."""
    with RawServer(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        assert "write http://" in complaint(host=f"https://127.0.0.1:{server.port}")


def test_a_port_where_nobody_listens(complaint):
    """The port is doubted."""
    with refused_port() as port:
        text = complaint(host=f"http://127.0.0.1:{port}")
    assert 1 == text.count("Nothing listens there: check the port")


def test_a_host_that_nobody_knows(complaint):
    """The name is doubted."""
    assert "The host name is not known here" in complaint(host="http://airbyte.invalid")


def test_a_host_that_does_not_answer(complaint):
    """Firewalls and proxies are doubted."""
    with unreachable_port() as port:
        text = complaint(host=f"http://127.0.0.1:{port}", extra={"connect_timeout": "0.3"})
    assert "The host does not answer in time" in text


def test_a_server_that_is_silent(complaint):
    """The timeout is named."""
    with RawServer(Peer.hold) as server:
        text = complaint(host=server.url, extra={"read_timeout": "0.3"})
    assert "does not answer in time" in text


def test_a_proxy_that_is_not_there(complaint):
    """It is the proxy that is doubted, and its password is not shown."""
    with refused_port() as port:
        text = complaint(extra={"proxies": f"http://ann:hunter2@127.0.0.1:{port}"})
    assert "Nothing listens at the proxy's address" in text
    assert "hunter2" not in text
