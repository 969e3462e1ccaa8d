"""A store that fails stops a submission, and nothing that runs already."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import pytest

from airbyte_sync import Checkpoint, Origin, PollSchedule, SyncPolicy
from airbyte_sync.errors import RequestNotSent, ResponseNotReceived
from airbyte_sync_local import JobScript
from airbyte_sync_runner import (
    OnInterrupt,
    StoreFailed,
    python_signal_handlers,
    run_sync,
    run_sync_async,
)
from airbyte_sync_testkit import AsyncInMemoryAirbyte, AsyncVirtualClock, InMemoryAirbyte
from airbyte_sync_testkit.memory import CallFault, InMemoryStore

LASTS_A_DAY = JobScript.of((0, "running"), (86400, "succeeded"))
PATIENT = SyncPolicy(timeout=None, poll=PollSchedule.fixed(timedelta(minutes=1)))
LEAVE = OnInterrupt.LEAVE_RUNNING


class FailingStore(InMemoryStore):
    """Remembers one request, until it fails."""

    def __init__(self, *, fails_at=(), saves=10**9):
        super().__init__()
        self.fails_at = set(fails_at)
        self.saves = saves
        """How many times it saves before it fails."""

    @contextmanager
    def open(self, key, run_id=None):
        yield self

    def load(self):
        self._call("load")
        return super().load()

    def save(self, checkpoint):
        self.saves -= 1
        self._call("save" if self.saves >= 0 else "full")
        super().save(checkpoint)

    def clear(self):
        self._call("clear")
        super().clear()

    def _call(self, method):
        if method in {"full", *self.fails_at}:
            raise StoreFailed("no space left on device")


class AsyncFailingStore:
    """The async counterpart."""

    def __init__(self, store):
        self._store = store

    @asynccontextmanager
    async def open(self, key, run_id=None):
        yield self

    async def load(self):
        return self._store.load()

    async def save(self, checkpoint):
        self._store.save(checkpoint)

    async def clear(self):
        self._store.clear()


@pytest.fixture(params=["blocking", "async"])
def run(request, airbyte, clock, request_):
    """Run the request, blocking or async."""

    def run(store, policy=PATIENT, **options):
        if request.param == "blocking":
            return run_sync(airbyte, request_, policy, store=store, clock=clock, **options)
        return asyncio.run(
            run_sync_async(
                AsyncInMemoryAirbyte(airbyte),
                request_,
                policy,
                store=AsyncFailingStore(store),
                clock=AsyncVirtualClock(clock),
                **options,
            )
        )

    return run


def interrupt():
    signal.raise_signal(signal.SIGINT)


def test_a_store_that_cannot_be_read_stops_the_run(run, airbyte):
    """A sync that runs may be in it."""
    with pytest.raises(StoreFailed, match="no space left"):
        run(FailingStore(fails_at=["load"]))
    assert [] == airbyte.calls


def test_a_full_disk_stops_a_submission(run, airbyte):
    """What is not started need not be found again."""
    with pytest.raises(StoreFailed, match=r"the sync was not started.*no space left"):
        run(FailingStore(saves=0))
    assert 0 == airbyte.count("submit")


@pytest.mark.parametrize("saves", [1, 2, 3])
def test_a_disk_that_is_full_later_stops_nothing(run, airbyte, caplog, saves):
    """The sync that runs is followed to its end; each renewal that fails is told."""
    airbyte.job_scripts.append(JobScript.of((0, "running"), (3600, "succeeded")))
    assert "succeeded" == run(FailingStore(saves=saves)).job.status
    assert "Airbyte job 1 of connection" in caplog.text
    assert "could not be saved, and it goes on: no space left" in caplog.text
    assert caplog.text.count("could not be saved") <= 13


def test_an_outcome_is_delivered_although_it_cannot_be_forgotten(run, caplog):
    """The log says what the next run will find."""
    store = FailingStore(fails_at=["clear"])
    assert 1 == run(store).job.job_id
    assert "could not be recorded, so the same request made again goes on with it" in caplog.text


def test_what_is_left_running_is_told_where_it_cannot_be_kept(
    airbyte, later, caplog, clock, request_
):
    """The store has an older word of it, with which the next run finds the job."""
    airbyte.job_scripts.append(LASTS_A_DAY)
    later(600, interrupt)
    store = FailingStore(saves=1)
    with pytest.raises(KeyboardInterrupt):
        run_sync(airbyte, request_, PATIENT, store=store, clock=clock, on_interrupt=LEAVE)
    assert "Interrupted: Airbyte job 1 of connection" in caplog.text
    store.saves = 10
    airbyte.job_scripts.clear()
    clock.advance(timedelta(days=1))
    assert 1 == run_sync(airbyte, request_, PATIENT, store=store, clock=clock).job.job_id


class InterruptedSubmission(InMemoryAirbyte):
    """A signal comes while a submission is under way, which then fails."""

    def submit(self, connection_id, job_type):
        interrupt()
        return super().submit(connection_id, job_type)


@pytest.mark.parametrize(
    ("error", "looks"),
    [(RequestNotSent("no route to host"), 0), (ResponseNotReceived("timed out"), 1)],
    ids=["not sent", "in doubt"],
)
def test_an_interrupted_submission_that_fails_is_looked_for_only_in_doubt(
    clock, request_, error, looks
):
    """One that was surely not carried out leaves nothing, in the store neither."""
    airbyte = InterruptedSubmission(clock=clock)
    airbyte.add_connection(request_.connection_id)
    airbyte.fail("submit", CallFault(error=error))
    store = FailingStore()
    with pytest.raises(KeyboardInterrupt):
        run_sync(airbyte, request_, store=store, clock=clock)
    assert looks == airbyte.count("find_jobs")
    assert (looks == 0) == (store.load() is None)


def test_an_interruption_before_the_store_was_read_changes_nothing(airbyte, clock, request_):
    """What an earlier run left behind stays: nothing is known of it yet."""

    class InterruptedStore(FailingStore):
        def load(self):
            interrupt()
            return super().load()

    store = InterruptedStore(fails_at=["load"])
    store.document = "an earlier run's"
    with pytest.raises(KeyboardInterrupt):
        run_sync(airbyte, request_, store=store, clock=clock)
    assert "an earlier run's" == store.document
    assert [] == airbyte.calls


def test_an_interruption_that_cancels_ends_an_earlier_run_too(airbyte, clock, request_):
    """Its job is this request's: nothing would follow it any more."""
    airbyte.job_scripts.append(LASTS_A_DAY)
    job = airbyte.submit(request_.connection_id, request_.job_type)

    class InterruptedStore(FailingStore):
        def load(self):
            loaded = super().load()
            interrupt()
            return loaded

    store = InterruptedStore()
    store.save(
        Checkpoint.watching(
            job.job_id,
            Origin.STARTED,
            asked_at=clock.now(),
            connection_id=request_.connection_id,
        )
    )
    with pytest.raises(KeyboardInterrupt):
        run_sync(airbyte, request_, store=store, clock=clock)
    assert ["cancelled"] == [str(job.status) for job in airbyte.jobs()]
    assert store.document is None


def test_handlers_are_left_alone_outside_of_the_main_thread():
    """Only the main thread has any."""
    from concurrent.futures import ThreadPoolExecutor

    def use():
        with python_signal_handlers():
            return signal.getsignal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor(1) as threads:
        assert before is threads.submit(use).result()
