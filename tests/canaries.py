"""Credentials that are recognised wherever they turn up, and a server that repeats them in every way."""

from __future__ import annotations

import html
import json
import re
import traceback
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from airbyte_sync_http import BasicAuth, BearerToken, ClientCredentials
from airbyte_sync_testkit.contract.raw_server import answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airbyte_sync_testkit.contract.raw_server import Peer, RawRequest

CLIENT_SECRET = 'canary-secret/+"q"<&>\' \\ s\u00fc\u0142'
TOKEN = "canary.token-+/=~%41&amp;\\'\"x"
PASSWORD = 'canary-pass w\u00f6rd:@/"<&>\u0142'
BEARER = "canary-bearer.%2B~\\\"'/+="
HEADER = 'canary-header "value" <&> \\ %41'
PROXY_USER = "canary-proxy-user"
PROXY_PASSWORD = "canary-proxy/p\u00e4ss:w\u0142rd@ %"

AUTHS = {
    "client credentials": ClientCredentials(client_id="me", client_secret=CLIENT_SECRET),
    "basic": BasicAuth(username="me", password=PASSWORD),
    "bearer": BearerToken(token=BEARER),
}
HEADERS = {"X-Api-Key": HEADER, "Cookie": "a=canary-cookie; b=canary-crumb"}


def proxy_url(port: int) -> str:
    """Return the URL of a proxy with user name and password."""
    credentials = f"{quote(PROXY_USER, safe='')}:{quote(PROXY_PASSWORD, safe='')}"
    return f"http://{credentials}@127.0.0.1:{port}"


def leaks(text: str) -> list[str]:
    """Return what of a text shows a canary, in whatever spelling."""
    plain = re.sub(r"\\+u00([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), text)
    readings = {text, plain, unquote(plain), html.unescape(plain), html.unescape(unquote(plain))}
    found = [reading for reading in readings if "canary" in reading.lower()]
    return found + [text for core in ("Y2FuYXJ5", "NhbmFye", "jYW5hcn") if core in text]


def texts_of(error: BaseException) -> Iterator[str]:
    """Yield all that an error, and those that it was made from, can be read by."""
    todo, seen = [error], []
    while todo:
        one = todo.pop()
        if any(one is other for other in seen):
            continue
        seen.append(one)
        yield from (str(one), repr(one), repr(one.args), str(one.__dict__))
        todo += [other for other in (one.__cause__, one.__context__) if other is not None]
    yield "".join(traceback.format_exception(type(error), error, error.__traceback__))


def sent_in(request: RawRequest) -> str:
    """Return all of a request in one line, as a server logs it."""
    headers = "; ".join(f"{name}: {value}" for name, value in request.headers.items())
    body = request.body.decode(errors="replace")
    with suppress(ValueError):
        body = "; ".join(map(str, json.loads(body).values()))
    utf8 = headers.encode("latin-1", errors="replace").decode("utf-8", errors="replace")
    return f"{request.target} {headers} {utf8} {body}"


def _json(status, **members):
    return answer(json.dumps(members).encode(), status=status)


def _every_letter(text):
    return "".join(f"\\u{ord(char):04x}" for char in text if ord(char) < 65536)


def _header(text):
    return "".join(char for char in text if char.isprintable()).encode().decode("latin-1")


def _location(text):
    return text.replace(" ", "%20")


def _with_header(status, name, text, body=b"{}"):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{name}: "
    return head.encode() + text.encode(errors="replace") + b"\r\n\r\n" + body


def job(text):
    """A job in which every text is an echo."""
    return {
        "jobId": 1,
        "status": text[:150],
        "jobType": text[:150],
        "connectionId": text[:150],
        "startTime": "2026-08-21T10:15Z",
    }


def _value(text):
    """The part of an echo that is a credential, as short as a word."""
    return text[text.index("canary") :][:150] if "canary" in text else text[:150]


def reasons(text):
    """What the Config API tells of a failed job."""
    failure = {"failureOrigin": _value(text), "failureType": text, "externalMessage": text * 9}
    attempt = {"status": "failed", "failureSummary": {"failures": [failure]}}
    return {"attempts": [{"attempt": attempt}]}


def _all(text):
    """A document that every reader finds something in."""
    value = _value(text)
    ids = dict.fromkeys(("sourceId", "destinationId", "workspaceId", "sourceType"), value)
    stream = {"name": text, "namespace": text}
    return {
        **job(value),
        **ids,
        **reasons(text),
        "name": text,
        "destinationType": value,
        "status": "running",
        "configuration": {"host": text, text: [text]},
        "configurations": {"streams": [stream]},
        "namespaceDefinition": "source",
    }


ECHOES = {
    "all of it at 200": lambda text: answer(json.dumps(_all(text)).encode()),
    "a list at 200": lambda text: _json("200 OK", data=[_all(text)]),
    "a job at 200": lambda text: answer(json.dumps(job(_value(text))).encode()),
    "no JSON at 200": lambda text: answer(text.encode()),
    "a text at 200": lambda text: answer(json.dumps(text).encode()),
    "a title at 200": lambda text: answer(f"<title>{html.escape(text)}</title>".encode()),
    "400": lambda text: _json("400 Bad Request", title="bad-request", detail=text),
    "401": lambda text: _json("401 Unauthorized", message=text),
    "403": lambda text: _json("403 Forbidden", title="forbidden", data={"message": text}),
    "404": lambda text: _json("404 Not Found", title="resource-not-found", detail=text),
    "409": lambda text: _json("409 Conflict", exceptionClassName="x", message=text),
    "422": lambda text: _json("422 x", errorId=text, title="unprocessable-entity"),
    "429": lambda text: _json("429 x", message=text),
    "500": lambda text: _json("500 x", message=text),
    "OAuth": lambda text: _json("400 x", error=text, message=text),
    "every letter escaped": lambda text: answer(
        f'{{"message": "{_every_letter(text)}", "data": {{"message": "{_every_letter(text)}"}}}}'.encode(),
        status="500 x",
    ),
    "JSON in JSON": lambda text: _json("500 x", message=json.dumps(json.dumps(text))),
    "quoted": lambda text: _json("500 x", message=quote(text, safe="")),
    "HTML in JSON": lambda text: _json("500 x", message=html.escape(text)),
    "Base64": lambda text: _json("500 x", message=b64encode(text.encode()).decode()[:280]),
    "repr": lambda text: _json("500 x", message=repr(text.encode())),
    "cut": lambda text: _json("500 x", message=f"{'x' * 280}{_value(text)}"),
    "a title": lambda text: answer(
        f"<title>{html.escape(_value(text))}</title>".encode(), status="502 x"
    ),
    "a redirect": lambda text: _with_header("302 Found", "Location", f"/{_location(text)}"),
    "a redirect elsewhere": lambda text: _with_header(
        "302 Found", "Location", f"https://{quote(text, safe='')}.test/{_location(text)}"
    ),
    "a challenge": lambda text: _with_header(
        "401 Unauthorized", "WWW-Authenticate", f'Basic realm="{text}"'
    ),
    "a compression": lambda text: _with_header("200 OK", "Content-Encoding", text),
    "a cookie": lambda text: _with_header("200 OK", "Set-Cookie", f"{_value(text)}=1"),
    "a header without a colon": lambda text: f"HTTP/1.1 200 OK\r\n{_header(text)}\r\n\r\n".encode(),
    "a status line": lambda text: f"HTTP/1.1 {_header(text)}\r\n\r\n".encode(),
    "no HTTP": lambda text: f"{_header(text)}\r\n\r\n".encode(),
    "a chunk": lambda text: (
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{_header(text)}\r\n".encode()
    ),
}


def echoing(echo, starts=None):
    """
    Return a script that sells tokens, and repeats every other request as ``echo`` says.

    Args:
        echo: One of :data:`ECHOES`.
        starts: What to answer to a submission instead.
    """

    def script(peer: Peer) -> None:
        while (request := peer.read_request()) is not None:
            if request.target.endswith("/applications/token"):
                peer.send(_json("200 OK", access_token=TOKEN, expires_in=600))
            elif (
                starts is not None and request.method == "POST" and request.target.endswith("/jobs")
            ):
                peer.send(answer(json.dumps(starts).encode()))
            else:
                peer.send(ECHOES[echo](sent_in(request)))
                return

    return script


def echoing_all(echo):
    """Return a script that repeats the request for a token, too."""

    def script(peer: Peer) -> None:
        request = peer.read_request()
        if request is not None:
            peer.send(ECHOES[echo](sent_in(request)))

    return script
