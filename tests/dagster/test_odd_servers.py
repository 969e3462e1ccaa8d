"""Under Dagster, a server that misbehaves at random ends no sync, and doubles none."""

import dagster as dg
import pytest
from random_faults import misbehave
from shop import QUICK

from airbyte_sync_dagster import airbyte_assets
from airbyte_sync_local import statuses


@pytest.mark.parametrize("seed", range(9))
def test_one_sync_succeeds(airbyte, add, resource, instance, seed):
    """Its job is found, whatever the answer to its submission was; no poll that fails ends the wait."""
    assets = airbyte_assets("shop", {add(QUICK): ["users", "orders"]})
    misbehave(airbyte, seed)
    result = dg.materialize([assets], resources={"airbyte": resource}, instance=instance)
    assert result.success
    assert [statuses.SUCCEEDED] == [job.status for job in airbyte.jobs]
    assert [] == [each for each in airbyte.requests if each.operation == "DELETE /jobs/{jobId}"]
