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
from airbyte_sync_airflow.report.job_summary import summary_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openlineage.client.facet_v2 import OutputDatasetFacet

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
    base_url: str, lineage: Lineage | None, job: Mapping[str, Any] | None
) -> OperatorLineage[Any, Any]:
    """
    Return what OpenLineage is to know of a sync.

    Args:
        base_url: The Airbyte server's API.
        lineage: What the sync reads and writes; ``None`` if Airbyte did not say.
        job: The XCom ``airbyte_job``, as far as there is one.
    """
    airbyte = urlsplit(base_url).netloc
    summary = summary_in(job)
    job = None if summary is None else summary.to_json()
    inputs, outputs = datasets(lineage, job, airbyte) if lineage else ([], [])
    return OperatorLineage(inputs=inputs, outputs=outputs, run_facets=_run_facets(job, airbyte))


def datasets(
    lineage: Lineage, job: Mapping[str, Any] | None, airbyte: str
) -> tuple[list[InputDataset], list[OutputDataset]]:
    """
    Return what the streams of a connection read and write.

    A job counts rows and bytes of all streams together; they are told of the output when it is the only one.

    Args:
        lineage: What the sync reads and writes.
        job: The XCom ``airbyte_job``, as far as there is one.
        airbyte: The host of the Airbyte server, with a port where its address has one.
    """
    facets = _output_facets(job or {}) if len(lineage.streams) == 1 else {}
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


def _output_facets(job: Mapping[str, Any]) -> dict[str, OutputDatasetFacet]:
    rows, size = job.get("rows"), job.get("bytes")
    if rows is None and size is None:
        return {}
    statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
    return {"outputStatistics": statistics(rowCount=rows, size=size)}


def _run_facets(job: Mapping[str, Any] | None, airbyte: str) -> dict[str, RunFacet]:
    if not job or job.get("job_id") is None:
        return {}
    return {
        "externalQuery": external_query_run.ExternalQueryRunFacet(
            externalQueryId=str(job["job_id"]), source=f"airbyte://{airbyte}"
        ),
        "airbyteJob": AirbyteJobRunFacet(
            jobId=job["job_id"],
            jobType=job.get("job_type"),
            status=job.get("status"),
            connectionId=job.get("connection_id"),
            connectionName=job.get("connection_name"),
            rows=job.get("rows"),
            bytes=job.get("bytes"),
            startedAt=job.get("started_at"),
            durationSeconds=job.get("duration_seconds"),
            url=job.get("url"),
            attached=bool(job.get("attached")),
        ),
    }
