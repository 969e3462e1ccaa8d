"""Where settings come from, and what becomes of secrets."""

import os

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
def credentials(environment):
    """Those that the server asks for."""
    environment.setenv("AIRBYTE_SYNC_CLIENT_ID", "id")
    environment.setenv("AIRBYTE_SYNC_CLIENT_SECRET", SECRET)
    return environment


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
    """With its file and its table, and with the key that was meant."""
    file = config("[run]\nstaet = '/tmp'\n")
    done = cli("run", "Orders")
    assert 2 == done.code
    told = (
        f"settings file {file}, [run]: staet is not known (did you mean state?): there are state, "
    )
    assert told in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[runn]\nstate = '/tmp'\n", "[runn] is not a table of settings: there are [server], "),
        ("timeout = 5\n", "timeout is in no table: write it below one of [server], "),
        ("run = 5\n", "settings file {file}: run is no table: write [run] on a line of its own"),
        ("[policy]\ntimeout = " + "9" * 5000, "timeout"),
        ("[run]\nstate = 5\n", "state in [run] of {file} is 5: write a text"),
        ("[run]\nstate = ''\n", "state in [run] of {file} is '': write a text"),
        ("[run]\nworkspace = 5\n", "workspace in [run] of {file} is 5: write a text"),
        ("[run]\ntransport = ['x']\n", "transport in [run] of {file} is ['x']: write a text"),
        ("[run]\nat_once = " + "9" * 50, "at_once in [run] of {file} is 999"),
    ],
)
def test_a_mistake_in_the_file_is_told(cli, config, credentials, airbyte, text, told):
    """A setting that would be passed over may be the one on which a night depends."""
    file = config(text)
    done = cli("run", "Orders")
    assert 2 == done.code, done
    assert (f"{file}" if told == "timeout" else told.format(file=file)) in done.err
    assert "POST /jobs" not in {record.operation for record in airbyte.requests}


@pytest.mark.parametrize("written", ["option", "variable", "file"])
def test_where_the_state_is(cli, config, credentials, add, tmp_path, written):
    """``~`` is a home, wherever it is written; what the file says is relative to its folder."""
    arguments = ()
    if written == "option":
        arguments = ("--state=~/state",)
    elif written == "variable":
        credentials.setenv("AIRBYTE_SYNC_STATE", "~/state")
    else:
        config("[run]\nstate = '../../state'\n")
    assert 0 == cli("run", *QUICKLY, *arguments, add("Orders", AT_ONCE)).code
    assert (tmp_path / "home" / "state").is_dir()


@pytest.mark.parametrize(
    "option", ["--state", "--run-id", "--timeout", "--url", "--workspace", "--config"]
)
def test_an_option_without_a_value(cli, airbyte, option):
    """It is a variable of a script that was not set, as in ``--state "$DIR"``."""
    done = cli("run", option, "", "Orders")
    assert 2 == done.code, done
    assert f"'{option}'" in done.err
    assert "it is empty" in done.err
    assert [] == list(airbyte.requests)


def test_a_home_that_is_not_there(cli, credentials):
    """The file is looked for under the name as it was written."""
    done = cli("check", "--config", "~no-such-user/config.toml")
    assert 2 == done.code, done
    assert "~no-such-user/config.toml: it cannot be read" in done.err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_home_of_another_user(cli, credentials, config):
    """As sudo leaves it: it has no settings for this one."""
    folder = config("[runn]").parent.parent
    folder.chmod(0)
    try:
        assert 0 == cli("check").code
    finally:
        folder.chmod(0o700)


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
