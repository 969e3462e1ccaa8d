"""What a store keeps of a request, as JSON, and how it is read: strictly, and nothing is guessed."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from airbyte_sync.checkpoint import Checkpoint
from airbyte_sync.checks import require_duration, require_text
from airbyte_sync.errors import InvalidCheckpoint, InvalidInput
from airbyte_sync.texts import shown

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = "airbyte-sync request 1"
LARGEST = 1_000_000
"""Bytes of a record that are read: one has about 500."""
_READABLE = 40

log: logging.Logger = logging.getLogger("airbyte_sync")


def utc_now() -> datetime:
    """Return the current moment in UTC."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class RequestId:
    """Which request a record is about."""

    key: str
    run_id: str | None = None

    def __post_init__(self) -> None:
        require_text("key", self.key)
        if self.run_id is not None:
            require_text("run_id", self.run_id)

    @property
    def file_name(self) -> str:
        """
        A file name that is safe on every system, without its suffix.

        It is what can be read of the key, and a hash of the whole of it: keys that differ in case, in a
        slash or only far from their beginning have different names, also where a file system ignores case.
        """
        readable = re.sub(r"[^a-z0-9]+", "-", self.key.lower()[: 2 * _READABLE]).strip("-")
        digest = sha256(json.dumps([self.key, self.run_id]).encode()).hexdigest()[:32]
        return f"{readable[:_READABLE] or 'request'}-{digest}"

    def __str__(self) -> str:
        """Return what a text calls the request."""
        return (
            shown(self.key)
            if self.run_id is None
            else f"{shown(self.key)} of run {shown(self.run_id)}"
        )


class Slot(Protocol):
    """The place of one record."""

    def read(self) -> bytes | None:
        """
        Return what was written last, or ``None``.

        Raises:
            StoreFailed: The place cannot be read.
        """
        ...

    def write(self, document: bytes) -> None:
        """
        Write it in the place of any other, durably: after a crash either is there, and whole.

        Raises:
            StoreFailed: The place cannot be written.
        """
        ...

    def delete(self) -> None:
        """
        Delete what is there, if anything is.

        Raises:
            StoreFailed: It is still there.
        """
        ...


class StoredRequest:
    """One request in its slot: an :class:`~airbyte_sync_runner.OpenRequest`."""

    def __init__(
        self,
        request: RequestId,
        slot: Slot,
        *,
        clock: Callable[[], datetime],
        expire_after: timedelta | None,
    ) -> None:
        self._request = request
        self._slot = slot
        self._clock = clock
        self._expire_after = expire_after

    def load(self) -> Checkpoint | None:
        """Return what was saved last; what has expired, and what cannot be read, counts as nothing."""
        document = self._slot.read()
        if document is None:
            return None
        try:
            saved_at, checkpoint = read(document, self._request)
        except InvalidInput as error:
            log.warning(
                "What is kept of the request %s is ignored, and the request begins anew: %s",
                self._request,
                error,
            )
            return None
        if self._expire_after is not None and self._clock() - saved_at > self._expire_after:
            log.warning(
                "What is kept of the request %s is of %s and has expired: the request begins anew",
                self._request,
                saved_at.isoformat(timespec="seconds"),
            )
            return None
        return checkpoint

    def save(self, checkpoint: Checkpoint) -> None:
        """Remember a checkpoint in the place of any other, durably."""
        self._slot.write(written(checkpoint, self._request, self._clock()))

    def clear(self) -> None:
        """Forget the request."""
        self._slot.delete()


def written(checkpoint: Checkpoint, request: RequestId, saved_at: datetime) -> bytes:
    """Return a record."""
    record = {
        "format": FORMAT,
        "key": request.key,
        "run_id": request.run_id,
        "saved_at": saved_at.astimezone(timezone.utc).isoformat(),
        "checkpoint": checkpoint.to_json(),
    }
    return json.dumps(record, indent=1).encode()


def read(document: bytes, request: RequestId) -> tuple[datetime, Checkpoint]:
    """
    Return when a record was saved, and its checkpoint.

    Raises:
        InvalidInput: It is no record, is damaged, or is another request's.
    """
    try:
        record = json.loads(document[: LARGEST + 1])
    except (ValueError, RecursionError):
        raise InvalidInput("it is no JSON document") from None
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InvalidInput("it is no record of this release")
    if (record.get("key"), record.get("run_id")) != (request.key, request.run_id):
        raise InvalidInput("it is the record of another request")
    saved_at = _moment(record.get("saved_at"))
    checkpoint = record.get("checkpoint")
    if not isinstance(checkpoint, dict):
        raise InvalidCheckpoint("it has no checkpoint")
    return saved_at, Checkpoint.from_json(checkpoint)


def saved_at_of(document: bytes | None) -> datetime | None:
    """Return when a record was saved; ``None`` for what is no record."""
    try:
        record = None if document is None else json.loads(document[: LARGEST + 1])
        if isinstance(record, dict) and record.get("format") == FORMAT:
            return _moment(record.get("saved_at"))
    except (ValueError, RecursionError, InvalidInput):
        pass
    return None


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput("it does not say when it was saved")
    return moment


def require_expiry(expire_after: timedelta | None) -> None:
    """
    Refuse what is no time after which a record may expire.

    Raises:
        InvalidInput: It is of another type, or not above zero.
    """
    if expire_after is None:
        return
    require_duration("expire_after", expire_after)
    if expire_after <= timedelta(0):
        raise InvalidInput(
            f"expire_after is {expire_after.total_seconds():g} s: give a duration above zero, or None for no "
            "end"
        )
