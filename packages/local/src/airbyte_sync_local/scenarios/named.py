"""
Ready-made scenarios: each shows one way in which a real Airbyte is hard on its clients.

They are scenario files in the folder ``scenarios/``, named by what they show. A file without
connections is about one connection, whose id is always the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from airbyte_sync_local.platform.model import ServerConnection
from airbyte_sync_local.scenarios.reading import InvalidScenario
from airbyte_sync_local.scenarios.scenario import ConnectionScenario, Scenario, load

EXAMPLE: Final = ServerConnection(
    connection_id="b5ef9c4c-6b4f-4d5c-9f55-0d2a4c9b7c11",
    source_id="0c7ab1f5-8d7e-4a76-9d0a-4c1d3c6f8a02",
    destination_id="d2b7c9a8-1e61-4f0e-8b39-6a5e0c3f9d03",
)
"""What is served where no connection is named."""

_FOLDER: Final = Path(__file__).parent


def scenario_names() -> tuple[str, ...]:
    """Return the names of the ready-made scenarios, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def named_scenario(name: str) -> Scenario:
    """
    Return a ready-made scenario.

    Raises:
        InvalidScenario: None has this name.
    """
    if name not in scenario_names():
        raise InvalidScenario(
            f"no scenario is called {name!r}; there are {', '.join(scenario_names())}"
        )
    scenario = load(_FOLDER / f"{name}.toml")
    if scenario.connections:
        return scenario
    return replace(scenario, connections=(ConnectionScenario(connection=EXAMPLE),))
