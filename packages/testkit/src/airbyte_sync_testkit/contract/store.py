"""What every store of requests has to prove, so that a sync whose process died is found again, and only then.

Subclass :class:`StoreContract` or :class:`AsyncStoreContract` and give it the fixture ``new_store``: what
makes a store from a clock and a duration after which it forgets. Every store that it makes in one test is
of the same place, as if another process had opened it. An async store is driven on an event loop of its
own, so that one list of facts serves the blocking and the async ones.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airbyte_sync import Checkpoint, Origin
from airbyte_sync_runner import (
    AsyncOpenRequest,
    AsyncRequestStore,
    OpenRequest,
    RequestLocked,
    RequestStore,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOON = datetime(2026, 8, 21, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
KEY = "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11 sync"
CHECKPOINT = Checkpoint.watching(
    7, Origin.STARTED, asked_at=NOON, connection_id=KEY.split(maxsplit=1)[0]
)
OTHER = Checkpoint.watching(
    8, Origin.ADOPTED, asked_at=NOON, connection_id=KEY.split(maxsplit=1)[0]
)
"""Another one of the same request."""
COMMON = {"version": 2, "asked_at": "2026-08-21T12:00:00+00:00"}
PHASES = {
    "watching": CHECKPOINT,
    "asked": Checkpoint.asked(NOON),
    "in doubt": Checkpoint.from_json(
        {
            **COMMON,
            "phase": "finding_job",
            "connection_id": "a-connection",
            "after_job_id": 6,
            "submissions": {"in_doubt": True, "lost": 1, "lost_status": 502},
            "search_until": "2026-08-21T12:01:30+00:00",
            "queue_deadline": "2026-08-21T13:00:00+00:00",
        }
    ),
    "busy": Checkpoint.from_json(
        {
            **COMMON,
            "phase": "connection_busy",
            "connection_id": "a-connection",
            "after_job_id": 6,
        }
    ),
    "cancelling": Checkpoint.from_json(
        {
            **COMMON,
            "phase": "cancelling",
            "job_id": 7,
            "origin": "started",
            "cancel_until": "2026-08-21T13:02:00+00:00",
            "cancel_sent": True,
        }
    ),
}
ODD_KEYS = {
    "slashes": "../../etc/passwd",
    "backslashes": "..\\..\\windows",
    "empty": "",
    "dots": "..",
    "long": "x" * 5000,
    "long, another end": "x" * 4999 + "y",
    "lower case": "orders",
    "upper case": "ORDERS",
    "accented, composed": "caf\u00e9",
    "accented, decomposed": "cafe\u0301",
    "other scripts": "\u6ce8\u6587 \U0001f4e6",
    "control characters": "a\x00b\n",
    "a device of Windows": "CON",
    "quotes": "'; DROP TABLE requests; --",
}


class OpenStore(Protocol):
    """Opens the place under test once more, as another process would."""

    def __call__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: NOON,
        expire_after: timedelta | None = HOUR,
    ) -> RequestStore:
        """Open it."""
        ...


class StoreFacts:
    """What blocking and async ones have to prove; subclasses say how a store is made."""

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Make stores of the kind under test, as blocking ones."""
        raise NotImplementedError

    # --- what is remembered ---

    def test_nothing_is_remembered_of_a_request_that_was_never_made(
        self, open_store: OpenStore
    ) -> None:
        """
        A request that was never made has nothing saved.

        Otherwise: the first run of a request follows a sync that is not its own.
        """
        with open_store().open(KEY) as request:
            assert request.load() is None

    @pytest.mark.parametrize("phase", PHASES)
    def test_what_was_saved_is_found_by_the_next_process(
        self, open_store: OpenStore, phase: str
    ) -> None:
        """
        What one process has saved is found by the next one, whatever its phase.

        Otherwise: a run that was killed leaves a sync that nothing follows, and the next one starts a second.
        """
        with open_store().open(KEY) as request:
            request.save(PHASES[phase])
        with open_store().open(KEY) as request:
            assert PHASES[phase] == request.load()

    def test_the_last_checkpoint_counts(self, open_store: OpenStore) -> None:
        """
        Of several checkpoints the last one is found.

        Otherwise: the next run goes on from where the request no longer stands.
        """
        with open_store().open(KEY) as request:
            request.save(PHASES["in doubt"])
            request.save(CHECKPOINT)
            assert CHECKPOINT == request.load()
        with open_store().open(KEY) as request:
            assert CHECKPOINT == request.load()

    def test_what_was_cleared_is_forgotten(self, open_store: OpenStore) -> None:
        """
        What was cleared is not found again.

        Otherwise: yesterday's success answers today's request, and no sync runs.
        """
        with open_store().open(KEY) as request:
            request.save(CHECKPOINT)
            request.clear()
            assert request.load() is None
        with open_store().open(KEY) as request:
            assert request.load() is None

    def test_clearing_nothing_does_no_harm(self, open_store: OpenStore) -> None:
        """
        A request that has saved nothing can be cleared, and cleared again.

        Otherwise: a request that was refused ends with an error of the store, in the place of the reason.
        """
        with open_store().open(KEY) as request:
            request.clear()
            request.clear()

    def test_a_request_can_be_made_again_after_it_was_cleared(self, open_store: OpenStore) -> None:
        """
        What is saved after clearing is found.

        Otherwise: tomorrow's sync is not remembered.
        """
        with open_store().open(KEY) as request:
            request.save(CHECKPOINT)
            request.clear()
            request.save(OTHER)
        with open_store().open(KEY) as request:
            assert OTHER == request.load()

    def test_what_was_saved_stays_when_the_run_fails(self, open_store: OpenStore) -> None:
        """
        What was saved stays when the run ends with an error.

        Otherwise: an error on the way forgets a sync that runs.
        """
        with suppress(ZeroDivisionError), open_store().open(KEY) as request:
            request.save(CHECKPOINT)
            raise ZeroDivisionError
        with open_store().open(KEY) as request:
            assert CHECKPOINT == request.load()

    # --- whose it is ---

    def test_another_key_is_another_request(self, open_store: OpenStore) -> None:
        """
        Two keys are two requests.

        Otherwise: one connection's run follows the sync of another.
        """
        with open_store().open(KEY) as request, open_store().open("another") as another:
            request.save(CHECKPOINT)
            assert another.load() is None
            another.clear()
            assert CHECKPOINT == request.load()

    def test_odd_keys_are_kept_apart(self, open_store: OpenStore) -> None:
        """
        Keys that differ in case, in a slash or far from their beginning are different requests.

        Otherwise: such requests share a record, and one follows the sync of another.
        """
        saved = {
            key: Checkpoint.watching(place, Origin.STARTED, asked_at=NOON)
            for place, key in enumerate(ODD_KEYS.values())
        }
        for key, checkpoint in saved.items():
            with open_store().open(key) as request:
                request.save(checkpoint)
        for key, checkpoint in saved.items():
            with open_store().open(key) as request:
                assert checkpoint == request.load(), key

    def test_another_run_id_is_another_request(self, open_store: OpenStore) -> None:
        """
        Two run ids of one key are two requests.

        Otherwise: a scheduler's run of today is answered with yesterday's sync.
        """
        with open_store().open(KEY, "monday") as request:
            request.save(CHECKPOINT)
        for other in ("tuesday", "MONDAY", "", None, "None"):
            with open_store().open(KEY, other) as request:
                assert request.load() is None, other
        with open_store().open(KEY, "monday") as request:
            assert CHECKPOINT == request.load()

    def test_a_key_and_a_run_id_are_not_mixed_up(self, open_store: OpenStore) -> None:
        """
        A key and a run id are not joined to one text.

        Otherwise: two requests share a record because their names happen to join to the same text.
        """
        with open_store().open("a", "b c") as request:
            request.save(CHECKPOINT)
        for key, run_id in (("a b", "c"), ("a b c", None), ("b c", "a")):
            with open_store().open(key, run_id) as request:
                assert request.load() is None, (key, run_id)

    # --- who follows it ---

    def test_a_request_is_followed_once(self, open_store: OpenStore) -> None:
        """
        A request that is open cannot be opened again, and the error names its key.

        Otherwise: two processes follow one request, and each starts a sync.
        """
        store = open_store()
        with store.open(KEY) as request:
            request.save(CHECKPOINT)
            for other in (open_store(), store):
                with pytest.raises(RequestLocked) as caught, other.open(KEY):
                    pass
                assert KEY == caught.value.key
            assert CHECKPOINT == request.load()

    def test_a_refused_process_takes_no_lock_away(self, open_store: OpenStore) -> None:
        """
        A process that is refused leaves the lock as it is.

        Otherwise: the third process gets in because the second was refused.
        """
        with open_store().open(KEY):
            for _ in range(3):
                with pytest.raises(RequestLocked), open_store().open(KEY):
                    pass

    def test_other_requests_can_be_opened_meanwhile(self, open_store: OpenStore) -> None:
        """
        Other requests can be opened while one is open.

        Otherwise: one long sync holds up all others.
        """
        with open_store().open(KEY), open_store().open("another"), open_store().open(KEY, "run"):
            pass

    @pytest.mark.parametrize("error", [None, ZeroDivisionError, KeyboardInterrupt])
    def test_a_request_can_be_opened_when_the_one_before_is_closed(
        self, open_store: OpenStore, error: type[BaseException] | None
    ) -> None:
        """
        A request that was closed can be opened again, whatever it ended with.

        Otherwise: the next run is refused for ever.
        """
        with suppress(ZeroDivisionError, KeyboardInterrupt), open_store().open(KEY) as request:
            request.save(CHECKPOINT)
            if error is not None:
                raise error
        with open_store().open(KEY) as request:
            assert CHECKPOINT == request.load()

    # --- for how long ---

    def test_what_has_expired_is_forgotten(self, open_store: OpenStore) -> None:
        """
        What is older than the expiry is not found, and what is just as old is.

        Otherwise: a success of long ago answers a request of today.
        """
        with open_store().open(KEY) as request:
            request.save(CHECKPOINT)
        with open_store(clock=lambda: NOON + HOUR).open(KEY) as request:
            assert CHECKPOINT == request.load()
        later = NOON + HOUR + timedelta(seconds=1)
        with open_store(clock=lambda: later).open(KEY) as request:
            assert request.load() is None

    def test_each_save_counts_anew(self, open_store: OpenStore) -> None:
        """
        The expiry counts from the last save.

        Otherwise: a sync of many hours is forgotten while its process is alive.
        """
        moments = iter([NOON, NOON + HOUR, NOON + 2 * HOUR])
        with open_store(clock=lambda: next(moments)).open(KEY) as request:
            request.save(CHECKPOINT)
            request.save(CHECKPOINT)
            assert CHECKPOINT == request.load()

    def test_without_an_end_nothing_expires(self, open_store: OpenStore) -> None:
        """
        Without an expiry nothing is forgotten.

        Otherwise: where run ids tell requests apart, an old run that is tried again starts a second sync.
        """
        with open_store(expire_after=None).open(KEY) as request:
            request.save(CHECKPOINT)
        later = NOON + timedelta(days=1000)
        with open_store(clock=lambda: later, expire_after=None).open(KEY) as request:
            assert CHECKPOINT == request.load()


class StoreContract(StoreFacts):
    """Subclass it, and provide the fixture ``new_store``."""

    @pytest.fixture
    def new_store(self) -> Callable[..., RequestStore]:
        """Return what makes a store, called with the keywords ``clock`` and ``expire_after``."""
        raise NotImplementedError

    @pytest.fixture
    def open_store(self, new_store: Callable[..., RequestStore]) -> OpenStore:
        """See :meth:`StoreFacts.open_store`."""

        def open_one(
            *,
            clock: Callable[[], datetime] = lambda: NOON,
            expire_after: timedelta | None = HOUR,
        ) -> RequestStore:
            return new_store(clock=clock, expire_after=expire_after)

        return open_one

    def test_it_is_what_the_runner_asks_for(self, new_store: Callable[..., RequestStore]) -> None:
        """
        It has every method of the protocols.

        Otherwise: the first run fails with an error about a missing attribute.
        """
        store = new_store(clock=lambda: NOON, expire_after=None)
        assert isinstance(store, RequestStore)
        with store.open(KEY) as request:
            assert isinstance(request, OpenRequest)


class AsyncStoreContract(StoreFacts):
    """Subclass it, and provide the fixture ``new_store``."""

    @pytest.fixture
    def new_store(self) -> Callable[..., AsyncRequestStore]:
        """Return what makes a store, called with the keywords ``clock`` and ``expire_after``."""
        raise NotImplementedError

    @pytest.fixture
    def loop(self) -> Iterator[asyncio.AbstractEventLoop]:
        """The event loop of the stores."""
        loop = asyncio.new_event_loop()
        yield loop
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    @pytest.fixture
    def open_store(
        self, new_store: Callable[..., AsyncRequestStore], loop: asyncio.AbstractEventLoop
    ) -> OpenStore:
        """See :meth:`StoreFacts.open_store`."""

        def open_one(
            *,
            clock: Callable[[], datetime] = lambda: NOON,
            expire_after: timedelta | None = HOUR,
        ) -> RequestStore:
            return _StoreOnALoop(new_store(clock=clock, expire_after=expire_after), loop)

        return open_one

    def test_it_is_what_the_runner_asks_for(
        self, new_store: Callable[..., AsyncRequestStore], loop: asyncio.AbstractEventLoop
    ) -> None:
        """
        It has every method of the protocols.

        Otherwise: the first run fails with an error about a missing attribute.
        """
        store = new_store(clock=lambda: NOON, expire_after=None)
        assert isinstance(store, AsyncRequestStore)

        async def opened() -> Any:
            async with store.open(KEY) as request:
                return request

        assert isinstance(loop.run_until_complete(opened()), AsyncOpenRequest)

    def test_a_cancelled_task_leaves_nothing_locked(
        self, new_store: Callable[..., AsyncRequestStore], loop: asyncio.AbstractEventLoop
    ) -> None:
        """
        A task that is cancelled while it opens, saves or follows a request leaves no lock.

        Otherwise: a process that goes on after an interruption cannot make the request again.
        """
        store = new_store(clock=lambda: NOON, expire_after=None)

        async def open_and_save() -> None:
            async with store.open(KEY) as request:
                await request.save(CHECKPOINT)
                await asyncio.sleep(3600)

        async def interrupted() -> None:
            for steps in range(20):
                task = asyncio.ensure_future(open_and_save())
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                async with store.open(KEY):
                    pass

        loop.run_until_complete(interrupted())


class _StoreOnALoop:
    """An async store as a blocking one."""

    def __init__(self, store: AsyncRequestStore, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop

    @contextmanager
    def open(self, key: str, run_id: str | None = None) -> Iterator[OpenRequest]:
        opening = self._store.open(key, run_id)
        request = self._loop.run_until_complete(opening.__aenter__())
        try:
            yield _RequestOnALoop(request, self._loop)
        except BaseException as error:
            kind, traceback = type(error), error.__traceback__
            if not self._loop.run_until_complete(opening.__aexit__(kind, error, traceback)):
                raise
        else:
            self._loop.run_until_complete(opening.__aexit__(None, None, None))


class _RequestOnALoop:
    """An open request of an async store as a blocking one."""

    def __init__(self, request: AsyncOpenRequest, loop: asyncio.AbstractEventLoop) -> None:
        self._request = request
        self._loop = loop

    def load(self) -> Checkpoint | None:
        return self._loop.run_until_complete(self._request.load())

    def save(self, checkpoint: Checkpoint) -> None:
        self._loop.run_until_complete(self._request.save(checkpoint))

    def clear(self) -> None:
        self._loop.run_until_complete(self._request.clear())
