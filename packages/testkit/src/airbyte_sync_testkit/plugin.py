"""The pytest plugin: a local Airbyte for any test that asks for one, and the words of a suite that fails.

Every pytest run where the package is installed loads this module: what it needs is imported by the fixture.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from airbyte_sync_local import LocalAirbyte

pytest.register_assert_rewrite("airbyte_sync_testkit.contract")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "local_airbyte(scenario=None, **options): what the fixture local_airbyte starts with: a Scenario or "
        "the path of a scenario file, from the test's folder, and whatever else LocalAirbyte takes",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a contract suite say below a traceback which fact is broken, and what that does to users."""
    report = yield
    test = getattr(item, "function", None)
    show = getattr(report.longrepr, "addsection", None)
    if report.failed and call.when == "call" and test is not None and show is not None:
        from airbyte_sync_testkit.contract.facts import broken_fact  # noqa: PLC0415 - see above

        fact = broken_fact(test)
        if fact is not None:
            show("contract", fact, "-")
    return report


@pytest.fixture
def local_airbyte(request: pytest.FixtureRequest) -> Iterator[LocalAirbyte]:
    """
    Serve Airbyte's public API on a free loopback port while the test runs.

    The marker ``local_airbyte`` gives it options; of several, each option of the nearest one holds.

    Raises:
        InvalidScenario: The scenario file cannot be read, or says something that cannot be meant.
        TypeError: :class:`~airbyte_sync_local.LocalAirbyte` has no such option.
    """
    from airbyte_sync_local import LocalAirbyte, load  # noqa: PLC0415 - see above

    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("local_airbyte"):
        options = {**marker.kwargs, **options}
    if isinstance(options.get("scenario"), (str, Path)):
        options["scenario"] = load(request.path.parent / options["scenario"])
    with LocalAirbyte(**options) as server:
        yield server
