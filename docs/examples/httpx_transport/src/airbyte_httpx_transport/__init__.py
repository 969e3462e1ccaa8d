"""Airbyte over httpx: ``transport="httpx"`` once this package is installed."""

from airbyte_httpx_transport.blocking import HttpxTransport
from airbyte_httpx_transport.on_asyncio import AsyncHttpxTransport

__all__ = ["AsyncHttpxTransport", "HttpxTransport"]
