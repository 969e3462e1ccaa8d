"""A transport of one's own: Airbyte over the standard library's ``http.client``."""

from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from airbyte_sync_http import HttpRequest, HttpResponse, TransportOptions, not_received, not_sent
from airbyte_sync_http.network import decompressed, proxy_for, proxy_headers, tls_context


class StandardLibraryTransport:
    def __init__(self, options: TransportOptions) -> None:
        self._options, self._tls = options, tls_context(options)

    def send(self, request: HttpRequest) -> HttpResponse:
        url, proxy = urlsplit(request.url), proxy_for(request.url, self._options)
        hop, timeout = urlsplit(proxy or request.url), request.connect_timeout.total_seconds()
        headers, target = dict(request.headers), url._replace(scheme="", netloc="").geturl() or "/"
        line = HTTPConnection(hop.hostname, hop.port, timeout=timeout)
        if url.scheme == "https":
            line = HTTPSConnection(hop.hostname, hop.port, timeout=timeout, context=self._tls)
        if proxy and url.scheme == "https":
            line.set_tunnel(url.hostname, url.port, proxy_headers(proxy))
        elif proxy:
            headers, target = headers | proxy_headers(proxy), request.url
        explain = not_sent  # until the connection stands, it is proven that nothing was sent
        try:
            line.connect()
            explain = not_received
            line.sock.settimeout(request.read_timeout.total_seconds())
            line.request(request.method, target, request.body, headers)
            answer = line.getresponse()
            body = decompressed(answer.read(), answer.headers["Content-Encoding"])
            return HttpResponse(status=answer.status, headers=dict(answer.headers), body=body)
        except (OSError, HTTPException) as error:
            raise explain(request, error) from error
        finally:
            line.close()

    def close(self) -> None: ...
