"""Where settings come from, and what becomes of secrets."""

import pytest

from airbyte_sync_local import LocalAirbyte, RequireClientCredentials
from tests.cli.command import AT_ONCE, QUICKLY

SECRET = "hush-hush-hush"


@pytest.fixture
def airbyte():
    auth = RequireClientCredentials(client_id="id", client_secret=SECRET)
    with LocalAirbyte(auth=auth) as server:
        yield server


@pytest.fixture
def config(environment, tmp_path):
    """Write the settings file that is read where none is named."""
    folder = tmp_path / "home" / ".config" / "airbyte-sync"

    def written(text):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text(text)
        return folder / "config.toml"

    return written


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


def test_everything_can_come_from_the_file(cli, config, add, airbyte, environment):
    """The address, who we are, and how syncs are run."""
    environment.delenv("AIRBYTE_SYNC_URL")
    config(
        f"""
        [server]
        url = "{airbyte.base_url}"
        client_id = "id"
        client_secret = "{SECRET}"

        [policy]
        poll_interval = 0.05
        timeout = "none"

        [run]
        at_once = 2
        """
    )
    add("Orders")
    assert 0 == cli("run", "Orders").code


def test_the_environment_goes_before_the_file(cli, config, add, environment):
    """And options before both."""
    config('[server]\nurl = "http://localhost:1"\nclient_id = "other"\nclient_secret = "other"\n')
    environment.setenv("AIRBYTE_SYNC_CLIENT_ID", "id")
    environment.setenv("AIRBYTE_SYNC_CLIENT_SECRET", SECRET)
    assert 0 == cli("check").code
    environment.setenv("AIRBYTE_SYNC_CLIENT_ID", "yet another")
    assert 4 == cli("check").code
    assert 0 == cli("check", "--client-id", "id").code


def test_a_secret_from_a_file(cli, secret_file):
    """Named by an option."""
    assert 0 == cli("check", "--client-id", "id", "--client-secret-file", secret_file).code


@pytest.mark.parametrize("option", ["--client-secret", "--password", "--token"])
@pytest.mark.parametrize("joined", [True, False])
def test_a_secret_is_no_option(cli, option, joined):
    """The text says where it belongs, and does not repeat it."""
    given = [f"{option}={SECRET}"] if joined else [option, SECRET]
    done = cli("run", *given, "Orders")
    assert 2 == done.code
    assert "a secret is never the value of an option" in done.err
    assert f"AIRBYTE_SYNC_{option[2:].upper().replace('-', '_')}" in done.err
    assert f"{option}-file" in done.err
    assert SECRET not in done.out + done.err
    assert f"{option} " not in cli("run", "--help").out


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("AIRBYTE_SYNC_TIMEOUT", "soon", "AIRBYTE_SYNC_TIMEOUT"),
        ("AIRBYTE_SYNC_ON_CONFLICT", "panic", "AIRBYTE_SYNC_ON_CONFLICT"),
        (
            "AIRBYTE_SYNC_AT_ONCE",
            "0",
            "AIRBYTE_SYNC_AT_ONCE is '0': write a whole number above zero",
        ),
        ("AIRBYTE_SYNC_ON_INTERRUPT", "panic", "write cancel or leave_running"),
        ("AIRBYTE_SYNC_URL", "localhost:8000", "AIRBYTE_SYNC_URL"),
        ("AIRBYTE_SYNC_CONFIG", "/nowhere.toml", "/nowhere.toml"),
    ],
)
def test_a_setting_that_cannot_be_right_is_named(cli, environment, variable, value, told):
    """As it was written; nothing is sent."""
    environment.setenv("AIRBYTE_SYNC_CLIENT_ID", "id")
    environment.setenv("AIRBYTE_SYNC_CLIENT_SECRET", SECRET)
    environment.setenv(variable, value)
    done = cli("run", "Orders")
    assert 2 == done.code, done
    assert told in done.err
    assert "" == done.out


def test_a_bad_option_is_named(cli):
    """As it was typed."""
    done = cli("run", "--timeout", "soon", "Orders")
    assert 2 == done.code
    assert "--timeout is 'soon': " in done.err


def test_an_unknown_key_of_the_file_is_named(cli, config):
    """With its file and its table."""
    file = config("[run]\nstaet = '/tmp'\n")
    done = cli("run", "Orders")
    assert 2 == done.code
    assert f"staet in [run] of {file} is not a setting" in done.err


def test_no_address(cli, environment):
    """All three ways to write it are told."""
    environment.delenv("AIRBYTE_SYNC_URL")
    done = cli("run", "Orders")
    assert 2 == done.code
    assert "--url" in done.err
    assert "AIRBYTE_SYNC_URL" in done.err


@pytest.mark.parametrize(
    "arguments", [(), ("run",), ("run", "--no-such-option", "Orders"), ("dance",)]
)
def test_bad_usage(cli, arguments):
    """Exit code 2, with help."""
    assert 2 == cli(*arguments).code


def test_a_run_id_without_state(cli, airbyte):
    """It would have no meaning."""
    done = cli("run", "--run-id", "monday", "Orders")
    assert 2 == done.code
    assert "--state" in done.err


def test_a_state_folder_that_cannot_be_used(cli, add, environment, tmp_path, airbyte):
    """Nothing is started that the next run could not find."""
    environment.setenv("AIRBYTE_SYNC_CLIENT_ID", "id")
    environment.setenv("AIRBYTE_SYNC_CLIENT_SECRET", SECRET)
    (tmp_path / "file").write_text("")
    done = cli("run", *QUICKLY, "--state", tmp_path / "file" / "folder", add("Orders", AT_ONCE))
    assert 2 == done.code, done
    assert [] == list(airbyte.jobs)
