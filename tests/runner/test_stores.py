"""What the stores of this package do beyond the contract: damage, foreign files, disks, names, locks."""

from __future__ import annotations

import errno
import json
import os
import pickle
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from airbyte_sync import Checkpoint, InvalidInput, Origin
from airbyte_sync_runner import FileStore, RequestLocked, SqliteStore, StoreFailed, file_store
from airbyte_sync_testkit import VirtualClock

NOW = VirtualClock().now()
CHECKPOINT = Checkpoint.watching(7, Origin.STARTED, asked_at=NOW)
DAMAGED = {
    "empty": b"",
    "half": b'{"format": "airbyte-sync request 1", "key": "ord',
    "text": b"hello",
    "no text": bytes(range(256)),
    "foreign": b'{"version": 2, "phase": "watching", "job_id": 7}',
    "a list": b"[]",
    "a number": b"7",
    "deep": b"[" * 100_000,
    "too large": b" " * 2_000_000,
}


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path, clock=lambda: NOW)


@pytest.fixture
def saved(store, tmp_path):
    """The file of a request that was saved."""
    with store.open("orders") as request:
        request.save(CHECKPOINT)
    [file] = tmp_path.glob("*.json")
    return file


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_counts_as_nothing(store, saved, caplog, damage):
    """The log says so, and the request begins anew; the next checkpoint takes the place of the damage."""
    saved.write_bytes(DAMAGED[damage])
    with store.open("orders") as request:
        assert request.load() is None
        assert "What is kept of the request 'orders' is ignored" in caplog.text
        request.save(CHECKPOINT)
        assert CHECKPOINT == request.load()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": "airbyte-sync request 9"}, "no record of this release"),
        ({"key": "customers"}, "another request"),
        ({"run_id": "monday"}, "another request"),
        ({"saved_at": "yesterday"}, "when it was saved"),
        ({"saved_at": "2026-01-05T09:00:00"}, "when it was saved"),
        ({"saved_at": None}, "when it was saved"),
        ({"checkpoint": None}, "no checkpoint"),
        ({"checkpoint": {"version": 99}}, "versions 1 and 2, not 99"),
        ({"checkpoint": {"version": 2, "phase": "dreaming"}}, "damaged"),
    ],
)
def test_what_is_not_understood_counts_as_nothing(store, saved, caplog, changes, text):
    """The log says why."""
    saved.write_text(json.dumps({**json.loads(saved.read_text()), **changes}))
    with store.open("orders") as request:
        assert request.load() is None
    assert text in caplog.text


def test_a_half_written_file_is_never_read(store, saved, monkeypatch):
    """A process that is killed while it writes leaves the checkpoint before."""

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(file_store.os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt), store.open("orders") as request:
        request.save(Checkpoint.watching(8, Origin.STARTED, asked_at=NOW))
    monkeypatch.undo()
    with store.open("orders") as request:
        assert 7 == request.load().job_id
        request.clear()
    assert [] == list(saved.parent.iterdir())


def test_nothing_is_left_of_a_request_that_is_over(store, tmp_path):
    """Neither a record, nor a draft, nor a lock."""
    with store.open("orders") as request:
        request.save(CHECKPOINT)
        assert 2 == len(list(tmp_path.iterdir()))
        request.clear()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a full disk at hand")  # noqa: PTH110
def test_a_full_disk_is_an_error_that_says_so(store, saved):
    """The checkpoint before is still there."""
    draft = saved.with_suffix(".tmp")
    draft.symlink_to("/dev/full")
    with store.open("orders") as request:
        with pytest.raises(StoreFailed, match=f"{saved.name} cannot be written.*No space left"):
            request.save(CHECKPOINT)
        draft.unlink()
        assert 7 == request.load().job_id


def test_a_folder_that_is_a_file_is_an_error_that_says_so(tmp_path):
    """Nothing was sent."""
    (tmp_path / "state").write_text("")
    with (
        pytest.raises(StoreFailed, match="could not be locked, so nothing was sent"),
        FileStore(tmp_path / "state").open("orders"),
    ):
        pass


def test_a_record_that_is_a_folder_is_an_error_that_says_so(store, saved):
    """It is not taken for a request that was never made."""
    saved.unlink()
    saved.mkdir()
    with store.open("orders") as request:
        with pytest.raises(StoreFailed, match="cannot be read"):
            request.load()
        with pytest.raises(StoreFailed, match="cannot be written"):
            request.save(CHECKPOINT)
        with pytest.raises(StoreFailed, match="cannot be deleted"):
            request.clear()


def test_a_file_that_is_no_database_is_an_error_that_says_so(tmp_path):
    """The file of another program is not overwritten."""
    path = tmp_path / "state.db"
    path.write_text("these are my notes, and no database at all" * 100)
    with SqliteStore(path).open("orders") as request:
        with pytest.raises(StoreFailed, match=r"state\.db cannot be used: file is not a database"):
            request.load()
        with pytest.raises(StoreFailed):
            request.save(CHECKPOINT)
    assert path.read_text().startswith("these are my notes")


def test_a_damaged_row_counts_as_nothing(tmp_path, caplog):
    """As a damaged file does; a text in the place of bytes is read."""
    store = SqliteStore(tmp_path / "state.db", clock=lambda: NOW)
    with store.open("orders") as request:
        request.save(CHECKPOINT)
    for change in ("document = 'hello'", "document = x'00ff'", "document = 7"):
        connection = sqlite3.connect(tmp_path / "state.db")
        with connection:
            connection.execute(f"UPDATE airbyte_sync_requests SET {change}")  # noqa: S608
        connection.close()
        with store.open("orders") as request:
            assert request.load() is None
    assert 3 == caplog.text.count("is ignored, and the request begins anew")


def test_a_database_may_have_other_tables(tmp_path):
    """Its own is named for this project."""
    connection = sqlite3.connect(tmp_path / "app.db")
    with connection:
        connection.execute("CREATE TABLE requests (id INTEGER)")
    connection.close()
    with SqliteStore(tmp_path / "app.db").open("orders") as request:
        request.save(CHECKPOINT)
        assert CHECKPOINT == request.load()


def test_many_threads_share_a_database(tmp_path):
    """Each has its own request, and none waits in vain."""
    store = SqliteStore(tmp_path / "state.db", clock=lambda: NOW)

    def use(number):
        with store.open(f"connection {number}") as request:
            for job_id in range(5):
                request.save(Checkpoint.watching(job_id, Origin.STARTED, asked_at=NOW))
            return request.load().job_id

    with ThreadPoolExecutor(20) as threads:
        assert [4] * 40 == list(threads.map(use, range(40)))


@pytest.mark.parametrize(
    "key",
    [
        "3f4e7f6a-54d0-4a3e-9e5c-0d6f6a2f8b11 sync",
        "../../x",
        "x" * 9999,
        "",
        "CON",
        "\ud800",
        "a\x00",
    ],
)
def test_a_file_name_is_safe(store, tmp_path, key):
    """Lower case, short, without a path: on every system."""
    with store.open(key) as request:
        request.save(CHECKPOINT)
        names = [path.name for path in tmp_path.iterdir()]
    assert 2 == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{32,80}\.(json|lock)", name) for name in names)
    assert all(name.split("-")[0] not in {"con", "nul", "aux"} or len(name) > 30 for name in names)


HOLDER = """
import sys
from airbyte_sync_runner import FileStore, SqliteStore
with getattr(sys.modules["airbyte_sync_runner"], sys.argv[1])(sys.argv[2]).open("orders"):
    print("has it", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", [FileStore, SqliteStore])
def test_a_lock_ends_with_its_process(tmp_path, kind):
    """However it ends; and while it lives, the error names it."""
    place = tmp_path / "state"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, kind.__name__, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert "has it\n" == process.stdout.readline()
        with pytest.raises(RequestLocked) as caught, kind(place).open("orders"):
            pass
        process.kill()
    assert f"process {process.pid} on " in caught.value.holder
    with kind(place).open("orders"):
        pass


def test_a_lock_that_is_released_meanwhile_is_taken_by_one(tmp_path):
    """Many that open and close the same request at the same time never have it together."""
    store, holders, together = FileStore(tmp_path), [], []

    def use(_):
        entered = 0
        for _ in range(100):
            try:
                with store.open("orders"):
                    holders.append(1)
                    together.append(len(holders))
                    holders.pop()
                    entered += 1
            except RequestLocked:
                pass
        return entered

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(use, range(8))) > 0
    assert {1} == set(together)


def test_a_file_system_without_locks_is_an_error_that_says_so(store, monkeypatch):
    """Nothing is followed that a second process could follow, too."""
    from airbyte_sync_runner import locks

    def unsupported(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_lock", unsupported)
    with pytest.raises(StoreFailed, match="No locks available"), store.open("orders"):
        pass


@pytest.mark.parametrize("kind", [FileStore, SqliteStore])
@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ([7], {}, "is 7: give the path of a"),
        (["state"], {"expire_after": 60}, r"expire_after is 60: give a datetime\.timedelta"),
        (
            ["state"],
            {"expire_after": timedelta(0)},
            "expire_after is 0 s: give a duration above zero",
        ),
    ],
)
def test_wrong_types_are_refused(kind, arguments, options, text):
    """At once, and with what to write."""
    with pytest.raises(InvalidInput, match=text):
        kind(*arguments, **options)


@pytest.mark.parametrize(("key", "run_id"), [(7, None), (None, None), ("orders", 7)])
def test_a_key_is_a_text(store, key, run_id):
    """And so is a run id: a number would be another request than its text."""
    with pytest.raises(InvalidInput, match="give a str"), store.open(key, run_id):
        pass


@pytest.mark.parametrize(
    "error",
    [
        RequestLocked("locked", key="orders", holder="process 7 on host"),
        RequestLocked("locked", key="orders"),
        StoreFailed("no space left on device"),
    ],
    ids=repr,
)
def test_errors_survive_a_process_pool(error):
    """With all their attributes."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(error), str(error), vars(error)) == (type(again), str(again), vars(again))
    assert again.retry_safe
    assert again.retry_may_help


@pytest.mark.parametrize("kind", [FileStore, SqliteStore])
def test_what_has_expired_long_ago_is_deleted(tmp_path, kind):
    """Runs that were killed and never made again leave nothing for ever; what is not ours stays."""
    place, moments = tmp_path / "state", [NOW]
    place_of_files = place if kind is FileStore else tmp_path

    def open_one(**options):
        return kind(place, clock=lambda: moments[-1], **options)

    for run_id in ("monday", "tuesday", "wednesday"):
        with open_one().open("orders", run_id) as request:
            request.save(CHECKPOINT)
    moments.append(NOW + timedelta(hours=36))
    with open_one().open("orders", "wednesday") as request:
        request.save(CHECKPOINT)
    (place_of_files / "notes.json").write_text('{"saved_at": "2020-01-01T00:00:00+00:00"}')
    moments.append(NOW + timedelta(hours=37))
    store = open_one(expire_after=None)
    with store.open("orders", "monday") as followed, open_one().open("customers"):
        assert followed.load() is not None
    with store.open("orders", "tuesday") as request:
        assert request.load() is None
    with store.open("orders", "wednesday") as request:
        assert request.load() is not None
    assert (place_of_files / "notes.json").exists()
