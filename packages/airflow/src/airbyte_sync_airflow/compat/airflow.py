"""One name for what Airflow 2.11 and 3.x keep in two places.

Features are found by trying, never by comparing version numbers.
"""

from __future__ import annotations

from inspect import unwrap
from typing import Any

try:
    from airflow.sdk import BaseOperator, BaseOperatorLink, BaseSensorOperator, XComArg
except ImportError:  # Airflow 2
    from airflow.models.baseoperator import (  # type: ignore[import-not-found, no-redef]
        BaseOperator,
    )
    from airflow.models.baseoperatorlink import (  # type: ignore[import-not-found, no-redef]
        BaseOperatorLink,
    )
    from airflow.models.xcom_arg import XComArg
    from airflow.sensors.base import (  # type: ignore[import-not-found, no-redef]
        BaseSensorOperator,
    )

try:
    from airflow.sdk import BaseHook
except ImportError:  # Airflow 2 and 3.0
    from airflow.hooks.base import BaseHook  # type: ignore[attr-defined, no-redef]

try:
    from airflow.sdk.configuration import conf
except ImportError:  # Airflow 2 and 3.0
    from airflow.configuration import conf

try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )
except ImportError:  # Airflow 2 and 3.0
    from airflow.exceptions import (  # type: ignore[attr-defined, no-redef]
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowRescheduleException,
        AirflowSensorTimeout,
        AirflowSkipException,
        AirflowTaskTimeout,
    )


def current_context() -> Any:
    """
    Return the context of the task that runs in this process.

    Raises:
        Exception: None does.
    """
    try:
        from airflow.sdk import get_current_context
    except ImportError:  # Airflow 2, where the module loads a lot
        from airflow.operators.python import (  # type: ignore[import-not-found, no-redef]
            get_current_context,
        )

    return get_current_context()


poke_until_done = unwrap(BaseSensorOperator.execute)
"""
Airflow's own loop of pokes, a function of sensor and context, without the guard around it.

The guard of 2.11 takes a subclass that calls it for a call outside of a task: it warns in the log of each
task, and refuses where ``allow_nested_operators`` is false.
"""

RETURN_VALUE = "return_value"
"""The XCom key of a task's result, the same in every version."""

__all__ = [
    "RETURN_VALUE",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRescheduleException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "AirflowTaskTimeout",
    "BaseHook",
    "BaseOperator",
    "BaseOperatorLink",
    "BaseSensorOperator",
    "XComArg",
    "conf",
    "current_context",
    "poke_until_done",
]
