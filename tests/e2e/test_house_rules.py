"""What never happens, looked for in real processes: a secret on disk, a blocked event loop."""

import json

LIMIT = 0.05
"""The longest time, in seconds, for which one step of ours may hold up the triggerer's loop."""
WORST = 5


def test_no_secret_is_in_any_file_of_airflow(secrets, home):
    """Task logs, process logs, XComs and trigger arguments: a secret would be in a file or the database."""
    files = [path for path in home.rglob("*") if path.is_file()]
    assert home / "airflow.db" in files
    found = {
        str(path) for path in files for secret in secrets if secret.encode() in path.read_bytes()
    }
    assert set() == found


def test_no_secret_is_in_an_xcom(runs, secrets):
    """What a task leaves for others holds identifiers only."""
    everything = json.dumps([run.xcoms() for run in runs.values()])
    assert not any(secret in everything for secret in secrets)


def test_our_code_does_not_hold_up_the_event_loop(runs, loop_watch_file):
    """No step of a trigger of ours, nor its import, takes longer than 50 ms of the triggerer's loop."""
    assert runs
    rows = [json.loads(line) for line in loop_watch_file.read_text().splitlines()]
    assert any("watching" in row for row in rows)
    slow = sorted(
        (row for row in rows if "seconds" in row), key=lambda row: row["held_up"], reverse=True
    )
    for row in slow[:WORST]:
        took = f"{row['seconds']} s, of it {row['held_up']} s not robbed"
        print(f"{took}, in {last_frames(row)}")  # noqa: T201 - pytest -rP shows it
    assert [] == [row for row in slow if row["held_up"] > LIMIT and is_ours(row)]


def is_ours(row):
    return any("airbyte_sync" in frame for stack in row["stacks"] for frame in stack)


def last_frames(row):
    return " > ".join(row["stacks"][-1][-4:]) if row["stacks"] else "unknown"


def test_the_triggerer_has_nothing_to_complain_about(runs, airflow):
    """asyncio's debug mode is on: what was not awaited, closed or done in the right thread would be told."""
    assert runs
    log = airflow.process_log("triggerer").read_text()
    for complaint in ("never awaited", "Unclosed", "Non-thread-safe", "Traceback"):
        assert complaint not in log
