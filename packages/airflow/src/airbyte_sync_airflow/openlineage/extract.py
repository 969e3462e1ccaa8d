"""Lineage for OpenLineage: what a sync has read and written, reported when a task ends.

Without the OpenLineage provider nothing happens, and when Airbyte does not answer, the job
alone is told, after a few seconds at most. Nothing here fails a task or logs a warning.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors.base import OperatorLineage

    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_airflow.report.job_summary import JobSummary
    from airbyte_sync_http.protocol.streams import Lineage

PATIENCE = timedelta(seconds=5)
"""How long Airbyte is asked. OpenLineage itself gives up after ``[openlineage] execution_timeout``, 10 s."""

_log = logging.getLogger(__name__)


def no_facets() -> OperatorLineage[Any, Any] | None:
    """
    Return that there is nothing to tell: the provider warns of ``None`` in the task's log.

    Returns:
        An empty lineage; ``None`` where the provider is not installed.
    """
    try:
        from airflow.providers.openlineage.extractors.base import OperatorLineage
    except ImportError:
        return None
    return OperatorLineage()


def facets_on_complete(
    *,
    conn_id: str,
    api_version: str,
    connection_id: str,
    job: JobSummary | None,
    patience: timedelta = PATIENCE,
) -> OperatorLineage[Any, Any] | None:
    """
    Return what OpenLineage is to know of a sync: for ``get_openlineage_facets_on_complete``.

    Args:
        conn_id: The Airflow connection that leads to the Airbyte server.
        api_version: The version in the API's address.
        connection_id: The Airbyte connection.
        job: What is known of the job, where there is one.
        patience: How long Airbyte is asked at most.

    Returns:
        Inputs and outputs of the connection's streams, and facets about the job; :func:`no_facets` where
        nothing is known. It never raises.
    """
    try:
        from airbyte_sync_airflow.config.connection import read_server
        from airbyte_sync_airflow.openlineage.facets import operator_lineage

        server = read_server(conn_id, api_version)
        lineage = _ask(server, connection_id, patience)
        return operator_lineage(server.settings.base_url, lineage, job)
    except ImportError:  # the OpenLineage provider is not installed
        return None
    except Exception as error:  # lineage that cannot be told fails no task
        _log.debug("No lineage of Airbyte connection %s: %s", connection_id, error)
        return no_facets()


def _ask(server: AirbyteServer, connection_id: str, patience: timedelta) -> Lineage | None:
    """
    Ask Airbyte in a thread that is left to itself when it takes too long.

    Timeouts bound each request, but not the three of them together.
    """
    answers: SimpleQueue[Lineage | Exception] = SimpleQueue()

    def ask() -> None:
        from airbyte_sync_airflow.composition import Container

        hasty = replace(server, settings=server.settings.with_short_timeouts())
        try:
            with Container(hasty).gateway() as gateway:
                answers.put(gateway.fetch_lineage(connection_id))
        except Exception as error:  # it is told where it was asked for
            answers.put(error)

    Thread(target=ask, name="airbyte-lineage", daemon=True).start()
    try:
        answer = answers.get(timeout=patience.total_seconds())
    except Empty:
        answer = TimeoutError(f"Airbyte took longer than {patience.total_seconds():g} s")
    if isinstance(answer, Exception):
        _log.debug("No datasets of Airbyte connection %s: %s", connection_id, answer)
        return None
    return answer
