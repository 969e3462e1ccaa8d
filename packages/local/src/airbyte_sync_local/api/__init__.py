"""The HTTP interfaces of the local server."""
