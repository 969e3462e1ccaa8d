"""The resource: one Airbyte server, and how its syncs are seen through."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import dagster as dg
from pydantic import Field

from airbyte_sync import (
    AirbyteSyncError,
    CallFailed,
    SyncPolicy,
    SyncRequest,
    SyncResult,
    SyncSkipped,
)
from airbyte_sync_dagster.run_store import Context, RunStore
from airbyte_sync_http import AsyncAirbyteGateway, ServerSettings, job_url, open_async_gateway
from airbyte_sync_runner import LogEvents, Outcome, python_signal_handlers, run_many


class Ended(NamedTuple):
    """What became of a sync, and what Dagster shows of its job."""

    result: SyncResult | None
    error: AirbyteSyncError | None
    metadata: dict[str, Any]


class Airbyte(dg.ConfigurableResource["Airbyte"]):
    """An Airbyte server, and how its syncs are seen through. Give secrets as ``dg.EnvVar``."""

    url: str = Field(description="The address of Airbyte or of its API.")
    client_id: str | None = Field(default=None, description="Of an application in Airbyte.")
    client_secret: str | None = Field(default=None, description="Of the same application.")
    settings: dict[str, str] = Field(default={}, description="Keys of ServerSettings.from_config.")
    policy: dict[str, Any] = Field(default={}, description="Keys of SyncPolicy.from_config.")

    def server(self) -> ServerSettings:
        """Return the settings of the server, checked."""
        own = {"url": self.url, "client_id": self.client_id, "client_secret": self.client_secret}
        return ServerSettings.from_config({**own, **self.settings})

    def sync(
        self, context: Context, connection_id: str, job_type: str = "sync", **policy: Any
    ) -> Ended:
        """
        Run a job to its end, from an op or asset. It has no result where it was skipped.

        A retry and a re-execution of the run go on with it; terminating the run cancels it.

        Args:
            context: Of the op or asset.
            connection_id: The connection.
            job_type: ``sync``, ``reset`` ...
            policy: What differs from the resource's.

        Raises:
            dagster.Failure: It did not succeed. The text says what to do.
        """
        [ended] = self.sync_all(context, connection_id, job_type=job_type, **policy)
        raise_failures(context, [ended])
        return ended

    def sync_all(
        self, context: Context, *connection_ids: str, job_type: str = "sync", **policy: Any
    ) -> list[Ended]:
        """Run a job of each connection, all at once, and return what became of them, in their order."""
        try:
            how = SyncPolicy.from_config({"streams": True, **self.policy, **policy})
            configs = [{"connection_id": each, "job_type": job_type} for each in connection_ids]
            requests = [SyncRequest.from_config(config) for config in configs]
            with python_signal_handlers():  # Dagster's would raise in the middle of a submission
                return asyncio.run(_sync(self.server(), requests, how, RunStore(context)))
        except AirbyteSyncError as error:
            raise_failures(context, [Ended(None, error, {})])
            raise
        except SystemExit as stopped:  # SIGTERM: Dagster knows one kind of interruption
            raise KeyboardInterrupt from stopped


def raise_failures(context: Context, all_ended: Iterable[Ended]) -> None:
    """Raise what did not succeed, unless it was skipped: what to do, and whether a retry may help."""
    failed = []
    for ended in all_ended:
        if isinstance(ended.error, SyncSkipped):
            context.log.warning(str(ended.error))
        elif ended.error is not None:
            failed.append((ended.error, ended.metadata))
    if failed:
        text = "\n".join(f"{type(error).__name__}: {error}" for error, _ in failed)
        is_worth_it = any(error.retry_may_help for error, _ in failed)
        raise dg.Failure(text, metadata=failed[0][1], allow_retries=is_worth_it)


async def _sync(
    settings: ServerSettings, requests: list[SyncRequest], policy: SyncPolicy, store: RunStore
) -> list[Ended]:
    tell, decide = LogEvents(store.log), store.on_interrupt
    async with open_async_gateway(settings) as gateway:
        outcomes = await run_many(
            gateway, requests, policy, store=store, on_event=tell, on_interrupt=decide
        )
        ended = [_ended(each, gateway, settings.ui_url) for each in outcomes]
        return await asyncio.gather(*ended)


async def _ended(outcome: Outcome, gateway: AsyncAirbyteGateway, ui_url: str) -> Ended:
    job = getattr(outcome.result or outcome.error, "job", None)
    facts: dict[str, Any] = {}
    if job is not None:
        with suppress(CallFailed):  # a link is not worth a failure
            connection = await gateway.fetch_connection(job.connection_id, quickly=True)
            page = job_url(ui_url, connection.workspace_id, job.connection_id, job.job_id)
            facts["job"] = dg.MetadataValue.url(page)
        facts |= {"job_id": job.job_id, "status": job.status.word}
        facts |= {"job_rows": job.rows, "job_bytes": job.bytes}
    known = {f"airbyte/{name}": value for name, value in facts.items() if value is not None}
    return Ended(outcome.result, outcome.error, known)
