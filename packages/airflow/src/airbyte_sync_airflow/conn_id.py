"""Arguments that are templates outside ``template_fields``, such as ``airbyte_conn_id``.

The specification documents ``connection_id`` as the one template field, and in an example passes a
template for ``airbyte_conn_id`` too. So it is rendered here, and its dependencies are set here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat import AirflowFailException, XComArg

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
        AirflowFailException: The template gave none.
    """
    rendered = task.render_template(task.airbyte_conn_id, context)
    if not isinstance(rendered, str) or not rendered.strip():
        raise AirflowFailException(
            f"airbyte_conn_id {task.airbyte_conn_id!r} rendered to {rendered!r}: expected the id of an "
            "Airflow connection of type airbyte"
        )
    return rendered.strip()
