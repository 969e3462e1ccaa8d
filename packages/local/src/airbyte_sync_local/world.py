"""
What a server serves: the platform, what carries out its jobs, the faults that wait, the request log.

Everything that a test prepares or looks at is here, below HTTP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync_local.engines.connectors import ConnectorsEngine
from airbyte_sync_local.engines.scripted import ScriptedEngine
from airbyte_sync_local.platform.rules import Platform
from airbyte_sync_local.request_log import DEFAULT_RECORDS, RequestLog
from airbyte_sync_local.scenarios.faults import FaultPlan

if TYPE_CHECKING:
    from airbyte_sync_local.clock import TimeSource
    from airbyte_sync_local.platform.engine import Engine
    from airbyte_sync_local.platform.model import ServerJob
    from airbyte_sync_local.platform.quirks import Quirks
    from airbyte_sync_local.scenarios.job_scripts import JobScript
    from airbyte_sync_local.scenarios.scenario import ConnectionScenario, Scenario


class WrongEngine(ValueError):
    """A job script needs the scripted engine, and a connector the one that runs connectors."""


class World:
    """
    A platform with everything around it but HTTP.

    Args:
        engine: Carries out the jobs.
        clock: What time it is.
        quirks: Which kind of server to be.
        recorded_requests: How many requests are kept on record.

    Attributes:
        platform: The rules and the rows.
        faults: What is to go wrong.
        log: What was asked for.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        clock: TimeSource,
        quirks: Quirks,
        recorded_requests: int = DEFAULT_RECORDS,
    ) -> None:
        self._engine = engine
        self.platform = Platform(engine=engine, clock=clock, quirks=quirks)
        self.faults = FaultPlan()
        self.log = RequestLog(keeps=recorded_requests)

    def apply(self, scenario: Scenario) -> None:
        """
        Add the connections and faults of a scenario. Its quirks are a matter of `Settings`.

        Raises:
            WrongEngine: It holds job scripts or connectors that the engine has no use for.
        """
        for entry in scenario.connections:
            self.add(entry)
        for fault in scenario.faults:
            self.faults.inject(fault)

    def add(self, entry: ConnectionScenario) -> None:
        """
        Add a connection, or replace the one with its id.

        Args:
            entry: The connection. Without job scripts or a connector, those it had stay.

        Raises:
            WrongEngine: It has job scripts or a connector, and the engine has no use for them.
        """
        if entry.job_scripts:
            self._scripts().plan(entry.connection.connection_id, entry.job_scripts)
        if entry.connector is not None:
            self._connectors().connect(entry.connection.connection_id, entry.connector)
        self.platform.put_connection(entry.connection)
        if entry.already_running is not None:
            self.start_external_job(entry.connection.connection_id, entry.already_running)

    def start_external_job(self, connection_id: str, script: JobScript | None = None) -> ServerJob:
        """
        Start a sync as the schedule or a user of the UI would.

        Args:
            connection_id: The connection.
            script: What becomes of it, if not what is planned for the connection.

        Raises:
            WrongEngine: A script was given, and the engine plays none.
            Refusal: The connection has an active job, or is unknown.
        """
        connection_id = self.platform.connection(connection_id).connection_id
        if script is None:
            return self.platform.start_external(connection_id)
        with self._scripts().overruled(connection_id, script):
            return self.platform.start_external(connection_id)

    def _scripts(self) -> ScriptedEngine:
        engine = self._engine
        if not isinstance(engine, ScriptedEngine):
            raise WrongEngine(
                "job scripts are for the scripted engine; choose it, or leave them out"
            )
        return engine

    def _connectors(self) -> ConnectorsEngine:
        engine = self._engine
        if not isinstance(engine, ConnectorsEngine):
            raise WrongEngine(
                "a connector is for the engine that runs connectors; choose it, or leave it out"
            )
        return engine
