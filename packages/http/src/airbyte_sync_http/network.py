"""What a transport may need where its HTTP library leaves it to the caller: TLS, proxies, compression."""

from __future__ import annotations

import ssl
import zlib
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from airbyte_sync.errors import InvalidInput
from airbyte_sync_http.transport import ANSWER_LIMIT

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
