"""Settings of the policy that hold for many tasks: in airflow.cfg, and in an Airflow connection.

A task's own argument wins over its Airflow connection, and that wins over the section ``[airbyte_sync]`` of
airflow.cfg. What is set nowhere is left out here, and the policy's own default holds.

:data:`POLICY_OPTIONS` is the one list of them: the connection form, the description of the section and the
reading derive from it. How a value is read is the business of :mod:`airbyte_sync.config`. Importing this
module costs nothing, because every Airflow process does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.config.fields import ConnectionField

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

SECTION = "airbyte_sync"
"""The section of airflow.cfg."""

COMPOSITION = "composition"
"""The option that names a platform's own function: :mod:`airbyte_sync_airflow.composition`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyOption(ConnectionField):
    """One setting of the policy: a field of the connection that airflow.cfg may set for all."""

    example: str
    may_be_zero: bool = False

    @property
    def expected(self) -> str:
        """What to write."""
        from airbyte_sync.config import ABOVE_ZERO, FROM_ZERO_ON, TRUE_OR_FALSE, one_of

        match self.kind:
            case "seconds":
                return FROM_ZERO_ON if self.may_be_zero else ABOVE_ZERO
            case "flag":
                return TRUE_OR_FALSE
        return one_of(self.words)

    def read(self, value: object) -> timedelta | bool | str:
        """
        Return the setting that a JSON value or a typed text means.

        Raises:
            ValueError: It means none.
        """
        from airbyte_sync.config import read_flag, read_seconds, read_word

        match self.kind:
            case "seconds":
                return read_seconds(value, may_be_zero=self.may_be_zero)
            case "flag":
                return read_flag(value)
        return read_word(value, self.words)

    @property
    def words(self) -> tuple[str, ...]:
        """The words to choose from, where there are any."""
        return self.kind if isinstance(self.kind, tuple) else ()


POLICY_OPTIONS = (
    PolicyOption(
        name="on_conflict",
        kind=("queue", "attach", "skip", "fail"),
        label="When the connection is busy",
        description="What a task does when its connection is busy with a sync that began before the "
        "task asked: queue (wait for it, then run its own), attach (follow the running one), skip or "
        "fail. Default: queue.",
        example="attach",
    ),
    PolicyOption(
        name="queue_timeout",
        kind="seconds",
        label="Queue timeout (seconds)",
        description="Seconds until a sync must have begun to run, from when its task asks for it. Default: "
        "the task's own timeout, which counts from when the task has its sync.",
        example="1800",
    ),
    PolicyOption(
        name="unreachable_timeout",
        kind="seconds",
        label="Unreachable timeout (seconds)",
        description="Seconds that Airbyte may fail to answer in a row before a task gives up. "
        "Default: 900 s.",
        example="3600",
    ),
    PolicyOption(
        name="adopt_window",
        kind="seconds",
        label="Adopt window (seconds)",
        description="Seconds to search for a sync whose submission got no answer, before it is submitted "
        "once more; never less than 150 seconds after the submission. Default: 90 s.",
        example="180",
        may_be_zero=True,
    ),
    PolicyOption(
        name="cancel_timeout",
        kind="seconds",
        label="Cancel timeout (seconds)",
        description="Seconds to repeat a cancellation until Airbyte says that the sync has ended. "
        "Default: 120 s.",
        example="300",
    ),
    PolicyOption(
        name="cancel_on_timeout",
        kind="flag",
        label="Cancel on timeout",
        description="Whether a sync is cancelled when its task's timeout passes: true or false. "
        "Default: true.",
        example="false",
    ),
    PolicyOption(
        name="cancel_on_kill",
        kind="flag",
        label="Cancel on kill",
        description="Whether a task that runs a sync cancels it when the task is killed: true or false. "
        "Default: true. A sensor has an argument of its own.",
        example="false",
    ),
    PolicyOption(
        name="explain",
        kind="flag",
        label="Explain failures",
        description="Whether Airbyte is asked why a sync failed: true or false. Default: true.",
        example="false",
    ),
    PolicyOption(
        name="streams",
        kind="flag",
        label="Tell streams",
        description="Whether Airbyte is asked what a sync that succeeded committed by stream, for the XCom "
        "airbyte_job; it costs a request or two for each: true or false. Default: false.",
        example="true",
    ),
    PolicyOption(
        name="longest_wait_seconds",
        kind="seconds",
        label="Longest wait between polls (seconds)",
        description="The longest interval, in seconds, between two polls of a deferred task. Default: 60 s.",
        example="300",
    ),
)


def policy_defaults(conn_id: str, extra: Mapping[str, Any]) -> dict[str, object]:
    """
    Return what is set for all tasks that use an Airflow connection.

    Args:
        conn_id: The Airflow connection, for error texts.
        extra: Its extra, which wins over airflow.cfg.

    Returns:
        Only what is set, by name: a ``timedelta`` for a duration, a ``bool``, or a word.

    Raises:
        InvalidInput: A value cannot be right; the text names the option, where it is set, and what to
            write.
    """
    from airbyte_sync_airflow.compat.airflow import conf

    policy: dict[str, object] = {}
    for option in POLICY_OPTIONS:
        configured = _read(
            option,
            conf.get(SECTION, option.name, fallback=None),
            f"{option.name} in the section [{SECTION}] of airflow.cfg (or "
            f"AIRFLOW__{SECTION.upper()}__{option.name.upper()})",
        )
        own = _read(
            option,
            extra.get(option.name),
            f"Airflow connection {conn_id!r}: the extra {option.name!r}",
        )
        if own is not None or configured is not None:
            policy[option.name] = configured if own is None else own
    return policy


def _read(option: PolicyOption, value: object, where: str) -> timedelta | bool | str | None:
    from airbyte_sync import InvalidInput
    from airbyte_sync.config import is_set
    from airbyte_sync_http.protocol.cleaning import shown

    if not is_set(value):
        return None
    try:
        return option.read(value)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{where} is {shown(value)}: {option.expected}") from error
