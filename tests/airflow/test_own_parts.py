"""What a platform team overrides reaches every task and every trigger: docs/own-parts.md."""

import re
import sys
from pathlib import Path

import pytest

from airbyte_sync import SystemClock
from airbyte_sync_airflow import composition
from airbyte_sync_airflow.composition import Container
from airbyte_sync_airflow.exceptions import AirbyteInputInvalid
from airbyte_sync_airflow.hooks import AirbyteHook
from airbyte_sync_airflow.openlineage.extract import facets_on_complete
from airbyte_sync_local import job_scripts

PAGE = Path(__file__).parents[2] / "docs" / "own-parts.md"
OVERRIDDEN = ("open_transport", "open_async_transport")


@pytest.fixture
def configure(monkeypatch, tmp_path):
    """Let airflow.cfg name a function of a module, in a process that has made no part yet."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(composition, "_configured", None)

    def write(name, text, path="configure"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setenv("AIRFLOW__AIRBYTE_SYNC__COMPOSITION", f"{name}:{path}")

    yield write
    for name in OVERRIDDEN:
        getattr(Container, name).reset_override()


@pytest.fixture
def as_on_the_page(configure):
    """Do what the page says."""
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    configure("airbyte_of_the_page", snippet)


@pytest.fixture
def unstamped(airbyte):
    """What was sent past the transport of the page."""

    def sent():
        assert airbyte.requests
        return [
            f"{each.method} {each.path}"
            for each in airbyte.requests
            if "x-team" not in map(str.lower, each.headers)  # values are not recorded
        ]

    return sent


def test_a_blocking_task_uses_them(as_on_the_page, operator, airbyte, unstamped, context):
    """Tokens, submission and polls go through the platform's transport."""
    operator().execute(context)
    assert ["succeeded"] == [job.status for job in airbyte.jobs]
    assert [] == unstamped()


def test_a_deferred_task_uses_them(
    as_on_the_page, operator, airbyte, unstamped, run_deferred, context
):
    """The triggerer reads the same setting."""
    run_deferred(lambda: operator(deferrable=True), context)
    assert ["succeeded"] == [job.status for job in airbyte.jobs]
    assert [] == unstamped()


def test_hook_and_lineage_use_them(as_on_the_page, start_job, connection, unstamped):
    """No gateway is opened elsewhere."""
    job = start_job(job_scripts.succeeds())
    assert job.job_id == AirbyteHook().get_job_details(job.job_id).job_id
    assert AirbyteHook().test_connection()[0]
    facets_on_complete(
        conn_id="airbyte_default",
        api_version="v1",
        connection_id=connection.connection_id,
        job=None,
    )
    assert [] == unstamped()


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("", "configure", "cannot be imported"),
        ("import no_such_module", "configure", "cannot be imported"),
        ("def configure(container): raise ValueError('no')", "configure", "ValueError: no"),
        ("", "", "write it like my_company.airbyte:configure"),
    ],
)
def test_a_wrong_setting_fails_before_anything_is_sent(
    configure, operator, airbyte, context, text, path, expected
):
    """The text names the option and what is wrong with it; no retry can fix it."""
    configure("airbyte_gone_wrong", text, path)
    with pytest.raises(AirbyteInputInvalid, match="composition in the section") as refused:
        operator().execute(context)
    assert expected in str(refused.value)
    assert not airbyte.requests


def test_it_is_called_once(configure, operator, context):
    """Each further part is made as it was configured."""
    configure("airbyte_counted", "calls = []\n\ndef configure(container): calls.append(container)")
    operator().execute(context)
    operator().execute(context)
    import airbyte_counted

    assert [Container] == airbyte_counted.calls


def test_without_the_setting_nothing_is_replaced(monkeypatch):
    """The parts are our own."""
    monkeypatch.setattr(composition, "_configured", None)
    assert isinstance(composition.shared_parts().clock(), SystemClock)
