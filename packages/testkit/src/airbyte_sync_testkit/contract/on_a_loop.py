"""An async adapter as a blocking one, so that one suite tests both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class OnALoop:
    """An async adapter whose methods block. It is made on its loop, as some libraries want it."""

    def __init__(self, make: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        async def make_on_the_loop() -> Any:
            return make()

        self._loop = loop
        self.adapter = loop.run_until_complete(make_on_the_loop())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.adapter, name)
        return lambda *arguments, **options: self._loop.run_until_complete(
            method(*arguments, **options)
        )

    def close(self) -> None:
        """Close an adapter that can be closed."""
        if hasattr(self.adapter, "close"):
            self._loop.run_until_complete(self.adapter.close())
