"""Which streams a connection has when a code location loads, also while Airbyte is down."""

import json
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import dagster as dg
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)

from airbyte_sync import AirbyteSyncError
from airbyte_sync_http import ServerSettings, open_gateway


class Stream(NamedTuple):
    """A stream of a connection, and its name in the destination."""

    name: str
    table: str


def streams_of(connection_id: str, settings: ServerSettings) -> list[Stream]:
    """
    Return the streams of a connection.

    Airbyte is asked when the code location loads. Dagster hands the answer on to run workers and steps, and a
    file keeps it for a load while Airbyte does not answer.
    """
    context, key = DefinitionsLoadContext.get(), f"airbyte-sync/streams/{connection_id}"
    is_again = context.load_type is DefinitionsLoadType.RECONSTRUCTION
    known = context.reconstruction_metadata.get(key) if is_again else None
    text = known or _asked_or_kept(connection_id, settings)
    context.add_to_pending_reconstruction_metadata(key, text)
    return [Stream(*each) for each in json.loads(text)]


def _asked_or_kept(connection_id: str, settings: ServerSettings) -> str:
    home = os.environ.get("DAGSTER_HOME")
    folder = (Path(home) / "storage" if home else Path.home() / ".cache") / "airbyte-sync"
    file = folder / f"streams-{quote(connection_id, safe='')}.json"
    log = dg.get_dagster_logger("airbyte_sync")
    try:
        with open_gateway(settings.with_short_timeouts()) as gateway:
            streams = gateway.fetch_lineage(connection_id).streams
    except AirbyteSyncError as error:
        if not file.exists():
            advice = f"Name the streams, or let Airbyte answer once: {folder} has none of an earlier load."
            raise dg.DagsterInvalidDefinitionError(f"{error} {advice}") from error
        log.warning("Connection %s has the streams of an earlier load: %s", connection_id, error)
        return file.read_text("utf-8")
    text = json.dumps([(each.name, each.written_as) for each in streams])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(text, "utf-8")
        fresh.replace(file)
    except OSError as error:
        log.warning("The streams of connection %s cannot be kept: %s", connection_id, error)
    return text
