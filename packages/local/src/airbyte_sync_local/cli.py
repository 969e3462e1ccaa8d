"""The command line: ``airbyte-sync-local serve`` runs a server until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airbyte_sync_local.api import operations
from airbyte_sync_local.auth import (
    AuthRequirement,
    RequireBasicAuth,
    RequireBearerToken,
    RequireClientCredentials,
    RequireNothing,
)
from airbyte_sync_local.clock import utc_now
from airbyte_sync_local.engines.connector_process import ConnectorsEnvironment
from airbyte_sync_local.engines.connectors import Connector, ConnectorsEngine
from airbyte_sync_local.engines.scripted import ScriptedEngine
from airbyte_sync_local.pipeline import Threads
from airbyte_sync_local.scenarios.named import EXAMPLE, named_scenario, scenario_names
from airbyte_sync_local.scenarios.reading import InvalidScenario
from airbyte_sync_local.scenarios.scenario import ConnectionScenario, Scenario, load
from airbyte_sync_local.server import Server, Settings
from airbyte_sync_local.world import WrongEngine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airbyte_sync_local.platform.engine import Engine


class UnusableOption(ValueError):
    """An option of the command line cannot be meant. The text says what to do."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "scenarios":
            for name in scenario_names():
                sys.stdout.write(f"{name:32} {named_scenario(name).about}\n")
            return 0
        scenario = _scenario(arguments)
        auth, credentials = _auth(arguments, scenario)
        settings = Settings(
            port=arguments.port,
            engine=_ENGINES[arguments.engine](arguments, scenario),
            auth=auth,
            quirks=scenario.quirks,
            threads=Threads(
                count=arguments.threads, latency=timedelta(milliseconds=arguments.latency)
            ),
        )
        return asyncio.run(_serve(settings, scenario, credentials, arguments.url_file))
    except (InvalidScenario, UnusableOption, WrongEngine) as problem:
        parser.error(str(problem))


async def _serve(
    settings: Settings, scenario: Scenario, credentials: str, url_file: Path | None
) -> int:
    """Serve until SIGINT or SIGTERM."""
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, asked_to_stop.set)
    server = Server(settings)
    server.world.apply(scenario)
    try:
        base_url = await _listen(server, settings.port)
        if url_file is not None:
            _write_whole(url_file, base_url + "\n")
        sys.stdout.write(_announcement(base_url, scenario, credentials))
        sys.stdout.flush()
        await asked_to_stop.wait()
    finally:
        await server.stop()
    return 0


async def _listen(server: Server, port: int) -> str:
    try:
        return await server.start()
    except OSError as problem:
        raise UnusableOption(
            f"cannot listen on port {port}: {problem.strerror}; "
            "choose another, or 0 for any free one"
        ) from problem


def _announcement(base_url: str, scenario: Scenario, credentials: str) -> str:
    connections = ", ".join(
        f"{entry.connection.connection_id} ({entry.connection.name})"
        for entry in scenario.connections
    )
    return (
        f"Airbyte for this machine: {base_url}{operations.PUBLIC_PREFIXES[0]}"
        f" | connections: {connections or 'none'} | {credentials} | Ctrl-C stops it\n"
    )


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader never finds half of it."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as problem:
        raise UnusableOption(
            f"cannot write {path}: {problem.strerror}; name a file in a folder that exists"
        ) from problem


# --- what it starts with --------------------------------------------------------------------------


def _scenario(arguments: argparse.Namespace) -> Scenario:
    """Read the scenario: a ready-made one by its name, or a file."""
    if arguments.scenario is None:
        connector = Connector(config={"count": 1000}) if arguments.engine == "connectors" else None
        return Scenario(connections=(ConnectionScenario(connection=EXAMPLE, connector=connector),))
    if arguments.scenario in scenario_names():
        return named_scenario(arguments.scenario)
    try:
        return load(Path(arguments.scenario))
    except InvalidScenario as problem:
        if Path(arguments.scenario).suffix:
            raise
        raise UnusableOption(
            f"no scenario is called {arguments.scenario!r}: name a file, or one of those that "
            "airbyte-sync-local scenarios lists"
        ) from problem


# --- who may come in ------------------------------------------------------------------------------


def _auth(arguments: argparse.Namespace, scenario: Scenario) -> tuple[AuthRequirement, str]:
    """Choose who may come in, and what to tell about it; an option goes before the scenario."""
    if arguments.auth is None and isinstance(scenario.auth, RequireClientCredentials):
        auth = scenario.auth
        return auth, f"client id: {auth.client_id}, client secret: {auth.client_secret}"
    return _AUTHS[arguments.auth or "none"](arguments)


def _no_auth(_arguments: argparse.Namespace) -> tuple[AuthRequirement, str]:
    return RequireNothing(), "no credentials needed"


def _client_credentials(arguments: argparse.Namespace) -> tuple[AuthRequirement, str]:
    secret = arguments.client_secret or secrets.token_urlsafe(16)
    auth = RequireClientCredentials(client_id=arguments.client_id, client_secret=secret)
    return auth, f"client id: {arguments.client_id}, client secret: {secret}"


def _basic(arguments: argparse.Namespace) -> tuple[AuthRequirement, str]:
    password = arguments.password or secrets.token_urlsafe(16)
    auth = RequireBasicAuth(username=arguments.username, password=password)
    return auth, f"user: {arguments.username}, password: {password}"


def _bearer(arguments: argparse.Namespace) -> tuple[AuthRequirement, str]:
    token = arguments.token or secrets.token_urlsafe(16)
    return RequireBearerToken(token=token), f"bearer token: {token}"


_AUTHS: Final[Mapping[str, Callable[[argparse.Namespace], tuple[AuthRequirement, str]]]] = {
    "none": _no_auth,
    "client-credentials": _client_credentials,
    "basic": _basic,
    "bearer": _bearer,
}


# --- what plays the jobs --------------------------------------------------------------------------


def _scripted(_arguments: argparse.Namespace, scenario: Scenario) -> Engine:
    return ScriptedEngine(default=scenario.default_script)


def _connectors(arguments: argparse.Namespace, _scenario: Scenario) -> Engine:
    if arguments.connectors_python is None:
        raise UnusableOption(
            "--engine connectors needs --connectors-python: the Python that has PyAirbyte, "
            "as FOLDER/pyairbyte/bin/python beside FOLDER/source-faker/bin/source-faker"
        )
    return ConnectorsEngine(
        environment=ConnectorsEnvironment(python=arguments.connectors_python.absolute()),
        data_folder=arguments.data_dir.absolute(),
        clock=utc_now,
    )


_ENGINES: Final[Mapping[str, Callable[[argparse.Namespace, Scenario], Engine]]] = {
    "scripted": _scripted,
    "connectors": _connectors,
}


# --- options --------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="airbyte-sync-local", description="An Airbyte for one machine."
    )
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")
    commands.add_parser("scenarios", help="list the ready-made scenarios")
    serve = commands.add_parser("serve", help="serve the public API on 127.0.0.1")
    serve.add_argument(
        "--port", type=_number(0, 65535), default=0, help="0, the default, for any free one"
    )
    serve.add_argument("--engine", choices=list(_ENGINES), default="scripted")
    serve.add_argument("--scenario", metavar="NAME-or-FILE", help="a ready-made one, TOML or JSON")
    serve.add_argument("--auth", choices=list(_AUTHS), help="none, or what the scenario says")
    serve.add_argument("--client-id", default="local", metavar="ID")
    serve.add_argument("--client-secret", metavar="SECRET", help="made up if not given")
    serve.add_argument("--username", default="local", metavar="NAME", help="for --auth basic")
    serve.add_argument("--password", metavar="PASSWORD", help="made up if not given")
    serve.add_argument("--token", metavar="TOKEN", help="for --auth bearer; made up if not given")
    serve.add_argument(
        "--latency",
        type=_number(0, 600_000),
        default=0,
        metavar="MS",
        help="added to every request",
    )
    serve.add_argument(
        "--threads", type=_number(1, 1000), default=5, metavar="N", help="requests served at a time"
    )
    serve.add_argument(
        "--connectors-python", type=Path, metavar="PATH", help="for --engine connectors"
    )
    serve.add_argument(
        "--data-dir",
        type=Path,
        default=Path("airbyte-sync-local-data"),
        metavar="DIR",
        help="for --engine connectors: where the DuckDB files go",
    )
    serve.add_argument("--url-file", type=Path, metavar="FILE", help="where to write the base URL")
    return parser


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    """Make a reader of a number within bounds."""

    def read(value: str) -> int:
        if not value.isdecimal() or not lowest <= int(value) <= highest:
            raise argparse.ArgumentTypeError(
                f"{value!r} is not a number from {lowest} to {highest}; give one"
            )
        return int(value)

    return read
