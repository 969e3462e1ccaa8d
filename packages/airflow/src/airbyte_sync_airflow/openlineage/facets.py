"""From a lineage to OpenLineage's own words. Only with the OpenLineage provider can this be imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attr
from airflow.providers.openlineage.extractors.base import OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    RunFacet,
    external_query_run,
    output_statistics_output_dataset,
)

from airbyte_sync_airflow.openlineage.dataset_names import destination_name, source_name

if TYPE_CHECKING:
    from openlineage.client.facet_v2 import OutputDatasetFacet

    from airbyte_sync_airflow.report.job_summary import JobSummary
    from airbyte_sync_http.protocol.streams import Lineage


@attr.define
class AirbyteJobRunFacet(RunFacet):
    """
    The Airbyte job of a run: ``airbyteJob``.

    Rows and bytes are those of all streams together, which no standard facet has a place for.
    """

    jobId: int  # noqa: N815 - facets are written in camel case
    jobType: str | None = None  # noqa: N815
    status: str | None = None
    connectionId: str | None = None  # noqa: N815
    connectionName: str | None = None  # noqa: N815
    rows: int | None = None
    bytes: int | None = None
    startedAt: str | None = None  # noqa: N815
    durationSeconds: float | None = None  # noqa: N815
    url: str | None = None
    attached: bool = False


def operator_lineage(
    base_url: str, lineage: Lineage | None, job: JobSummary | None
) -> OperatorLineage[Any, Any]:
    """
    Return what OpenLineage is to know of a sync.

    Args:
        base_url: The Airbyte server's API.
        lineage: What the sync reads and writes; ``None`` if Airbyte did not say.
        job: What is known of the job, where there is one.
    """
    airbyte = urlsplit(base_url).netloc
    inputs, outputs = _datasets(lineage, job, airbyte) if lineage else ([], [])
    run_facets = {} if job is None else _run_facets(job, airbyte)
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets=run_facets)


def _datasets(
    lineage: Lineage, job: JobSummary | None, airbyte: str
) -> tuple[list[InputDataset], list[OutputDataset]]:
    """
    Return what the streams of a connection read and write.

    A job counts rows and bytes of all streams together; they are told of the output when it is the only one.
    """
    facets = _output_facets(job) if job is not None and len(lineage.streams) == 1 else {}
    inputs, outputs = [], []
    for stream in lineage.streams:
        source = source_name(lineage.source, stream, airbyte)
        destination = destination_name(lineage.destination, stream, airbyte)
        inputs.append(InputDataset(namespace=source.namespace, name=source.name))
        outputs.append(
            OutputDataset(
                namespace=destination.namespace, name=destination.name, outputFacets=dict(facets)
            )
        )
    return inputs, outputs


def _output_facets(job: JobSummary) -> dict[str, OutputDatasetFacet]:
    if job.rows is None and job.bytes is None:
        return {}
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
    return {"outputStatistics": statistics(rowCount=job.rows, size=job.bytes)}


def _run_facets(job: JobSummary, airbyte: str) -> dict[str, RunFacet]:
    return {
        "externalQuery": external_query_run.ExternalQueryRunFacet(
            externalQueryId=str(job.job_id), source=f"airbyte://{airbyte}"
        ),
        "airbyteJob": AirbyteJobRunFacet(
            jobId=job.job_id,
            jobType=job.job_type,
            status=job.status,
            connectionId=job.connection_id,
            connectionName=job.connection_name,
            rows=job.rows,
            bytes=job.bytes,
            startedAt=job.started_at,
            durationSeconds=job.duration_seconds,
            url=job.url,
            attached=job.attached,
        ),
    }
