"""
Scenarios: what a server starts with, read from a TOML or JSON file.

A scenario holds connections with the scripts of their jobs, faults that wait, and the quirks
of the server. Durations are numbers of seconds. The package's README shows every key.
"""

from __future__ import annotations

import inspect
import json
import sys
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from airbyte_sync_local.api import answers
from airbyte_sync_local.api.answers import Answer
from airbyte_sync_local.auth import DEFAULT_LIFETIME, AuthRequirement, RequireClientCredentials
from airbyte_sync_local.engines.connectors import Connector
from airbyte_sync_local.platform.model import (
    CONNECTION_STATUSES,
    NAMESPACE_DEFINITIONS,
    Actor,
    Failure,
    Json,
    ServerConnection,
    Tag,
)
from airbyte_sync_local.platform.quirks import Quirks
from airbyte_sync_local.scenarios import job_scripts
from airbyte_sync_local.scenarios.changes import Change, Drip
from airbyte_sync_local.scenarios.faults import FAULT_ACTIONS, Fault
from airbyte_sync_local.scenarios.job_scripts import JobScript, Step
from airbyte_sync_local.scenarios.reading import (
    InvalidScenario,
    Table,
    anything,
    flag,
    number,
    seconds,
    secret,
    several,
    text,
    word,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionScenario:
    """A connection and what happens on it."""

    connection: ServerConnection = field(default_factory=ServerConnection)
    job_scripts: tuple[JobScript, ...] = ()
    """For the scripted engine: one for each sync, and the last one repeats."""
    connector: Connector | None = None
    """For the engine with real connectors: which one to run, and how."""
    already_running: JobScript | None = None
    """For the scripted engine: an external job that has just started, and what becomes of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """What a server starts with."""

    about: str = ""
    """What it shows, in a sentence."""
    connections: tuple[ConnectionScenario, ...] = ()
    faults: tuple[Fault, ...] = ()
    quirks: Quirks = field(default_factory=Quirks)
    default_script: JobScript | None = None
    auth: AuthRequirement | None = None
    """Who may come in; an option of the caller goes before it."""


def load(path: Path) -> Scenario:
    """
    Read a scenario file; the suffix says whether it is TOML or JSON.

    Raises:
        InvalidScenario: It cannot be read, or says something that cannot be meant.
    """
    readers: Mapping[str, Callable[[str], Json]] = {".toml": tomllib.loads, ".json": json.loads}
    reader = readers.get(path.suffix)
    if reader is None:
        raise InvalidScenario(f"{path}: name the file .toml or .json, so that it can be read")
    try:
        content = reader(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise InvalidScenario(f"{path}: cannot be opened: {problem.strerror}") from problem
    except ValueError as problem:
        raise InvalidScenario(f"{path}: not {path.suffix[1:].upper()}: {problem}") from problem
    return read_scenario(content)


def read_scenario(value: Json) -> Scenario:
    """Read a whole scenario."""
    with Table(value) as table:
        return Scenario(
            connections=table.take("connections", several(read_connection), ()),
            faults=table.take("faults", several(read_fault), ()),
            quirks=table.take("quirks", read_quirks, Quirks()),
            default_script=table.take("default_script", read_job_script, None),
            auth=table.take("auth", _read_auth, None),
            about=table.take("about", text, ""),
        )


def _read_auth(value: Json) -> AuthRequirement:
    with Table(value) as table:
        return RequireClientCredentials(
            client_id=table.take("client_id", text, "local"),
            client_secret=table.take("client_secret", secret, "local"),
            lifetime=table.take("lifetime", seconds, DEFAULT_LIFETIME),
            told_lifetime=table.take("told_lifetime", seconds, None),
        )


def read_connection(value: Json) -> ConnectionScenario:
    """Read a connection, with its job scripts or its connector."""
    with Table(value) as table:
        default = ServerConnection()
        row = ServerConnection(
            connection_id=table.take("id", text, default.connection_id),
            name=table.take("name", text, default.name),
            status=table.take("status", word(*CONNECTION_STATUSES), default.status),
            workspace_id=table.take("workspace_id", text, default.workspace_id),
            source_id=table.take("source_id", text, default.source_id),
            destination_id=table.take("destination_id", text, default.destination_id),
            source=table.take("source", _read_actor, default.source),
            destination=table.take("destination", _read_actor, default.destination),
            streams=table.take("streams", several(text), default.streams),
            stream_namespace=table.take("stream_namespace", text, default.stream_namespace),
            tags=table.take("tags", several(_read_tag), ()),
            state=table.take("state", dict, {}),
            namespace_definition=table.take(
                "namespace_definition", word(*NAMESPACE_DEFINITIONS), default.namespace_definition
            ),
            namespace_format=table.take("namespace_format", text, default.namespace_format),
            prefix=table.take("prefix", text, default.prefix),
            cron_expression=table.take("cron_expression", text, default.cron_expression),
        )
        return ConnectionScenario(
            connection=row,
            job_scripts=table.take("job_scripts", several(read_job_script), ()),
            connector=table.take("connector", _read_connector, None),
            already_running=table.take("already_running", read_job_script, None),
        )


def _read_tag(value: Json) -> Tag:
    with Table(value) as table:
        default = Tag(name="")
        return Tag(
            tag_id=table.take("id", text, default.tag_id),
            name=table.need("name", text),
            color=table.take("color", text, default.color),
        )


def _read_actor(value: Json) -> Actor:
    with Table(value) as table:
        return Actor(
            type=table.need("type", text),
            name=table.take("name", text, ""),
            configuration=table.take("configuration", dict, {}),
        )


def _read_connector(value: Json) -> Connector:
    with Table(value) as table:
        return Connector(
            source=table.take("source", text, "source-faker"),
            config=table.take("config", dict, {}),
            streams=table.take("streams", several(text), ()),
            rows_per_second=table.take("rows_per_second", number, None),
        )


def read_job_script(value: Json) -> JobScript:
    """
    Read a job script in one of three forms.

    The name of a ready-made one; a table with the name under ``script`` and its arguments beside it;
    or a table with ``steps`` and, if wanted, ``on_cancel``.
    """
    if isinstance(value, str):
        return read_job_script({"script": value})
    with Table(value) as table:
        if "script" in table:
            name = table.take("script", word(*job_scripts.BY_NAME), "")
            return _ready_made(name, table.rest())
        default = JobScript(steps=())
        return JobScript(
            steps=table.need("steps", several(_read_step)),
            on_cancel=table.take("on_cancel", several(_read_step), default.on_cancel),
        )


def read_fault(value: Json) -> Fault:
    """Read a fault. Its answer is a name, or a table with a status."""
    with Table(value) as table:
        answer = table.take("answer", _read_answer, None)
        retry_after = table.take("retry_after", number, None)
        if retry_after is not None and answer is not None:
            answer = answer.with_header("Retry-After", str(retry_after))
        one: int | None = 1
        return Fault(
            on=table.need("on", text),
            do=table.take("do", word(*FAULT_ACTIONS), "answer"),
            answer=answer,
            times=table.take("times", _times, one),
            skip=table.take("skip", number, 0),
            about=table.take("about", text, None),
            wait=table.take("wait", seconds, timedelta(0)),
            change=table.take("change", _read_change, None),
            drip=table.take("drip", _read_drip, None),
            job_appears_after=table.take("job_appears_after", seconds, None),
            in_front=table.switch("in_front"),
            lasts=table.take("lasts", seconds, None),
        )


def _read_change(value: Json) -> Change:
    with Table(value) as table:
        return Change(
            set=table.take("set", dict, {}),
            remove=table.take("remove", several(text), ()),
            of=table.take("of", text, None),
            hide=table.switch("hide"),
            status=table.take("status", number, None),
            headers=table.take("headers", dict, {}),
            padding=table.take("padding", number, 0),
        )


def _read_drip(value: Json) -> Drip:
    with Table(value) as table:
        return Drip(
            every=table.need("every", seconds),
            header=table.switch("header"),
            body=table.switch("body", usual=True),
            size=table.take("size", number, 1),
        )


def read_quirks(value: Json) -> Quirks:
    """Read the quirks of a server; the keys are the attributes of `Quirks`."""
    with Table(value) as table:
        default = Quirks()
        chosen = {}
        for attribute in fields(Quirks):
            usual = getattr(default, attribute.name)
            chosen[attribute.name] = table.take(attribute.name, _kind_of(usual), usual)
        return Quirks(**chosen)


def _ready_made(name: str, arguments: Mapping[str, Json]) -> JobScript:
    """Make a ready-made script; the kind of each argument is that of its default."""
    make = job_scripts.BY_NAME[name]
    with Table(arguments) as table:
        chosen = {}
        for parameter in inspect.signature(make).parameters.values():
            key = parameter.name.rstrip("_")
            usual = parameter.default
            chosen[parameter.name] = table.take(key, _kind_of(usual), usual)
        return make(**chosen)


def _read_step(value: Json) -> Step:
    with Table(value) as table:
        return Step(
            status=table.need("status", text),
            at=table.take("at", seconds, timedelta(0)),
            rows=table.take("rows", number, None),
            bytes=table.take("bytes", number, None),
            failure=table.take("failure", _read_failure, None),
            connection_status=table.take("connection_status", word(*CONNECTION_STATUSES), None),
        )


def _read_failure(value: Json) -> Failure:
    if isinstance(value, str):
        return Failure(reason=value)
    with Table(value) as table:
        return Failure(
            reason=table.need("reason", text),
            type=table.take("type", text, "system_error"),
            origin=table.take("origin", text, "source"),
        )


def _read_answer(value: Json) -> Answer:
    if isinstance(value, str):
        name = word(*answers.BY_NAME)(value)
        return answers.BY_NAME[name]()
    with Table(value) as table:
        return Answer(
            status=table.need("status", number),
            body=table.take("body", anything, None),
            content_type=table.take("content_type", text, "application/json"),
            headers=table.take("headers", dict, {}),
        )


def _times(value: Json) -> int | None:
    return None if value == "always" else number(value)


def _kind_of(usual: Any) -> Callable[[Json], Any]:
    """Choose the reader of values of the same kind as one that is known."""
    if isinstance(usual, Enum):
        return type(usual)
    readers: Mapping[type, Callable[[Json], Any]] = {
        bool: flag,
        int: number,
        str: text,
        timedelta: seconds,
    }
    return readers[type(usual)]
