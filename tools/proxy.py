"""A TCP proxy in front of a server of this machine, which passes everything on, is silent, or refuses.

Tests put it between Airflow's processes and Airflow's api-server or database. *Silent* means that it takes
connections and bytes and hands nothing on in either direction, as a machine does that is paused or cut off;
what was said meanwhile arrives when the silence is over. *Refusing* means that nothing listens, and that what
was connected is cut, as while a server restarts. Both are bounded: they end by themselves. Standard library
only.

    with Proxy(port=5432) as proxy:
        connect("127.0.0.1", proxy.port)
        with proxy.silent(at_most=60):
            ...
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Any

HOST = "127.0.0.1"
_CHUNK = 65_536
_TURNS = 5
"""Turns of the loop after which what was just begun is done; two or three are needed."""


class Proxy:
    """
    Listens on a free port for as long as a ``with`` block. It may be used from any thread.

    Args:
        port: The port of 127.0.0.1 that it stands in front of; nothing needs to listen there yet.

    Attributes:
        port: Where it listens itself; 0 before the block.
    """

    def __init__(self, *, port: int) -> None:
        self.port = 0
        self._behind = port
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._passes = asyncio.Event()
        self._passes.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bound: asyncio.TimerHandle | None = None

    def __enter__(self) -> Proxy:
        """Listen."""
        self._thread.start()
        self._on_loop(self._listen())
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Cut everything, and stop listening."""
        self._on_loop(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def silent(self, *, at_most: float) -> Iterator[None]:
        """
        Take everything and hand on nothing within the block.

        Args:
            at_most: Seconds after which it passes everything on again, whatever the block does.
        """
        self._on_loop(self._be_silent(at_most))
        try:
            yield
        finally:
            self.pass_on()

    @contextmanager
    def refusing(self, *, at_most: float) -> Iterator[None]:
        """
        Cut every connection and refuse new ones within the block.

        Args:
            at_most: Seconds after which it listens again, whatever the block does.
        """
        self._on_loop(self._refuse(at_most))
        try:
            yield
        finally:
            self.pass_on()

    def pass_on(self) -> None:
        """Pass everything on again, with what was held back."""
        self._on_loop(self._pass_on())

    # --- on the loop --------------------------------------------------------------------------------

    def _on_loop(self, work: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        done.result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _be_silent(self, at_most: float) -> None:
        self._passes.clear()
        self._end_after(at_most)

    async def _refuse(self, at_most: float) -> None:
        self._stop_listening()
        self._cut()
        self._end_after(at_most)

    async def _pass_on(self) -> None:
        if self._bound is not None:
            self._bound.cancel()
        self._passes.set()
        if self._server is None:
            await self._listen()

    async def _close(self) -> None:
        if self._bound is not None:
            self._bound.cancel()
        self._stop_listening()
        self._cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _turns()  # sockets are closed one turn after their transports

    def _end_after(self, seconds: float) -> None:
        def end() -> None:
            self._keep(self._loop.create_task(self._pass_on()))

        if self._bound is not None:
            self._bound.cancel()
        self._bound = self._loop.call_later(seconds, end)

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._keep(task)
        self._writers.add(writer)
        try:
            await self._passes.wait()
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):  # either side is gone, or the proxy itself
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader_behind, writer_behind = await asyncio.open_connection(HOST, self._behind)
        self._writers.add(writer_behind)
        try:
            await asyncio.gather(
                self._pump(reader, writer_behind), self._pump(reader_behind, writer)
            )
        finally:
            self._writers.discard(writer_behind)
            writer_behind.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._passes.wait()
            writer.write(data)
            await writer.drain()
        await self._passes.wait()
        with suppress(OSError, NotImplementedError):
            writer.write_eof()


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
