"""A transport of one's own: Airbyte over the standard library's ``http.client``."""

from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from airbyte_sync_http import HttpRequest, HttpResponse, TransportOptions, not_received, not_sent
from airbyte_sync_http.transports import network
from airbyte_sync_http.transports.limits import CallLimits


class StandardLibraryTransport:
    def __init__(self, options: TransportOptions) -> None:
        self._options, self._tls = options, network.tls_context(options)

    def send(self, request: HttpRequest) -> HttpResponse:
        url, proxy = urlsplit(request.url), network.proxy_for(request.url, self._options)
        headers, target = dict(request.headers), url._replace(scheme="", netloc="").geturl() or "/"
        if proxy and url.scheme == "http":
            headers, target = headers | network.proxy_headers(proxy), request.url
        line = HTTPConnection(url.netloc)
        connected = False  # until the connection stands, it is proven that nothing was sent
        try:
            with CallLimits(request) as limits:
                line.sock = network.connect(request.url, proxy, self._tls, limits)
                connected = True
                limits.begin_answer()
                line.request(request.method, target, request.body, headers)
                answer = line.getresponse()
                encoding = answer.headers["Content-Encoding"]
                body = network.decompressed(answer.read(), encoding, request.answer_limit)
                return HttpResponse(status=answer.status, headers=dict(answer.headers), body=body)
        except (OSError, HTTPException) as error:
            raise (not_received if connected else not_sent)(request, error) from error
        finally:
            line.close()

    def close(self) -> None: ...
