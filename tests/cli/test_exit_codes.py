"""One table of exit codes: complete, and the same wherever it is shown."""

import inspect
import re
from pathlib import Path

import pytest

import airbyte_sync
import airbyte_sync_cli.errors
import airbyte_sync_runner
from airbyte_sync import AirbyteSyncError, Unauthorized
from airbyte_sync_cli import ExitCode, exit_code_of, highest, main

README = (Path(__file__).parents[2] / "packages" / "cli" / "README.md").read_text("utf-8")
ERRORS = sorted(
    {
        kind
        for module in (airbyte_sync, airbyte_sync_runner, airbyte_sync_cli.errors)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, AirbyteSyncError)
    },
    key=lambda kind: kind.__name__,
)
EXPECTED = {
    "AlreadyClosed": 1,
    "InvalidInput StoreFailed": 2,
    "RequestLocked SyncAlreadyRunning SyncSkipped": 3,
    "BadRequest ConnectionAmbiguous ConnectionNotFound ConnectionUnavailable Forbidden JobNotRunning "
    "NoSuchJob NotFound Refused Unauthorized Unprocessable": 4,
    "SyncCancelled": 5,
    "SyncFailed": 6,
    "DeadlinePassed QueueTimedOut SyncTimedOut": 7,
    "AirbyteSyncError CallFailed RefusedOnTheWay RequestNotSent ResponseNotReceived ServerTrouble "
    "ServerUnreachable SyncNotDone Throttled UnexpectedReply UnreadableId WrongAddress": 8,
    "CancelUnconfirmed InvalidCheckpoint JobGone StateConflict SubmitInDoubt": 9,
}


def made(kind):
    """An error of a kind, without its text and attributes."""
    return kind.__new__(kind)


def test_every_error_has_its_exit_code():
    """Also one that is new: it is added here when its code was chosen."""
    found = {}
    for kind in ERRORS:
        found.setdefault(int(exit_code_of(made(kind))), []).append(kind.__name__)
    assert {code: names.split() for names, code in EXPECTED.items()} == found


def test_a_refusal_in_the_middle_is_not_that_nothing_was_started():
    """Credentials that end while a sync runs leave it behind."""
    assert ExitCode.REFUSED is exit_code_of(Unauthorized("no"))
    assert ExitCode.OUTCOME_UNKNOWN is exit_code_of(Unauthorized("no", retry_safe=False))


def test_the_highest_of_several_holds():
    """What leaves the most to look after."""
    assert ExitCode.OUTCOME_UNKNOWN is highest(
        [ExitCode.SUCCEEDED, ExitCode.OUTCOME_UNKNOWN, ExitCode.FAILED]
    )
    assert ExitCode.SUCCEEDED is highest([])


def test_the_readme_has_the_table():
    """Word for word."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|$", README, re.MULTILINE)
    assert [(str(int(code)), code.word, code.meaning) for code in ExitCode] == rows


@pytest.mark.parametrize("code", ExitCode)
def test_the_help_has_the_table(code, capsys):
    """Every number with its meaning, however the lines are broken."""
    assert 0 == main(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert f"{int(code)} {code.meaning}" in told


def test_shells_know_the_last_two():
    """As if the signal had ended the process."""
    assert (128 + 2, 128 + 15) == (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
