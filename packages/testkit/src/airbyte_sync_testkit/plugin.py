"""The pytest plugin: a local Airbyte for any test that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airbyte_sync_local import LocalAirbyte


@pytest.fixture
def local_airbyte() -> Iterator[LocalAirbyte]:
    """Serve Airbyte's public API on a free loopback port while the test runs."""
    from airbyte_sync_local import LocalAirbyte  # noqa: PLC0415 - every pytest run loads the plugin

    with LocalAirbyte() as server:
        yield server
