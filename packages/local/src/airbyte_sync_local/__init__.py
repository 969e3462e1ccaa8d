"""An Airbyte for one machine: the public API on loopback, over scripts or real connectors."""

from airbyte_sync_local import answers, lives, statuses
from airbyte_sync_local.answers import Answer, Refused
from airbyte_sync_local.auth import Auth, BasicAuth, BearerAuth, ClientCredentials, NoAuth
from airbyte_sync_local.changes import Change, Drip
from airbyte_sync_local.clock import Clock, ManualClock, utc_now
from airbyte_sync_local.connector_process import ConnectorsEnvironment
from airbyte_sync_local.connectors import Connector, ConnectorsEngine
from airbyte_sync_local.engine import Engine, JobEvent
from airbyte_sync_local.faults import FAULT_ACTIONS, Fault, FaultAction, ImpossibleFault, gateway
from airbyte_sync_local.lives import ImpossibleLife, Life, Step
from airbyte_sync_local.local_airbyte import LocalAirbyte
from airbyte_sync_local.model import Actor, Attempt, Connection, Failure, Job, Tag
from airbyte_sync_local.named import EXAMPLE, named_scenario, scenario_names
from airbyte_sync_local.pipeline import Threads
from airbyte_sync_local.quirks import Caller, Edition, Quirks, SecondSubmit, Unauthorized
from airbyte_sync_local.reading import InvalidScenario
from airbyte_sync_local.request_log import RequestRecord
from airbyte_sync_local.scenario import ConnectionScenario, Scenario, load
from airbyte_sync_local.scripted import ScriptedEngine
from airbyte_sync_local.server import NotLoopback, Server, Settings, WrongEngine

__all__ = [
    "EXAMPLE",
    "FAULT_ACTIONS",
    "Actor",
    "Answer",
    "Attempt",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "Caller",
    "Change",
    "ClientCredentials",
    "Clock",
    "Connection",
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
    "ImpossibleLife",
    "InvalidScenario",
    "Job",
    "JobEvent",
    "Life",
    "LocalAirbyte",
    "ManualClock",
    "NoAuth",
    "NotLoopback",
    "Quirks",
    "Refused",
    "RequestRecord",
    "Scenario",
    "ScriptedEngine",
    "SecondSubmit",
    "Server",
    "Settings",
    "Step",
    "Tag",
    "Threads",
    "Unauthorized",
    "WrongEngine",
    "answers",
    "gateway",
    "lives",
    "load",
    "named_scenario",
    "scenario_names",
    "statuses",
    "utc_now",
]
