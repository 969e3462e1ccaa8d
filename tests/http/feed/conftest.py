"""The scene of all tests of the feed."""

from __future__ import annotations

import pytest

from tests.http.feed.world import World


@pytest.fixture
def world():
    return World()
