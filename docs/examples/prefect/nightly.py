"""Sync an Airbyte connection every night at three: ``python nightly.py``."""

from prefect import flow

from airbyte_sync_prefect import sync_connection


@flow
def nightly(connection_id: str) -> int | None:
    """Return how many rows were moved."""
    sync = sync_connection.with_options(retries=2, retry_delay_seconds=60)
    return sync(connection_id, "production", timeout=7200).job.rows


if __name__ == "__main__":
    nightly.serve(
        cron="0 3 * * *", parameters={"connection_id": "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11"}
    )
