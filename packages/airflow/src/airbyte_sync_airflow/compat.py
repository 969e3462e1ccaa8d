"""The only file that knows Airflow versions: one name for what 2.11 and 3.x keep in two places.

Features are found by trying, never by comparing version numbers.
"""

from __future__ import annotations

try:
    from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator
except ImportError:  # Airflow 2
    from airflow.hooks.base import BaseHook  # type: ignore[attr-defined, no-redef]
    from airflow.models.baseoperator import (  # type: ignore[import-not-found, no-redef]
        BaseOperator,
    )
    from airflow.sensors.base import (  # type: ignore[import-not-found, no-redef]
        BaseSensorOperator,
    )

try:
    from airflow.sdk import XComArg
except ImportError:  # Airflow 2
    from airflow.models.xcom_arg import XComArg

try:
    from airflow.sdk.configuration import conf
except ImportError:  # Airflow 2 and 3.0
    from airflow.configuration import conf

try:
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )
except ImportError:  # Airflow 2 and 3.0
    from airflow.exceptions import (  # type: ignore[attr-defined, no-redef]
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
    )

RETURN_VALUE = "return_value"
"""The XCom key of a task's result, the same in every version."""

__all__ = [
    "RETURN_VALUE",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "BaseHook",
    "BaseOperator",
    "BaseSensorOperator",
    "XComArg",
    "conf",
]
