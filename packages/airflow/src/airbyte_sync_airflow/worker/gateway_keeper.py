"""The gateway of one poke of a sensor, kept for the next one of the same process."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from airbyte_sync_http.transports import limits

if TYPE_CHECKING:
    from datetime import timedelta

    from airbyte_sync_airflow.config.connection import AirbyteServer
    from airbyte_sync_http import AirbyteGateway


class GatewayKeeper:
    """
    Keeps a gateway that nothing uses at the moment, with its connection to the server.

    A connection is not kept for longer than load balancers remember it: a request on one that was forgotten
    brings no answer, and what may have been carried out is not repeated. A forked process leaves the
    connections of its parent alone.
    """

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def keep(self, gateway: AirbyteGateway, server: AirbyteServer, idle_for: timedelta) -> None:
        """
        Keep a gateway for later, or close it.

        Args:
            gateway: An open one.
            server: What it was opened for.
            idle_for: In how long it is needed again.
        """
        if idle_for.total_seconds() > limits.LONGEST_IDLE:
            gateway.close()
        else:
            self._kept.append(_Kept(gateway, server, monotonic(), os.getpid()))

    def take(self, server: AirbyteServer) -> AirbyteGateway | None:
        """Return the open gateway for a server, where there is one; any other is closed."""
        found = None
        while self._kept:
            kept = self._kept.pop()
            if kept.pid != os.getpid():
                continue
            is_fresh = monotonic() - kept.since <= limits.LONGEST_IDLE
            if found is None and is_fresh and kept.server.is_reached_like(server):
                found = kept.gateway
            else:
                with suppress(
                    Exception
                ):  # it has done its work, and the caller has nothing to do with it
                    kept.gateway.close()
        return found


@dataclass(frozen=True, slots=True)
class _Kept:
    gateway: AirbyteGateway
    server: AirbyteServer
    since: float
    pid: int
