"""A sync as a page in Markdown: for a scheduler that shows such pages, or a summary of a build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airbyte_sync.texts import clean

if TYPE_CHECKING:
    from airbyte_sync.job_details import JobStreams
    from airbyte_sync.jobs import Job


def to_markdown(
    job: Job,
    text: str,
    *,
    streams: JobStreams | None = None,
    connection_name: str | None = None,
    job_url: str | None = None,
) -> str:
    """
    Return a heading with the job, its connection and its status, a text, and a table of what was moved.

    Args:
        job: The job.
        text: What is to be said of it, as :func:`airbyte_sync.describe` or an error says it.
        streams: What was moved by stream, where it is known.
        connection_name: What people call the connection; ``None``: its id is shown.
        job_url: The job's page in Airbyte's web application.
    """
    title = f"Airbyte job {job.job_id}"
    if job_url is not None:
        title = f"[{title}]({job_url})"
    of = _escaped(job.connection_id if connection_name is None else connection_name)
    lines = [f"# {title} of {of}: {_escaped(job.status.word)}", "", _escaped(text), ""]
    lines += ["| stream | rows | bytes |", "|-|-:|-:|"]
    lines.append(_row("**all**", job.rows, job.bytes))
    if streams is not None:
        lines += [_row(_escaped(each.name), each.rows, each.bytes) for each in streams.streams]
        if streams.others:
            lines.append(_row(f"{streams.others} others", streams.other_rows, streams.other_bytes))
    return "\n".join(lines)


def _row(name: str, rows: int | None, bytes_: int | None) -> str:
    return f"| {name} | {_amount(rows)} | {_amount(bytes_)} |"


def _amount(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _escaped(text: str) -> str:
    """Return a text of a server so that it stays a text: no table, no HTML, no link of its own."""
    special = "\\`*_{}[]<>|#"
    return "".join(f"\\{each}" if each in special else each for each in clean(text))
