"""Arguments that are templates outside ``template_fields``, such as ``airbyte_conn_id``.

The specification documents ``connection_id`` as the one template field, and in an example passes a
template for ``airbyte_conn_id`` too. So it is rendered here, and its dependencies are set here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from airbyte_sync_airflow.compat.airflow import XComArg
from airbyte_sync_airflow.exceptions import AirbyteInputInvalid

if TYPE_CHECKING:
    from airflow.sdk import Context


def depend_on(task: Any, *arguments: Any) -> None:
    """Run a task after the tasks whose results these arguments use."""
    for argument in arguments:
        XComArg.apply_upstream_relationship(task, argument)


def rendered_conn_id(task: Any, context: Context) -> str:
    """
    Return the id of the Airflow connection that a task uses, and keep it in ``airbyte_conn_id``.

    A task that runs once more in the same process is rendered from its template again.

    Raises:
        AirbyteInputInvalid: The template gave none.
    """
    template = task.airbyte_conn_id
    before = getattr(task, _RENDERED, None)
    if before is not None and before[1] == template:
        template = before[0]
    conn_id = _render(task, "airbyte_conn_id", template, context)
    setattr(task, _RENDERED, (template, conn_id))
    task.airbyte_conn_id = conn_id
    return conn_id


_RENDERED = "_airbyte_conn_id_rendered"
"""Where a task keeps the template of ``airbyte_conn_id``, and what it last rendered to."""


def rendered(task: Any, argument: str, context: Context) -> str:
    """
    Return what an argument is for this run.

    Raises:
        AirbyteInputInvalid: The template gave nothing, or something else than a text or a UUID.
    """
    return _render(task, argument, getattr(task, argument), context)


def _render(task: Any, argument: str, template: Any, context: Context) -> str:
    from airbyte_sync_http.protocol.cleaning import LONGEST_NAME, is_clean, shown

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
