"""The hook: Airbyte's API for tasks of one's own, and the connection type of the Airflow UI.

The public methods are those of the official provider's hook, over our gateway; jobs are
:class:`airbyte_sync.Job`, and answer to the names of the official replies, too.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airbyte_sync_airflow.compat.airflow import BaseHook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airbyte_sync import Interpreter, Job
    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_http import AirbyteGateway


class AirbyteHook(BaseHook):
    """
    Talk to the Airbyte server that an Airflow connection leads to.

    Its methods return an :class:`airbyte_sync.Job` that has the names of the official replies as well
    (:mod:`airbyte_sync_airflow.compat.official_replies`). A ``@task`` cannot return that: Airflow reads back
    only classes that its configuration allows. Return ``job.to_json()``, or ``job.job_id``::

        @task
        def poll(job_id: int) -> dict:
            return AirbyteHook().get_job_details(job_id).to_json()

    Args:
        airbyte_conn_id: The Airflow connection.
        api_version: The version in the API's address.
        timeout: Seconds for each request, to connect and to wait for the answer; by default the
            connection's own timeouts hold.
    """

    conn_name_attr = "airbyte_conn_id"
    default_conn_name = "airbyte_default"
    conn_type = "airbyte"
    hook_name = "Airbyte"

    def __init__(
        self,
        airbyte_conn_id: str = "airbyte_default",
        api_version: str = "v1",
        timeout: float | None = None,
    ) -> None:
        super().__init__()
        self.airbyte_conn_id = airbyte_conn_id
        self.api_version = api_version
        self.timeout = timeout

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return how the connection form of Airflow before 3.2 names the usual fields."""
        return {
            name.replace("-", "_"): value for name, value in _form("ui-field-behaviour").items()
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the other fields for the connection form of Airflow before 3.2: all are texts."""
        from flask_appbuilder.fieldwidgets import (  # type: ignore[import-not-found]
            BS3PasswordFieldWidget,
            BS3TextFieldWidget,
        )
        from wtforms import PasswordField, StringField  # type: ignore[import-untyped]

        fields: dict[str, Any] = {}
        for name, field in _form("conn-fields").items():
            label, description = field["label"], field["description"]
            if field["schema"].get("format") == "password":
                hidden = _SecretWidget(BS3PasswordFieldWidget())
                fields[name] = PasswordField(label, description=description, widget=hidden)
            else:
                shown = _TextWidget(BS3TextFieldWidget())
                fields[name] = StringField(label, description=description, widget=shown)
        return fields

    def get_conn(self) -> AirbyteGateway:
        """Open a gateway; close it, or use it in a ``with`` block."""
        from airbyte_sync_airflow.composition import Container

        gateway: AirbyteGateway = Container(self._server()).gateway()
        return gateway

    def get_job_details(self, job_id: int) -> Job:
        """
        Poll a job once.

        Raises:
            AirflowException: Airbyte does not show it to us.
        """
        from airbyte_sync_airflow.config.arguments import job_id_from

        with self._gateway() as gateway:
            return _reply(gateway.fetch_job(job_id_from(job_id)))

    def get_job_status(self, job_id: int) -> str:
        """Return the server's word for a job's status; see :meth:`get_job_details`."""
        from airbyte_sync_airflow.compat.official_replies import Word

        return Word(self.get_job_details(job_id).status.word)

    def submit_sync_connection(self, connection_id: str) -> Job:
        """
        Start a sync, once; the operator also takes care of what can go wrong.

        Raises:
            AirflowException: It was not started, or that is not known.
        """
        from airbyte_sync import JobType

        with self._gateway() as gateway:
            return _reply(gateway.submit(connection_id, JobType.SYNC))

    def submit_reset_connection(self, connection_id: str) -> Job:
        """Start a reset, once; it cancels a running sync of the connection."""
        from airbyte_sync import JobType

        with self._gateway() as gateway:
            return _reply(gateway.submit(connection_id, JobType.RESET))

    def cancel_job(self, job_id: int) -> Job:
        """
        Cancel a job until the server says that it has ended, and return it.

        Raises:
            AirflowException: The server refuses, or did not say so in time.
        """
        from airbyte_sync import SyncPolicy, cancel, run
        from airbyte_sync_airflow.config.arguments import job_id_from

        with self._session() as (server, interpreter):
            limit: Any = server.policy.get("cancel_timeout", SyncPolicy().cancel_timeout)
            policy = SyncPolicy(cancel_timeout=limit)
            return _reply(run(cancel(job_id_from(job_id), policy), interpreter))

    def wait_for_job(
        self, job_id: int | str, wait_seconds: float = 3, timeout: float | None = 3600
    ) -> None:
        """
        Wait until a job has succeeded; it is cancelled when the timeout passes.

        The official hook does so, too. An :class:`~airbyte_sync_airflow.sensors.AirbyteJobSensor`
        follows a job without ever cancelling it.

        Args:
            job_id: The job.
            wait_seconds: Seconds between two polls.
            timeout: The longest wait, in seconds; ``None`` or zero for as long as it takes.

        Raises:
            AirflowException: It did not succeed in time.
        """
        from airbyte_sync import run, watch
        from airbyte_sync_airflow.config.arguments import job_id_from, watch_policy

        with self._session() as (server, interpreter):
            policy = watch_policy(
                interval=wait_seconds,
                interval_name="wait_seconds",
                timeout=timeout or None,
                deferred=False,
                settings=server.policy,
            )
            policy = replace(policy, cancel_on_timeout=True)
            run(watch(job_id_from(job_id), policy, is_ours=True), interpreter)

    def test_connection(self) -> tuple[bool, str]:
        """Make one call that needs the credentials, and say what came of it, or which part is wrong."""
        from airbyte_sync import AirbyteSyncError
        from airbyte_sync_airflow.composition import Container
        from airbyte_sync_http import NoAuth
        from airbyte_sync_http.transports.network import with_network_advice

        try:
            server = self._server()
            with Container(server).trial_gateway() as gateway:
                gateway.check()
        except AirbyteSyncError as error:
            return False, with_network_advice(error)
        who = (
            "asks for no credentials"
            if isinstance(server.settings.auth, NoAuth)
            else "accepts these credentials"
        )
        text = f"Airbyte answered at {server.settings.base_url}, and it {who}"
        if server.settings.transport.verify is False and text.startswith(
            "Airbyte answered at https"
        ):
            text += ". Its certificate was not checked, because verify is false"
        return True, text

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        from airbyte_sync_airflow.compat.official_replies import refuse_on_the_hook

        return refuse_on_the_hook(name)

    def _server(self) -> AirbyteServer:
        from airbyte_sync_airflow.config.connection import read_server
        from airbyte_sync_airflow.config.fields import TIMEOUTS
        from airbyte_sync_http.config_values import read_seconds

        server = read_server(self.airbyte_conn_id, self.api_version)
        if self.timeout is None:
            return server
        limits: dict[str, Any] = dict.fromkeys(
            TIMEOUTS, read_seconds("timeout of the hook", self.timeout)
        )
        return replace(server, settings=replace(server.settings, **limits))

    @contextmanager
    def _gateway(self) -> Iterator[AirbyteGateway]:
        from airbyte_sync_airflow.exceptions_from_errors import airflow_exceptions

        with airflow_exceptions(), self.get_conn() as gateway:
            yield gateway

    @contextmanager
    def _session(self) -> Iterator[tuple[AirbyteServer, Interpreter]]:
        from airbyte_sync_airflow.composition import open_interpreter
        from airbyte_sync_airflow.exceptions_from_errors import airflow_exceptions
        from airbyte_sync_airflow.report.task_log import TaskLog

        with airflow_exceptions():
            server = self._server()
            with open_interpreter(server, TaskLog(self.log)) as interpreter:
                yield server, interpreter


def _reply(job: Job) -> Job:
    """Return a job that also has the names of the official hook's replies."""
    from airbyte_sync_airflow.compat.official_replies import HookJob

    return HookJob.of(job)


def _form(part: str) -> dict[str, Any]:
    """Return a part of the one description of the connection form."""
    from airbyte_sync_airflow.config.provider_info import get_provider_info

    (form,) = get_provider_info()["connection-types"]
    return dict(form[part])


class _TextWidget:
    """Shows what stands in an extra as JSON as people write it; Airflow 2 would show it as Python."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget

    def __call__(self, field: Any, **options: Any) -> Any:
        if field.data and not isinstance(field.data, str):
            field.data = json.dumps(field.data)
        return self._widget(field, **options)


class _SecretWidget:
    """Shows that there is a secret. Airflow 2 drops one whose field comes back empty."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._widget.hide_value = False

    def __call__(self, field: Any, **options: Any) -> Any:
        if field.data:
            from airflow.www.views import (  # type: ignore[import-not-found]
                SENSITIVE_FIELD_PLACEHOLDER,
            )

            field.data = SENSITIVE_FIELD_PLACEHOLDER
        return self._widget(field, **options)
