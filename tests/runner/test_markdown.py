"""A sync as a page in Markdown."""

from dataclasses import replace
from datetime import datetime, timezone

from airbyte_sync import Job, JobStatus, JobStreams, StreamTotals
from airbyte_sync_runner import to_markdown

JOB = Job(
    job_id=7,
    status=JobStatus.SUCCEEDED,
    job_type="sync",
    connection_id="3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11",
    created_at=datetime(2026, 8, 21, tzinfo=timezone.utc),
    rows=1234,
    bytes=65536,
)


def test_a_page_has_the_job_and_what_was_moved():
    """By stream, where that is known."""
    streams = JobStreams(
        streams=(StreamTotals(name="orders", rows=1000, bytes=60000), StreamTotals(name="users")),
        others=2,
        other_rows=234,
        other_bytes=5536,
    )
    page = to_markdown(JOB, "It ended", streams=streams, connection_name="Shop", job_url="http://a")
    assert [
        "# [Airbyte job 7](http://a) of Shop: succeeded",
        "",
        "It ended",
        "",
        "| stream | rows | bytes |",
        "|-|-:|-:|",
        "| **all** | 1,234 | 65,536 |",
        "| orders | 1,000 | 60,000 |",
        "| users |  |  |",
        "| 2 others | 234 | 5,536 |",
    ] == page.splitlines()


def test_without_names_it_has_ids():
    """And nothing for what is not known."""
    page = to_markdown(replace(JOB, rows=None, bytes=None), "It runs")
    assert page.startswith(f"# Airbyte job 7 of {JOB.connection_id}: succeeded\n")
    assert page.endswith("| **all** |  |  |")


def test_what_a_server_says_stays_a_text():
    """No table, no markup, no line of its own."""
    page = to_markdown(JOB, "a\n|b| <script>", connection_name="x | [y](z)")
    assert r"of x \| \[y\](z): succeeded" in page
    assert r"a \|b\| \<script\>" in page
