"""Homes of their own for what is tested, and no calls home, before anything imports a client."""

import os
import tempfile
from uuid import uuid4

import pytest

from airbyte_sync_local import LocalAirbyte, RequireClientCredentials

os.environ.update(
    {
        "AIRFLOW_HOME": tempfile.mkdtemp(prefix="airbyte-sync-clients-"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "SCARF_ANALYTICS": "false",
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "DO_NOT_TRACK": "1",  # PyAirbyte, Prefect
        "PREFECT_HOME": tempfile.mkdtemp(prefix="airbyte-sync-clients-"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
)


@pytest.fixture
def auth():
    """Credentials of this test alone: clients keep tokens by id and secret, whatever server sold them."""
    return RequireClientCredentials(client_id="me", client_secret=uuid4().hex)


@pytest.fixture
def airbyte(auth):
    """An Airbyte that wants them."""
    with LocalAirbyte(auth=auth) as server:
        yield server
