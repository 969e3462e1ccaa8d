"""Credentials kept out of every text: what was sent to a server is never read anywhere else.

A server, a proxy and an HTTP library may repeat whatever they were sent: in a body, a header, a name, an
error text or a log line of their own, as it is or in another spelling. So a gateway keeps the credentials of
its server in a :class:`Secrets`. While it works these are *in force*, and :func:`hide` takes them out of

- every text that is read from an answer to inform people (before it is cut: half a credential is one, too);
- the finished text of every error that leaves the gateway, with the errors that it was made from;
- what the HTTP libraries write to their own logs meanwhile.

What decides, such as a status that is known, is not changed. A text of fewer than :data:`SHORTEST`
characters is not hidden by itself: it is a part of too many words. It still is in ``user:password`` and in
the Base64 form of that.
"""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from collections import deque
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import lru_cache
from html.entities import codepoint2name
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

HIDDEN = "***"
"""Stands where a credential stood."""

SHORTEST = 4
"""Characters of the shortest text that is hidden wherever it occurs."""

MOST_TOKENS = 4
"""Fetched tokens that are remembered: those in use, and those that were refused or replaced just before."""

_HEAD = 12
"""Characters by which a longer credential is found, so that one that was cut is hidden, too."""
_LONGEST_PART = 4 * 1024
"""Characters that are kept of each part of an error, and of a line of a library's log."""
_SHORTEST_BASE64 = 8
_SHORTEST_NAME = 8
_MARKS = "\\%&"
"""Characters that every other spelling has at least one of; only a blank may be a plus sign."""
_BACKSLASHES = r"\\\\*"
"""One or more, and not ``\\\\+``: ``re`` is much faster where each alternative begins with a character."""
_GROUPS = 3
"""Bytes that become four characters of Base64."""

_LOGGERS = (
    "aiohttp.client",
    "aiohttp.internal",
    "charset_normalizer",
    "http.cookiejar",
    "requests",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.response",
    "urllib3.util.retry",
)
"""Where HTTP libraries log. A filter of a logger does not see what those below it log."""

_FORMS = re.compile(
    r"(?<=://)[^/\s'\"<>]+(?=@)|(?<=bearer )[^\s'\"]{16,}|(?<=basic )[^\s'\"]{16,}", re.IGNORECASE
)
"""Where credentials stand that we do not know: before the host of a URL, and in an authorization."""


class Secrets:
    """
    What must not be read in any text.

    Args:
        texts: The credentials, as they are.
        more: Returns further ones, which may change meanwhile, such as proxies in the environment. It is
            called once for every call of a gateway, and again for an error, because to read them takes
            longer than to hide them.
    """

    def __init__(
        self, texts: Iterable[str] = (), more: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._texts = tuple(texts)
        self._read_more = more
        self._more: tuple[str, ...] = tuple(more())
        self._tokens: deque[str] = deque(maxlen=MOST_TOKENS)
        self._known: tuple[tuple[str, ...], tuple[_Secret, ...]] = ((), ())

    def learn(self, token: str) -> bool:
        """Hide a fetched token from now on, and forget the oldest one; say whether it is a new one."""
        is_new = token not in self._tokens
        if is_new:
            self._tokens.append(token)
        return is_new

    def hide(self, text: str) -> str:
        """Return a text without these credentials, in whatever spelling."""
        has_marks = any(mark in text for mark in _MARKS)
        for secret in self._secrets():
            if has_marks or secret.is_spelled or secret.head in text:
                text = secret.hide_in(text)
        return text

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """
        Let :func:`hide` hide these within the block, and clean the errors that leave it.

        Raises:
            Exception: What was raised in the block, without credentials in its texts or those of its causes.
        """
        _watch_the_libraries()
        self._more = tuple(self._read_more())
        before = _in_force.set(self)
        try:
            yield
        except Exception as error:
            self._more = tuple(self._read_more())
            without_secrets(error)
            raise
        finally:
            _in_force.reset(before)

    def _secrets(self) -> tuple[_Secret, ...]:
        texts = (*self._texts, *self._more, *self._tokens)
        if texts != self._known[0]:
            # The longest first: it may hold a shorter one.
            forms = {form for text in texts for form in _forms_of(text)}
            ordered = sorted(forms, key=lambda form: (-len(form), form))
            self._known = texts, tuple(map(_Secret, ordered))
        return self._known[1]


_in_force: ContextVar[Secrets | None] = ContextVar("airbyte_sync_http_secrets", default=None)


def hide(text: str) -> str:
    """Return a text without the credentials that are in force."""
    secrets = _in_force.get()
    return text if secrets is None else secrets.hide(text)


def hide_unknown(text: str) -> str:
    """As :func:`hide`, and without what stands where credentials stand: for texts that nothing compares."""
    return _FORMS.sub(HIDDEN, hide(text))


class _Secret:
    """One credential, and how it is found in a text."""

    def __init__(self, text: str) -> None:
        self.head = text[:_HEAD]
        self.is_spelled = " " in self.head
        """Whether it must be looked for although it does not stand there as it is."""
        self._pattern = re.compile("".join(map(_spellings, self.head)))
        self._rest = text[_HEAD:]

    def hide_in(self, text: str) -> str:
        pieces: list[str] = []
        done = 0
        while found := self._pattern.search(text, done):
            end = found.end()
            for char in self._rest:
                more = _pattern_of(char).match(text, end)
                if more is None:
                    break
                end = more.end()
            pieces += [text[done : found.start()], HIDDEN]
            done = end
        return "".join([*pieces, text[done:]]) if pieces else text


def _forms_of(text: str) -> Iterator[str]:
    """Yield what to look for to find a text, as it is and within something in Base64."""
    if len(text) >= SHORTEST:
        yield text
        if not text.isascii():  # UTF-8 that was read as latin-1, as some libraries read headers
            yield text.encode(errors="replace").decode("latin-1")
    data = text.encode(errors="replace")
    for before in range(_GROUPS):
        coded = b64encode(bytes(before) + data).decode().rstrip("=")
        # What the bytes before and behind have a part in differs from place to place.
        start = 0 if before == 0 else before + 1
        end = (before + len(data)) * 8 // 6
        if end - start >= _SHORTEST_BASE64:
            core = coded[start:end]
            yield core
            if not core.isalnum():
                yield core.replace("+", "-").replace("/", "_")


@lru_cache(maxsize=512)
def _pattern_of(char: str) -> re.Pattern[str]:
    return re.compile(_spellings(char))


@lru_cache(maxsize=512)
def _spellings(char: str) -> str:
    """Return a pattern for one character as it is, in a URL, in JSON, in HTML and in a ``repr``."""
    code = ord(char)
    spelled = [
        *_escaped(char),
        "".join(f"%{_any_case(f'{byte:02x}')}" for byte in char.encode(errors="replace")),
        f"&#0*{code};",
        f"&#[xX]0*{_any_case(f'{code:x}')};",
    ]
    if code in codepoint2name:
        spelled.append(f"&{codepoint2name[code]};")
    if char == "'":
        spelled.append("&apos;")
    if char in "\\\"'/":
        spelled.append(rf"{_BACKSLASHES}{re.escape(char)}")
    spelled.append(re.escape(char))
    if char == " ":
        return rf"(?:{'|'.join(spelled)}|\s|\+)+"
    return f"(?:{'|'.join(spelled)})"


def _escaped(char: str) -> Iterator[str]:
    """Yield how JSON and Python escape a character, also within a text that was escaped before."""
    units = char.encode("utf-16-be", errors="surrogatepass")
    yield "".join(
        rf"{_BACKSLASHES}u{_any_case(units[at : at + 2].hex())}" for at in range(0, len(units), 2)
    )
    if ord(char) < 256:  # noqa: PLR2004 - what Python writes with two digits
        yield rf"{_BACKSLASHES}x{_any_case(f'{ord(char):02x}')}"
    if not char.isascii():
        yield "".join(rf"{_BACKSLASHES}x{byte:02x}" for byte in char.encode(errors="replace"))


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


# --------------------------------------------------------------------------------------------------
# Errors


def without_secrets(error: BaseException) -> None:
    """
    Clean an error of the credentials in force: its texts, and those of all that it was made from.

    It stays the same error. A library may build its text from other attributes than ``args``; then the error
    becomes one of a subclass of the same name, which has the cleaned texts.
    """
    _clean(error, set())


def _clean(error: BaseException, done: set[int]) -> None:
    if id(error) in done:
        return
    done.add(id(error))
    hidden = hide_unknown(_safely(str, error)), hide_unknown(_safely(repr, error))
    for made_from in (error.__cause__, error.__context__):
        if made_from is not None:
            _clean(made_from, done)
    args = tuple(_cleaned_arg(arg, done) for arg in error.args)
    if args != error.args:
        error.args = args
    for name in (*vars(error), "strerror", "filename", "object", "reason"):
        value = getattr(error, name, None)
        cleaned = _cleaned_arg(value, done)
        if cleaned is not value and cleaned != value:
            with suppress(Exception):  # a foreign class may refuse
                setattr(error, name, cleaned)
    if hidden != (_safely(str, error), _safely(repr, error)):
        _say_instead(error, *hidden)


def _cleaned_arg(arg: Any, done: set[int]) -> Any:
    if isinstance(arg, (str, bytes, bytearray)):
        arg = arg[:_LONGEST_PART]  # an error of a reader may hold the whole body that it read
    if isinstance(arg, str):
        return hide_unknown(arg)
    if isinstance(arg, BaseException):
        _clean(arg, done)
        return arg
    if isinstance(arg, list):
        return [_cleaned_arg(each, done) for each in arg]
    text = _safely(repr, arg)
    hidden = hide_unknown(text)
    return arg if text == hidden else hidden


def _say_instead(error: BaseException, text: str, shown: str) -> None:
    kind = type(error)
    members = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__str__": lambda _: text,
        "__repr__": lambda _: shown,
    }
    # A class that is built into Python cannot be exchanged, but its texts are its arguments.
    with suppress(TypeError):
        error.__class__ = type(kind.__name__, (kind,), members)


def _safely(show: Callable[[Any], str], value: object) -> str:
    try:
        return show(value)[:_LONGEST_PART]
    except Exception:  # a foreign class may raise anything
        return ""


# --------------------------------------------------------------------------------------------------
# What libraries log


class _HideInLogs(logging.Filter):
    """Takes the credentials in force out of the lines of a library."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _in_force.get() is None:
            return True
        text = _safely(logging.LogRecord.getMessage, record)
        hidden = hide_unknown(text)
        if hidden != text:
            record.msg, record.args = hidden, ()
        if record.exc_info and record.exc_info[1] is not None:
            without_secrets(record.exc_info[1])
        return True


@lru_cache(maxsize=1)
def _watch_the_libraries() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_HideInLogs())


# --------------------------------------------------------------------------------------------------
# What is secret in


def header_secrets(name: str, value: str) -> Iterator[str]:
    """Yield what is secret in a header: its value, and what that is composed of."""
    yield value
    if name.lower() == "cookie":
        for pair in value.split(";"):
            yield pair.partition("=")[2].strip()
        return
    _, blank, credentials = value.partition(" ")
    if blank:
        yield credentials.strip()


def url_secrets(url: str) -> Iterator[str]:
    """
    Yield what is secret in a URL: user name and password before its host, quoted and not.

    A user name by itself is hidden where it is long enough to be no word of everyday use.
    """
    try:
        userinfo = urlsplit(url if "://" in url else f"//{url}").netloc.rpartition("@")[0]
    except ValueError:
        return
    if not userinfo:
        return
    username, _, password = userinfo.partition(":")
    yield userinfo
    yield password
    yield from basic_secrets(unquote(username), unquote(password))
    if len(username) >= _SHORTEST_NAME:
        yield from (username, unquote(username))


def basic_secrets(username: str, password: str) -> Iterator[str]:
    """Yield what is secret in basic credentials: the password, and both together; never a name alone."""
    pair = f"{username}:{password}"
    yield password
    yield pair
    yield f"{quote(username, safe='')}:{quote(password, safe='')}"
    yield b64encode(pair.encode(errors="replace")).decode()
