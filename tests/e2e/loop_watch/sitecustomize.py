"""Watches the event loops of a process: which callback holds one up, and whose code it is in meanwhile.

Put this folder on the ``PYTHONPATH`` of a process, and the name of a file into ``LOOP_WATCH_FILE``. asyncio's
own debug mode names only the outermost coroutine of a slow task, which in a triggerer is always Airflow's.
Here a thread looks at the stack of a loop that is held up, so that the one who does it can be named. Each
callback that took too long becomes a line of JSON, after a line for each process that is watched.
"""

import asyncio
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path

LIMIT = 0.05
"""Seconds. The time in which the kernel let somebody else run, on a busy machine, is not counted."""
BETWEEN_LOOKS = 0.005

_run_callback = asyncio.Handle._run
_busy = {}
"""By thread: since when its loop has run the callback that it runs now, and the stacks seen meanwhile."""
_watched_processes = set()


def _run(handle):
    _watch_this_process()
    thread = threading.get_ident()
    stacks = []
    robbed, begun = _robbed_seconds(), time.monotonic()
    _busy[thread] = begun, stacks
    try:
        return _run_callback(handle)
    finally:
        _busy.pop(thread, None)
        took = time.monotonic() - begun
        if took > LIMIT:
            _report(took, took - (_robbed_seconds() - robbed), stacks)


def _robbed_seconds():
    """Return how long this thread has waited for a processor so far."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except OSError:  # not on this system
        return 0.0


def _watch_this_process():
    """Start the thread that looks; it does not survive a fork."""
    if os.getpid() not in _watched_processes:
        _watched_processes.add(os.getpid())
        _busy.clear()
        _write({"watching": os.getpid()})
        threading.Thread(target=_look_now_and_then, name="loop-watch", daemon=True).start()


def _look_now_and_then():
    while True:
        time.sleep(BETWEEN_LOOKS)
        for thread, (begun, stacks) in list(_busy.items()):
            if time.monotonic() - begun > LIMIT / 2:
                frame = sys._current_frames().get(thread)
                stacks.append(
                    [
                        f"{at.filename}:{at.lineno} in {at.name}"
                        for at in traceback.extract_stack(frame)
                    ]
                )


def _report(took, held_up, stacks):
    _write({"seconds": round(took, 3), "held_up": round(held_up, 3), "stacks": stacks})


def _write(row):
    with Path(os.environ["LOOP_WATCH_FILE"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


asyncio.Handle._run = _run
