"""The network between here and the server: TLS, proxies, compression, and what goes wrong with them.

Transports lean on it where their HTTP library leaves something to the caller.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import ssl
import zlib
from base64 import b64encode
from functools import lru_cache
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from airbyte_sync.errors import InvalidInput
from airbyte_sync_http.protocol.cleaning import clean, shown, told
from airbyte_sync_http.transports.base import ANSWER_LIMIT, TooLarge, causes, complaint_about_proxy
from airbyte_sync_http.transports.limits import BoundedTlsSocket

try:
    import certifi
except ImportError:  # Requests brings it, aiohttp does not
    certifi = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Address, IPv6Address

    from airbyte_sync_http.transports.base import TransportOptions
    from airbyte_sync_http.transports.limits import CallLimits

_USUAL_PORTS = {"http": 80, "https": 443}
_GZIP = b"\x1f\x8b"
_MOST_MEMBERS = 100
_GZIP_OR_ZLIB = 47
"""What makes zlib find out by itself which of the two a body is (zlib manual, ``inflateInit2``)."""


CA_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name a CA bundle where nothing else is said. OpenSSL itself reads ``SSL_CERT_FILE``."""


def tls_context(options: TransportOptions, user: str = "") -> ssl.SSLContext:
    """
    Return how to speak TLS. Blocks: it reads certificates, once for the same options and files.

    The server's certificate is checked with the bundle of the options, else with one that the environment
    names, else with what this machine trusts and what the package ``certifi`` brings.

    Args:
        options: What is known of the network.
        user: Who gets the same context again. Libraries change a context, each in its own way.

    Raises:
        InvalidInput: A certificate cannot be read.
    """
    where, bundle = "verify", options.verify if isinstance(options.verify, str) else None
    if options.verify is True and options.trust_env:
        found = [name for name in CA_BUNDLES if os.environ.get(name)]
        if found:
            where, bundle = f"{found[0]} of the environment", os.environ[found[0]]
    cert = options.client_cert
    files = [bundle, *((cert,) if isinstance(cert, str) else cert or ())]
    try:
        stamps = tuple((path, Path(path).stat().st_mtime_ns) for path in files if path is not None)
        machine = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        return _tls_context(user, bundle, cert, options.verify is not False, stamps, machine)
    except (OSError, ValueError) as error:
        where = where if cert is None else f"{where} or client_cert"
        raise InvalidInput(
            f"{where} cannot be read ({told(error)}): give paths of PEM files"
        ) from error


@lru_cache(maxsize=32)
def _tls_context(
    user: str,
    bundle: str | None,
    client_cert: str | tuple[str, str] | None,
    checks: bool,  # noqa: FBT001
    *changing: object,
) -> ssl.SSLContext:
    del user
    path = None if bundle is None else Path(bundle)
    context = ssl.create_default_context(
        cafile=path if path and path.is_file() else None,
        capath=path if path and path.is_dir() else None,
    )
    if path is None and not any(changing[-1]):  # type: ignore[arg-type]
        _trust_certifi(context)
    context.sslsocket_class = BoundedTlsSocket
    if not checks:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if isinstance(client_cert, str):
        context.load_cert_chain(client_cert, password=_no_pass_phrase)
    elif client_cert is not None:
        context.load_cert_chain(*client_cert, password=_no_pass_phrase)
    return context


def _trust_certifi(context: ssl.SSLContext) -> None:
    """Trust what Requests trusts: some machines and containers have no certificates of their own."""
    if certifi is not None:
        context.load_verify_locations(certifi.where())


def _no_pass_phrase() -> str:
    """Refuse a key that wants a pass phrase: OpenSSL would ask for it on the terminal, and wait."""
    raise ValueError("the key wants a pass phrase, and none can be given: store it without")


_log = logging.getLogger(__name__)
_PROXY_FAILED = {"ProxyError", "ClientProxyConnectionError", "ClientHttpProxyError"}
"""What urllib3 and aiohttp call it; neither is imported here."""

_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}
_CERTIFICATE_ADVICE = {
    10: "The server's certificate has expired: renew it there.",
    62: "The server's certificate is for another host name: write the name that it is for.",
    64: "The server's certificate is for another address: write the host name that it is for.",
}
"""By OpenSSL's ``X509_V_ERR_CERT_HAS_EXPIRED``, ``_HOSTNAME_MISMATCH`` and ``_IP_ADDRESS_MISMATCH``."""


def explain_network_error(error: BaseException) -> str | None:
    """
    Say which part of the network is wrong, and what to do about it.

    Args:
        error: What a transport raised, or an error that was made from it.

    Returns:
        One or two sentences, or ``None`` where it is nothing that the network explains.
    """
    chain = list(causes(error))
    if any(type(cause).__name__ in _PROXY_FAILED for cause in chain):
        if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
            return (
                "Nothing listens at the proxy's address: check proxies, or HTTP_PROXY and HTTPS_PROXY of the "
                "environment."
            )
        return "The proxy refused the connection: check proxies, and the proxy's user and password."
    # The first cause knows best: aiohttp's errors pass for those of ``ssl`` without their attributes.
    return next(filter(None, map(_advice, reversed(chain))), None)


def with_network_advice(error: BaseException) -> str:
    """Return the text of an error, after what to do about the network where it does not say so itself."""
    advice, text = explain_network_error(error), str(error)
    return text if advice is None or advice in text else f"{advice} ({text})"


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
            return "The TLS handshake failed: check verify and client_cert."
        case socket.gaierror():
            return (
                "The host name is not known here: check its spelling, or that of the proxy, and this "
                "machine's DNS."
            )
        case ConnectionRefusedError():
            return (
                "Nothing listens there: check the port, and that Airbyte runs. In a container, localhost "
                "is the container itself."
            )
        case TimeoutError():
            return "The host does not answer in time: check its name, and firewalls and proxies on the way."
    return None


def proxy_for(url: str, options: TransportOptions) -> str | None:
    """
    Return the URL of the proxy for an address: the same decision for every transport.

    What the options say for the scheme of the address holds. Where they say nothing and ``trust_env`` is set,
    the environment decides, in lower case or else in upper case: no proxy for what ``NO_PROXY`` lists, else
    ``HTTP_PROXY`` or ``HTTPS_PROXY`` by the scheme, else ``ALL_PROXY``.

    ``NO_PROXY`` is ``*``, or a list with commas of host names, which stand for their subdomains too, of
    addresses, and of ranges such as ``10.0.0.0/8``; a name or an address may have a port.

    Args:
        url: The address.
        options: What is known of the network.

    Raises:
        InvalidInput: The proxy of the environment is none that every transport can use.
    """
    parts = urlsplit(url)
    given = options.proxies.get(parts.scheme)
    if given or not options.trust_env:
        return given
    found = getproxies()
    proxy = found.get(parts.scheme) or found.get("all")
    if proxy is None:
        return None
    host = parts.hostname or ""
    port = parts.port or _USUAL_PORTS.get(parts.scheme)
    # Without NO_PROXY, macOS and Windows have lists of their own.
    if _is_excluded(host, port, found["no"]) if found.get("no") else proxy_bypass(host):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if (complaint := complaint_about_proxy(proxy)) is not None:
        raise InvalidInput(f"the proxy of the environment for {parts.scheme}:// {complaint}")
    return proxy


def _is_excluded(host: str, port: int | None, no_proxy: str) -> bool:
    """Tell whether ``NO_PROXY`` lists a host: as Requests and curl read it, taken together."""
    address = _address(host)
    for entry in re.split(r"[,\s]+", no_proxy.lower()):
        name, its_port = _split_port(entry)
        if entry == "*":
            return True
        if not name or (its_port is not None and its_port != str(port)):
            continue
        if address is not None:
            if _contains(name, address):
                return True
        elif f".{host.lower().rstrip('.')}".endswith(f".{name.strip('.')}"):
            return True
    return False


def _split_port(entry: str) -> tuple[str, str | None]:
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", entry)
    return (match[1].strip("[]"), match[2]) if match else (entry, None)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _contains(network: str, address: IPv4Address | IPv6Address) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False


def proxy_headers(proxy: str) -> dict[str, str]:
    """Return the header that shows a proxy the user name and password of its URL, if it has any."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(user.encode()).decode()}"}


def warn_once_that_nothing_is_verified(url: str) -> None:
    """Warn that a server's certificate is not checked: once for each server and process."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        _warn_once(f"{parts.hostname}:{parts.port or 443}")


@lru_cache(maxsize=1024)
def _warn_once(server: str) -> None:
    _log.warning(
        "The certificate of %s is not checked, because verify is false: anyone on the way can read the "
        "credentials. Set verify to the path of the CA bundle that it was signed with.",
        clean(server),
    )


def without_credentials(proxy: str) -> str:
    """Return the URL of a proxy without its user name and password."""
    parts = urlsplit(proxy)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def connect(url: str, proxy: str | None, tls: ssl.SSLContext, limits: CallLimits) -> socket.socket:
    """
    Connect to where a request for an address is sent, its host or its proxy, and begin TLS where it wants it.

    Args:
        url: The address.
        proxy: The URL of a proxy; it opens a tunnel where the address wants TLS.
        tls: How to speak TLS.
        limits: How long it may take.

    Raises:
        OSError: No connection came about.
    """
    target = urlsplit(url)
    hop = urlsplit(proxy or url)
    line = limits.connect(hop.hostname or "", hop.port or _USUAL_PORTS[hop.scheme])
    try:
        if target.scheme != "https":
            return line
        if tls.verify_mode is ssl.CERT_NONE:
            warn_once_that_nothing_is_verified(url)
        if proxy:
            _open_a_tunnel(line, f"{target.hostname}:{target.port or 443}", proxy_headers(proxy))
        return tls.wrap_socket(line, server_hostname=target.hostname)
    except BaseException:
        line.close()
        raise


def _open_a_tunnel(line: socket.socket, target: str, headers: Mapping[str, str]) -> None:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    line.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = HTTPResponse(line, method="CONNECT")
    try:
        answer.begin()
    except HTTPException as error:
        raise OSError("the proxy does not speak HTTP") from error
    if answer.status != HTTPStatus.OK:
        raise OSError(f"the proxy opened no tunnel: {answer.status}")


class BodyReader:
    """
    Takes in a body piece by piece, decompresses it, and stops where it is larger than it may be.

    Libraries that decompress by themselves do so without a bound in some of their versions.
    """

    ACCEPTED = "gzip, deflate"
    """The header ``Accept-Encoding`` of a request whose answer is read here."""

    def __init__(self, limit: int, encoding: str | None) -> None:
        """
        Args:
            limit: How many bytes there may be, before and after decompression.
            encoding: The header ``Content-Encoding``.

        Raises:
            OSError: It names a compression that was not asked for.
        """
        self._encoding = (encoding or "identity").strip().lower()
        if self._encoding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise OSError(f"the answer is compressed as {shown(encoding)}, which was not asked for")
        self._limit = limit
        self._received = 0
        self._body = bytearray()
        self._head = b""
        self._inflating: Any = None
        self._members = 0

    def feed(self, piece: bytes) -> None:
        """
        Take in a piece.

        Raises:
            TooLarge: There is more than there may be.
            OSError: It is not compressed as the header says.
        """
        self._received += len(piece)
        if self._received > self._limit:
            raise self._too_large()
        if self._encoding in {"", "identity"}:
            self._body += piece
            return
        try:
            self._inflate(piece)
        except zlib.error as error:
            raise OSError(f"the answer is not {self._encoding}: {error}") from error

    def whole(self) -> bytes:
        """
        Return the body, once all of it was fed.

        Raises:
            OSError: A compressed one ends too early.
        """
        if self._head or (self._inflating is not None and not self._inflating.eof):
            raise OSError(f"the answer is not {self._encoding}: it ends too early")
        return bytes(self._body)

    def _inflate(self, piece: bytes) -> None:
        if self._inflating is None:
            piece = self._head + piece
            self._head = piece if len(piece) < 2 else b""  # noqa: PLR2004 - the header of zlib
            if self._head:
                return
            self._inflating = zlib.decompressobj(_window(piece))
        while piece and not self._inflating.eof:
            self._body += self._inflating.decompress(piece, self._limit + 1 - len(self._body))
            if len(self._body) > self._limit:
                raise self._too_large()
            piece = self._inflating.unconsumed_tail or self._inflating.unused_data
            if self._inflating.eof and piece[:2] == _GZIP and self._members < _MOST_MEMBERS:
                self._members += 1
                self._inflating = zlib.decompressobj(_GZIP_OR_ZLIB)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the answer is larger than {self._limit} bytes")


def decompressed(body: bytes, encoding: str | None, limit: int = ANSWER_LIMIT) -> bytes:
    """
    Return a body as it was before it was compressed.

    Args:
        body: What was received.
        encoding: The header ``Content-Encoding``.
        limit: How many bytes there may be.

    Raises:
        OSError: It is not what the header says, or larger than it may be.
    """
    reader = BodyReader(limit, encoding)
    reader.feed(body)
    return reader.whole()


def _window(head: bytes) -> int:
    """Return how zlib is to read a body: some servers send ``deflate`` without a header."""
    is_zlib = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0
    return _GZIP_OR_ZLIB if is_zlib or head[:2] == _GZIP else -zlib.MAX_WBITS
