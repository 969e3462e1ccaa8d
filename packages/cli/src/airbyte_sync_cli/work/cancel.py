"""What ``airbyte-sync cancel`` does: cancel jobs one after the other, each until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airbyte_sync import AirbyteSyncError, cancel, describe
from airbyte_sync.events import CancelRequested, JobEnded
from airbyte_sync_cli.display.as_json import error_as_json
from airbyte_sync_cli.execution import exiting_on_sigterm, write, write_error, write_line
from airbyte_sync_cli.exit_codes import ExitCode, exit_code_of_cancelling, highest
from airbyte_sync_cli.work.session import open_session
from airbyte_sync_cli.work.targets import jobs_to_cancel
from airbyte_sync_http.transports.network import with_network_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airbyte_sync import Event
    from airbyte_sync_cli.settings import CliSettings
    from airbyte_sync_cli.work.session import Session


async def cancel_all(
    targets: Sequence[str], settings: CliSettings, flags: Mapping[str, Any]
) -> ExitCode:
    """Cancel all that is named, one after the other; one that cannot be cancelled stops no other."""
    as_json = flags["as_json"]
    codes = [ExitCode.SUCCEEDED]
    told: list[dict[str, Any]] = []
    with exiting_on_sigterm():
        async with open_session(settings) as session:
            for text in targets:
                done = await _cancel_what(session, text, None if as_json else write_line)
                for job_id, job, error in done:
                    codes.append(
                        ExitCode.SUCCEEDED if error is None else exit_code_of_cancelling(error)
                    )
                    told.append(
                        {
                            "target": text,
                            "job_id": job_id,
                            "job": job,
                            "error": None if error is None else error_as_json(error),
                        }
                    )
                    if error is not None and not as_json:
                        write_error(f"airbyte-sync: {text}: {with_network_advice(error)}")
    code = highest(codes)
    if as_json:
        write({"outcome": code.word, "exit_code": int(code), "cancelled": told})
    return code


async def _cancel_what(
    session: Session, text: str, tell: Callable[[str], object] | None
) -> list[tuple[int | None, dict[str, Any] | None, AirbyteSyncError | None]]:
    """Cancel what a text means, and return each job with what became of it."""
    try:
        job_ids = await jobs_to_cancel(session, text)
    except AirbyteSyncError as error:
        return [(None, None, error)]
    if not job_ids and tell is not None:
        tell(f"{text}: there are no active jobs")
    done: list[tuple[int | None, dict[str, Any] | None, AirbyteSyncError | None]] = []
    for job_id in job_ids:
        try:
            done.append((job_id, await _cancel(session, job_id, tell), None))
        except AirbyteSyncError as error:
            done.append((job_id, None, error))
    return done


async def _cancel(
    session: Session, job_id: int, tell: Callable[[str], object] | None
) -> dict[str, Any]:
    asked = False

    def on_event(event: Event) -> None:
        nonlocal asked
        asked = asked or isinstance(event, CancelRequested)
        if tell is not None and not isinstance(event, JobEnded):
            tell(describe(event).text)

    job = await session.run(cancel(job_id, session.policy), on_event)
    if tell is not None:
        tell(f"Airbyte job {job_id} {'' if asked else 'had ended already: '}{job.status}")
    return job.to_json()
