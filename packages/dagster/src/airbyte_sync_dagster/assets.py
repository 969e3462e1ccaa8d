"""An asset for each stream; the assets of a connection are one sync."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from airbyte_sync import SyncResult
from airbyte_sync_dagster.resource import Airbyte, raise_failures
from airbyte_sync_dagster.streams import Stream, streams_of

_CONNECTION, _STREAM = "airbyte/connection", "airbyte/stream"


def airbyte_assets(
    name: str,
    connections: Mapping[str, Sequence[str]] | Sequence[str],
    *,
    airbyte: Airbyte | None = None,
    key_prefix: Sequence[str] = (),
    resource_key: str = "airbyte",
    policy: Mapping[str, Any] | None = None,
    **options: Any,
) -> dg.AssetsDefinition:
    """
    Return an asset for each stream of some connections. One step syncs all of them at once.

    Args:
        name: Of the step.
        connections: Their ids and the names of their streams, ``{"6f0a...": ["users", "orders"]}``; or the
            ids alone, and ``airbyte`` is asked when the code location loads.
        airbyte: The resource, which ``resource_key`` names in the definitions.
        key_prefix: What the asset keys begin with.
        policy: What differs from the resource's.
        options: For :func:`dagster.multi_asset`: ``group_name``, ``retry_policy``, ``partitions_def`` ...
    """
    if isinstance(connections, Mapping):
        streams = {
            key: [Stream(each, each) for each in names] for key, names in connections.items()
        }
    elif airbyte is not None:
        settings = airbyte.process_config_and_initialize().server()
        streams = {each: streams_of(each, settings) for each in connections}
    else:
        raise dg.DagsterInvalidDefinitionError(
            "Name the streams, or give airbyte, which is asked for them"
        )
    specs = [
        dg.AssetSpec(
            [*key_prefix, stream.table],
            skippable=True,
            kinds={"airbyte"},
            metadata={_CONNECTION: key, _STREAM: stream.name},
        )
        for key, of_it in streams.items()
        for stream in of_it
    ]

    @dg.multi_asset(
        name=name, specs=specs, can_subset=True, required_resource_keys={resource_key}, **options
    )
    def sync_streams(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        server: Airbyte = getattr(context.resources, resource_key)
        specs, selected = context.assets_def.specs, context.selected_asset_keys
        keys = dict.fromkeys(each.metadata[_CONNECTION] for each in specs if each.key in selected)
        all_ended = dict(zip(keys, server.sync_all(context, *keys, **(policy or {})), strict=True))
        for each in specs:
            ended = all_ended.get(each.metadata[_CONNECTION])
            if ended is None or ended.result is None:
                continue
            metadata = {**ended.metadata, **_amounts(each.metadata[_STREAM], ended.result)}
            if each.key in selected:
                yield dg.MaterializeResult(asset_key=each.key, metadata=metadata)
            else:  # Airbyte syncs whole connections
                context.log_event(dg.AssetMaterialization(each.key, metadata=metadata))
        raise_failures(context, all_ended.values())

    return sync_streams


def _amounts(name: str, result: SyncResult) -> dict[str, int]:
    """Return the rows and bytes of a stream, where Airbyte tells of one of this name."""
    streams = result.streams.streams if result.streams else ()
    found = [each for each in streams if each.name == name]
    amounts = {"rows": found[0].rows, "bytes": found[0].bytes} if len(found) == 1 else {}
    return {f"airbyte/{unit}": each for unit, each in amounts.items() if each is not None}
