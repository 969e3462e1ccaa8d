"""Arguments that are templates outside ``template_fields``, such as ``airbyte_conn_id``.

The specification documents ``connection_id`` as the one template field, and in an example passes a
template for ``airbyte_conn_id`` too. So it is rendered here, and its dependencies are set here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

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
        AirbyteInputInvalid: The template gave nothing, or something else than a text or a UUID.
    """
    from airbyte_sync_http.cleaning import LONGEST_NAME, is_clean, shown

    template = getattr(task, argument)
    value = task.render_template(template, context)
    text = plain_id(value)
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_NAME or not is_clean(text):
        raise AirbyteInputInvalid(
            f"{argument} {shown(template)} rendered to {shown(value)}: expected {_EXPECTED[argument]}"
        )
    return text


def plain_id(value: object) -> object:
    """Return an id as Airbyte has it: a ``UUID`` object as its text, and a text without blanks around it."""
    if isinstance(value, UUID):
        return str(value)
    return value.strip() if isinstance(value, str) else value


_EXPECTED = {
    "airbyte_conn_id": "the id of an Airflow connection of type airbyte",
    "connection_name": "the name of an Airbyte connection, as Airbyte shows it",
    "workspace_id": "the UUID of an Airbyte workspace; leave the argument out to look everywhere",
}
