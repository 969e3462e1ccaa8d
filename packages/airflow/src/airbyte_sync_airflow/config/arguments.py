"""The arguments of operator and sensor: checked when a DAG is parsed, made a policy when a task runs.

The checks need nothing of the domain, because every parse of every DAG file pays for what they import.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from airbyte_sync_airflow.exceptions import AirbyteInputInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airbyte_sync import SyncPolicy

OnConflictName: TypeAlias = Literal["queue", "attach", "skip", "fail"]
JobTypeName: TypeAlias = Literal["sync", "reset", "clear"]

_JOB_ID = re.compile(r"[0-9]{1,19}")
_API_VERSION = re.compile(r"v[0-9]{1,9}")
_FLAGS: dict[object, bool] = {True: True, "true": True, False: False, "false": False}
_LARGEST_JOB_ID = 2**63 - 1

LONGEST_DEFERRED_INTERVAL = timedelta(seconds=60)
SHORTEST_INTERVAL = timedelta(seconds=1)
"""What a poll interval of zero means: a server with five threads is not asked without a pause."""


def check_choice(name: str, value: object, choices: Any) -> None:
    """
    Refuse a value that is not one of a few words.

    Raises:
        AirbyteInputInvalid: The text says which ones there are.
    """
    words = get_args(choices)
    if not isinstance(value, str) or value not in words:
        known = ", ".join(map(repr, words))
        raise AirbyteInputInvalid(
            f"{name} is {_shown(value)}: use one of {known}{_no_template(value)}"
        )


def check_flag(name: str, value: object) -> bool:
    """
    Return what a flag says: a boolean, or the text of one, as variables of an environment have it.

    To Python each text that is not empty is true, also ``"false"``. ``None`` is no, as in the official
    provider.

    Raises:
        AirbyteInputInvalid: It says neither.
    """
    word = value.strip().lower() if isinstance(value, str) else value
    if value is None:
        return False
    if not isinstance(word, (str, int)) or word not in _FLAGS:
        raise AirbyteInputInvalid(
            f"{name} is {_shown(value)}: write True or False{_no_template(value)}"
        )
    return _FLAGS[word]


def check_api_version(value: object) -> None:
    """
    Refuse what is no version of an API.

    Raises:
        AirbyteInputInvalid: The text says what to write.
    """
    if not isinstance(value, str) or not _API_VERSION.fullmatch(value):
        raise AirbyteInputInvalid(f"api_version is {_shown(value)}: write v1{_no_template(value)}")


def check_seconds(name: str, value: object) -> timedelta:
    """
    Return a duration that was given as a number of seconds, or as itself.

    Raises:
        AirbyteInputInvalid: It is not one, or not above zero.
    """
    if isinstance(value, (bool, bytes)):  # float() would take both
        raise _no_seconds(name, value)
    try:
        duration = value if isinstance(value, timedelta) else timedelta(seconds=float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError) as error:
        raise _no_seconds(name, value) from error
    if duration <= timedelta(0):
        raise _no_seconds(name, value)
    return duration


def check_job_type(value: object) -> None:
    """
    Refuse a type of job that Airbyte's public API does not start.

    Raises:
        AirbyteInputInvalid: The text says which ones there are.
    """
    if value == "refresh":
        raise AirbyteInputInvalid(
            "job_type is 'refresh': Airbyte's public API starts no refreshes (it answers 422). Start it in "
            "Airbyte, or use 'clear' and then 'sync', which also loads everything again"
        )
    check_choice("job_type", value, JobTypeName)


def check_interval(name: str, value: object) -> timedelta:
    """
    Return a poll interval; zero means a second, because DAGs for the official provider may say it.

    Raises:
        AirbyteInputInvalid: It is not a duration, or below zero.
    """
    return SHORTEST_INTERVAL if _is_zero(value) else check_seconds(name, value)


def check_timeout(name: str, value: object) -> timedelta | None:
    """
    Return a timeout; zero and ``None`` mean that there is none, as in the official provider.

    Raises:
        AirbyteInputInvalid: It is not a duration, or below zero.
    """
    return None if value is None or _is_zero(value) else check_seconds(name, value)


def warn_of_zero(name: str, value: object, meaning: str) -> None:
    """
    Tell a DAG's author what a zero means here.

    Airflow shows warnings of a DAG file beside its import errors.
    """
    if _is_zero(value):
        text = f"{name}=0 means {meaning}. Write what you mean, so that every reader sees it."
        warnings.warn(text, stacklevel=4)  # this, the constructor, Airflow's wrapper, the DAG


def _is_zero(value: object) -> bool:
    if isinstance(value, timedelta):
        return value == timedelta(0)
    if isinstance(value, (bool, bytes)):
        return False
    try:
        return float(value) == 0  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def _no_seconds(name: str, value: object) -> AirbyteInputInvalid:
    return AirbyteInputInvalid(
        f"{name} is {_shown(value)}: give a number of seconds above zero{_no_template(value)}"
    )


def _no_template(value: object) -> str:
    """Say that a template stands where none is rendered."""
    is_template = isinstance(value, str) and ("{{" in value or "{%" in value)
    return ". Templates are not rendered in this argument" if is_template else ""


def _shown(value: object) -> str:
    from airbyte_sync_http.protocol.cleaning import shown

    return shown(value)


def check_one_connection(connection_id: object, connection_name: object) -> None:
    """
    Refuse a task that names no connection, or names it twice.

    Raises:
        AirbyteInputInvalid: The text says what to give.
    """
    if (connection_id is None) == (connection_name is None):
        raise AirbyteInputInvalid(
            "give the Airbyte connection either by connection_id, its UUID, or by connection_name"
        )


def sync_policy(
    *, wait_seconds: float, timeout: float | None, deferred: bool, settings: Mapping[str, Any]
) -> SyncPolicy:
    """
    Return the policy of a sync.

    Args:
        wait_seconds: The fixed poll interval of a blocking task, and the shortest one of a deferred.
        timeout: The longest time, in seconds, from when the task has its sync to the end of the sync;
            ``None`` or zero for as long as it takes.
        deferred: Whether a trigger waits, which polls less often the longer a sync takes.
        settings: What the task, the Airflow connection or airflow.cfg sets beside that.

    Raises:
        InvalidInput: One of them cannot be right.
    """
    from airbyte_sync import SyncPolicy

    chosen = {name: settings[name] for name in SyncPolicy.CONFIG_KEYS if name in settings}
    return replace(
        SyncPolicy.from_config(chosen),
        poll=_schedule("wait_seconds", wait_seconds, settings, deferred=deferred),
        timeout=check_timeout("timeout", timeout),
    )


def watch_policy(
    *,
    interval: float,
    interval_name: str,
    timeout: float | None,
    deferred: bool,
    settings: Mapping[str, Any],
) -> SyncPolicy:
    """
    Return the policy of following a job that another task started; see :func:`sync_policy`.

    ``timeout`` is ``None`` or zero where nothing ends the wait, or something else does.
    """
    from airbyte_sync import SyncPolicy

    names = ("unreachable_timeout", "cancel_timeout", "explain")
    return replace(
        SyncPolicy.from_config({name: settings[name] for name in names if name in settings}),
        poll=_schedule(interval_name, interval, settings, deferred=deferred),
        timeout=check_timeout("timeout", timeout),
        cancel_on_timeout=False,
    )


def refuse_undefined(argument: str, value: object) -> None:
    """
    Refuse what a template gives for a name that is not there, where Airflow renders native objects.

    Raises:
        AirbyteInputInvalid: The text has Jinja's own words for what is missing.
    """
    from jinja2 import Undefined, UndefinedError

    if not isinstance(value, Undefined):
        return
    try:
        value._fail_with_undefined_error()  # noqa: SLF001 - documented for subclasses and uses like this
    except UndefinedError as error:
        raise AirbyteInputInvalid(
            f"the template of {argument} asks for something that is not there: {error}. Check how the "
            "template spells it, and that this run has it, as a parameter or an XCom"
        ) from None


def job_id_from(value: object) -> int:
    """
    Return the job id that was given as a number or as a rendered template.

    Raises:
        AirbyteInputInvalid: It is not a job id.
    """
    refuse_undefined("airbyte_job_id", value)
    job_id: object = value.strip() if isinstance(value, str) else value
    if _is_a_list(job_id):
        raise AirbyteInputInvalid(
            f"airbyte_job_id is the list {_shown(value)}: a sensor follows one job. Put the sensor into the "
            "loop or the task group that starts the jobs, or expand it: "
            "AirbyteJobSensor.partial(...).expand(airbyte_job_id=...)"
        )
    if isinstance(job_id, str) and _JOB_ID.fullmatch(job_id):
        job_id = int(job_id)
    if type(job_id) is not int or not 0 <= job_id <= _LARGEST_JOB_ID:
        raise AirbyteInputInvalid(
            f"airbyte_job_id is {_shown(value)}: expected the number of an Airbyte job. Pass the result of "
            "an asynchronous AirbyteTriggerSyncOperator, as .output or as a template with xcom_pull."
        )
    return job_id


def _is_a_list(value: object) -> bool:
    """Whether a value is several ids, as of mapped tasks and of a loop; a template gives their text."""
    if isinstance(value, str):
        return value.startswith("[") or "LazySelectSequence" in value or "LazyXCom" in value
    return isinstance(value, Sequence) and not isinstance(value, bytes)


def _schedule(name: str, interval: float, settings: Mapping[str, Any], *, deferred: bool) -> Any:
    from airbyte_sync import PollSchedule

    shortest = check_interval(name, interval)
    if not deferred:
        return PollSchedule.fixed(shortest)
    longest = settings.get("longest_wait_seconds", LONGEST_DEFERRED_INTERVAL)
    return PollSchedule(floor=shortest, cap=max(shortest, longest))
