"""What never happens, looked for in real processes: a secret on disk, a blocked event loop."""

import io
import json
import sqlite3
from contextlib import closing

LIMIT = 0.05
"""The longest time, in seconds, for which one step of ours may hold up the triggerer's loop."""
LOOKS = 5
"""How often the watch looks, every 5 ms, in the second half of that time."""
WORST = 5


def test_no_secret_is_in_any_file_of_airflow(secrets, home):
    """Task logs and process logs, and whatever else Airflow writes beside its database."""
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any("sync" in path.read_text() for path in files if path.suffix == ".log")
    found = {
        str(path) for path in files for secret in secrets if secret.encode() in path.read_bytes()
    }
    assert set() == found


def test_no_secret_is_in_the_database_of_airflow(secrets, airflow):
    """XComs, arguments of triggers, what a task renders: every table is read."""
    text = everything_in(airflow)
    assert "deferrable_mapped" in text
    hexadecimal = [secret.encode().hex() for secret in secrets]
    assert not any(secret in text for secret in secrets)
    assert not any(secret in text.lower() for secret in hexadecimal)


def everything_in(airflow):
    """Return every table of the database as text; what is binary is in hexadecimal."""
    if airflow.database == "sqlite":
        path = airflow.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as connection:
            return "\n".join(connection.iterdump())
    import psycopg2

    text = io.StringIO()
    with closing(psycopg2.connect(airflow.database_url.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute("select tablename from pg_tables where schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.copy_expert(f'copy "{table}" to stdout', text)
    return text.getvalue()


def test_no_secret_is_in_an_xcom(played, secrets):
    """What a task leaves for others holds identifiers only."""
    runs = [played.scene(name).run for name in ("blocking", "deferrable", "asynchronous")]
    everything = json.dumps([run.xcoms(task_id) for run in runs for task_id in run.states()])
    assert "airbyte_job" in everything
    assert not any(secret in everything for secret in secrets)


def test_our_code_does_not_hold_up_the_event_loop(played):
    """No step of a trigger of ours, nor its import, takes longer than 50 ms of the triggerer's loop."""
    rows = [json.loads(line) for line in played.loop_watch.splitlines()]
    assert any("watching" in row for row in rows)
    slow = sorted(
        (row for row in rows if "seconds" in row), key=lambda row: row["held_up"], reverse=True
    )
    for row in slow[:WORST]:
        took = f"{row['seconds']} s, of it {row['held_up']} s not robbed"
        print(f"{took}, in {last_frames(row)}")  # noqa: T201 - pytest -rP shows it
    assert [] == [row for row in slow if row["held_up"] > LIMIT and is_ours(row)]


def is_ours(row):
    """Whether our code was seen for as long as it would take; with fewer looks, who looks was held up."""
    return sum(map(shows_our_code, row["stacks"])) >= LOOKS


def shows_our_code(stack):
    """Whether our code does something, and does not wait for a thread to be given a processor."""
    is_starting_a_thread = any(
        "/threading.py:" in frame and frame.endswith(" in start") for frame in stack
    )
    return any("airbyte_sync" in frame for frame in stack) and not is_starting_a_thread


def last_frames(row):
    return " > ".join(row["stacks"][-1][-4:]) if row["stacks"] else "unknown"


def test_the_triggerer_has_nothing_to_complain_about(played):
    """asyncio's debug mode is on: what was not awaited, closed or done in the right thread would be told."""
    for complaint in ("never awaited", "Unclosed", "Non-thread-safe", "Traceback"):
        assert complaint not in played.triggerer_log
