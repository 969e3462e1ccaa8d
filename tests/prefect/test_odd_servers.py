"""Under Prefect, a server that misbehaves at random ends no sync, and doubles none."""

import pytest
from flows import STYLES, run
from random_faults import misbehave

from airbyte_sync_local import ServerConnection, job_scripts

QUICK = job_scripts.succeeds(rows=1234)


@pytest.mark.parametrize("seed", range(9))
def test_one_sync_succeeds(stage, airbyte, seed):
    """Its job is found, whatever the answer to its submission was; no poll that fails ends the wait."""
    chosen = list(STYLES.values())[seed % len(STYLES)]
    connection = airbyte.add_connection(ServerConnection(name="Shop"), job_scripts=[QUICK])
    misbehave(airbyte, seed)
    assert 1234 == run(chosen, connection.connection_id)
    assert (["succeeded"], []) == (stage.statuses, stage.cancellations)
