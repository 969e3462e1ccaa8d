"""The proxy between Airflow's processes and what they ask passes on, is silent, or refuses. No Airflow."""

import socket
import time
from contextlib import ExitStack, closing, contextmanager
from threading import Thread

import pytest
from proxy import Proxy

SHORT = 0.3
"""Seconds for which nothing comes where nothing shall come."""
LONG = 20.0
"""Seconds within which everything comes that shall come."""


@contextmanager
def echo_server():
    """A server that answers every line with the same line."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=take_connections, args=[listening], daemon=True).start()
        yield listening.getsockname()[1]


def take_connections(listening):
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:  # the test is over
            return
        Thread(target=echo, args=[connection], daemon=True).start()


def echo(connection):
    with closing(connection):
        try:
            while data := connection.recv(65_536):
                connection.sendall(data)
        except OSError:  # it was cut
            return


@pytest.fixture
def proxy():
    with echo_server() as port, Proxy(port=port) as proxy:
        yield proxy


def connect(proxy):
    return closing(socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG))


def hears_nothing(client):
    client.settimeout(SHORT)
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.settimeout(LONG)
    return True


def is_cut(client):
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_it_passes_everything_on(proxy):
    """More than one chunk, in both directions."""
    sent = bytes(range(256)) * 2_000
    with connect(proxy) as client:
        client.sendall(sent)
        received = b""
        while len(received) < len(sent):
            received += client.recv(65_536)
    assert sent == received


def test_while_it_is_silent_nothing_is_heard_and_afterwards_everything(proxy):
    """On a connection from before as on a new one: both are taken, and held."""
    with connect(proxy) as old, ExitStack() as later:
        with proxy.silent(at_most=LONG):
            new = later.enter_context(connect(proxy))
            for client in (old, new):
                client.sendall(b"said in silence")
                assert hears_nothing(client)
        assert [b"said in silence"] * 2 == [old.recv(100), new.recv(100)]


def test_while_it_refuses_nothing_connects_and_what_was_connected_is_cut(proxy):
    """It listens on the same port afterwards."""
    with connect(proxy) as old:
        old.sendall(b"before")
        assert b"before" == old.recv(100)
        with proxy.refusing(at_most=LONG):
            assert is_cut(old)
            with pytest.raises(ConnectionRefusedError):
                connect(proxy)
    with connect(proxy) as client:
        client.sendall(b"after")
        assert b"after" == client.recv(100)


@pytest.mark.parametrize("way", ["silent", "refusing"])
def test_each_state_ends_by_itself(proxy, way):
    """A test that hangs does not keep Airflow cut off."""
    with getattr(proxy, way)(at_most=SHORT):
        deadline = time.monotonic() + LONG
        while True:
            assert time.monotonic() < deadline
            try:
                with connect(proxy) as client:
                    client.sendall(b"again")
                    assert b"again" == client.recv(100)
            except ConnectionRefusedError:
                continue
            break


def test_what_is_held_at_the_end_is_cut():
    """The end of the block waits for no caller, as when a test is interrupted."""
    with echo_server() as port, Proxy(port=port) as proxy:
        client = socket.create_connection(("127.0.0.1", proxy.port), timeout=LONG)
        client.sendall(b"before")
        assert b"before" == client.recv(100)
    with closing(client):
        assert is_cut(client)


def test_a_client_learns_that_the_server_is_gone(proxy):
    """As without a proxy between them, whichever way it shows."""
    with connect(proxy) as client:
        client.shutdown(socket.SHUT_WR)
        assert b"" == client.recv(100)
