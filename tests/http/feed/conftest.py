"""The scene of all tests of the feed, which are played in virtual time."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction, signature

import pytest

from tests.http.feed.world import World


@pytest.fixture
def world():
    return World()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Play a test that is a coroutine in its world."""
    if not iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in signature(pyfuncitem.obj).parameters}
    arguments["world"].play(partial(pyfuncitem.obj, **arguments))
    return True
