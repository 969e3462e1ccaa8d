"""The pytest plugin gives a test a server by name."""

import urllib.request


def test_a_server_runs_while_the_test_does(local_airbyte):
    """The fixture is known without an import, and the server answers."""
    with urllib.request.urlopen(f"{local_airbyte.api_url}/health") as answer:  # noqa: S310
        assert 200 == answer.status
