"""The network between here and the server: TLS, proxies, compression, and what goes wrong with them.

Transports lean on it where their HTTP library leaves something to the caller.
"""

from __future__ import annotations

import socket
import ssl
import zlib
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from airbyte_sync.errors import InvalidInput
from airbyte_sync_http.transport import ANSWER_LIMIT, causes

if TYPE_CHECKING:
    from airbyte_sync_http.transport import TransportOptions

_GZIP_OR_ZLIB = 47
"""What makes zlib find out by itself which of the two a body is (zlib manual, ``inflateInit2``)."""


def tls_context(options: TransportOptions) -> ssl.SSLContext:
    """
    Return how to speak TLS. Blocks: it reads certificates.

    Raises:
        InvalidInput: A certificate cannot be read.
    """
    bundle = Path(options.verify) if isinstance(options.verify, str) else None
    try:
        context = ssl.create_default_context(
            cafile=bundle if bundle and bundle.is_file() else None,
            capath=bundle if bundle and bundle.is_dir() else None,
        )
        if options.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if isinstance(options.client_cert, str):
            context.load_cert_chain(options.client_cert)
        elif options.client_cert is not None:
            context.load_cert_chain(*options.client_cert)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"verify or client_cert cannot be read ({error}): give paths of PEM files"
        ) from error
    return context


_PROXY_FAILED = {"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"}
"""What urllib3 and aiohttp call it; neither is imported here."""

_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}
_CERTIFICATE_ADVICE = {
    10: "The server's certificate has expired: renew it there.",
    62: "The server's certificate is for another host name: write the name that it is for.",
    64: "The server's certificate is for another address: write the host name that it is for.",
}
"""By OpenSSL's ``X509_V_ERR_CERT_HAS_EXPIRED``, ``_HOSTNAME_MISMATCH`` and ``_IP_ADDRESS_MISMATCH``."""


def what_keeps_us_out(error: BaseException) -> str | None:
    """
    Say which part of the network is wrong, and what to do about it.

    Args:
        error: What a transport raised, or an error that was made from it.

    Returns:
        One or two sentences, or ``None`` where it is nothing that the network explains.
    """
    chain = list(causes(error))
    if any(type(cause).__name__ in _PROXY_FAILED for cause in chain):
        return (
            "The proxy does not let us through: check proxies, and the proxy's user and password."
        )
    # The first cause knows best: aiohttp's errors pass for those of ``ssl`` without their attributes.
    return next(filter(None, map(_advice, reversed(chain))), None)


def _advice(cause: BaseException) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return _CERTIFICATE_ADVICE.get(
                getattr(cause, "verify_code", 0),
                "The server's certificate is not trusted on this machine: set verify to the path of the "
                "CA bundle that it was signed with.",
            )
        case ssl.SSLError() if getattr(cause, "reason", None) in _NOT_TLS:
            return "That port does not speak TLS: write http://, or another port."
        case ssl.SSLError():
            return "TLS did not come about: check verify and client_cert."
        case socket.gaierror():
            return "The host name is not known here: check its spelling, and this machine's DNS."
        case ConnectionRefusedError():
            return (
                "Nothing listens there: check the port, and that Airbyte runs. In a container, localhost "
                "is the container itself."
            )
        case TimeoutError():
            return "The host does not answer in time: check its name, and firewalls and proxies on the way."
    return None


def proxy_for(url: str, options: TransportOptions) -> str | None:
    """Return the URL of the proxy for an address, from the options or else the environment."""
    parts = urlsplit(url)
    proxy = options.proxies.get(parts.scheme)
    if proxy or not options.trust_env or proxy_bypass(parts.hostname or ""):
        return proxy
    return getproxies().get(parts.scheme)


def proxy_headers(proxy: str) -> dict[str, str]:
    """Return the header that shows a proxy the user name and password of its URL, if it has any."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(user.encode()).decode()}"}


def decompressed(body: bytes, encoding: str | None) -> bytes:
    """
    Return a body as it was before it was compressed.

    Args:
        body: What was received.
        encoding: The header ``Content-Encoding``.

    Raises:
        OSError: It is not what the header says, or larger than any answer of Airbyte.
    """
    if encoding in {"gzip", "deflate"}:
        try:
            inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
            body = inflate.decompress(body, ANSWER_LIMIT + 1)
        except zlib.error as error:
            raise OSError(f"the answer is not {encoding}: {error}") from error
    if len(body) > ANSWER_LIMIT:
        raise OSError(f"the answer is larger than {ANSWER_LIMIT} bytes")
    return body
