"""Connections by name, and the name of a connection."""

from __future__ import annotations

import asyncio

import pytest

from airbyte_sync import (
    AsyncPortInterpreter,
    ConnectionAmbiguous,
    ConnectionNotFound,
    Forbidden,
    RefusedOnTheWay,
    ResponseNotReceived,
    ServerTrouble,
    ServerUnreachable,
    SyncPolicy,
    Throttled,
    Unauthorized,
    arun,
    describe_connection,
    find_connection,
)
from airbyte_sync_testkit.clock import AsyncVirtualClock
from airbyte_sync_testkit.memory import AsyncInMemoryAirbyte, CallFault

OTHER = "5d1c3f9e-0f7e-4d8a-9a55-7b8c1d7e1099"


def test_one_of_the_name_is_found(world):
    """The name is the one that the Airbyte UI shows."""
    world.airbyte.add_connection(OTHER, name="orders")
    assert OTHER == world.run(find_connection("orders")).connection_id


@pytest.mark.parametrize(
    ("stored", "asked"),
    [("orders ", "orders"), ("orders", " orders\n"), ("Cafe\u0301", "Caf\u00e9"), ("a  b", "a  b")],
)
def test_a_name_may_be_written_otherwise(world, stored, asked):
    """Blanks around it, and how a letter is composed, cannot be seen in the UI."""
    world.airbyte.add_connection(OTHER, name=stored)
    assert OTHER == world.run(find_connection(asked)).connection_id


def test_a_name_that_is_the_same_letter_by_letter_goes_first(world):
    """A second connection whose name only looks the same makes nothing ambiguous."""
    world.airbyte.add_connection(OTHER, name="orders")
    world.airbyte.add_connection("w", name="orders ")
    assert OTHER == world.run(find_connection("orders")).connection_id


def test_names_that_only_look_the_same_are_ambiguous(world):
    """It is open which one is meant."""
    world.airbyte.add_connection(OTHER, name="orders ")
    world.airbyte.add_connection("w", name=" orders")
    with pytest.raises(ConnectionAmbiguous, match="2 connections are called 'orders'"):
        world.run(find_connection("orders"))


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (["orders"], ", but 'orders'. "),
        (["or ders", "ORDERS"], ", but 'ORDERS' and 'or ders'. "),
        (["orders", "ORDERS", "or ders", "o rders"], " and 'o rders' and 'or ders' and 1 more. "),
    ],
)
def test_near_misses_are_told(world, stored, told):
    """Up to three names that differ in case or white space only."""
    for number, name in enumerate(stored):
        world.airbyte.add_connection(f"{number}", name=name)
    with pytest.raises(ConnectionNotFound) as caught:
        world.run(find_connection("Orders"))
    assert told in str(caught.value)


def test_none_of_the_name_is_an_error(world):
    """The text says how names are compared."""
    with pytest.raises(ConnectionNotFound, match=r"'Orders'\. Upper and lower case"):
        world.run(find_connection("Orders"))


def test_several_of_the_name_are_an_error_that_names_them(world):
    """Nothing is picked at random."""
    for connection_id in (OTHER, world.connection_id):
        world.airbyte.add_connection(connection_id, name="orders")
    with pytest.raises(ConnectionAmbiguous, match=OTHER) as caught:
        world.run(find_connection("orders"))
    assert 2 == len(caught.value.connections)


def test_the_workspace_narrows_the_search(world):
    """The same name in another workspace is another connection."""
    world.airbyte.add_connection(OTHER, name="orders", workspace_id="w2")
    world.airbyte.add_connection(world.connection_id, name="orders", workspace_id="w1")
    assert OTHER == world.run(find_connection("orders", "w2")).connection_id
    with pytest.raises(ConnectionNotFound, match="in workspace w3"):
        world.run(find_connection("orders", "w3"))


def test_it_is_found_on_an_event_loop_too(world):
    """Blocking and async answer alike."""
    world.airbyte.add_connection(OTHER, name="orders")
    ports = AsyncPortInterpreter(
        AsyncInMemoryAirbyte(world.airbyte), AsyncVirtualClock(world.clock)
    )
    assert OTHER == asyncio.run(arun(find_connection("orders"), ports)).connection_id


def test_a_connection_is_described(world):
    """A log names it for people, and a link needs its workspace."""
    expected = world.airbyte.add_connection(OTHER, name="orders", workspace_id="w1")
    assert expected == world.run(describe_connection(OTHER))


@pytest.mark.parametrize(
    "error",
    [
        ResponseNotReceived("the connection was reset"),
        Throttled("slow down", status=429),
        Forbidden("no", status=403),
        Unauthorized("no", status=401),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_cannot_be_described_does_not_matter(world, error):
    """It is asked for once, for people: a server that cannot answer is not asked again."""
    world.airbyte.fail("fetch_connection", CallFault(error=error))
    assert world.run(describe_connection(world.connection_id)) is None
    assert 1 == world.airbyte.count("fetch_connection")
    assert 0 == world.seconds()


def test_a_connection_that_is_unknown_is_not_described(world):
    """What the id means is the submission's business."""
    assert world.run(describe_connection(OTHER)) is None


@pytest.mark.parametrize(
    "error",
    [RefusedOnTheWay("no Route matched", status=404), ServerTrouble("502"), Throttled("429")],
    ids=repr,
)
def test_trouble_while_a_name_is_looked_up_passes(world, error):
    """With a policy one odd answer is no verdict; without one the caller hears of it."""
    world.airbyte.fail("find_connections", CallFault(error=error))
    with pytest.raises(type(error)):
        world.run(find_connection("faker to duckdb"))
    world.airbyte.fail("find_connections", CallFault(error=error))
    found = world.run(find_connection("faker to duckdb", policy=SyncPolicy()))
    assert found.connection_id == world.connection_id


def test_a_name_that_cannot_be_looked_up_is_given_up(world):
    """After unreachable_timeout; a refusal of Airbyte's own ends it at once."""
    world.airbyte.fail("find_connections", *[CallFault(error=ServerTrouble("502"))] * 99)
    with pytest.raises(ServerUnreachable, match="'orders'"):
        world.run(find_connection("orders", policy=SyncPolicy()))
    assert 900 <= world.seconds() < 1000
    world.airbyte.recover()
    world.airbyte.fail("find_connections", CallFault(error=Forbidden("no", status=403)))
    with pytest.raises(Forbidden):
        world.run(find_connection("orders", policy=SyncPolicy()))
