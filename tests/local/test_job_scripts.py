"""Job scripts: what a client sees of each, and which are refused."""

from datetime import timedelta
from itertools import product

import pytest

from airbyte_sync_local import (
    ImpossibleJobScript,
    JobScript,
    ScriptedEngine,
    Step,
    job_scripts,
    statuses,
)


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        (job_scripts.succeeds(), ["pending", "running", "succeeded"]),
        (job_scripts.succeeds_slowly(), ["pending", "running"]),
        (job_scripts.fails(), ["pending", "running", "failed"]),
        (job_scripts.is_cancelled_by_server(), ["pending", "running", "cancelled"]),
        (
            job_scripts.retries_then_succeeds(),
            ["pending", "running", "incomplete", "running", "succeeded"],
        ),
        (
            job_scripts.queues_then_succeeds(queued=timedelta(seconds=5)),
            ["pending", "queued", "running", "succeeded"],
        ),
        (job_scripts.says_unknown_word(), ["pending", "running", "hibernating", "succeeded"]),
        (job_scripts.never_starts(), ["pending"]),
        (job_scripts.never_ends(), ["pending", "running"]),
    ],
)
def test_a_ready_made_script_is_seen_as_its_name_says(api, connection, script, seen):
    """Every ready-made script shows a client the statuses that its name promises."""
    api.airbyte.add_connection(connection, job_scripts=[script])
    api.submit(connection)
    assert seen == api.statuses(1, seconds=20)


def test_every_ready_made_life_has_a_name_for_files():
    """What a scenario file may name is what the module offers."""
    made = {name for name in vars(job_scripts) if name.split("_")[0] in {"succeeds", "fails", "is"}}
    assert made <= set(job_scripts.BY_NAME)
    assert all(isinstance(make(), JobScript) for make in job_scripts.BY_NAME.values())


def test_lives_are_used_up_one_by_one(api, connection):
    """Each job takes the next script of its connection, and the last one repeats."""
    api.airbyte.add_connection(
        connection, job_scripts=[job_scripts.fails(), job_scripts.succeeds()]
    )
    ends = []
    for job_id in (1, 2, 3):
        api.submit(connection)
        api.wait(10)
        ends.append(api.status(job_id))
    assert ["failed", "succeeded", "succeeded"] == ends


def test_a_default_script_can_be_chosen(serve):
    """Connections without scripts of their own use the engine's default."""
    api = serve(engine=ScriptedEngine(default=job_scripts.fails()))
    api.submit(api.airbyte.add_connection())
    api.wait(10)
    assert "failed" == api.status(1)


def test_a_job_can_make_its_connection_inactive(api, connection):
    """After a breaking schema change the job is cancelled and later submits are refused."""
    api.airbyte.add_connection(connection, job_scripts=[job_scripts.is_cancelled_by_server()])
    api.submit(connection)
    api.wait(10)
    assert 409 == api.submit(connection).status_code
    assert "inactive" == api.get(f"/connections/{connection.connection_id}").json()["status"]


def test_everything_happens_in_the_order_of_time(api, connection):
    """However long no request comes, a client sees the same afterwards as if it had polled all along."""
    api.airbyte.add_connection(connection, job_scripts=[job_scripts.retries_then_succeeds()])
    api.submit(connection)
    api.wait(10_000)
    body = api.get("/jobs/1").json()
    assert ("succeeded", "PT13S") == (body["status"], body["duration"])


@pytest.mark.parametrize(
    "words", [["succeeded"], ["running", "queued"], ["failed", "running"], ["queued", "succeeded"]]
)
def test_a_life_that_no_airbyte_has_is_refused(words):
    """Changes of status that Airbyte's own table does not know are an error of the script."""
    with pytest.raises(ImpossibleJobScript, match="Airbyte never turns a job from"):
        JobScript(steps=tuple(Step(status=word) for word in words))


def test_a_life_does_not_go_back_in_time():
    """Steps stand in the order of time."""
    late, early = (Step(status="running", at=timedelta(seconds=at)) for at in (5, 1))
    with pytest.raises(ImpossibleJobScript, match="put the steps in order of time"):
        JobScript(steps=(late, early))


@pytest.mark.parametrize(
    ("before", "after"), list(product(sorted(statuses.TERMINAL), [*sorted(statuses.KNOWN), "new"]))
)
def test_the_end_is_final(before, after):
    """Nothing follows a status that ends a job."""
    assert not statuses.may_follow(before, after)


@pytest.mark.parametrize("word", sorted(statuses.KNOWN - statuses.TERMINAL))
def test_an_unknown_word_fits_anywhere_before_the_end(word):
    """A status that Airbyte has not invented yet may come before and after every living one."""
    assert statuses.may_follow(word, "new")
    assert statuses.may_follow("new", word)
