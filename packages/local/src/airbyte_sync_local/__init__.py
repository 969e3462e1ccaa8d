"""An Airbyte for one machine: the public API on loopback, over scripts or real connectors."""

from airbyte_sync_local.api import answers
from airbyte_sync_local.api.answers import Answer
from airbyte_sync_local.auth import (
    AuthRequirement,
    RequireBasicAuth,
    RequireBearerToken,
    RequireClientCredentials,
    RequireNothing,
)
from airbyte_sync_local.clock import ManualClock, TimeSource, utc_now
from airbyte_sync_local.engines.connector_process import ConnectorsEnvironment
from airbyte_sync_local.engines.connectors import Connector, ConnectorsEngine
from airbyte_sync_local.engines.scripted import ScriptedEngine
from airbyte_sync_local.local_airbyte import LocalAirbyte
from airbyte_sync_local.pipeline import Threads
from airbyte_sync_local.platform import statuses
from airbyte_sync_local.platform.engine import Engine, JobEvent
from airbyte_sync_local.platform.model import (
    Actor,
    Attempt,
    Failure,
    ServerConnection,
    ServerJob,
    Tag,
)
from airbyte_sync_local.platform.quirks import (
    Caller,
    Edition,
    Quirks,
    SecondSubmit,
    UnauthorizedBody,
)
from airbyte_sync_local.platform.refusals import Refusal
from airbyte_sync_local.request_log import RequestRecord
from airbyte_sync_local.scenarios import job_scripts
from airbyte_sync_local.scenarios.changes import Change, Drip
from airbyte_sync_local.scenarios.faults import (
    FAULT_ACTIONS,
    Fault,
    FaultAction,
    ImpossibleFault,
    gateway,
)
from airbyte_sync_local.scenarios.job_scripts import ImpossibleJobScript, JobScript, Step
from airbyte_sync_local.scenarios.named import EXAMPLE, named_scenario, scenario_names
from airbyte_sync_local.scenarios.reading import InvalidScenario
from airbyte_sync_local.scenarios.scenario import ConnectionScenario, Scenario, load
from airbyte_sync_local.server import NotLoopback, Server, Settings
from airbyte_sync_local.version import __version__
from airbyte_sync_local.world import WrongEngine

__all__ = [
    "EXAMPLE",
    "FAULT_ACTIONS",
    "Actor",
    "Answer",
    "Attempt",
    "AuthRequirement",
    "Caller",
    "Change",
    "ConnectionScenario",
    "Connector",
    "ConnectorsEngine",
    "ConnectorsEnvironment",
    "Drip",
    "Edition",
    "Engine",
    "Failure",
    "Fault",
    "FaultAction",
    "ImpossibleFault",
    "ImpossibleJobScript",
    "InvalidScenario",
    "JobEvent",
    "JobScript",
    "LocalAirbyte",
    "ManualClock",
    "NotLoopback",
    "Quirks",
    "Refusal",
    "RequestRecord",
    "RequireBasicAuth",
    "RequireBearerToken",
    "RequireClientCredentials",
    "RequireNothing",
    "Scenario",
    "ScriptedEngine",
    "SecondSubmit",
    "Server",
    "ServerConnection",
    "ServerJob",
    "Settings",
    "Step",
    "Tag",
    "Threads",
    "TimeSource",
    "UnauthorizedBody",
    "WrongEngine",
    "__version__",
    "answers",
    "gateway",
    "job_scripts",
    "load",
    "named_scenario",
    "scenario_names",
    "statuses",
    "utc_now",
]
