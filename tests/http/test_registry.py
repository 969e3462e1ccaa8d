"""Transports by name: ours, those of others, and none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airbyte_sync import InvalidInput
from airbyte_sync_http import (
    AsyncTransport,
    MissingLibrary,
    ServerSettings,
    Transport,
    TransportOptions,
    UnknownTransport,
    open_async_gateway,
    open_async_transport,
    open_gateway,
    open_transport,
)
from airbyte_sync_http.transports.registry import (
    ASYNC_TRANSPORTS,
    TRANSPORTS,
    registered,
    require_registered,
)

OPTIONS = TransportOptions()


@pytest.fixture(autouse=True)
def _ours(install, our_entry_points):
    install("airbyte-sync-http", our_entry_points)


def test_ours_are_registered():
    """One blocking and one async transport come with this package."""
    assert "requests" in registered(TRANSPORTS)
    assert "aiohttp" in registered(ASYNC_TRANSPORTS)
    assert isinstance(open_transport("requests", OPTIONS), Transport)
    assert isinstance(open_async_transport("aiohttp", OPTIONS), AsyncTransport)


def test_others_add_theirs(install, tmp_path):
    """A manifest line is enough; the callable is given the options."""
    (tmp_path / "their_module.py").write_text("def make(options): return ('theirs', options)")
    install("their-package", {TRANSPORTS: {"theirs": "their_module:make"}})
    assert ("theirs", OPTIONS) == open_transport("theirs", OPTIONS)


def test_an_unknown_name_is_explained():
    """The error lists the names that are known, and says how to add one."""
    with pytest.raises(UnknownTransport, match=f"requests.*{TRANSPORTS}") as caught:
        open_transport("carrier pigeon", OPTIONS)
    assert isinstance(caught.value, InvalidInput)
    with pytest.raises(UnknownTransport, match=f"aiohttp.*{ASYNC_TRANSPORTS}"):
        open_async_transport("carrier pigeon", OPTIONS)


def test_a_transport_of_the_other_kind_is_named_as_such():
    """The error says that the name is known, of which kind it is and what opens it."""
    settings = ServerSettings(base_url="http://localhost:8000")
    with pytest.raises(
        UnknownTransport,
        match=r"'aiohttp': that is an async transport, for open_async_gateway .* are: httpx, requests",
    ):
        open_gateway(settings, "aiohttp")
    with pytest.raises(
        UnknownTransport,
        match=r"'requests': that is a blocking transport, for open_gateway .* are: aiohttp, httpx",
    ):
        open_async_gateway(settings, "requests")
    with pytest.raises(
        UnknownTransport, match=r"^the extra 'transport' is 'aiohttp': that is an as"
    ):
        require_registered(TRANSPORTS, "aiohttp", "the extra 'transport' is 'aiohttp'")


def test_a_missing_library_is_explained(monkeypatch):
    """Without the extra, the error has the command that installs it."""
    monkeypatch.setitem(sys.modules, "requests", None)
    monkeypatch.delitem(
        sys.modules, "airbyte_sync_http.transports.requests_transport", raising=False
    )
    with pytest.raises(MissingLibrary, match=r"pip install 'airbyte-sync-http\[requests\]'"):
        open_transport("requests", OPTIONS)


def test_a_broken_package_of_others_is_explained(install):
    """The error names the package that brings the transport."""
    install("their-package", {TRANSPORTS: {"theirs": "no_such_module:make"}})
    with pytest.raises(MissingLibrary, match="pip install 'their-package'"):
        open_transport("theirs", OPTIONS)


def test_a_gateway_in_one_step():
    """Settings and a name make a gateway that closes what was opened for it."""
    with open_gateway(ServerSettings(base_url="http://localhost:8000")) as gateway:
        assert callable(gateway.fetch_job)


async def _open_and_close():
    async with open_async_gateway(ServerSettings(base_url="http://localhost:8000")) as gateway:
        assert callable(gateway.fetch_job)


def test_an_async_gateway_in_one_step():
    """Opening it needs no running loop; using it does."""
    with pytest.raises(StopIteration):
        _open_and_close().send(None)


def test_importing_is_cheap():
    """The package loads no HTTP library and no event loop until one is needed."""
    program = (
        "import sys, airbyte_sync_http\n"
        "heavy = {'asyncio', 'requests', 'aiohttp', 'urllib3', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "[]" == done.stdout.strip()
