"""Arguments that are templates outside ``template_fields``, such as ``airbyte_conn_id``.

The specification documents ``connection_id`` as the one template field, and in an example passes a
template for ``airbyte_conn_id`` too. So it is rendered here, and its dependencies are set here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat import XComArg
from airbyte_sync_airflow.exceptions import AirbyteInputInvalid

if TYPE_CHECKING:
    from airflow.sdk import Context


def depend_on(task: Any, *arguments: Any) -> None:
    """Run a task after the tasks whose results these arguments use."""
    for argument in arguments:
        XComArg.apply_upstream_relationship(task, argument)


def rendered_conn_id(task: Any, context: Context) -> str:
    """
    Return the id of the Airflow connection that a task uses.

    Raises:
        AirbyteInputInvalid: The template gave none.
    """
    return rendered(task, "airbyte_conn_id", context)


def rendered(task: Any, argument: str, context: Context) -> str:
    """
    Return what an argument is for this run.

    Raises:
        AirbyteInputInvalid: The template gave nothing.
    """
    template = getattr(task, argument)
    value = task.render_template(template, context)
    if not isinstance(value, str) or not value.strip():
        raise AirbyteInputInvalid(
            f"{argument} {template!r} rendered to {value!r}: expected {_EXPECTED[argument]}"
        )
    return value.strip()


_EXPECTED = {
    "airbyte_conn_id": "the id of an Airflow connection of type airbyte",
    "connection_name": "the name of an Airbyte connection, as Airbyte shows it",
}
