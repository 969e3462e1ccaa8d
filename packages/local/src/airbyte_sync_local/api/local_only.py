"""
Who may use the endpoints under ``/_local/``: programs of this machine, and pages of the server itself.

They need no credentials, so a browser on this machine must not be lent to a foreign page. A name that
leads to 127.0.0.1 only because its owner says so (DNS rebinding) shows in ``Host``; a foreign page
that sends a request across shows in ``Origin`` or ``Sec-Fetch-Site``.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

_OWN_SITES: Final = frozenset({"same-origin", "none"})
"""What a browser says of a request by a page of the server, and of an address that was typed in."""


def check_that_it_is_local(request: web.Request) -> None:
    """
    Let a request pass that comes from this machine and from no foreign page.

    Raises:
        HTTPForbidden: Its host is not this machine, or a page from elsewhere sent it.
    """
    hosts = request.headers.getall("Host", [])
    if len(hosts) != 1 or not _is_this_machine(hosts[0]):
        raise web.HTTPForbidden(
            text="these endpoints are for this machine only: call them at 127.0.0.1 or localhost"
        )
    own_origin = f"http://{hosts[0]}".lower()
    origins = request.headers.getall("Origin", [])
    site = request.headers.get("Sec-Fetch-Site", "none")
    if any(origin.lower() != own_origin for origin in origins) or site not in _OWN_SITES:
        raise web.HTTPForbidden(text="these endpoints are not for pages from elsewhere")


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False
