"""Connections by name."""

from __future__ import annotations

import pytest

from airbyte_sync import ConnectionAmbiguous, ConnectionNotFound, find_connection

OTHER = "5d1c3f9e-0f7e-4d8a-9a55-7b8c1d7e1099"


def test_one_of_the_name_is_found(world):
    """The name is the one that the Airbyte UI shows."""
    world.airbyte.add_connection(OTHER, name="orders")
    assert world.run(find_connection("orders")).connection_id == OTHER


def test_none_of_the_name_is_an_error(world):
    """The text says how names are compared."""
    with pytest.raises(ConnectionNotFound, match=r"'Orders'.*letter by letter"):
        world.run(find_connection("Orders"))


def test_several_of_the_name_are_an_error_that_names_them(world):
    """Nothing is picked at random."""
    for connection_id in (OTHER, world.connection_id):
        world.airbyte.add_connection(connection_id, name="orders")
    with pytest.raises(ConnectionAmbiguous, match=OTHER) as caught:
        world.run(find_connection("orders"))
    assert len(caught.value.connections) == 2


def test_the_workspace_narrows_the_search(world):
    """The same name in another workspace is another connection."""
    world.airbyte.add_connection(OTHER, name="orders", workspace_id="w2")
    world.airbyte.add_connection(world.connection_id, name="orders", workspace_id="w1")
    assert world.run(find_connection("orders", "w2")).connection_id == OTHER
    with pytest.raises(ConnectionNotFound, match="in workspace w3"):
        world.run(find_connection("orders", "w3"))
